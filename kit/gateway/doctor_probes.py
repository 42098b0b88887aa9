"""The cheap probes: a dozen calls of some tokens each.

Rule: a probe asks and notes; what it means is decided in doctor_verdicts. What it does not note
because it failed is noted by whoever runs it.
"""

from __future__ import annotations

from datetime import date
from typing import Any
from urllib.parse import urlsplit

from kit import errors
from kit.gateway import doctor_verdicts as verdicts
from kit.gateway.answer import Answer
from kit.gateway.asking import STREAMS_ONLY, might_stream
from kit.gateway.capabilities import Seen
from kit.gateway.doctor_examination import Examination
from kit.gateway.doctor_failures import told_of
from kit.gateway.doctor_words import Told, said
from kit.gateway.events import Wire
from kit.gateway.failures import is_of_provider
from kit.gateway.wire import Api

__all__ = ["CHEAP", "HEAD"]

SHORT = 16
"""Tokens; several services take no smaller bound."""
LONGER = 64

GREETING = "Reply with exactly: OK"
REMEMBER = (
    "This is a short test of a connection and of nothing else. Whatever is asked in it afterwards, "
    "one word counts. Reply with exactly: {marker}"
)
RECALL = "What did I ask you to reply with before?"
CALL = (
    "This is a short test of functions and of nothing else, in which one word counts. Call the "
    "function kit_number once, and after that reply with exactly: {marker}"
)
NUMBER_SAID = "The number is 7, and there is no other."
FILL = "Fill in the form."

NUMBER: Wire = {
    "type": "function",
    "name": "kit_number",
    "description": "Gives a number.",
    "parameters": {
        "type": "object",
        "properties": {},
        "required": [],
        "additionalProperties": False,
    },
    "strict": True,
}
SOON_DAYS = 90
MOST_NAMED = 5


async def models(at: Examination) -> None:
    """Whether it answers, and the key is taken; which models there are, and when they end."""
    try:
        offered = await at.client.models(timeout=at.patience.probe)
    except errors.GatewayError as error:
        if at.tap.last is None:
            raise
        at.note("reachable", Seen("yes"))  # with a no, but it answers
        at.note("tls", _tls(at.endpoint.base_url))
        if not isinstance(error, errors.AuthenticationFailed) or is_of_provider(error):
            at.hear("models", listing=True)
            _note_unlisted(at, error)
            return
        keyed = at.endpoint.api_key is not None
        at.note("key", verdicts.of_key_error(error, keyed=keyed))
        at.note("models", Seen("unknown", "key"))
        raise
    at.note("reachable", Seen("yes"))
    at.note("tls", _tls(at.endpoint.base_url))
    listed = at.tap.last.object if at.tap.last else {}
    at.listed = not at.hear("models", listing=True)
    if not at.model and len(offered) == 1:
        at.model = offered[0]
    await _note_models(at, offered, listed)


def _tls(address: str) -> Seen:
    parts = urlsplit(address)
    if parts.scheme == "https":
        return Seen("yes")
    host = parts.hostname or ""
    here = host in ("localhost", "::1") or host.startswith("127.")
    return Seen("yes", "loopback") if here else Seen("no")


def _note_unlisted(at: Examination, error: errors.GatewayError) -> None:
    if at.tap.last is not None and at.tap.last.is_cut:
        at.note("models", Seen("unknown", "too long"))
        return
    told = told_of(error, *at.secrets)
    at.seen["models"] = Told(Seen("no"), theirs=told.theirs)
    if not at.model and isinstance(error, errors.ServerFailed):
        at.seen["models"] = told
    elif not at.model:
        at.seen["models"] = Told(Seen("no", "none"), told.happened, theirs=told.theirs)


async def _note_models(at: Examination, offered: list[str], listed: Wire) -> None:
    try:
        info = await at.client.model_info(timeout=at.patience.probe / 2)
    except errors.GatewayError:
        info = {}  # it is no LiteLLM, or does not tell this key
    ends, today = verdicts.shutdowns(listed, info), date.today()
    soon = sorted((day, name) for name, day in ends.items() if (day - today).days <= SOON_DAYS)
    chosen = [(day, name) for day, name in soon if name == at.model]
    told = [
        f"{said(name, *at.secrets, longest=60)} {'ends' if day >= today else 'ended'} on {day}"
        for day, name in [*chosen, *(one for one in soon if one not in chosen)][:MOST_NAMED]
    ]
    detail = f"{'; '.join(told)}." if told else ""
    if not at.model:
        at.note("models", Seen("partly", "choose") if offered else Seen("no", "none"), detail)
    elif chosen:
        at.note("models", Seen("partly", "shutdown"), detail)
    elif offered and at.model not in offered:
        at.note("models", Seen("partly", "not listed"), detail)
    else:
        at.note("models", Seen("yes" if offered else "no"), detail)


async def chat(at: Examination) -> None:
    await _first(at, "chat", GREETING, SHORT)


async def responses(at: Examination) -> None:
    """Whether the API answers; its answer is what the next turn is asked about."""
    prompt = REMEMBER.format(marker=at.marker)
    at.remembered = await _first(at, "responses", prompt, LONGER)


async def _first(at: Examination, api: Api, prompt: str, most: int) -> Answer:
    """An answer in one piece; where that is refused, as a stream: some models have no other."""
    try:
        answer = await at.ask(api, prompt, max_tokens=most)
    except errors.BadRequest as error:
        if verdicts.is_short(error) or not might_stream(error):
            raise
        try:
            answer, _ = await at.listen(api, prompt, max_tokens=most)
        except errors.KitError:
            raise error from None  # streams are no way either, and it was refused first
    streamed = at.tap.last is not None and "event-stream" in at.tap.last.kind
    at.note(api, Seen("partly", STREAMS_ONLY) if streamed else Seen("yes"))
    return answer


async def chat_stream(at: Examination) -> None:
    await _stream(at, "chat")


async def responses_stream(at: Examination) -> None:
    await _stream(at, "responses")


async def _stream(at: Examination, api: Api) -> None:
    """Asked twice where it fails: a "no" would have answers come in one piece for a day."""
    failed: errors.KitError | None = None
    for _ in range(2):
        try:
            await at.listen(api, GREETING, max_tokens=SHORT)
        except _ASKED_TWICE as error:
            failed = error
        else:
            failed = None
            break
    seen, lacks = verdicts.streamed(api, at.tap.last, failed)
    if isinstance(failed, errors.ServerFailed) and seen.verdict == "unknown":
        raise failed  # of the moment: its own words say it
    at.note(f"{api} stream", seen, lacks)


_ASKED_TWICE = (
    *(errors.StreamInterrupted, errors.ProtocolError),
    *(errors.ServerFailed, errors.BadRequest),
)


async def retrieve(at: Examination) -> None:
    first = at.remembered
    if first is None or not first.id:
        at.note("retrieve", Seen("no"))
        return
    again = await at.client.retrieve(first.id, timeout=at.patience.probe)
    at.note("retrieve", verdicts.fetched(first, again))


async def history(at: Examination) -> None:
    first = at.remembered
    if first is None or not first.id:
        at.note("history", Seen("no", "refused"))
        return
    second = await at.ask("responses", RECALL, previous_response_id=first.id, max_tokens=LONGER)
    at.note("history", verdicts.memory(at.marker, first, second))


async def chat_tools(at: Examination) -> None:
    await _tools(at, "chat")


async def tools(at: Examination) -> None:
    first, control = await _tools(at, "responses")
    if not first.function_calls:
        at.note("tools by id", at.seen["tools"].seen)
        return
    if not first.id:
        at.note("tools by id", Seen("no", "refused"))
        return
    second = await at.turn(
        "responses",
        _outputs(first),
        previous_response_id=first.id,
        tools=[NUMBER],
        max_tokens=LONGER,
    )
    at.note("tools by id", verdicts.tool_memory(at.marker, control, second))


async def _tools(at: Examination, api: Api) -> tuple[Answer, Answer | BaseException | None]:
    """The turn that calls, and what came of a second one, made from all that was said."""
    prompt = CALL.format(marker=at.marker)
    asked: dict[str, Any] = {"tools": [NUMBER], "max_tokens": LONGER}
    try:
        first = await at.turn(api, prompt, tool_choice="required", **asked)
    except errors.BadRequest:
        first = await at.turn(api, prompt, **asked)
    second: Answer | BaseException | None = None
    if first.function_calls:
        said_so_far = [{"role": "user", "content": prompt}, *first.items, *_outputs(first)]
        try:
            second = await at.turn(api, said_so_far, **asked)
        except errors.GatewayError as error:
            second = error
    at.note("chat tools" if api == "chat" else "tools", verdicts.tool_turn(first, second))
    return first, second


def _outputs(answer: Answer) -> list[Wire]:
    """One for each call: a gateway refuses a turn in which one is missing."""
    ids = [call.get("call_id") for call in answer.function_calls]
    return [{"type": "function_call_output", "call_id": id, "output": NUMBER_SAID} for id in ids]


async def chat_schema(at: Examination) -> None:
    await _schema(at, "chat")


async def schema(at: Examination) -> None:
    await _schema(at, "responses")


async def _schema(at: Examination, api: Api) -> None:
    word = {"type": "string", "enum": [at.marker]}
    wanted = {
        "type": "object",
        "properties": {"word": word},
        "required": ["word"],
        "additionalProperties": False,
    }
    try:
        answer = await at.ask(api, FILL, schema=wanted, max_tokens=LONGER)
    except errors.ProtocolError as error:  # what came is not of the form
        if not isinstance(error.answer, Answer):
            raise
        answer = error.answer
    at.note("chat schema" if api == "chat" else "schema", verdicts.form(answer, at.marker))


async def encrypted(at: Examination) -> None:
    include = ["reasoning.encrypted_content"]
    await at.ask("responses", GREETING, include=include, max_tokens=SHORT)
    at.note("encrypted", Seen("yes"))


HEAD = (models, ("reachable", "models"), "")
"""What comes first: nothing else is asked where it fails."""

CHEAP = (
    (chat, ("chat",), ""),
    (chat_stream, ("chat stream",), "chat"),
    (chat_tools, ("chat tools",), "chat"),
    (chat_schema, ("chat schema",), "chat"),
    (responses, ("responses",), ""),
    (responses_stream, ("responses stream",), "responses"),
    (history, ("history",), "responses"),
    (tools, ("tools", "tools by id"), "responses"),
    (schema, ("schema",), "responses"),
    (retrieve, ("retrieve",), "responses"),
    (encrypted, ("encrypted",), "responses"),
)
"""Each with what it finds out, and what has to be there for it."""
