// A run that is open: live while it goes on, then its report, its sources and its checks.

const VERDICTS = {
  opened: ["✓", "the run opened this page"],
  searched: ["○", "a search listed it; it was not opened"],
  "never seen": ["✕", "the run never saw it"],
  unknown: ["?", "the gateway does not say"],
};

class OpenedRun {
  /** extra: what stands below it. shut: a button that closes it, where there is one. */
  constructor(model, { extra = [], shut = [] } = {}) {
    this.node = make("section", "kit-opened");
    this.node.setAttribute("aria-label", "Research run");
    this.node.hidden = true;
    this.head = make("div", "kit-run-head");
    this.words = make("div", "kit-run-words");
    this.head.append(this.words, ...shut);
    const stop = twice("Stop", "End the run for good?", () => model.send({ do: "stop" }));
    this.card = new LiveCard(stop);
    this.stop = stop;
    this.report = make("div", "kit-report jp-RenderedHTMLCommon jp-RenderedHTML");
    this.sources = fold("Sources");
    this.checks = fold("Checks");
    this.node.append(this.head, this.card.node, this.report, this.sources, this.checks, ...extra);
    this.result(null);
  }

  run(run) {
    this.node.hidden = !run;
    this.id = run?.id;
    this.ending(this.stops);
    if (!run) return;
    const id = make("code", "kit-id", run.id);
    const words = make("strong", "kit-question", run.question || "(no question)");
    this.words.replaceChildren(words, id);
    // What was never sent has no life to show.
    this.card.node.hidden = run.status === "not sent";
    if (run.status === "not sent") this.words.append(make("span", "kit-hint", "not sent: kit.runs_table() sends it"));
  }

  live(news) {
    this.card.take(news);
  }

  result(result) {
    this.ended = !!result;
    const { html, sources, checks, more } = result || { html: "", sources: [], checks: [] };
    this.card.text.node.classList.toggle("kit-away", !!html);
    this.report.replaceChildren(cleaned(html));
    this.report.hidden = !html;
    this.put(this.sources, `Sources (${sources.length})`, sources.length, () =>
      tableOf("Sources", ["No.", "Page", "Opened", "Cited"], sources.map(sourceRow)),
    );
    this.put(this.checks, checked(checks), checks.length, () =>
      tableOf("Checks", ["Verdict", "Link", "Line", "No."], checks.map(checkRow)),
    );
    if (more?.[0]) this.sources.append(make("div", "kit-hint", `and ${more[0]} more`));
    if (more?.[1]) this.checks.append(make("div", "kit-hint", `and ${more[1]} more`));
  }

  put(part, title, any, table) {
    part.hidden = !any;
    part.firstChild.textContent = title;
    part.replaceChildren(part.firstChild, ...(any ? [table()] : []));
  }

  /** The runs that are being ended: this one may be among them. */
  ending(ids) {
    this.stops = ids || [];
    const stops = this.stops.includes(this.id);
    this.stop.disabled = stops;
    if (stops) this.stop.textContent = "Stopping…";
    else if (this.stop.textContent === "Stopping…") this.stop.textContent = "Stop";
  }

  close() {
    this.card.close();
  }
}

function sourceRow(one) {
  return [one.number, link(one.title, one.url), one.opened, one.cited];
}

function checkRow(one) {
  const [mark, why] = VERDICTS[one.verdict] || VERDICTS.unknown;
  const verdict = make("span", "kit-verdict");
  verdict.dataset.verdict = one.verdict;
  verdict.title = why;
  const sign = make("span", "kit-mark", mark);
  sign.setAttribute("aria-hidden", "true");
  verdict.append(sign, one.verdict);
  return [verdict, link(one.label, one.url), one.line, one.number];
}

function checked(checks) {
  const counts = new Map();
  for (const { verdict } of checks) counts.set(verdict, (counts.get(verdict) || 0) + 1);
  const words = [...counts].map(([verdict, count]) => `${count} ${verdict}`);
  return `Checks: links of the report (${words.join(", ")})`;
}
