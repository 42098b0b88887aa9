// The research panel: a form, what is asked back, and the run that it started.

const FORMATS = [
  ["markdown_brief", "Brief: a page"],
  ["markdown_report", "Report: several pages"],
  ["json_outline", "Outline: JSON"],
];

class ResearchForm {
  constructor(send) {
    this.send = send;
    this.node = make("form", "kit-form");
    this.question = textarea(3, "What is to be found out?");
    this.format = select(FORMATS);
    this.context = textarea(2, "What is known already");
    this.names = make("fieldset", "kit-names");
    this.constraints = textarea(2, "Sources in Korean\nSince 1945");
    this.budget = input("text", "no limit");
    this.budget.inputMode = "decimal";
    this.model = input("text", "as configured");
    this.asked = make("fieldset", "kit-questions");
    this.price = make("span", "kit-hint kit-price");
    this.clarify = button("Clarify", () => this.say("clarify"));
    this.clarify.title = "Be asked at most three questions first: a small call, and another at the start if you answer";
    this.start = button("Start", () => {}, "kit-main");
    this.start.type = "submit";
    this.once = new Once(() => this.draw());
    this.build();
    this.offered = [];
    this.chosen = new Set();
    this.filled = false;
  }

  build() {
    const few = make("div", "kit-few");
    few.append(
      field("Format", this.format),
      field("Budget in US dollars", this.budget),
      field("Model", this.model),
    );
    const both = make("div", "kit-both");
    both.append(
      field("Context", this.context),
      field("Constraints, one a line", this.constraints),
    );
    const acts = make("div", "kit-acts");
    acts.append(this.start, this.clarify, this.price);
    this.names.hidden = this.asked.hidden = true;
    this.node.append(field("Question", this.question), few, both, this.names, this.asked, acts);
    this.node.addEventListener("submit", (event) => {
      event.preventDefault();
      const once = this.start.disabled ? null : this.once.press();
      if (once) this.say("start", { ...once, price: this.price.textContent });
    });
    this.node.addEventListener("input", () => this.draft());
    this.model.addEventListener("input", () => this.cost());
    this.node.addEventListener("keydown", (event) => this.enter(event));
    this.names.addEventListener("pointerenter", () => this.send({ do: "offers" }));
  }

  /** In a line Enter starts, in a text Ctrl+Enter does; from one answer it goes to the next. */
  enter(event) {
    const { target } = event;
    if (event.key !== "Enter" || event.isComposing) return; // a syllable ends with Enter, too
    const all = event.ctrlKey || event.metaKey;
    if (!all && !target.matches('input[type="text"]')) return;
    event.preventDefault();
    const answers = [...this.asked.querySelectorAll("input")];
    const place = answers.indexOf(target);
    if (all || place < 0) this.node.requestSubmit();
    else (answers[place + 1] || this.start).focus();
  }

  get values() {
    return {
      question: this.question.value,
      format: this.format.value,
      context: this.context.value,
      names: [...this.chosen],
      constraints: this.constraints.value,
      budget: this.budget.value,
      model: this.model.value,
      answers: [...this.asked.querySelectorAll("input")].map((one) => one.value),
    };
  }

  say(word, more = {}) {
    clearTimeout(this.later);
    this.send({ do: word, form: this.values, ...more });
  }

  draft() {
    clearTimeout(this.later);
    this.later = setTimeout(() => this.say("draft"), 300);
  }

  /** What the kernel keeps of the form: for a page that has just opened. */
  fill(form) {
    if (this.filled) return;
    this.filled = true;
    for (const name of ["question", "format", "context", "constraints", "budget", "model"]) {
      this[name].value = form[name];
    }
    this.chosen = new Set(form.names);
    this.kept = form.answers;
    this.cost();
    this.offer(this.offered);
  }

  /** What it costs, as long as that is the price of the model that is filled in. */
  cost(price = this.priced) {
    this.priced = price;
    const same = price && price.model === this.model.value.trim();
    this.price.textContent = same ? price.words : "";
  }

  offer(offered) {
    this.offered = offered;
    const focused = this.names.contains(document.activeElement) && document.activeElement.name;
    const legend = make("legend", "", "Variables that go along");
    const known = new Set(offered.map((one) => one.name));
    for (const name of this.chosen) if (!known.has(name)) this.chosen.delete(name);
    this.names.replaceChildren(legend, ...offered.map((one) => this.choice(one)));
    this.names.hidden = !offered.length;
    if (!focused) return;
    const boxes = [...this.names.querySelectorAll("input")];
    const box = boxes.find((one) => one.name === focused) || boxes[0] || this.question;
    box.focus({ preventScroll: true });
  }

  choice({ name, kind }) {
    const box = make("input");
    box.type = "checkbox";
    box.name = name;
    box.checked = this.chosen.has(name);
    box.addEventListener("change", () => {
      if (box.checked) this.chosen.add(name);
      else this.chosen.delete(name);
    });
    const label = make("label", "kit-choice");
    label.append(box, make("code", "", name), make("span", "kit-hint", kind));
    return label;
  }

  ask(questions) {
    const legend = make("legend", "", "Before it starts; blank is no answer");
    this.asked.replaceChildren(legend);
    questions.forEach((question, place) => {
      const answer = input("text");
      answer.value = this.kept?.[place] || "";
      this.asked.append(field(question, answer));
    });
    this.kept = null;
    const focused = !this.asked.hidden || !questions.length || !this.wantsFocus;
    this.asked.hidden = !questions.length;
    if (!focused) this.asked.querySelector("input").focus();
    this.wantsFocus = false;
  }

  busy(busy) {
    this.isBusy = busy;
    if (busy === "clarify") this.wantsFocus = true;
    this.draw();
  }

  draw() {
    const busy = this.isBusy;
    this.clarify.disabled = !!busy;
    this.start.disabled = !!busy || this.once.held;
    this.start.textContent = busy === "start" ? "Starting…" : "Start";
    this.clarify.textContent = busy === "clarify" ? "Asking…" : "Clarify";
  }
}

/** What is done with a run that has ended: kept as a file, or compared. */
class RunActs {
  constructor(send) {
    this.node = make("div", "kit-after");
    this.markdown = button("Save as Markdown", () => send({ do: "markdown" }));
    this.notebook = button("Save as notebook", () => send({ do: "notebook" }));
    this.others = select([["", "no other run has ended"]]);
    this.compare = button("Compare", () => send({ do: "compare", id: this.others.value }));
    this.difference = make("div", "kit-difference jp-RenderedHTMLCommon");
    const acts = make("div", "kit-acts");
    acts.append(this.markdown, this.notebook);
    const choice = make("div", "kit-acts kit-compare");
    choice.append(field("Compare with", this.others), this.compare);
    this.node.append(acts, choice, this.difference);
    this.others.addEventListener("pointerdown", () => send({ do: "others" }));
    this.node.hidden = true;
    this.difference.hidden = true;
  }

  offer(others) {
    const words = others.length ? "choose a run" : "no other run has ended";
    const rows = others.map(({ id, title, age }) => [id, `${title} · ${age} · ${id}`]);
    setOptions(this.others, [["", words], ...rows]);
    this.any = others.length > 0;
    this.busy("");
  }

  show(compared) {
    this.difference.hidden = !compared;
    this.difference.replaceChildren();
    if (!compared) return;
    const head = make("div", "kit-hint", "What this report says that ");
    head.append(make("code", "", compared.id), " did not (+), and the other way round (−)");
    this.difference.append(head, cleaned(compared.html));
  }

  busy(busy) {
    for (const one of [this.markdown, this.notebook, this.others]) one.disabled = !!busy;
    this.compare.disabled = !!busy || !this.any;
  }
}

export default {
  render({ model, el }) {
    el.classList.add("kit-widget");
    const release = keepKeys(el);
    const send = (message) => model.send(message);
    const form = new ResearchForm(send);
    const acts = new RunActs(send);
    const run = new OpenedRun(model, { extra: [acts.node] });
    const problem = voice("alert", "kit-wrong");
    const said = voice("status", "kit-done");
    const asking = fold("Ask for research", form.node);
    asking.open = true;
    const card = make("section", "kit-card kit-panel");
    card.setAttribute("aria-label", "Research panel");
    card.append(asking, problem, said, run.node);
    el.append(card);
    let open = "";
    const parts = new Parts({
      form: (part) => form.fill(part),
      offers: (part) => form.offer(part),
      price: (part) => form.cost(part),
      number: (part) => form.once.take(part),
      asked: (part) => form.ask(part),
      run: (part) => {
        run.run(part);
        if (part && part.id !== open) asking.open = false;
        open = part ? part.id : "";
      },
      live: (part) => run.live(part),
      result: (part) => {
        run.result(part);
        acts.node.hidden = !part || !part.html;
      },
      others: (part) => acts.offer(part),
      compared: (part) => acts.show(part),
      problem: (part) => problem.tell(part),
      said: (part) => said.tell(part),
      busy: (part) => [form, acts].forEach((one) => one.busy(part)),
      ending: (part) => run.ending(part),
    });
    const lost = () => {
      form.once.close();
      run.card.lose();
      showLost(card);
    };
    const leave = connect(model, (news) => parts.take(news), lost);
    return () => {
      leave();
      release();
      form.once.close();
      run.close();
    };
  },
};
