"""`kit.research()`, `kit.runs()`, `kit.run()`: research started on purpose, and found again.

Rule: what a person starts here is a yes to what it costs. A run is written down before it is sent,
so whatever ends meanwhile, `kit.runs()` of the next kernel lists it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

from kit import connect, errors
from kit.blocking import run as wait_for
from kit.connect_desk import book_of, desk_of, started
from kit.errors import InputError
from kit.gateway.answer import Answer
from kit.gateway.events import Wire
from kit.relay.book import Entry
from kit.relay.clarifying import brief_of, questions_about
from kit.relay.frames import frame_of
from kit.relay.handle import NOT_SENT, AsyncRun
from kit.relay.run import Run
from kit.relay.view import is_token
from kit.secret import Secret
from kit.settings_relay import load_relay
from kit.tools import outputs

if TYPE_CHECKING:
    import pandas

    from kit.relay.contracts import Format

__all__ = ["clarified", "left_out", "research", "run", "runs", "standing"]

MOST_LISTED = 100
MOST_ASKED = 25
"""Runs whose state is asked for in one list; those that have ended are known."""
LIST_SECONDS = 10.0


def research(
    question: str,
    *,
    format: Format = "markdown_brief",
    context: Any = (),
    constraints: str | Sequence[str] = (),
    system: str | None = None,
    citations: bool = True,
    budget: float | None = None,
    model: str | None = None,
    max_tool_calls: int | None = None,
    clarify: bool = False,
    background: bool = False,
) -> Run:
    """Start a research run and return at once; `await` it, or `.wait()`, or look at it later.

    format: `markdown_brief`, `markdown_report` or `json_outline`. context: what is known, texts,
    Answers, dicts, DataFrames (their first rows). constraints: what the report must keep to.
    budget: US dollars; the run is stopped over it. max_tool_calls: a bound on searches. clarify:
    ask at most three questions first, with `input()`. background: return once the gateway has
    named the run, so that `upstream_response_id` is there.

    Raises InputError for what the relay does not take, ConfigError and GatewayError where it
    cannot be reached.
    """
    given: Wire = {
        "research_question": question,
        "deliverable_format": format,
        "context": _listed(context),
        "constraints": [constraints] if isinstance(constraints, str) else constraints,
        "system_prompt": system,
        "require_citations": citations,
        "budget_usd": budget,
        "model": model,
        "max_tool_calls": max_tool_calls,
        "background": background or None,
    }
    arguments = _checked({name: one for name, one in given.items() if one is not None})
    if clarify:
        arguments = _checked({**arguments, "research_question": clarified(question)})
    client = connect.client()
    settings = client.inner.settings
    relay = load_relay(user_data=settings.user_data)
    return Run(wait_for(started, settings, client.endpoint, relay, arguments))


def run(name: str, token: str | None = None) -> Run:
    """A run of yours by its id, or by how the id begins: in any kernel, after any restart.

    token: for a run that was started elsewhere, at the relay that is configured. Raises
    InputError where none is called so.
    """
    given = str(name).strip()
    client = connect.client()
    settings = client.inner.settings
    found = book_of(settings).find(given) if given else []
    if len(found) > 1:
        ids = ", ".join(one.name for one in found[:5])
        raise InputError(f"{given[:40]!r} is the beginning of several runs: {ids}.")
    if not found and token is None:
        raise InputError(
            f"No run of yours is called {given[:60]!r}, or begins so (four letters at least); "
            "kit.runs() lists them."
        )
    relay = load_relay(user_data=settings.user_data)
    desk = desk_of(settings, client.endpoint, relay)
    if found:
        inner = AsyncRun(desk, found[0])
        with contextlib.suppress(errors.NotFound):  # gone there: it can be deleted here
            if wait_for(inner.find):
                wait_for(inner.refresh)
        return Run(inner)
    if not is_token(token):
        raise InputError("A token is what the relay gave with the run: letters, digits, - and _.")
    entry = Entry("", "", {}, relay.base_url or "", "", time.time(), given, Secret(token))
    inner = AsyncRun(desk, entry)
    wait_for(inner.refresh)
    return Run(inner)


def runs(limit: int = MOST_LISTED) -> pandas.DataFrame:
    """Your runs, the newest first: `question`, `status`, `age`, `cost`, `gateway`, `id`.

    `status` is "unknown" where the relay cannot be asked. limit: rows at most.
    """
    if not _is_count(limit):
        raise InputError("`limit` is a whole number above zero.")
    states = standing(limit)
    now = time.time()
    rows = [
        {
            "question": state.entry.question,
            "status": status,
            "age": timedelta(seconds=int(max(now - state.entry.asked, 0))),
            "cost": state.entry.cost,
            "gateway": state.entry.gateway or state.entry.relay,
            "id": state.entry.name,
        }
        for state, status in states
    ]
    return frame_of(rows, _COLUMNS)


def standing(limit: int) -> list[tuple[AsyncRun, str]]:
    """Your runs, the newest first, each with its status; from now on you have been told of them."""
    client = connect.client()
    settings = client.inner.settings
    desk = desk_of(settings, client.endpoint, load_relay(user_data=settings.user_data))
    states = wait_for(_states, [AsyncRun(desk, entry) for entry in desk.book.entries()[:limit]])
    for state, _ in states:
        state.told()
    return states


async def _states(every: list[AsyncRun]) -> list[tuple[AsyncRun, str]]:
    asked = [one for one in every if one.entry.ended is None][:MOST_ASKED]
    told = dict(zip(map(id, asked), await asyncio.gather(*map(_state, asked)), strict=True))
    return [(one, one.entry.ended or told.get(id(one), "unknown")) for one in every]


async def _state(one: AsyncRun) -> str:
    try:
        async with asyncio.timeout(LIST_SECONDS):
            if one.entry.id is None:
                has = await (await one.reached()).started(one.entry.key)
                if not has:  # a list starts nothing, so it does not ask by posting again
                    return "unknown" if has is None else NOT_SENT
                await one.post()
            return (await one.refresh()).status
    except errors.NotFound:
        return "deleted"
    except (errors.KitError, TimeoutError):
        return "unknown"


def clarified(question: str, ask: Callable[[str], str] = input) -> str:
    """The question with what a person answers to at most three questions; blank is no answer.

    Raises InputError where nobody can be asked.
    """
    inner = connect.client().inner
    answers: list[tuple[str, str]] = []
    for asked in wait_for(questions_about, inner, question):
        try:
            said = ask(f"{_plain(asked)} ").strip()
        except (EOFError, OSError, RuntimeError):
            raise InputError(
                "clarify=True asks questions, and nobody can be asked here: leave it out."
            ) from None
        if said:
            answers.append((asked, said))
    return wait_for(brief_of, inner, question, answers) if answers else question


def _plain(text: str) -> str:
    return "".join(letter for letter in text if letter.isprintable())


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _listed(context: Any) -> list[Any]:
    if context is None:
        return []
    if isinstance(context, list | tuple):
        return [_entry(one) for one in cast(Sequence[Any], context)]
    return [_entry(context)]


def _entry(one: Any) -> Any:
    """Text and JSON objects as they are, anything else as text."""
    if isinstance(one, Answer | Run):
        return one.text
    if isinstance(one, dict):
        with contextlib.suppress(TypeError, RecursionError):  # else it holds what JSON has not
            json.dumps(one)
            return cast(Any, one)
    return one if isinstance(one, str) else outputs.output_of(one)


def left_out(context: Any) -> str | None:
    """What alone of one context is sent, for a person to read; None: all of it."""
    whole = isinstance(context, str | Answer | Run) or isinstance(_entry(context), dict)
    return None if whole else outputs.left_out(context)


def _checked(arguments: Wire) -> Wire:
    from pydantic import ValidationError

    from kit.relay.contracts import ResearchArguments
    from kit.relay.contracts_words import sentence_of

    try:
        return ResearchArguments.model_validate(arguments).document()
    except ValidationError as error:
        raise InputError(sentence_of(error, _NAMES)) from None


_COLUMNS = {
    **{"question": "str", "status": "str", "age": "timedelta64[s]"},
    **{"cost": "float64", "gateway": "str", "id": "str"},
}
_NAMES = {
    "research_question": "the question",
    "deliverable_format": "format",
    "budget_usd": "budget",
    "system_prompt": "system",
    "context": "context",
    "constraints": "constraints",
    "model": "model",
    "max_tool_calls": "max_tool_calls",
}
