"""What the sandbox's mind and its wire say to each other.

The wire turns an HTTP request into one `Ask`; the mind turns the `Ask` into a tuple of `Step`s; the
wire spells those as output items and stream events. Nothing here knows HTTP, and nothing searches.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Source:
    """A page that a search found."""

    url: str
    title: str


@dataclass(frozen=True, slots=True)
class Citation:
    """A source of one stretch of `Say.text`: `start` and `end` count code points, end excluded."""

    start: int
    end: int
    url: str
    title: str


@dataclass(frozen=True, slots=True)
class Think:
    """A summary of what is being considered: one part of a reasoning item."""

    summary: str


@dataclass(frozen=True, slots=True)
class Search:
    """A search: what was asked, and the pages that came back, best first."""

    queries: tuple[str, ...]
    sources: tuple[Source, ...]


@dataclass(frozen=True, slots=True)
class OpenPage:
    """A page of the library is read."""

    url: str


@dataclass(frozen=True, slots=True)
class FindInPage:
    """A page is searched for a pattern."""

    url: str
    pattern: str


@dataclass(frozen=True, slots=True)
class Call:
    """A function the caller is asked to run; `arguments` is JSON text."""

    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Say:
    """The answer's text; `truncated` when `max_output_tokens` cut it."""

    text: str
    citations: tuple[Citation, ...] = ()
    truncated: bool = False


Step = Think | Search | OpenPage | FindInPage | Call | Say


@dataclass(frozen=True, slots=True)
class FunctionTool:
    """A function the caller offers; `parameters` is its JSON schema."""

    name: str
    description: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Turn:
    """One line of the conversation."""

    role: str
    """`user`, `assistant`, `system` or `tool`."""
    text: str
    tool_name: str | None = None
    """For the role `tool`: the function whose output `text` is."""


@dataclass(frozen=True, slots=True)
class Ask:
    """Everything the mind may know of a request."""

    turns: tuple[Turn, ...]
    """The whole conversation, oldest first; the last user turn is the prompt."""
    instructions: str = ""
    web_search: bool = False
    functions: tuple[FunctionTool, ...] = ()
    tool_choice: str = "auto"
    """`auto`, `none`, `required`, or the name of one function."""
    schema: Mapping[str, Any] | None = None
    """A JSON schema of the strict subset that the answer's text must satisfy."""
    json_object: bool = False
    research: bool = False
    """A long research run: plan, search, open, report."""
    max_output_tokens: int | None = None


def count_tokens(text: str) -> int:
    """Estimate tokens: four narrow letters are one, and so are one and a half Hangul syllables."""
    narrow = sum(1 for letter in text if ord(letter) < 0x1100)
    wide = len(text) - narrow
    return -(-narrow // 4) + -(-wide * 2 // 3)
