// What the research widgets share: labelled fields, tables, and a page that is told parts.

let counted = 0;

/** A label, its control, and what is to be known about it. */
function field(label, control, hint = "") {
  const node = make("div", "kit-labelled");
  const name = make("label", "", label);
  control.id = `kit-${Date.now()}-${counted++}`;
  name.htmlFor = control.id;
  node.append(name, control);
  if (hint) {
    const words = make("div", "kit-hint", hint);
    words.id = `${control.id}-hint`;
    control.setAttribute("aria-describedby", words.id);
    node.append(words);
  }
  return node;
}

function textarea(rows, placeholder = "") {
  const node = make("textarea", "kit-input");
  node.rows = rows;
  node.placeholder = placeholder;
  return node;
}

function input(type, placeholder = "") {
  const node = make("input", "kit-input");
  node.type = type;
  node.placeholder = placeholder;
  node.autocomplete = "off";
  return node;
}

function select(options) {
  const node = make("select", "kit-input");
  setOptions(node, options);
  return node;
}

/** Other options; the choice stays where it can. */
function setOptions(node, options) {
  const chosen = node.value;
  node.replaceChildren(
    ...options.map(([value, words]) => {
      const option = make("option", "", words);
      option.value = value;
      return option;
    }),
  );
  if (options.some(([value]) => value === chosen)) node.value = chosen;
}

function fold(title, ...content) {
  const node = make("details", "kit-fold");
  node.append(make("summary", "", title), ...content);
  return node;
}

/** Rows of nodes or words under heads; wide ones scroll by themselves. */
function tableOf(caption, heads, rows) {
  const box = make("div", "kit-box");
  const table = make("table", "kit-table");
  table.append(make("caption", "kit-unseen", caption));
  const head = make("tr");
  for (const words of heads) {
    const cell = make("th", "", words);
    cell.scope = "col";
    head.append(cell);
  }
  const top = make("thead");
  top.append(head);
  const body = make("tbody");
  for (const cells of rows) {
    const row = make("tr");
    for (const content of cells) {
      const cell = make("td");
      cell.append(content);
      row.append(cell);
    }
    body.append(row);
  }
  table.append(top, body);
  box.append(table);
  return box;
}

/** Lines that are read out when they change: a problem, or what was done. */
function voice(role, name) {
  const node = make("div", name);
  node.setAttribute("role", role);
  node.hidden = true;
  node.tell = (words) => {
    if (node.textContent === words) return;
    node.textContent = words;
    node.hidden = !words;
  };
  return node;
}

const DOUBLE_MILLISECONDS = 1000;

/** What costs money is asked for once: from the press on, `changed` finds it held until the kernel
 * has taken its number, and for as long as somebody may press twice. */
class Once {
  constructor(changed) {
    this.changed = changed;
    this.held = false;
    this.number = null;
  }

  /** What goes along with the press; null where it has just been pressed. */
  press() {
    if (this.held || this.number === null) return null;
    this.held = true;
    this.pressed = performance.now();
    this.changed();
    return { number: this.number };
  }

  /** Each press brings another number, whatever became of it. */
  take(number) {
    this.number = number;
    const rest = this.held ? this.pressed + DOUBLE_MILLISECONDS - performance.now() : 0;
    clearTimeout(this.later);
    this.later = setTimeout(() => this.free(), Math.max(0, rest));
  }

  free() {
    this.held = false;
    this.changed();
  }

  close() {
    clearTimeout(this.later);
  }
}

/** The parts that a page knows; `take` calls `show[part]` for those that are new to it. */
class Parts {
  constructor(show) {
    this.show = show;
    this.known = new Map();
  }

  take(news) {
    for (const [name, part] of Object.entries(news)) {
      if (!this.show[name]) continue;
      const written = JSON.stringify(part);
      if (name !== "live" && this.known.get(name) === written) continue;
      this.known.set(name, written);
      this.show[name](part);
    }
  }
}
