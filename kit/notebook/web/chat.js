// The chat panel. What is shown of a turn comes from the kernel; what a person does goes there.

let nextId = 0;

/** A control with a label that is seen and read out. */
function labelled(label, control, name = "") {
  control.id = `kit-${Date.now()}-${nextId++}`;
  const words = make("label", "", label);
  words.htmlFor = control.id;
  const node = make("span", `kit-field ${name}`.trim());
  node.append(...(control.type === "checkbox" ? [control, words] : [words, control]));
  return node;
}

function input(type, placeholder = "") {
  const node = make("input");
  node.type = type;
  node.placeholder = placeholder;
  return node;
}

function choice(values) {
  const node = make("select");
  for (const [value, words] of values) {
    const option = make("option", "", words);
    option.value = value;
    node.append(option);
  }
  return node;
}

/** Enter sends, Shift+Enter is a new line; Enter that ends a Korean syllable does neither. */
function sends(area, send, leave) {
  area.addEventListener("keydown", (event) => {
    if (event.isComposing || event.keyCode === 229) return;
    if (event.key === "Enter" && event.shiftKey) {
      event.preventDefault(); // JupyterLab takes the line break of Shift+Enter away everywhere
      area.setRangeText("\n", area.selectionStart, area.selectionEnd, "end");
      area.dispatchEvent(new Event("input"));
    } else if (event.key === "Enter" && !event.altKey) {
      event.preventDefault();
      send();
    } else if (event.key === "Escape") {
      event.preventDefault();
      leave();
    }
  });
}

/** As tall as what is in it, up to a bound that the style gives. */
function grows(area) {
  const fit = () => {
    area.style.height = "auto";
    area.style.height = `${area.scrollHeight + 2}px`;
  };
  area.addEventListener("input", fit);
  return fit;
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}

/** Put text into a new cell below, as a person does: insert a cell, paste. False where it fails. */
async function toCell(node, text) {
  const panel = node.closest(".jp-Notebook");
  if (!panel) return false;
  const active = () => panel.querySelector(".jp-Cell.jp-mod-active");
  const before = active();
  document.activeElement?.blur();
  panel.focus();
  const press = { key: "b", code: "KeyB", keyCode: 66, bubbles: true, cancelable: true };
  (before || panel).dispatchEvent(new KeyboardEvent("keydown", press));
  for (let tries = 0; tries < 40; tries++) {
    await new Promise((done) => setTimeout(done, 50));
    const editor = active()?.querySelector(".cm-content");
    if (active() !== before && editor && !editor.textContent.trim()) {
      const clipboard = new DataTransfer();
      clipboard.setData("text/plain", text);
      const paste = { clipboardData: clipboard, bubbles: true, cancelable: true };
      editor.dispatchEvent(new ClipboardEvent("paste", paste));
      return true;
    }
  }
  return false;
}

class ChatTurn {
  constructor(panel) {
    this.panel = panel;
    this.node = make("article", "kit-turn");
    this.card = null;
    this.last = "";
  }

  take(told, running, busy) {
    const now = JSON.stringify([told, running, busy]);
    if (now === this.last) return;
    this.last = now;
    this.told = told;
    const held = this.node.contains(document.activeElement)
      ? document.activeElement.textContent
      : null;
    this.fill(told, running, busy);
    if (held !== null) this.focusOn(held);
  }

  /** Who has pressed a button finds it again where it was, or the way back to writing. */
  focusOn(words) {
    const same = [...this.node.querySelectorAll("button")].find(
      (one) => one.textContent === words && !one.disabled,
    );
    (same || this.panel.area).focus({ preventScroll: true });
  }

  fill(told, running, busy) {
    this.node.replaceChildren(this.asked(told, busy));
    if (running) {
      this.card = this.card || new LiveCard(button("Stop", () => this.panel.say("stop")));
      this.node.append(this.card.node);
      return;
    }
    if (this.card) this.card.close();
    this.card = null;
    this.node.append(this.said(told, busy));
  }

  live(news) {
    if (!this.card) return;
    this.card.take(news);
  }

  asked(told, busy) {
    const node = make("div", "kit-asked");
    node.append(make("div", "kit-prompt", told.prompt));
    if (told.attached.length) {
      node.append(make("div", "kit-quiet", `with ${told.attached.join(", ")}`));
    }
    const row = make("div", "kit-actions");
    if (told.places > 1) row.append(...this.ways(told, busy));
    const edit = button("Edit", () => this.edit(told));
    edit.disabled = busy;
    edit.setAttribute("aria-label", "Edit this question and ask it anew");
    row.append(edit);
    node.append(row);
    return node;
  }

  ways(told, busy) {
    const step = (words, label, steps, end) => {
      const node = button(words, () => this.panel.say("choose", { turn: told.turn, steps }));
      node.setAttribute("aria-label", label);
      node.disabled = busy || end;
      return node;
    };
    return [
      step("‹", "The version before", -1, told.place === 1),
      make("span", "kit-quiet", `${told.place} of ${told.places}`),
      step("›", "The next version", 1, told.place === told.places),
    ];
  }

  edit(told) {
    const area = make("textarea", "kit-area");
    area.value = told.prompt;
    area.setAttribute("aria-label", "Your question in other words");
    const leave = () => {
      this.last = "";
      this.panel.draw();
    };
    const send = () => this.panel.begin("edit", { turn: told.turn, text: area.value });
    sends(area, send, leave);
    const row = make("div", "kit-actions");
    row.append(button("Ask anew", send, "kit-main"), button("Leave it", leave));
    const node = make("div", "kit-asked");
    node.append(area, row);
    this.node.replaceChild(node, this.node.firstChild);
    grows(area)();
    area.focus();
  }

  said(told, busy) {
    const node = make("div", "kit-said");
    if (told.html) {
      const text = make("div", "kit-text jp-RenderedHTMLCommon jp-RenderedMarkdown");
      text.append(cleaned(told.html));
      node.append(text);
    }
    for (const note of told.notes) node.append(make("div", "kit-quiet", note));
    if (told.problem) node.append(make("div", "kit-problem", told.problem));
    if (told.state === "stopped" && !told.html) {
      node.append(make("div", "kit-quiet", "Stopped before anything had arrived."));
    }
    const row = make("div", "kit-actions");
    if (told.text) {
      row.append(
        button("Copy", async () => this.panel.report(await copy(told.text), "Copied.")),
        button("To cell", () => this.toCell(told)),
      );
    }
    const retry = button("Retry", () => this.panel.begin("retry", { turn: told.turn }));
    retry.disabled = busy;
    row.append(retry);
    node.append(row);
    return node;
  }

  async toCell(told) {
    const text = told.cell;
    if (await toCell(this.node, text)) return this.panel.report(true, "Put into a cell below.");
    const words = "This page lets nobody add cells: it is copied, paste it into one.";
    return this.panel.report(await copy(text), words);
  }

  close() {
    if (this.card) this.card.close();
  }
}

class Chat {
  constructor(model) {
    this.model = model;
    this.turns = new Map();
    this.told = new Map();
    this.path = [];
    this.latest = 0;
    this.running = null;
    this.waiting = false;
    this.attached = [];
    this.node = make("section", "kit-card kit-chat");
    this.node.setAttribute("aria-label", "Chat");
    this.log = make("div", "kit-log");
    this.log.setAttribute("role", "log");
    this.log.setAttribute("aria-live", "off");
    this.log.tabIndex = 0;
    this.log.setAttribute("aria-label", "Conversation");
    this.empty = make("div", "kit-quiet kit-empty", "Ask something below.");
    this.consent = make("div", "kit-consent");
    this.consent.setAttribute("role", "alertdialog");
    this.consent.hidden = true;
    this.status = make("div", "kit-status");
    this.status.setAttribute("role", "status");
    this.node.append(this.head(), this.log, this.consent, this.composer(), this.status);
    this.log.append(this.empty);
  }

  head() {
    this.name = input("text", "default");
    this.names = make("datalist");
    this.name.setAttribute("list", (this.names.id = `kit-models-${Date.now()}-${nextId++}`));
    this.api = choice([
      ["responses", "responses"],
      ["chat", "chat"],
    ]);
    this.search = input("checkbox");
    this.tools = input("checkbox");
    this.system = make("textarea", "kit-area");
    this.system.rows = 2;
    this.system.placeholder = "What the model should always keep to";
    for (const one of [this.name, this.api, this.search, this.tools, this.system]) {
      one.addEventListener("change", () => this.set());
    }
    const system = make("details", "kit-fold");
    system.append(make("summary", "", "System text"), this.system);
    this.system.setAttribute("aria-label", "System text");
    const row = make("div", "kit-row-of-controls");
    this.toolsField = labelled("Tools", this.tools);
    row.append(
      labelled("Model", this.name, "kit-wide"),
      this.names,
      labelled("API", this.api),
      labelled("Web search", this.search),
      this.toolsField,
      make("span", "kit-space"),
      button("To Markdown", () => this.say("save")),
      twice("Clear", "Really clear?", () => this.say("clear")),
    );
    const head = make("div", "kit-controls");
    head.append(row, system);
    return head;
  }

  composer() {
    this.area = make("textarea", "kit-area");
    this.area.rows = 1;
    this.area.placeholder = "Ask… (Enter sends, Shift+Enter is a new line, Esc stops)";
    this.area.setAttribute("aria-label", "Your question");
    this.fit = grows(this.area);
    sends(
      this.area,
      () => this.send(),
      () => this.running !== null && this.say("stop"),
    );
    this.offer = choice([["", "Attach…"]]);
    this.offer.setAttribute("aria-label", "Attach a DataFrame or a picture by its name");
    for (const name of ["focus", "pointerdown"]) {
      this.offer.addEventListener(name, () => this.say("offer"));
    }
    this.offer.addEventListener("change", () => this.attach(this.offer.value));
    this.chips = make("div", "kit-chips");
    this.go = button("Send", () => (this.running === null ? this.send() : this.say("stop")));
    this.go.classList.add("kit-main");
    const row = make("div", "kit-composer");
    row.append(this.area, this.offer, this.go);
    const node = make("div");
    node.append(this.chips, row);
    requestAnimationFrame(this.fit);
    return node;
  }

  say(word, more = {}) {
    this.model.send({ do: word, latest: this.latest, ...more });
  }

  /** What begins an answer: once, until the kernel has said what came of it. */
  begin(word, more) {
    if (this.waiting || this.running !== null) return;
    this.waiting = true;
    this.draw();
    this.say(word, more);
  }

  set() {
    this.say("set", {
      model: this.name.value,
      system: this.system.value,
      api: this.api.value,
      web_search: this.search.checked,
      tools: this.tools.checked,
    });
  }

  send() {
    if (this.waiting || this.running !== null || !this.area.value.trim()) return;
    this.sent = { text: this.area.value, attached: this.attached };
    this.begin("ask", this.sent);
    this.area.focus();
    this.area.value = "";
    this.attached = [];
    this.fit();
    this.drawChips();
  }

  attach(name) {
    if (name && !this.attached.includes(name)) this.attached.push(name);
    this.offer.value = "";
    this.drawChips();
    this.area.focus();
  }

  drawChips() {
    const chip = (name) => {
      const drop = () => {
        this.attached = this.attached.filter((one) => one !== name);
        this.drawChips();
      };
      const node = button(`${name} ✕`, drop, "kit-chip");
      node.setAttribute("aria-label", `Do not attach ${name}`);
      return node;
    };
    this.chips.replaceChildren(...this.attached.map(chip));
  }

  take(news) {
    if (news.settings) this.show(news.settings);
    if ("latest" in news) this.latest = news.latest;
    if ("running" in news) this.running = news.running;
    for (const told of news.turns || []) this.told.set(told.turn, told);
    if (news.path) this.follow(news.path);
    if (news.models) this.names.replaceChildren(...news.models.map((one) => new Option(one, one)));
    if (news.offers) this.showOffers(news.offers);
    if ("consent" in news) this.showConsent(news.consent);
    if (news.problem) this.restore();
    if (news.path || news.problem || "running" in news) this.draw();
    if (news.live) this.keepsBottom(() => this.turns.get(news.live.turn)?.live(news.live));
    if (news.problem) this.report(false, news.problem);
    if (news.done) this.report(true, news.done);
  }

  follow(path) {
    this.waiting = false;
    this.path = path.map((place) => ({ ...this.told.get(place.turn), ...place }));
    const last = this.path.at(-1);
    if (this.sent && (!last || last.prompt !== this.sent.text)) this.restore();
    this.sent = null;
  }

  /** What was not taken goes back to where it was typed. */
  restore() {
    this.waiting = false;
    if (!this.sent || this.area.value) return;
    this.area.value = this.sent.text;
    this.attached = this.sent.attached;
    this.sent = null;
    this.fit();
    this.drawChips();
  }

  show(settings) {
    const put = (node, value) => {
      if (document.activeElement !== node && node.value !== value) node.value = value;
    };
    put(this.name, settings.model);
    put(this.system, settings.system);
    put(this.api, settings.api);
    this.search.checked = settings.web_search;
    this.tools.checked = settings.tools;
    this.toolsField.title = `The model may call: ${settings.offered.join(", ")}`;
  }

  showOffers(offers) {
    const options = offers.map(({ name, kind }) => new Option(`${name} (${kind})`, name));
    const none = new Option("no DataFrame, no picture", "");
    none.disabled = true;
    const first = new Option("Attach…", "");
    this.offer.replaceChildren(first, ...(options.length ? options : [none]));
  }

  showConsent(asked) {
    if (asked && asked.number === this.asked) return;
    this.asked = asked ? asked.number : null;
    this.consent.hidden = !asked;
    if (!asked) return;
    const row = make("div", "kit-actions");
    const say = (yes) => {
      for (const one of row.children) one.disabled = true;
      this.say("consent", { number: asked.number, yes });
    };
    const yes = button("Allow", () => say(true), "kit-main");
    const no = button("Refuse", () => say(false));
    row.append(yes, no);
    // A press that was meant for the question before must not answer this one.
    for (const one of row.children) one.disabled = true;
    setTimeout(() => {
      for (const one of row.children) one.disabled = false;
      if (this.node.contains(document.activeElement) || document.activeElement === document.body) {
        no.focus();
      }
    }, 700);
    const words = asked.paid || `The model wants to call ${asked.name}.`;
    this.consent.replaceChildren(
      make("div", "kit-prompt", words),
      make("pre", "kit-arguments", asked.paid ? "" : asked.arguments),
      row,
    );
    this.consent.setAttribute("aria-label", `Allow ${asked.name}?`);
  }

  draw() {
    this.keepsBottom(() => {
      const shown = new Set(this.path.map((one) => one.turn));
      for (const [number, turn] of this.turns) {
        if (shown.has(number)) continue;
        turn.close();
        turn.node.remove();
        this.turns.delete(number);
      }
      this.path.forEach((told) => {
        let turn = this.turns.get(told.turn);
        if (!turn) this.turns.set(told.turn, (turn = new ChatTurn(this)));
        turn.take(told, told.turn === this.running, this.waiting || this.running !== null);
      });
      const nodes = this.path.map((told) => this.turns.get(told.turn).node);
      const there = [...this.log.children].filter((node) => node !== this.empty);
      if (nodes.some((node, place) => node !== there[place])) this.log.append(...nodes);
      this.empty.hidden = nodes.length > 0;
    });
    const busy = this.running !== null;
    this.go.textContent = busy ? "Stop" : "Send";
    this.go.classList.toggle("kit-main", !busy);
    const whole = this.path.at(-1)?.state === "completed";
    if (this.busy && !busy) this.report(true, whole ? "The answer is there." : "");
    if (!this.busy && busy) this.report(true, "");
    this.busy = busy;
  }

  // Who has scrolled up to read stays there; who is at the end stays at the end.
  keepsBottom(change) {
    const { scrollTop, scrollHeight, clientHeight } = this.log;
    const atEnd = scrollTop + clientHeight >= scrollHeight - 24;
    change();
    if (atEnd) this.log.scrollTop = this.log.scrollHeight;
  }

  report(well, words) {
    this.status.textContent = well === false && !words ? "That did not work." : words;
    this.status.classList.toggle("kit-problem", !well);
  }

  lose() {
    for (const turn of this.turns.values()) turn.card?.lose();
    showLost(this.node);
  }

  close() {
    for (const turn of this.turns.values()) turn.close();
  }
}

export default {
  render({ model, el }) {
    el.classList.add("kit-widget");
    const chat = new Chat(model);
    el.append(chat.node);
    const release = keepKeys(chat.node);
    const leave = connect(
      model,
      (news) => chat.take(news),
      () => chat.lose(),
    );
    return () => {
      leave();
      release();
      chat.close();
    };
  },
};
