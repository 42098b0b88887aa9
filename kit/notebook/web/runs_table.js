// The runs table: looks by itself while somebody can see it, sorts and filters by itself.

const LOOK_MILLISECONDS = 3000;
const MOST_SHOWN = 100;

class RunsTable {
  constructor(send) {
    this.once = new Once(() => this.free());
    this.send = (message) => {
      const once = message.do === "retry" ? this.once.press() : {};
      if (once) send({ ...message, ...once });
    };
    this.ends = [];
    this.rows = new Map();
    this.nodes = new Map();
    this.column = "asked";
    this.direction = 1;
    this.shown = MOST_SHOWN;
    this.status = select([["", "all"]]);
    this.text = input("search", "words, an id");
    this.count = make("span", "kit-hint");
    this.count.setAttribute("role", "status");
    this.more = button("Show more", () => {
      this.shown += MOST_SHOWN;
      this.draw();
    });
    this.none = make("p", "kit-hint");
    this.body = make("tbody");
    this.node = make("div", "kit-runs");
    this.build();
  }

  build() {
    const bar = make("div", "kit-acts kit-bar");
    bar.append(field("Status", this.status), field("Filter", this.text), this.count);
    for (const one of [this.status, this.text]) {
      one.addEventListener("input", () => {
        this.shown = MOST_SHOWN;
        this.draw();
      });
    }
    const head = make("tr");
    this.heads = new Map(COLUMNS.map(([name, words]) => [name, this.head(name, words)]));
    const acts = make("th", "kit-col-acts");
    acts.append(make("span", "kit-unseen", "What can be done"));
    head.append(...this.heads.values(), acts);
    const top = make("thead");
    top.append(head);
    this.table = make("table", "kit-table kit-runs-table");
    this.table.append(make("caption", "kit-unseen", "Research runs"), top, this.body);
    this.box = make("div", "kit-box kit-runs-box");
    this.box.append(this.table);
    this.node.append(bar, this.none, this.box, this.more);
  }

  head(name, words) {
    const node = make("th", `kit-col-${name}`);
    node.scope = "col";
    const press = button(words, () => {
      this.direction = this.column === name ? -this.direction : 1;
      this.column = name;
      this.draw();
    });
    press.className = "kit-sort";
    node.append(press);
    return node;
  }

  take({ rows, news, gone, most }) {
    if (rows) {
      const known = new Set(rows.map((row) => row.id));
      for (const id of this.rows.keys()) if (!known.has(id)) this.rows.delete(id);
    }
    for (const id of gone || []) this.rows.delete(id);
    for (const row of rows || news || []) this.rows.set(row.id, row);
    for (const id of this.nodes.keys()) if (!this.rows.has(id)) this.nodes.delete(id);
    this.most = most;
    this.told = true;
    this.draw();
  }

  draw() {
    if (!this.told) return;
    const every = [...this.rows.values()];
    const statuses = [...new Set(every.map((row) => row.status))].sort();
    const options = [["", "all"], ...statuses.map((one) => [one, one])];
    if (this.status.value && !statuses.includes(this.status.value)) {
      options.push([this.status.value, this.status.value]);
    }
    const written = JSON.stringify(options);
    if (written !== this.options) setOptions(this.status, options);
    this.options = written;
    const chosen = every.filter((row) => this.fits(row));
    chosen.sort(inOrder(this.column, this.direction));
    arrange(this.body, chosen.slice(0, this.shown).map((row) => this.rowOf(row)));
    this.mark(every.length, chosen.length);
  }

  fits(row) {
    if (this.status.value && row.status !== this.status.value) return false;
    const words = this.text.value.toLowerCase().split(/\s+/).filter(Boolean);
    const text = `${row.question} ${row.id} ${row.gateway} ${row.status}`.toLowerCase();
    return words.every((word) => text.includes(word));
  }

  rowOf(row) {
    if (!this.nodes.has(row.id)) this.nodes.set(row.id, new RunRow(this.send));
    const node = this.nodes.get(row.id);
    if (node.row !== row) node.show(row);
    this.free(node.acts);
    node.node.classList.toggle("kit-is-open", row.id === this.open);
    return node.node;
  }

  mark(all, chosen) {
    for (const [name, node] of this.heads) {
      const order = this.direction > 0 ? "ascending" : "descending";
      node.setAttribute("aria-sort", name === this.column ? order : "none");
    }
    const shown = Math.min(chosen, this.shown);
    const runs = all === 1 ? "1 run" : `${all} runs`;
    const parts = [chosen === all ? runs : `${chosen} of ${runs}`];
    if (shown < chosen) parts.push(`the first ${shown} are shown`);
    if (all >= this.most) parts.push(`older ones: kit.runs(limit=${2 * this.most})`);
    const words = parts.join(" · ");
    if (this.count.textContent !== words) this.count.textContent = words;
    this.more.hidden = shown >= chosen;
    this.box.hidden = !chosen;
    this.none.hidden = chosen > 0;
    this.none.textContent = all
      ? "No run is like that."
      : "There are no runs yet. To start one: %%research in a cell, or kit.research_panel().";
  }

  busy(busy) {
    this.isBusy = !!busy;
    this.free();
  }

  /** The runs that are being ended. */
  ending(ids) {
    this.ends = ids;
    this.free();
  }

  /** What can be pressed now: a run is ended whatever else is under way. */
  free(node = this.body) {
    for (const one of node.querySelectorAll(".kit-button")) {
      const { ends } = one.dataset;
      one.disabled = ends ? this.ends.includes(ends) : this.isBusy || this.once.held;
    }
  }

  grow() {
    for (const node of this.nodes.values()) if (node.node.isConnected) node.grow();
  }
}

/** Whether a person can see it: its page is in front, and it is laid out in it. */
function isSeen(node) {
  return document.visibilityState === "visible" && node.getClientRects().length > 0;
}

export default {
  render({ model, el }) {
    el.classList.add("kit-widget");
    const release = keepKeys(el);
    const send = (message) => model.send(message);
    const table = new RunsTable(send);
    const shut = button("Close", () => send({ do: "close" }));
    const run = new OpenedRun(model, { shut: [shut] });
    const problem = voice("alert", "kit-wrong");
    const trouble = voice("status", "kit-wrong");
    const said = voice("status", "kit-done");
    const card = make("section", "kit-card");
    card.setAttribute("aria-label", "Research runs");
    card.append(table.node, trouble, problem, said, run.node);
    el.append(card);
    card.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || run.node.hidden) return;
      event.stopPropagation();
      send({ do: "close" });
      table.nodes.get(table.open)?.acts.querySelector("button")?.focus();
    });
    const parts = new Parts({
      run: (part) => {
        run.run(part);
        const opened = part && part.id !== table.open;
        table.open = part ? part.id : "";
        table.draw();
        if (opened) run.node.scrollIntoView({ block: "nearest" });
      },
      live: (part) => run.live(part),
      result: (part) => run.result(part),
      problem: (part) => problem.tell(part),
      trouble: (part) => trouble.tell(part),
      said: (part) => said.tell(part),
      busy: (part) => table.busy(part),
      ending: (part) => [table, run].forEach((one) => one.ending(part)),
      number: (part) => table.once.take(part),
    });
    const take = (news) => {
      if (news.rows || news.news) table.take(news);
      parts.take(news);
    };
    const lost = () => {
      clearInterval(timer);
      table.once.close();
      run.card.lose();
      showLost(el);
    };
    const leave = connect(model, take, lost);
    const timer = setInterval(() => {
      if (!isSeen(el)) return;
      table.grow();
      send({ do: "look" });
    }, LOOK_MILLISECONDS);
    return () => {
      clearInterval(timer);
      leave();
      release();
      table.once.close();
      run.close();
    };
  },
};
