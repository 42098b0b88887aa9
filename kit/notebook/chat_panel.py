"""The chat panel: a conversation in the output of a cell.

    the widget          transcript, composer, switches; everything a person does comes as a message
    the kept output     the same conversation as plain output below it, folded: a saved notebook
                        shows it with no kernel

Rule: a message is answered at once. What takes time runs in a thread, one turn at a time, and the
page is told. The panel holds names of variables, never their values; no key is in it at all.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kit.errors import InputError, KitError
from kit.gateway.answer import Answer
from kit.gateway.card import printable
from kit.notebook import chat_page
from kit.notebook.board import Board
from kit.notebook.chat_asking import TurnScreen, answer_turn, kind_of, request_of
from kit.notebook.chat_turns import Turn, Turns, markdown_of_turns
from kit.notebook.session import current

__all__ = ["ChatPanel", "ChatSettings"]

LONGEST_PROMPT = 200_000
LONGEST_NAME = 200
LONGEST_SYSTEM = 20_000
MOST_PLACES = 20
CONSENT_SECONDS = 1_800.0


@dataclass(frozen=True, slots=True)
class ChatSettings:
    """What the next turn is asked with; "" is the default."""

    model: str = ""
    system: str = ""
    api: str = "responses"
    web_search: bool = False
    tools: tuple[str, ...] = ()


class ChatPanel:
    """A chat. `answer` is the last answer, `save` writes the conversation to a Markdown file."""

    def __init__(self, settings: ChatSettings, variables: Mapping[str, Any]) -> None:
        self.settings = settings
        self._variables = variables
        self._turns = Turns()
        self._lock = threading.RLock()
        self._board = Board()
        self._running: int | None = None
        self._stop = threading.Event()
        self._asked: dict[str, str] | None = None
        self._consent: threading.Event | None = None
        self._allowed = False
        self._places: list[tuple[Callable[[dict[str, Any]], None], Callable[..., None]]] = []

    @property
    def answer(self) -> Answer | None:
        """The last answer of the conversation that is shown; None before the first."""
        answers = [turn.answer for turn in self._turns.path() if turn.answer]
        return answers[-1] if answers else None

    @property
    def turns(self) -> list[Turn]:
        """The conversation that is shown."""
        return self._turns.path()

    def to_markdown(self) -> str:
        """The same as Markdown."""
        return markdown_of_turns(self.turns)

    def save(self, path: str | Path | None = None) -> Path:
        """Write the conversation to a Markdown file; by default a new one beside the notebook.

        Raises InputError where nothing was said yet, and where the file cannot be written.
        """
        if not self._turns.path():
            raise InputError("Nothing has been said yet.")
        target = Path(path).expanduser() if path else _unused(time.strftime("chat-%Y%m%d-%H%M%S"))
        try:
            target.write_text(self.to_markdown(), "utf-8")
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise InputError(f"{target} cannot be written: {reason}.") from None
        return target

    def __repr__(self) -> str:
        return "ChatPanel()"

    def _ipython_display_(self) -> None:
        from kit.notebook.chat_display import display_panel

        display_panel(self)

    def show_in(
        self, tell: Callable[[dict[str, Any]], None], keep: Callable[[list[Turn]], None]
    ) -> None:
        """Tell this page too from now on, and keep the conversation there."""
        self._places = [*self._places, (tell, keep)][-MOST_PLACES:]

    def _tell(self, news: dict[str, Any]) -> None:
        for tell, _ in self._places:
            tell(news)

    def _keep(self, turns: list[Turn]) -> None:
        for _, keep in self._places:
            keep(turns)

    # -- what a page says --------------------------------------------------------------------

    def hear(self, word: str, said: Mapping[str, Any]) -> None:
        """Do what a person wants. Raises KitError, which the page shows."""
        act = _ACTS.get(word)
        if act is None:
            return
        with self._lock:
            act(self, said)

    def _hello(self, said: Mapping[str, Any]) -> None:
        news = {"all": True, **self._standing(), "turns": self._documents(self._turns.path())}
        if self._running is not None:
            news["live"] = {"turn": self._running, **self._board.whole()}
        self._tell(news)
        self._behind(self._tell_models)

    def _ask(self, said: Mapping[str, Any]) -> None:
        prompt = _text(said, "text", LONGEST_PROMPT)
        attached = self._attached(said)
        self._free()
        if not prompt.strip():
            raise InputError("The prompt is empty.")
        path = self._turns.path()
        self._begin(self._turns.add(prompt, path[-1].id if path else None, attached))

    def _retry(self, said: Mapping[str, Any]) -> None:
        turn = self._named(said)
        self._free()
        self._begin(self._turns.add(turn.prompt, turn.parent, turn.attached))

    def _edit(self, said: Mapping[str, Any]) -> None:
        turn, prompt = self._named(said), _text(said, "text", LONGEST_PROMPT)
        self._free()
        if not prompt.strip():
            raise InputError("The prompt is empty.")
        self._begin(self._turns.add(prompt, turn.parent, turn.attached))

    def _choose(self, said: Mapping[str, Any]) -> None:
        turn, steps = self._named(said), said.get("steps")
        self._free()
        self._turns.choose(turn, steps if steps in (-1, 1) else 0)
        self._tell_path()

    def _set(self, said: Mapping[str, Any]) -> None:
        api = said.get("api")
        self.settings = replace(
            self.settings,
            model=_text(said, "model", LONGEST_NAME).strip(),
            system=_text(said, "system", LONGEST_SYSTEM).strip(),
            api=api if api in ("chat", "responses") else self.settings.api,
            web_search=said.get("web_search") is True,
            tools=chat_page.tools() if said.get("tools") is True else (),
        )
        self._tell(self._standing())

    def _stopped(self, said: Mapping[str, Any]) -> None:
        self._stop.set()
        if self._consent is not None:
            self._consent.set()

    def _answered(self, said: Mapping[str, Any]) -> None:
        if self._consent is not None:
            self._allowed = said.get("yes") is True
            self._consent.set()

    def _clear(self, said: Mapping[str, Any]) -> None:
        self._free()
        self._turns = Turns()
        self._tell_path()
        self._keep([])

    def _offer(self, said: Mapping[str, Any]) -> None:
        self._tell({"offers": chat_page.offers(self._variables)})

    def _save(self, said: Mapping[str, Any]) -> None:
        self._tell({"done": f"Saved as {printable(self.save().name)}, beside the notebook."})

    # -- one turn ----------------------------------------------------------------------------

    def _begin(self, turn: Turn) -> None:
        self._running, self._board = turn.id, Board()
        self._stop.clear()
        self._tell_path()
        self._behind(lambda: self._work(turn))

    def _work(self, turn: Turn) -> None:
        from kit import connect

        try:
            history = self._turns.history(turn)
            request = request_of(turn, history, self.settings, self._variables)
            self._turns.change(turn.id, items=request.items, notes=request.notes)
            screen = TurnScreen(self._tell_live, self._stop.is_set)
            outcome = answer_turn(connect.client(), request, screen, self._ask_consent)
            changes = {one: getattr(outcome, one) for one in ("state", "answer", "problem")}
        except KitError as error:
            changes = {"state": "failed", "problem": str(error)}
        except Exception as error:  # in a thread nobody else would hear of it
            from kit.notebook.edge import unforeseen

            changes = {"state": "failed", "problem": str(unforeseen(error))}
        with self._lock:
            ended = self._turns.change(turn.id, **changes)
            self._running = None
            if ended.answer is not None:
                current.last = ended.answer
            self._tell_path()
        self._keep(self._turns.path())

    def _ask_consent(self, call: Any, paid: str) -> bool:
        """Ask in the panel, and wait for what is pressed there; stopping is a no."""
        with self._lock:
            self._consent, self._allowed = threading.Event(), False
            self._asked = chat_page.consent(call, paid)
            self._tell({"consent": self._asked})
        self._consent.wait(CONSENT_SECONDS)
        with self._lock:
            self._consent = self._asked = None
            self._tell({"consent": None})
        return self._allowed

    def _tell_live(self, text: str, doing: Any) -> None:
        with self._lock:
            news = self._board.news(text, doing.facts(time.monotonic()), doing.diary.rows)
            if news:
                self._tell({"live": {"turn": self._running, **news}})

    def _tell_models(self) -> None:
        if models := chat_page.models():
            self._tell({"models": models})

    # -- what a page is told -----------------------------------------------------------------

    def _tell_path(self) -> None:
        self._tell({**self._standing(), "turns": self._documents(self._turns.path())})

    def _standing(self) -> dict[str, Any]:
        return {
            "settings": chat_page.settings(self.settings),
            "running": self._running,
            "consent": self._asked,
        }

    def _documents(self, turns: list[Turn]) -> list[dict[str, Any]]:
        return [chat_page.document(turn, self._turns.siblings(turn)) for turn in turns]

    # -- checks ------------------------------------------------------------------------------

    def _free(self) -> None:
        if self._running is not None:
            raise InputError("An answer is still coming: stop it first.")

    def _named(self, said: Mapping[str, Any]) -> Turn:
        turn = self._turns.get(said.get("turn"))
        if turn is None:
            raise InputError("That turn is not there any more.")
        return turn

    def _attached(self, said: Mapping[str, Any]) -> tuple[str, ...]:
        names = said.get("attached")
        listed = names[:20] if isinstance(names, list) else []
        for name in listed:
            if not isinstance(name, str) or kind_of(self._variables.get(name)) is None:
                shown = printable(str(name)[:60])
                raise InputError(f"There is no DataFrame and no picture called {shown}.")
        return tuple(listed)

    def _behind(self, work: Callable[[], None]) -> None:
        threading.Thread(target=work, name="kit-chat", daemon=True).start()


_ACTS: dict[str, Callable[[ChatPanel, Mapping[str, Any]], None]] = {
    "hello": ChatPanel._hello,
    "ask": ChatPanel._ask,
    "retry": ChatPanel._retry,
    "edit": ChatPanel._edit,
    "choose": ChatPanel._choose,
    "set": ChatPanel._set,
    "stop": ChatPanel._stopped,
    "consent": ChatPanel._answered,
    "clear": ChatPanel._clear,
    "offer": ChatPanel._offer,
    "save": ChatPanel._save,
}


def _text(said: Mapping[str, Any], name: str, longest: int) -> str:
    value = said.get(name)
    if not isinstance(value, str):
        return ""
    if len(value) > longest:
        raise InputError(f"That is longer than {longest:,} characters.")
    return value.encode("utf-8", "replace").decode()  # a page's text may hold half a character


def _unused(stem: str) -> Path:
    """A file that is not there yet: what is there is not written over."""
    names = [f"{stem}.md", *(f"{stem}-{number}.md" for number in range(2, 100))]
    return next(place for name in names if not (place := Path(name)).exists())
