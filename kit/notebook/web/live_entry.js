export default {
  render({ model, el }) {
    el.classList.add("kit-widget");
    const sure = model.get("options").sure;
    const stop = () => {
      model.send({ do: "stop" });
      card.stop.textContent = "Stopping…";
      card.stop.disabled = true;
    };
    const card = new LiveCard(
      sure ? twice("Stop", sure, stop) : button("Stop", stop),
    );
    el.append(card.node);
    const release = keepKeys(card.node);
    const leave = connect(
      model,
      (news) => card.take(news),
      () => card.lose(),
    );
    return () => {
      leave();
      release();
      card.close();
    };
  },
};
