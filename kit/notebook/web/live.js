// The live card: how it stands, what happens, the text as it grows, and a button to stop it.

class LiveCard {
  constructor(stop) {
    this.node = make("section", "kit-card kit-live");
    this.node.setAttribute("aria-label", "A model at work");
    this.stop = stop;
    this.standing = new Standing(stop);
    this.notes = make("div", "kit-notes");
    this.happenings = new Happenings();
    this.text = new GrowingText();
    this.node.append(
      this.standing.node,
      this.notes,
      this.happenings.node,
      this.text.node,
    );
  }

  take(news) {
    if (news.all) this.happenings.clear();
    this.text.take(news);
    if (news.rows) this.happenings.take(news.rows);
    if (news.facts) this.show(news.facts);
  }

  show(facts) {
    this.standing.take(facts);
    this.notes.replaceChildren(...facts.notes.map((note) => make("div", "", note)));
    this.stop.hidden = this.standing.ended;
  }

  lose() {
    if (!this.standing.ended) this.standing.lose();
    this.stop.hidden = true;
  }

  close() {
    this.standing.close();
  }
}
