"""What a relay answers: views of runs, lists, events, problems.

Rule: names and meanings stay as callers know them; what is new is added beside them.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from kit.relay.contracts import Mode

__all__ = [
    "ChatAnswer",
    "InvocationList",
    "InvocationSummary",
    "InvocationView",
    "Problem",
    "RunEvent",
]

Status = Literal["pending", "queued", "running", "completed", "failed", "cancelled"]

INVOCATION = "inv_0123456789abcdef0123456789abcdef"
TOKEN = "3q2-7wAbCdEfGhIjKlMnOpQrStUvWxYz0123456789A"
REPORT = "# 짜장면의 역사\n\n짜장면은 …"


class ChatRun(BaseModel):
    """A run that a chat has started, and the token that opens it."""

    invocation_id: str
    invocation_token: str | None = None


class ChatAnswer(BaseModel):
    """What the model said. `research_summary` is the report, where research ran and ended.

    `invocations` are all runs it took; `invocation_id` is of one that goes on, else of the first.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "content": "짜장면은 중국 산둥의 작장면에서 …",
                    "tool_called": True,
                    "tool_name": "deep_research",
                    "research_summary": REPORT,
                    "invocation_id": INVOCATION,
                    "invocation_token": TOKEN,
                    "invocations": [{"invocation_id": INVOCATION, "invocation_token": TOKEN}],
                }
            ]
        }
    )

    content: str
    tool_called: bool = False
    tool_name: str | None = None
    research_summary: str | None = None
    invocation_id: str | None = None
    invocation_token: str | None = None
    invocations: list[ChatRun] = []


class InvocationSummary(BaseModel):
    """A run in a list. Times are seconds since 1970."""

    invocation_id: str
    tool_name: str = "deep_research"
    mode: Mode
    status: Status
    deliverable_format: str
    upstream_response_id: str | None = None
    error_message: str | None = None
    error_code: str | None = None
    submission_uncertain: bool = Field(
        default=False, description="The gateway may have run a submission whose id nobody knows."
    )
    created_at: float
    updated_at: float
    finished_at: float | None = None
    last_event: int = Field(default=0, description="The number of the run's last event.")


class InvocationView(InvocationSummary):
    """A run as it stands. `response` is the gateway's own object, once it has ended."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "invocation_id": INVOCATION,
                    "tool_name": "deep_research",
                    "mode": "background",
                    "status": "completed",
                    "deliverable_format": "markdown_brief",
                    "invocation_token": TOKEN,
                    "upstream_response_id": "resp_1",
                    "output_text": REPORT,
                    "response": {"id": "resp_1", "status": "completed"},
                    "error_message": None,
                    "error_code": None,
                    "submission_uncertain": False,
                    "created_at": 1_795_000_000.0,
                    "updated_at": 1_795_000_400.0,
                    "finished_at": 1_795_000_400.0,
                    "last_event": 42,
                }
            ]
        }
    )

    invocation_token: str
    output_text: str | None = None
    response: dict[str, Any] | None = None


class InvocationList(BaseModel):
    """The caller's own runs, newest first; `next_cursor` asks for older ones."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "data": [
                        {
                            "invocation_id": INVOCATION,
                            "mode": "stream",
                            "status": "running",
                            "deliverable_format": "markdown_brief",
                            "created_at": 1_795_000_000.0,
                            "updated_at": 1_795_000_100.0,
                        }
                    ],
                    "next_cursor": None,
                }
            ]
        }
    )

    data: list[InvocationSummary]
    next_cursor: str | None = None
    idempotency_key: str | None = Field(default=None, description="Where the list is of one key.")


class RunEvent(BaseModel):
    """The `data:` line of one frame. Only `output_text` events have a key `text` in `data`."""

    invocation_id: str
    type: str
    status: Status
    data: dict[str, Any]


class Problem(BaseModel):
    """Why there is no answer (RFC 9457). `detail` is a sentence that can be shown."""

    model_config = ConfigDict(extra="allow")

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    invocation_id: str | None = None
    invocation_token: str | None = None
    code: str | None = None
