"""What a person gets: one frozen `Answer`, whichever API it came from.

Rule: read what is there and guess nothing. `raw` is the wire's own object; everything else is
read from it. How an answer shows itself is in show.py; nothing of it is shown uncleaned.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, cast

from kit.errors import redact
from kit.gateway.citations import Citation, text_and_citations
from kit.gateway.completion import is_completion, items_of_completion, status_of_completion
from kit.gateway.events import Wire, error_of, has_error, objects
from kit.gateway.refusal import shown, unwrapped
from kit.gateway.show import mimebundle
from kit.gateway.usage import Usage, cost_in, usage_in

__all__ = ["Answer", "Citation", "ToolCall", "Usage", "answer_of"]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call of a function by the model, and what came of it.

    `arguments` is the JSON text as the model wrote it, `output` what the model was told. `error`
    is None where the function ran, else why not: `invalid_arguments`, `unknown_tool`, `declined`,
    `limit`, `repeated`, `timed_out`, or the name of the exception; where the answer was stopped,
    `interrupted` and `not_carried_out`. `started`: whether it had begun. `run` is the research run
    that the call started (a `kit.relay.run.Run`), None for any other function. `cost`: US dollars.
    `note`: one line of what the tool says of it, for a person.
    """

    name: str
    arguments: str
    call_id: str
    output: str = ""
    error: str | None = None
    seconds: float | None = None
    cost: float | None = None
    run: Any = None
    note: str = ""
    started: bool = False

    def __repr__(self) -> str:
        """Of `output` how it begins: it may be a whole report."""
        begins = redact(self.output[:400])
        begins = begins if len(begins) <= 60 else begins[:59] + "…"
        values = {one.name: getattr(self, one.name) for one in fields(self)} | {"output": begins}
        return f"ToolCall({', '.join(f'{name}={value!r}' for name, value in values.items())})"


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of a model, or what there is of one.

    `status`: `completed`, `incomplete`, `queued`, `in_progress`, `failed` or `cancelled`.
    `usage` and `cost` (US dollars) are None where the gateway does not say. `parsed` is the object
    that a `schema` asked for. `output` holds the items in the shape of the responses API, also for
    chat. Where functions were called on the way, `tool_calls` says which; `usage` and `cost` are
    then of all turns, the cost of research included, and `previous_response_id` is the first turn's
    id.
    """

    text: str
    id: str | None
    status: str
    model: str | None
    citations: tuple[Citation, ...] = ()
    usage: Usage | None = None
    cost: float | None = None
    output: tuple[Wire, ...] = ()
    parsed: Any = None
    request_id: str | None = None
    seconds: float | None = None
    incomplete: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    previous_response_id: str | None = None
    raw: Wire = field(default_factory=dict[str, Any], repr=False)

    @property
    def response_id(self) -> str | None:
        """The same as `id`."""
        return self.id

    @property
    def tool_call_id(self) -> str | None:
        """Of the call that started research, else of the first call."""
        call = self._telling_call
        return call.call_id if call else None

    @property
    def invocation_id(self) -> str | None:
        """Of the research run that the model started."""
        return self._of_run("id")

    @property
    def invocation_token(self) -> str | None:
        """What opens that run at the relay: as secret as a key."""
        return self._of_run("token")

    @property
    def upstream_response_id(self) -> str | None:
        """What the gateway calls that run."""
        return self._of_run("upstream_response_id")

    @property
    def _telling_call(self) -> ToolCall | None:
        with_run = (call for call in self.tool_calls if call.run is not None)
        return next(with_run, next(iter(self.tool_calls), None))

    def _of_run(self, name: str) -> str | None:
        call = self._telling_call
        return getattr(call.run, name) if call and call.run is not None else None

    @property
    def refusal(self) -> str:
        """The model's refusal, "" when it did not refuse."""
        return "".join(_texts(self.output, "message", "content", "refusal", "refusal"))

    @property
    def reasoning(self) -> str:
        """What the model shows of its reasoning, one paragraph a part; "" when nothing."""
        summaries = _texts(self.output, "reasoning", "summary", "summary_text", "text")
        texts = _texts(self.output, "reasoning", "content", "reasoning_text", "text")
        return "\n\n".join([*summaries, *texts])

    @property
    def searches(self) -> tuple[Wire, ...]:
        """The hosted web searches, pages opened included, as the gateway reported them."""
        return tuple(item for item in self.output if item.get("type") == "web_search_call")

    @property
    def function_calls(self) -> tuple[Wire, ...]:
        """The function calls that wait for an output."""
        return tuple(item for item in self.output if item.get("type") == "function_call")

    @property
    def items(self) -> tuple[Wire, ...]:
        """What to resend so that a next turn knows this one: messages and calls, without ids.

        Ids point into a gateway's memory, which it may not have, and so does reasoning that is
        not encrypted.
        """
        return tuple(item for one in self.output if (item := _resendable(one)))

    @property
    def error(self) -> str | None:
        """Why the response failed, fit to be shown; None when it did not fail."""
        if not has_error(self.raw):
            return None
        said = unwrapped(error_of(self.raw)).get("message")
        return shown(str(said or "")) or "no reason given"

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        text = self.text if len(self.text) <= 60 else self.text[:57] + "…"
        return f"Answer({text!r}, status={self.status!r}, model={self.model!r})"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return mimebundle(self)


def answer_of(
    raw: Wire,
    headers: Mapping[str, str] | None = None,
    *,
    seconds: float | None = None,
    parsed: Any = None,
) -> Answer:
    """Read a response or a chat completion object. `headers`: of the HTTP answer, lower-case."""
    headers = headers or {}
    if is_completion(raw):
        output = items_of_completion(raw)
        status, incomplete = status_of_completion(raw)
    else:
        output = objects(raw.get("output"))
        status, incomplete = _status(raw, output), _reason(raw)
    text, citations = text_and_citations(output)
    usage = raw.get("usage")
    usage = cast(Wire, usage) if isinstance(usage, dict) else {}
    return Answer(
        text=text,
        id=_string(raw.get("id")),
        status=status,
        model=_string(raw.get("model")),
        citations=citations,
        usage=usage_in(usage),
        cost=cost_in(usage, headers),
        output=tuple(output),
        parsed=parsed,
        request_id=headers.get("x-request-id") or headers.get("x-litellm-call-id"),
        seconds=seconds,
        incomplete=incomplete,
        raw=raw,
    )


def _resendable(item: Wire) -> Wire | None:
    if item.get("type") == "function_call":
        return {key: item.get(key) for key in ("type", "call_id", "name", "arguments")}
    if item.get("type") == "reasoning" and item.get("encrypted_content"):
        return item
    if item.get("type") != "message":
        return None
    kept = ("type", "text", "refusal")
    parts = objects(item.get("content"))
    content = [{key: part[key] for key in kept if key in part} for part in parts]
    head = {key: item[key] for key in ("type", "role", "phase") if item.get(key)}
    return {"role": "assistant", **head, "content": content} if content else None


_STATUSES = frozenset({"completed", "incomplete", "queued", "in_progress", "failed", "cancelled"})


def _status(raw: Wire, output: list[Wire]) -> str:
    """`status`, derived where it is absent (it is optional on the wire), or none that is known.

    A word that nobody knows may stand for any state: what has its tokens counted has ended.
    """
    said = raw.get("status")
    if isinstance(said, str) and said in _STATUSES:
        return said
    if raw.get("error"):
        return "failed"
    if raw.get("incomplete_details"):
        return "incomplete"
    ended = output and (said is None or raw.get("usage"))
    return "completed" if ended else "in_progress"


def _reason(raw: Wire) -> str | None:
    details = raw.get("incomplete_details")
    reason = _string(cast(Wire, details).get("reason")) if isinstance(details, dict) else None
    return shown(reason)[:100] or None if reason else None


def _texts(output: tuple[Wire, ...], item: str, parts: str, part: str, key: str) -> list[str]:
    return [
        one[key]
        for each in output
        if each.get("type") == item
        for one in objects(each.get(parts))
        if one.get("type") == part and isinstance(one.get(key), str)
    ]


def _string(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
