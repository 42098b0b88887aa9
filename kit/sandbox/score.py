"""A response as a score: which event comes when.

Pure and deterministic: the same finished response and tempo give the same events with the same
numbers. That is why a background run needs no worker: any process that has the response knows what
has happened by now.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from kit.sandbox.outcome import Item
from kit.sandbox.response_object import Response, unfinished

Event = dict[str, Any]
Beat = tuple[float, Event]
"""Seconds to wait, and then the event."""

RESEARCH_SECONDS = (20.0, 40.0)
TERMINAL = {
    "completed": "response.completed",
    "failed": "response.failed",
    "incomplete": "response.incomplete",
}


@dataclass(frozen=True, slots=True)
class Tempo:
    """Seconds of each kind of work, before `pace` is applied."""

    queue: float = 0.0
    delta: float = 1 / 60
    think: float = 0.1
    search: float = 0.25
    open: float = 0.15


BRISK = Tempo()
BACKGROUND = Tempo(queue=0.5)
RESEARCH = Tempo(queue=1.0, think=1.5, search=2.0, open=1.0)


@dataclass(frozen=True, slots=True)
class Due:
    """An event and when it is due, in seconds after the response was created."""

    at: float
    event: Event


def write_score(response: Response, pace: float, *, research: bool) -> tuple[Due, ...]:
    """All stream events of a finished `response`, numbered from 0, in order."""
    tempo = RESEARCH if research else BACKGROUND if response["background"] else BRISK
    beats = list(_beats(response, tempo))
    total = sum(wait for wait, _ in beats)
    if research and total:
        low, high = RESEARCH_SECONDS
        pace *= min(max(total, low), high) / total
    score: list[Due] = []
    now = 0.0
    for number, (wait, event) in enumerate(beats):
        now += wait * pace
        score.append(Due(now, {**event, "sequence_number": number}))
    return tuple(score)


def at_second(response: Response, score: Sequence[Due], elapsed: float) -> Response:
    """`response` as it stands `elapsed` seconds after its creation."""
    if elapsed >= score[-1].at:
        return response
    happened = [due.event for due in score if due.at <= elapsed]
    started = any(event["type"] == "response.in_progress" for event in happened)
    items = [event["item"] for event in happened if event["type"] == "response.output_item.done"]
    return unfinished(response, "in_progress" if started else "queued", items)


def _beats(response: Response, tempo: Tempo) -> Iterator[Beat]:
    queued = response["background"]
    yield 0.0, _envelope("created", unfinished(response, "queued" if queued else "in_progress"))
    if queued:
        yield 0.0, _envelope("queued", unfinished(response, "queued"))
    yield tempo.queue, _envelope("in_progress", unfinished(response, "in_progress"))
    for index, item in enumerate(response["output"]):
        for wait, event in _item_beats(item, tempo):
            yield wait, {"type": event.pop("type"), "output_index": index, **event}
    yield tempo.delta, {"type": TERMINAL[response["status"]], "response": response}


def _envelope(name: str, response: Response) -> Event:
    return {"type": f"response.{name}", "response": response}


def _item_beats(item: Item, tempo: Tempo) -> Iterator[Beat]:
    inside = {
        "message": _message_beats,
        "reasoning": _reasoning_beats,
        "web_search_call": _search_beats,
        "function_call": _call_beats,
    }.get(item["type"], _no_beats)
    yield tempo.delta, {"type": "response.output_item.added", "item": _opened(item)}
    yield from inside(item, tempo)
    yield 0.0, {"type": "response.output_item.done", "item": item}


def _opened(item: Item) -> Item:
    """The item as it looks when it is announced: nothing in it yet."""
    blank: dict[str, Any] = {"status": "in_progress"} if "status" in item else {}
    empty: dict[str, Item] = {
        "message": {"content": []},
        "reasoning": {"summary": [], "encrypted_content": None},
        "function_call": {"arguments": ""},
    }
    kept = {key: item[key] for key in item if key != "action"}
    return {**kept, **blank, **empty.get(item["type"], {})}


def _no_beats(item: Item, tempo: Tempo) -> Iterator[Beat]:
    return iter(())


def _message_beats(item: Item, tempo: Tempo) -> Iterator[Beat]:
    for index, part in enumerate(item["content"]):
        at = {"item_id": item["id"], "content_index": index}
        refused = part["type"] == "refusal"
        empty: Item = {"refusal": ""} if refused else {"text": "", "annotations": []}
        yield 0.0, {"type": "response.content_part.added", **at, "part": {**part, **empty}}
        if refused:
            yield from _refusal_beats(part["refusal"], at, tempo)
        else:
            yield from _text_beats(part, at, tempo)
        yield 0.0, {"type": "response.content_part.done", **at, "part": part}


def _text_beats(part: dict[str, Any], at: Event, tempo: Tempo) -> Iterator[Beat]:
    annotations: list[dict[str, Any]] = part["annotations"]
    notes = sorted(enumerate(annotations), key=lambda pair: _end(pair[1]))
    said = 0
    for piece in pieces(part["text"]):
        said += len(piece)
        yield (
            tempo.delta,
            {"type": "response.output_text.delta", **at, "delta": piece, "logprobs": []},
        )
        while notes and _end(notes[0][1]) <= said:
            yield 0.0, _annotated(at, *notes.pop(0))
    for note in notes:
        yield 0.0, _annotated(at, *note)
    yield 0.0, {"type": "response.output_text.done", **at, "text": part["text"], "logprobs": []}


def _end(annotation: dict[str, Any]) -> int:
    return int(annotation.get("end_index", 0))


def _annotated(at: Event, index: int, annotation: dict[str, Any]) -> Event:
    kind = "response.output_text.annotation.added"
    return {"type": kind, **at, "annotation_index": index, "annotation": annotation}


def _refusal_beats(text: str, at: Event, tempo: Tempo) -> Iterator[Beat]:
    for piece in pieces(text):
        yield tempo.delta, {"type": "response.refusal.delta", **at, "delta": piece}
    yield 0.0, {"type": "response.refusal.done", **at, "refusal": text}


def _reasoning_beats(item: Item, tempo: Tempo) -> Iterator[Beat]:
    for index, part in enumerate(item["summary"]):
        at = {"item_id": item["id"], "summary_index": index}
        family = "response.reasoning_summary"
        yield tempo.think, {"type": f"{family}_part.added", **at, "part": {**part, "text": ""}}
        for piece in pieces(part["text"]):
            yield tempo.delta, {"type": f"{family}_text.delta", **at, "delta": piece}
        yield 0.0, {"type": f"{family}_text.done", **at, "text": part["text"]}
        yield 0.0, {"type": f"{family}_part.done", **at, "part": part}


def _search_beats(item: Item, tempo: Tempo) -> Iterator[Beat]:
    took = tempo.search if item["action"]["type"] == "search" else tempo.open
    for wait, name in ((0.0, "in_progress"), (took / 5, "searching"), (took, "completed")):
        yield wait, {"type": f"response.web_search_call.{name}", "item_id": item["id"]}


def _call_beats(item: Item, tempo: Tempo) -> Iterator[Beat]:
    at, family = {"item_id": item["id"]}, "response.function_call_arguments"
    for piece in pieces(item["arguments"]):
        yield tempo.delta, {"type": f"{family}.delta", **at, "delta": piece}
    yield (
        0.0,
        {"type": f"{family}.done", **at, "name": item["name"], "arguments": item["arguments"]},
    )


def pieces(text: str, low: int = 5, high: int = 20) -> Iterable[str]:
    """`text` in pieces of about `low` to `high` characters, cut after words where there are any.

    No piece ends inside what a reader sees as one character.
    """
    start = 0
    for word in re.finditer(r"\S+\s*|\s+", text):
        end = word.end()
        while end - start > high:
            cut = _safe_cut(text, start + high)
            if cut >= end:
                break
            yield text[start:cut]
            start = cut
        if end - start >= low and _may_cut(text, end):
            yield text[start:end]
            start = end
    if start < len(text):
        yield text[start:]


def _safe_cut(text: str, at: int) -> int:
    while at < len(text) and not _may_cut(text, at):
        at += 1
    return at


def _may_cut(text: str, at: int) -> bool:
    """Whether a reader sees the characters before and after `at` as two."""
    if at >= len(text):
        return True
    before, after = text[at - 1], text[at]
    joined = unicodedata.combining(after) or unicodedata.category(after) in ("Mn", "Me", "Mc")
    emoji = after in "\u200d\ufe0f\ufe0e" or "\U0001f3fb" <= after <= "\U0001f3ff"
    jamo = "\u1160" <= after <= "\u11ff"
    flags = "\U0001f1e6" <= after <= "\U0001f1ff" and "\U0001f1e6" <= before <= "\U0001f1ff"
    return not (joined or emoji or jamo or flags or before == "\u200d")
