// What all widgets of ours are built from. Rule: text becomes text nodes. The only HTML that is put
// into the page was cleaned by kit.clean in the kernel, and comes under the names settled, tail, html.

function make(tag, name = "", text = "") {
  const node = document.createElement(tag);
  if (name) node.className = name;
  if (text) node.textContent = text;
  return node;
}

function button(label, act, name = "") {
  const node = make("button", `kit-button ${name}`.trim(), label);
  node.type = "button";
  node.addEventListener("click", act);
  return node;
}

/** A link, where the address is one of the web; the words alone where it is not. */
function link(words, url) {
  if (!/^https?:\/\//i.test(url || "")) return make("span", "", words);
  const node = make("a", "", words);
  node.href = url;
  node.target = "_blank";
  node.rel = "noopener noreferrer";
  return node;
}

function cleaned(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  for (const node of template.content.querySelectorAll("a[href^='http']")) node.target = "_blank";
  return template.content;
}

function lasted(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

/** A button that asks once more before it does what cannot be undone. */
function twice(label, sure, act) {
  let armed = null;
  const calm = () => {
    clearTimeout(armed);
    armed = null;
    node.textContent = label;
    node.classList.remove("kit-armed");
  };
  const node = button(label, () => {
    if (armed) {
      calm();
      act();
      return;
    }
    node.textContent = sure;
    node.classList.add("kit-armed");
    armed = setTimeout(calm, 5000);
  });
  return node;
}

/** Text that grows: see kit/notebook/growing.py for what it is told. */
class GrowingText {
  constructor() {
    this.node = make("div", "kit-text jp-RenderedHTMLCommon jp-RenderedMarkdown");
    this.settled = make("div");
    this.tail = make("div");
    this.node.append(this.settled, this.tail);
    this.node.hidden = true;
    this.raw = null;
  }

  take(told) {
    if (told.clear) {
      this.settled.replaceChildren();
      this.tail.replaceChildren();
      this.raw = null;
    }
    if (told.settled) this.settle(told.settled);
    if ("tail" in told) {
      this.tail.replaceChildren(cleaned(told.tail));
      this.raw = null;
    }
    if ("raw" in told) {
      this.raw = make("div", "kit-raw");
      this.tail.replaceChildren(this.raw);
      this.add(told.raw);
    }
    if ("more" in told && this.raw) this.add(told.more);
    this.node.hidden = !this.settled.firstChild && !this.tail.firstChild;
  }

  // In parts; a full one is drawn by itself, and only where one can see it: what has been read long
  // ago costs nothing when a letter is added.
  settle(html) {
    let last = this.settled.lastChild;
    if (!last || last.childNodes.length > 60) {
      if (last) last.className = "kit-part";
      last = make("div");
      this.settled.append(last);
    }
    last.append(cleaned(html));
  }

  // In pieces: a browser lays out a whole paragraph at each letter that is added to it.
  add(text) {
    const longest = 16000;
    for (let start = 0, end; start < text.length; start = end) {
      end = start + longest;
      if (/[\ud800-\udbff]/.test(text[end - 1] ?? "")) end += 1;  // both halves of a character
      const piece = text.slice(start, end);
      let last = this.raw.lastChild;
      if (!last || last.textContent.length > longest) {
        last = make("div");
        this.raw.append(last);
      }
      last.append(document.createTextNode(piece));
    }
  }
}

const MARKS = {
  search: ["⌕", "searched"],
  page: ["▤", "opened"],
  source: ["❑", "source"],
  call: ["ƒ", "called"],
  note: ["!", "note"],
};

/** What has happened: searches, pages, calls as they come, sources and thoughts folded. */
class Happenings {
  constructor() {
    this.node = make("div", "kit-happenings");
    this.list = make("ul", "kit-rows");
    this.list.setAttribute("aria-label", "What has happened");
    this.sources = this.fold("Sources");
    this.thoughts = this.fold("Reasoning");
    this.node.append(this.list, this.sources.fold, this.thoughts.fold);
    this.rows = new Map();
    this.clear();
  }

  fold(title) {
    const fold = make("details", "kit-fold");
    const summary = make("summary", "", title);
    const body = make("div");
    fold.append(summary, body);
    fold.hidden = true;
    return { fold, summary, body, title };
  }

  clear() {
    this.rows.clear();
    this.list.replaceChildren();
    for (const part of [this.sources, this.thoughts]) {
      part.body.replaceChildren();
      part.fold.hidden = true;
    }
    this.list.hidden = true;
  }

  take(rows) {
    for (const [place, row] of rows) this.put(place, row);
    this.list.hidden = !this.list.firstChild;
    const count = this.sources.body.querySelectorAll(".kit-row").length;
    this.sources.summary.textContent = count ? `Sources so far (${count})` : "Sources";
  }

  put(place, row) {
    if (row.kind === "thought") {
      this.think(place, row.text);
      return;
    }
    const known = this.rows.get(place);
    const node = this.row(row);
    if (known) known.replaceWith(node);
    else if (row.kind === "source") {
      this.sources.fold.hidden = false;
      this.sources.body.append(node);
    } else this.list.append(node);
    this.rows.set(place, node);
  }

  think(place, text) {
    this.thoughts.fold.hidden = false;
    this.thoughts.body.className = "kit-thoughts";
    const known = this.rows.get(place);
    const node = known || make("span");
    if (!known) {
      this.thoughts.body.append(node);
      this.rows.set(place, node);
    }
    if (text.startsWith(node.textContent)) {
      node.append(text.slice(node.textContent.length));
    } else node.textContent = text;
  }

  row(row) {
    const node = make(row.kind === "source" ? "div" : "li", `kit-row kit-${row.kind}`);
    const [mark, word] = MARKS[row.kind] || MARKS.note;
    const sign = make("span", "kit-mark", mark);
    sign.setAttribute("aria-hidden", "true");
    node.append(sign, make("span", "kit-word", word), link(row.text, row.url));
    if (row.state) node.append(make("span", "kit-state", row.state));
    return node;
  }
}

const STATES = {
  running: ["◌", "running"],
  pending: ["◌", "pending"],
  queued: ["◌", "queued"],
  completed: ["✓", "completed"],
  failed: ["✕", "failed"],
  cancelled: ["■", "cancelled"],
  stopped: ["■", "stopped"],
};

/** The line on top: how it stands, for how long, with what. Counts the seconds by itself. */
class Standing {
  constructor(extra) {
    this.node = make("div", "kit-standing");
    this.sign = make("span", "kit-sign");
    this.sign.setAttribute("aria-hidden", "true");
    this.phase = make("span", "kit-phase");
    this.phase.setAttribute("role", "status");
    this.facts = make("span", "kit-facts");
    this.node.append(this.sign, this.phase, this.facts, ...(extra ? [extra] : []));
    this.told = { status: "running", phase: "waiting…", seconds: 0, silent: 0, notes: [] };
    this.since = performance.now();
    this.timer = setInterval(() => this.draw(), 500);
    this.draw();
  }

  take(facts) {
    this.told = facts;
    this.since = performance.now();
    this.draw();
  }

  get ended() {
    return !["running", "pending", "queued"].includes(this.told.status);
  }

  draw() {
    const facts = this.told;
    const passed = this.ended ? 0 : (performance.now() - this.since) / 1000;
    const [mark, word] = STATES[facts.status] || STATES.running;
    this.put(this.sign, mark);
    this.sign.dataset.status = this.ended ? facts.status : "running";
    this.put(this.phase, this.ended ? word : facts.phase || word);
    const silent = facts.silent + passed;
    const parts = [
      lasted(facts.seconds + passed),
      facts.model,
      facts.tokens,
      facts.spend,
      !this.ended && silent >= 20 ? `no news for ${lasted(silent)}` : "",
    ];
    this.put(this.facts, parts.filter(Boolean).join(" · "));
    this.facts.classList.toggle("kit-silent", !this.ended && silent >= 20);
  }

  put(node, text) {
    if (node.textContent !== text) node.textContent = text;
  }

  /** Nothing more comes: the seconds stand still, and it is said why, and what to do. */
  lose() {
    this.close();
    const todo = this.told.again || "Run the cell again.";
    this.put(this.phase, `The kernel ended or was restarted. ${todo}`);
    this.node.closest(".kit-card")?.classList.add("kit-unheard");
    this.sign.dataset.status = "stopped";
    this.put(this.sign, "■");
  }

  close() {
    clearInterval(this.timer);
  }
}

/** Keys that are pressed in a widget are its own, and no commands of the notebook: only with Ctrl or
 * Cmd they still are, so that the notebook can be saved. JupyterLab asks the element that has the
 * focus, so it is told there, before it asks. */
function keepKeys(root) {
  const tell = (event) => {
    if (!root.contains(event.target)) return;
    if (event.ctrlKey || event.metaKey) delete event.target.dataset.lmSuppressShortcuts;
    else event.target.dataset.lmSuppressShortcuts = "true";
  };
  window.addEventListener("keydown", tell, true);
  return () => window.removeEventListener("keydown", tell, true);
}

const LOST = "The kernel has gone: run the cell again.";

/** Says so in a widget, and lets nothing be pressed any more. */
function showLost(node) {
  for (const control of node.querySelectorAll("button, input, textarea, select")) {
    control.disabled = true;
  }
  if (!node.querySelector(".kit-lost")) node.append(make("div", "kit-lost", LOST));
}

/** One connection to the kernel: says hello until it is told all; what is new counts from there on.
 *
 * The first message of a page may go the way of the cells and wait for one that runs: only while
 * it waits does JupyterLab open the other way (a subshell). The next hello takes that.
 */
function connect(model, take, lost) {
  const hello = { do: "hello", view: `${Math.random()}`.slice(2) };
  let tries = 0;
  const greet = () => {
    if (tries++ < 40) model.send(hello);
    else clearInterval(timer);
  };
  const timer = setInterval(greet, 250);
  let knows = false;
  const heard = (news) => {
    if (news.all) clearInterval(timer);
    knows = knows || news.all;
    if (knows) take(news);
  };
  // The kernel has ended or begun anew: whatever is pressed here, nobody hears it.
  const gone = () => {
    clearInterval(timer);
    lost();
  };
  model.on("msg:custom", heard);
  model.on("comm_live_update", gone);
  greet();
  return () => {
    clearInterval(timer);
    model.off("msg:custom", heard);
    model.off("comm_live_update", gone);
  };
}
