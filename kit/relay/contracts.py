"""What callers send to a relay; what they get is in contracts_answers.py. One copy, for both sides.

Rule: a field that is not known is passed over, so that newer callers and older relays get along;
a field that is known is checked and bounded. Nothing that a caller sent is repeated in a message.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal, Self, cast

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

__all__ = [
    "TOO_LARGE",
    "ChatRequest",
    "Format",
    "InvocationRequest",
    "Mode",
    "ResearchArguments",
    "TextFormat",
]

Format = Literal["markdown_brief", "markdown_report", "json_outline"]
Mode = Literal["foreground", "background", "stream"]

LONGEST_QUESTION = 100_000
MOST_ENTRIES = 200
LARGEST_TOGETHER = 1024 * 1024
DEEPEST = 32

TOO_LARGE = "too_large"
"""The type of the validation errors that are answered with 413."""

QUESTION = "짜장면의 역사와 기원에 대해 상세히 조사해줘"


class _Given(BaseModel):
    """What a caller sends."""

    model_config = ConfigDict(extra="ignore", str_strip_whitespace=False)

    @model_validator(mode="before")
    @classmethod
    def _sendable(cls, given: Any) -> Any:
        """Refuse what cannot be passed on as JSON: half a character, NaN, bottomless depth."""
        _check_depth(given)
        try:
            json.dumps(given, ensure_ascii=False, allow_nan=False).encode()
        except UnicodeEncodeError:
            raise PydanticCustomError(
                "unicode", "The text holds half of a surrogate pair, which is no character."
            ) from None
        except (ValueError, TypeError):
            raise PydanticCustomError("number", "NaN and infinity are no JSON numbers.") from None
        return given


class TextFormat(_Given):
    """The form of the answer, as the responses API has it under `text.format`."""

    type: Literal["text", "json_object", "json_schema"]
    name: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    schema_: dict[str, Any] | None = Field(default=None, alias="schema")
    strict: bool | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.type == "json_schema" and (self.name is None or self.schema_ is None):
            raise PydanticCustomError("schema", "`json_schema` needs a `name` and a `schema`.")
        return self


class ResearchArguments(_Given):
    """What to find out, and how to tell it."""

    research_question: str = Field(description="At most 100,000 characters.", min_length=1)
    deliverable_format: Format = "markdown_brief"
    system_prompt: str | None = None
    text_format: TextFormat | None = None
    context: list[Any] = Field(
        default_factory=list[Any],
        description="What is known already: texts or objects, at most 200 and 1 MiB together.",
    )
    constraints: list[str] = Field(default_factory=list[str], description="At most 200.")
    require_citations: bool = True
    background: bool = False
    stream: bool = False
    model: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    budget_usd: Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False)] | None = None
    max_tool_calls: Annotated[int, Field(ge=1, le=100_000)] | None = None

    @field_validator("research_question", "system_prompt")
    @classmethod
    def _not_too_long(cls, text: str | None) -> str | None:
        if text is not None and len(text) > LONGEST_QUESTION:
            raise _too_large(f"The text is longer than {LONGEST_QUESTION:,} characters.")
        return text

    @field_validator("research_question")
    @classmethod
    def _not_blank(cls, text: str) -> str:
        if not text.strip():
            raise PydanticCustomError("blank", "The question is blank.")
        return text

    @field_validator("context", "constraints")
    @classmethod
    def _not_too_many(cls, entries: list[Any]) -> list[Any]:
        return _bounded(entries)

    @model_validator(mode="after")
    def _one_mode(self) -> Self:
        if self.background and self.stream:
            raise PydanticCustomError("modes", "`background` and `stream` exclude each other.")
        return self

    @property
    def mode(self) -> Mode:
        return "background" if self.background else "stream" if self.stream else "foreground"

    def document(self) -> dict[str, Any]:
        """The arguments as JSON that can be stored; what was not given is not in it."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


class InvocationRequest(_Given):
    """A call of the tool."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "tool_name": "deep_research",
                    "arguments": {
                        "research_question": QUESTION,
                        "deliverable_format": "markdown_brief",
                        "background": True,
                    },
                }
            ]
        }
    )

    tool_name: Literal["deep_research"]
    arguments: ResearchArguments


class ChatRequest(_Given):
    """One message. The relay decides with the model whether it needs research."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"message": QUESTION, "auto_tool_call": True}]}
    )

    message: str = Field(min_length=1, description="At most 100,000 characters.")
    context: list[Any] = Field(
        default_factory=list[Any],
        description="Earlier messages, `{role, content}` or texts: at most 200, 1 MiB together.",
    )
    auto_tool_call: bool = True
    system_prompt: str | None = None
    deliverable_format: Format | None = None

    @field_validator("message", "system_prompt")
    @classmethod
    def _not_too_long(cls, text: str | None) -> str | None:
        if text is not None and len(text) > LONGEST_QUESTION:
            raise _too_large(f"The text is longer than {LONGEST_QUESTION:,} characters.")
        return text

    @field_validator("message")
    @classmethod
    def _not_blank(cls, text: str) -> str:
        if not text.strip():
            raise PydanticCustomError("blank", "The message is blank.")
        return text

    @field_validator("context")
    @classmethod
    def _not_too_many(cls, entries: list[Any]) -> list[Any]:
        return _bounded(entries)


def _too_large(sentence: str) -> PydanticCustomError:
    # pydantic's types are of literal strings; these sentences hold nothing from outside
    return PydanticCustomError(TOO_LARGE, cast(Any, sentence))


def _bounded(entries: list[Any]) -> list[Any]:
    if len(entries) > MOST_ENTRIES:
        raise _too_large(f"There are more than {MOST_ENTRIES} entries.")
    size = sum(len(json.dumps(entry, ensure_ascii=False).encode()) for entry in entries)
    if size > LARGEST_TOGETHER:
        raise _too_large(f"The entries have more than {LARGEST_TOGETHER:,} bytes together.")
    return entries


def _check_depth(given: Any) -> None:
    """Level by level, so that no depth is too deep for the check itself."""
    level: list[Any] = [given]
    for _ in range(DEEPEST):
        below: list[Any] = []
        for one in level:
            if isinstance(one, dict):
                below += cast(dict[Any, Any], one).values()
            elif isinstance(one, list):
                below += cast(list[Any], one)
        if not below:
            return
        level = below
    raise PydanticCustomError("depth", cast(Any, f"It is nested deeper than {DEEPEST} levels."))
