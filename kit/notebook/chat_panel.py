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
from itertools import count
from pathlib import Path
from typing import Any

from kit.errors import InputError, KitError
from kit.gateway.answer import Answer
from kit.gateway.card import printable
from kit.notebook import chat_page
from kit.notebook.board import Board
from kit.notebook.chat_asking import TurnScreen, answer_turn, kind_of, request_of
from kit.notebook.chat_consent import Consent, approval
from kit.notebook.chat_file import write_conversation
from kit.notebook.chat_turns import Turn, Turns, markdown_of_turns
from kit.notebook.session import current

__all__ = ["ChatPanel", "ChatSettings"]

LONGEST_PROMPT = 200_000
LONGEST_NAME = 200
LONGEST_SYSTEM = 20_000
MOST_PLACES = 20


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
        self._questions = count(1)
        self._consent = Consent(self._tell_standing, self._questions)
        self._told: dict[int, Turn] = {}  # what every page has of each turn
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
        return write_conversation(self.to_markdown(), path)

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
        self._told = {}
        news = {"all": True, **self._standing(), **self._path()}
        if self._running is not None:
            news["live"] = {"turn": self._running, **self._board.whole()}
        self._tell(news)
        self._behind(self._tell_models)

    def _ask(self, said: Mapping[str, Any]) -> None:
        prompt, attached, path = _prompt(said), self._attached(said), self._turns.path()
        if self._is_free(said):
            self._begin(self._turns.add(prompt, path[-1].id if path else None, attached))

    def _retry(self, said: Mapping[str, Any]) -> None:
        turn = self._named(said)
        if self._is_free(said):
            self._begin(self._turns.add(turn.prompt, turn.parent, turn.attached))

    def _edit(self, said: Mapping[str, Any]) -> None:
        turn, prompt = self._named(said), _prompt(said)
        if self._is_free(said):
            self._begin(self._turns.add(prompt, turn.parent, turn.attached))

    def _choose(self, said: Mapping[str, Any]) -> None:
        turn, steps = self._named(said), said.get("steps")
        if self._is_free(said):
            self._turns.choose(turn, steps if steps in (-1, 1) else 0)
            self._tell_path()
            path = self._turns.path()
            self._behind(lambda: self._keep(path))

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
        self._consent.stop()

    def _answered(self, said: Mapping[str, Any]) -> None:
        self._consent.answer(said.get("number"), said.get("yes") is True)

    def _clear(self, said: Mapping[str, Any]) -> None:
        if self._is_free(said):
            self._turns, self._told = Turns(), {}
            self._tell_path()
            self._keep([])

    def _offer(self, said: Mapping[str, Any]) -> None:
        self._tell({"offers": chat_page.offers(self._variables)})

    def _save(self, said: Mapping[str, Any]) -> None:
        def save() -> None:
            try:
                news = {"done": f"Saved as {printable(self.save().name)}, beside the notebook."}
            except KitError as error:
                news = {"problem": str(error)}
            self._tell(news)

        self._behind(save)

    # -- one turn ----------------------------------------------------------------------------

    def _begin(self, turn: Turn) -> None:
        self._running, self._board = turn.id, Board()
        self._stop.clear()
        self._consent = Consent(self._tell_standing, self._questions)
        self._tell_path()
        self._behind(lambda: self._work(turn))

    def _work(self, turn: Turn) -> None:
        changes: dict[str, Any] = {"state": "failed"}
        try:
            changes = self._answered_turn(turn)
        except KitError as error:
            changes["problem"] = str(error)
        except BaseException as error:  # an `approve` may leave with SystemExit
            changes["problem"] = _said_of(error)
        finally:
            self._end(turn, changes)

    def _answered_turn(self, turn: Turn) -> dict[str, Any]:
        from kit import connect

        history = self._turns.history(turn)
        request = request_of(turn, history, self.settings, self._variables)
        self._turns.change(turn.id, items=request.items, notes=request.notes)
        screen = TurnScreen(self._tell_live, self._stop.is_set)
        outcome = answer_turn(connect.client(), request, screen, approval(self._consent))
        return {one: getattr(outcome, one) for one in ("state", "answer", "problem")}

    def _end(self, turn: Turn, changes: dict[str, Any]) -> None:
        ended = self._turns.change(turn.id, **changes)
        chat_page.document(ended)  # drawn here: nobody has to wait for it under the lock
        with self._lock:
            self._running = None
            if ended.answer is not None:
                current.last = ended.answer
            self._tell_path()
        self._keep(self._turns.path())

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
        self._tell({**self._standing(), **self._path()})

    def _tell_standing(self) -> None:
        with self._lock:
            self._tell(self._standing())

    def _standing(self) -> dict[str, Any]:
        return {
            "settings": chat_page.settings(self.settings),
            "running": self._running,
            "consent": self._consent.question,
            "latest": self._turns.latest,
        }

    def _path(self) -> dict[str, Any]:
        """Which turns are shown, and those of them that no page has yet as they are."""
        path = self._turns.path()
        places = [(turn, self._turns.siblings(turn)) for turn in path]
        news = [turn for turn in path if self._told.get(turn.id) is not turn]
        self._told.update((turn.id, turn) for turn in news)
        return {
            "path": [
                {"turn": turn.id, "place": there.index(turn.id) + 1, "places": len(there)}
                for turn, there in places
            ],
            "turns": [chat_page.document(turn) for turn in news],
        }

    # -- checks ------------------------------------------------------------------------------

    def _is_free(self, said: Mapping[str, Any]) -> bool:
        """Whether this is to be done. Not what was pressed twice: the page had not been told yet
        what came of the first. Raises InputError while an answer is coming."""
        if said.get("latest") != self._turns.latest:
            self._tell_path()
            return False
        if self._running is not None:
            raise InputError("An answer is still coming: stop it first.")
        return True

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


def _prompt(said: Mapping[str, Any]) -> str:
    prompt = _text(said, "text", LONGEST_PROMPT)
    if not prompt.strip():
        raise InputError("The prompt is empty.")
    return prompt


def _said_of(error: BaseException) -> str:
    from kit.notebook.edge import unforeseen

    if isinstance(error, Exception):
        return str(unforeseen(error))
    return f"A function that was called left with {type(error).__name__}."


def _text(said: Mapping[str, Any], name: str, longest: int) -> str:
    value = said.get(name)
    if not isinstance(value, str):
        return ""
    if len(value) > longest:
        raise InputError(f"That is longer than {longest:,} characters.")
    return value.encode("utf-8", "replace").decode()  # a page's text may hold half a character
