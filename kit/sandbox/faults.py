"""What can go wrong, on request: the model `sandbox:NAME` has the fault NAME.

For tests, and for anyone who wants to see what a client does when a gateway misbehaves. A fault is
one row of the table below; the modules `fault_*` hold what the rows name. The search engine knows
nothing of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response as Answer

from kit.sandbox import fault_answers as answers
from kit.sandbox import fault_calls as calls
from kit.sandbox import fault_scripts as scripts
from kit.sandbox import fault_streams as streams
from kit.sandbox.frames import Frame, plain_stream
from kit.sandbox.problems import Refused
from kit.sandbox.score import Due

CALLERS_KEPT = 1000


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind of misbehaviour; everything that is not set is as it should be."""

    does: str
    refusal: answers.Refusal | None = None
    script: scripts.Script | None = None
    whole: scripts.Script | None = None
    """The script of an answer that comes in one piece, where that is another."""
    spoil: streams.Spoil | None = None
    overlooks: frozenset[str] = frozenset()
    """Fields of the request that are ignored."""
    retrieve: Callable[[int, bool], None] | None = None
    """Called with the count of this GET and whether it streams; may raise."""
    forgets_cancel: bool = False
    changes: Mapping[str, Any] | None = None
    """Fields of the finished JSON answer that are replaced."""
    delay: float = 0.0
    """Seconds before an answer that is not streamed."""

    def script_for(self, *, streamed: bool) -> scripts.Script | None:
        """What is said in place of the mind's answer, if anything."""
        return self.script if streamed or self.whole is None else self.whole

    def frames(self, score: Sequence[Due], encode: streams.Encode) -> Iterator[Frame]:
        """The stream of `score`, spoiled or not."""
        return self.spoil(score, encode) if self.spoil else plain_stream(score, encode)


NONE = Fault("Nothing is wrong.")


def find_fault(name: str | None) -> Fault:
    """The fault of that name; a 404 that lists them when there is none."""
    if name is None:
        return NONE
    if name in FAULTS:
        return FAULTS[name]
    message = f"There is no fault '{name[:80]}'. The sandbox knows: {', '.join(FAULTS)}."
    raise Refused(404, message, param="model", code="model_not_found")


def refuse(
    fault: Fault, attempts: dict[Any, int], http: Request, metadata: Mapping[str, Any]
) -> Answer | None:
    """What a refusing fault answers, or None. Attempts count per `kit_request_id` or client."""
    if fault.refusal is None:
        return None
    client = http.client.host if http.client else ""
    key = (fault.does, metadata.get("kit_request_id") or client)
    if len(attempts) > CALLERS_KEPT:
        attempts.clear()
    attempts[key] = attempts.get(key, 0) + 1
    return fault.refusal(attempts[key])


def _not_yet(count: int, _streaming: bool) -> None:
    if count == 1:
        raise Refused(404, "Response not found. It was created a moment ago.", code="not_found")


def _no_longer(_count: int, streaming: bool) -> None:
    if streaming:
        message = "This response can no longer be streamed because it is more than 5 minutes old."
        raise Refused(400, message, param="stream")


FAULTS: dict[str, Fault] = {
    # refused
    "429": Fault("429 with Retry-After: 1.", answers.limited_seconds),
    "429-ms": Fault("429 with retry-after-ms: 30, which wins.", answers.limited_milliseconds),
    "429-121": Fault("429 with Retry-After: 121, more than a client waits.", answers.limited_long),
    "429-quota": Fault("429 that no waiting helps: insufficient_quota.", answers.quota),
    "429-litellm": Fault("429 as LiteLLM wraps it.", answers.limited_by_litellm),
    "429-once": Fault("429 at first, an answer the next time.", answers.limited_at_first),
    "503": Fault("503 server_is_overloaded.", answers.overloaded),
    "529": Fault("529, the provider is overloaded.", answers.provider_overloaded),
    "500": Fault("500 in plain text.", answers.plain),
    "html-502": Fault("502 with a page of HTML.", answers.html),
    "403": Fault("403, the key may not use the model.", answers.forbidden),
    "400-litellm-key": Fault("400, how LiteLLM refuses a wrong key.", answers.no_database),
    "400-context": Fault("400 context_length_exceeded.", answers.too_long),
    # said
    "refusal": Fault("The model declines.", script=scripts.refused),
    "reasoning": Fault("Two reasoning summaries, then text.", script=scripts.thoughtful),
    "citation-out-of-range": Fault(
        "Citations whose offsets do not hold.", script=scripts.out_of_range
    ),
    # called
    "parallel-calls": Fault(
        "Two function calls whose events take turns.",
        script=calls.parallel_calls,
        spoil=streams.interleaved,
    ),
    "bad-json-args": Fault(
        "A function call with half a JSON for arguments.", script=calls.bad_arguments
    ),
    "empty-args": Fault("A function call with no arguments at all.", script=calls.empty_arguments),
    "endless-args": Fault(
        "A function call whose arguments never end: a stream for 64 MiB or 60 seconds, else 4 MiB.",
        script=calls.endless_arguments,
        whole=calls.long_arguments,
        spoil=streams.endless,
    ),
    "double-encoded-args": Fault(
        "Arguments that are a JSON string with the object's JSON in it.",
        script=calls.double_encoded,
    ),
    "same-call": Fault("The same function call again and again.", script=calls.same_call),
    "same-call-always": Fault(
        "The same function call even where tool_choice forbids it.", script=calls.same_call_always
    ),
    "unknown-tool": Fault(
        "A call of a function that was not offered.", script=calls.unknown_function
    ),
    "call-and-text": Fault("A text and a function call in one answer.", script=calls.call_and_text),
    "mcp-approval": Fault("An MCP server's tool waits for approval.", script=scripts.approval),
    # ended
    "incomplete-tokens": Fault("Ends at max_output_tokens.", script=scripts.out_of_tokens),
    "incomplete-filter": Fault("Ends at the content filter.", script=scripts.filtered),
    "failed": Fault("Ends as failed, with half a text.", script=scripts.failed),
    "failed-limit": Fault("Ends as failed: rate_limit_exceeded.", script=scripts.failed_by_limit),
    # streamed
    "cut": Fault("The stream ends in the middle of an event.", spoil=streams.cut),
    "drop": Fault("The connection breaks in the middle of an event.", spoil=streams.drop),
    "done-without-terminal": Fault(
        "[DONE] comes without a terminal event.", spoil=streams.done_without_terminal
    ),
    "empty-output": Fault(
        "Completed, with empty output and no usage.",
        spoil=streams.empty_end,
        changes={"output": [], "usage": None},
    ),
    "rotating-ids": Fault("Every event has other ids.", spoil=streams.rotating_ids),
    "no-event-lines": Fault("No event: lines.", spoil=streams.no_event_lines),
    "no-sequence": Fault("No sequence_number.", spoil=streams.no_sequence),
    "duplicate-index": Fault("Items announced twice.", spoil=streams.duplicate_index),
    "unknown-events": Fault("Events and fields from the future.", spoil=streams.unknown_events),
    "unicode": Fault(
        "A BOM, CRLF, U+2028, and chunks that end inside characters.",
        script=scripts.tangled,
        spoil=streams.torn,
    ),
    "slow": Fault(
        "Five minutes of silence in the middle.", spoil=streams.idle, delay=streams.IDLE_SECONDS
    ),
    "ping": Fault("Comments and empty events between the events.", spoil=streams.pings),
    "error-then-failed": Fault("error, then response.failed.", spoil=streams.error_then_failed),
    "error-first": Fault("error is the only event.", spoil=streams.error_first),
    "flat-error": Fault("error with its fields at the top.", spoil=streams.flat_error),
    "chat-error": Fault("An error in the shape of chat.", spoil=streams.chat_error),
    # overlooked and forgotten
    "json-instead-of-sse": Fault(
        "JSON where a stream was asked for.", overlooks=frozenset({"stream"})
    ),
    "background-ignored": Fault("background is ignored.", overlooks=frozenset({"background"})),
    "previous-ignored": Fault(
        "previous_response_id is ignored.", overlooks=frozenset({"previous_response_id"})
    ),
    "poll-404": Fault("The first GET is a 404.", retrieve=_not_yet),
    "stream-expired": Fault("A resumed stream is a 400.", retrieve=_no_longer),
    "cancel-race": Fault("Cancelled, and yet it goes on to its end.", forgets_cancel=True),
}
