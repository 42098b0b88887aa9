"""Faults in how a stream is sent, down to the byte.

Each takes the events with their moments and the way one is written, and gives the frames. They work
on the events of Responses and on the chunks of chat alike, where both have what they spoil.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from kit.sandbox.frames import DONE, Frame, compact, data_frame, event_frame, plain_stream
from kit.sandbox.score import TERMINAL, Due, Event

Encode = Callable[[Event], bytes]
Spoil = Callable[[Sequence[Due], Encode], Iterator[Frame]]

IDLE_SECONDS = 300.0
ENDLESS_BYTES = 64 * 1024 * 1024
ENDLESS_SECONDS = 60.0
ENDLESS_DELTA = "and so on, " * 372
"""About 4 KiB, so that a reader who bounds what it takes comes to its bound soon."""
SHORTEST_WAIT = 0.001
"""Between deltas without end: the server must come to hear that its reader has gone."""
MESSAGE = "The provider hung up in the middle of the answer."


class Dropped(Exception):
    """Ends the connection without the last chunk, as a crashed gateway does."""


def is_end(event: Event) -> bool:
    """Whether an event or chunk says that the answer is over, or comes after that."""
    if "type" in event:
        return event["type"] in TERMINAL.values()
    return not event["choices"] or event["choices"][0]["finish_reason"] is not None


def _before_end(score: Sequence[Due]) -> list[Due]:
    return list(itertools.takewhile(lambda due: not is_end(due.event), score))


def _half(score: Sequence[Due]) -> tuple[list[Due], float]:
    """The first half of what comes before the end, and when that half is over."""
    open_part = _before_end(score)
    half = open_part[: max(3, len(open_part) // 2)]
    return half, half[-1].at if half else 0.0


def cut(score: Sequence[Due], encode: Encode) -> Iterator[Frame]:
    """Half the events and half an event; then the body ends as if all were well."""
    half, at = _half(score)
    for due in half:
        yield due.at, encode(due.event)
    yield at, encode(score[len(half)].event)[:30]


def drop(score: Sequence[Due], encode: Encode) -> Iterator[Frame]:
    yield from cut(score, encode)
    raise Dropped("dropped on request")


def done_without_terminal(score: Sequence[Due], encode: Encode) -> Iterator[Frame]:
    open_part = _before_end(score)
    yield from ((due.at, encode(due.event)) for due in open_part)
    yield score[-1].at, DONE


def idle(score: Sequence[Due], encode: Encode) -> Iterator[Frame]:
    half, at = _half(score)
    yield from ((due.at, encode(due.event)) for due in half)
    for due in score[len(half) :]:
        yield at + IDLE_SECONDS, encode(due.event)
    yield at + IDLE_SECONDS, DONE


def pings(score: Sequence[Due], encode: Encode) -> Iterator[Frame]:
    """Comments, an event without data, and a retry line between the events."""
    fillers = itertools.cycle([b": ping\n\n", b":\n\n", b"event: ping\n\n", b"retry: 3000\n\n"])
    for due, filler in zip(score, fillers, strict=False):
        yield due.at, filler + encode(due.event)
    yield score[-1].at, b": ping\n\n" + DONE


def torn(score: Sequence[Due], encode: Encode) -> Iterator[Frame]:
    """A byte order mark, CRLF line ends, and pieces of seven bytes that end inside characters."""
    body = (
        b"\xef\xbb\xbf"
        + b"".join(encode(due.event).replace(b"\n", b"\r\n") for due in score)
        + DONE
    )
    for start in range(0, len(body), 7):
        yield 0.0, body[start : start + 7]


def _rewritten(change: Callable[[int, Event], Event], write: Encode | None = None) -> Spoil:
    def spoil(score: Sequence[Due], encode: Encode) -> Iterator[Frame]:
        for number, due in enumerate(score):
            yield due.at, (write or encode)(change(number, due.event))
        yield score[-1].at, DONE

    return spoil


def _rotate(number: int, event: Event) -> Event:
    event = dict(event)
    if "response" in event:
        event["response"] = {**event["response"], "id": f"resp_rotated{number}"}
    if "item_id" in event:
        event["item_id"] = f"item_rotated{number}"
    if "item" in event:
        event["item"] = {**event["item"], "id": f"item_rotated{number}"}
    if "choices" in event:
        event["id"] = f"chatcmpl-rotated{number}"
    return event


def _without_number(_number: int, event: Event) -> Event:
    return {key: value for key, value in event.items() if key != "sequence_number"}


def _emptied(_number: int, event: Event) -> Event:
    if event.get("type") != "response.completed":
        return event
    return {**event, "response": {**event["response"], "output": [], "usage": None}}


rotating_ids = _rewritten(_rotate)
no_event_lines = _rewritten(lambda _number, event: event, data_frame)
no_sequence = _rewritten(_without_number)
empty_end = _rewritten(_emptied)


def unknown_events(score: Sequence[Due], encode: Encode) -> Iterator[Frame]:
    """Events, fields and types that nobody has heard of, between those that everybody knows."""
    for number, due in enumerate(score):
        event = {**due.event, "x_future": {"of": number}}
        yield due.at, encode(event)
        if "type" in event and not is_end(event):
            yield due.at, event_frame({"type": "response.hologram.delta", "delta": {"x": number}})
    yield score[-1].at, DONE


def duplicate_index(score: Sequence[Due], encode: Encode) -> Iterator[Frame]:
    """Every `output_item.added` comes twice for its index, first with an item that is dropped."""
    for due in score:
        if due.event.get("type") == "response.output_item.added":
            ghost = {**due.event["item"], "id": "item_ghost"}
            yield due.at, encode({**due.event, "item": ghost})
        yield due.at, encode(due.event)
    yield score[-1].at, DONE


def interleaved(score: Sequence[Due], encode: Encode) -> Iterator[Frame]:
    """The items take turns, event by event."""
    lanes: dict[int, list[Due]] = defaultdict(list)
    for due in score:
        if "output_index" in due.event:
            lanes[due.event["output_index"]].append(due)
    woven = [due for row in itertools.zip_longest(*lanes.values()) for due in row if due]
    rest = iter(woven)
    ordered = [next(rest) if "output_index" in due.event else due for due in score]
    for number, (slot, due) in enumerate(zip(score, ordered, strict=True)):
        yield slot.at, encode(_renumbered(due.event, number))
    yield score[-1].at, DONE


def _renumbered(event: Event, number: int) -> Event:
    return {**event, "sequence_number": number} if "sequence_number" in event else event


def endless(score: Sequence[Due], encode: Encode) -> Iterator[Frame]:
    """The deltas of a call's arguments go on until the reader hangs up.

    Nobody is flooded for ever: after `ENDLESS_BYTES`, or when the events have come to
    `ENDLESS_SECONDS`, the body ends as if it were cut.
    """
    places = [place for place, due in enumerate(score) if _has_arguments(due.event)]
    if not places:
        yield from plain_stream(score, encode)
        return
    last = places[-1]
    yield from ((due.at, encode(due.event)) for due in score[: last + 1])
    begun, wait = score[last].at, max(score[last].at - score[last - 1].at, SHORTEST_WAIT)
    sent = 0
    for number in itertools.count(1):
        frame = encode(_continued(score[last].event, number))
        sent += len(frame)
        if sent > ENDLESS_BYTES or begun + number * wait > ENDLESS_SECONDS:
            return
        yield begun + number * wait, frame


def _has_arguments(event: Event) -> bool:
    """Whether an event or chunk carries a piece of a function's arguments."""
    if "type" in event:
        return event["type"] == "response.function_call_arguments.delta"
    calls = [choice["delta"].get("tool_calls", ()) for choice in event["choices"]]
    return any(call["function"]["arguments"] for one in calls for call in one)


def _continued(event: Event, number: int) -> Event:
    """The delta that comes `number` places after `event`."""
    if "type" in event:
        place = event["sequence_number"] + number
        return {**event, "delta": ENDLESS_DELTA, "sequence_number": place}
    call = {"index": 0, "function": {"arguments": ENDLESS_DELTA}}
    return {**event, "choices": [{**event["choices"][0], "delta": {"tool_calls": [call]}}]}


def error_then_failed(score: Sequence[Due], encode: Encode) -> Iterator[Frame]:
    half, at = _half(score)
    yield from ((due.at, encode(due.event)) for due in half)
    number = len(half)
    yield at, event_frame({"type": "error", "sequence_number": number, "error": _error()})
    snapshots: list[Event] = [due.event["response"] for due in half if "response" in due.event]
    error = {"code": "server_error", "message": MESSAGE}
    response = {**(snapshots[0] if snapshots else {}), "status": "failed", "error": error}
    failed = {"type": "response.failed", "sequence_number": number + 1, "response": response}
    yield at, event_frame(failed) + DONE


def error_first(score: Sequence[Due], encode: Encode) -> Iterator[Frame]:
    yield 0.0, event_frame({"type": "error", "sequence_number": 0, "error": _error()})


def flat_error(score: Sequence[Due], encode: Encode) -> Iterator[Frame]:
    half, at = _half(score)
    yield from ((due.at, encode(due.event)) for due in half)
    flat = {"code": "server_error", "message": MESSAGE, "param": None}
    yield at, event_frame({"type": "error", "sequence_number": len(half), **flat})


def chat_error(score: Sequence[Due], encode: Encode) -> Iterator[Frame]:
    """An error in the shape of chat, without a type, then `[DONE]`."""
    half, at = _half(score)
    yield from ((due.at, encode(due.event)) for due in half)
    yield at, b"data: " + compact({"error": {**_error(), "code": "500"}}) + b"\n\n" + DONE


def _error() -> dict[str, Any]:
    return {"type": "server_error", "code": None, "message": MESSAGE, "param": None}
