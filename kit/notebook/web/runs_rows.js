// The rows of the runs table: kept as nodes, so that nothing jumps while they change.

const STANDS = {
  ...STATES,
  "not sent": ["▷", "not sent"],
  unknown: ["?", "unknown"],
  deleted: ["∅", "deleted"],
};
const GOING = ["pending", "queued", "running"];
const AGAIN = ["failed", "cancelled", "not sent"];

const COLUMNS = [
  ["question", "Question"],
  ["status", "Status"],
  ["asked", "Age"],
  ["cost", "Cost"],
  ["gateway", "Gateway"],
  ["id", "Id"],
];

function isGoing(row) {
  return GOING.includes(row.status);
}

/** One run: its cells, and what can be done with it in this state. */
class RunRow {
  constructor(send) {
    this.send = send;
    this.node = make("tr");
    this.cells = {};
    for (const [name] of COLUMNS) {
      const cell = make(name === "question" ? "th" : "td", `kit-col-${name}`);
      if (name === "question") cell.scope = "row";
      this.cells[name] = cell;
      this.node.append(cell);
    }
    this.sign = make("span", "kit-sign");
    this.sign.setAttribute("aria-hidden", "true");
    this.word = make("span");
    this.cells.status.append(this.sign, this.word);
    this.acts = make("td", "kit-col-acts");
    this.node.append(this.acts);
  }

  show(row) {
    this.row = row;
    this.put(this.cells.question, row.question || "(no question)");
    this.cells.question.title = row.question;
    this.put(this.cells.cost, row.money || "–");
    this.put(this.cells.gateway, row.gateway);
    this.cells.gateway.title = row.gateway;
    this.put(this.cells.id, row.id);
    this.cells.id.title = row.id;
    const [mark, word] = STANDS[row.status] || ["?", row.status];
    this.put(this.sign, mark);
    this.sign.dataset.status = isGoing(row) ? "running" : row.status;
    this.put(this.word, word);
    this.grow();
    // The buttons stay while they mean the same: one may have been pressed once.
    const offered = JSON.stringify([isGoing(row), AGAIN.includes(row.status) && row.status]);
    if (offered !== this.offered) this.offer(row);
    this.offered = offered;
  }

  /** Older by the time that has passed. */
  grow() {
    this.put(this.cells.asked, aged(Date.now() / 1000 - this.row.asked));
  }

  offer(row) {
    const { id } = row;
    const acts = [button("Open", () => this.send({ do: "open", id }))];
    acts[0].setAttribute("aria-label", `Open: ${row.question.slice(0, 80)}`);
    if (isGoing(row)) {
      const sure = "End it for good?";
      const cancel = twice("Cancel", sure, () => this.send({ do: "cancel", id }));
      cancel.dataset.ends = id;
      acts.push(cancel);
    } else if (AGAIN.includes(row.status) && row.known) {
      const word = row.status === "not sent" ? "Send" : "Retry";
      const sure = `${word}? It may cost`;
      acts.push(twice(word, sure, () => this.send({ do: "retry", id })));
    }
    this.acts.replaceChildren(...acts);
  }

  put(node, text) {
    if (node.textContent !== text) node.textContent = text;
  }
}

function aged(seconds) {
  const hours = Math.floor(seconds / 3600);
  return hours < 24 ? lasted(seconds) : `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** Below or above by one column; the newest first where two are alike. */
function inOrder(column, direction) {
  const value = (row) => (column === "asked" ? -row.asked : row[column]);
  return (one, other) => {
    const [a, b] = [value(one), value(other)];
    if (a !== b) {
      if (a === null || a === "") return 1; // what is not known stands last, either way
      if (b === null || b === "") return -1;
      const before = typeof a === "number" ? a - b : a.localeCompare(b);
      if (before) return direction * before;
    }
    return other.asked - one.asked || (one.id < other.id ? -1 : 1);
  };
}

/** Put these rows into `body` in this order, and move only those that stand elsewhere. */
function arrange(body, nodes) {
  const focused = body.contains(document.activeElement) ? document.activeElement : null;
  const wanted = new Set(nodes);
  for (const node of [...body.children]) if (!wanted.has(node)) node.remove();
  nodes.forEach((node, place) => {
    if (body.children[place] !== node) body.insertBefore(node, body.children[place] || null);
  });
  if (focused && focused.isConnected && document.activeElement !== focused) focused.focus();
}
