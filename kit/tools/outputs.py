"""What a function returned, as the text that the model reads.

Rule: always a string, always bounded, and an error is text too: what the model called is answered,
whatever became of it. A result that cannot be written is no error: told of one, the model would do
again what was done. Nothing of a traceback, and no key, gets into it.
"""

from __future__ import annotations

import dataclasses
import json
import re
import sys
from typing import Any

from kit.errors import redact
from kit.tools.table import csv_lines

__all__ = [
    "LONGEST_OUTPUT",
    "error_output",
    "exception_output",
    "left_out",
    "output_of",
    "result_output",
]

LONGEST_OUTPUT = 100_000
"""Characters: about 30,000 tokens, a quarter of what most models read at once."""

FRAME_ROWS = 50
MOST_NUMBERS = 1_000
"""Of an array; a larger one is told as it prints, which is short."""

LONGEST_MESSAGE = 500
LONGEST_READ = 20_000
"""Characters of an error's text that are looked at."""

_HALF = re.compile(r"[\ud800-\udfff]")
"""Halves of characters, as in odd names of files: many gateways refuse a body that has one."""


def output_of(value: Any) -> str:
    """Text as it is; None as "done"; a DataFrame as its first rows; values and what holds them as
    JSON; the rest as it prints.

    What is longer than LONGEST_OUTPUT is cut, and says so.
    """
    text = _HALF.sub("\ufffd", _text(value))
    if len(text) <= LONGEST_OUTPUT:
        return text
    note = f"\n[cut: {LONGEST_OUTPUT:,} of {len(text):,} characters]"
    return text[: LONGEST_OUTPUT - len(note)] + note


def result_output(value: Any) -> str:
    """What a function returned, as `output_of` has it; what cannot be written so as it prints, and
    marked as done. Raises nothing."""
    try:
        return output_of(value)
    except Exception:  # of a type of somebody's own, which may raise anything
        return output_of(_as_it_prints(value))


def left_out(value: Any) -> str | None:
    """What alone of a value gets into `output_of`, for a person to read; None: all of it."""
    length = len(_text(value))
    parts = [
        *([f"the first {FRAME_ROWS} of {len(value):,} rows"] if _is_long_frame(value) else []),
        *(
            [f"the first {LONGEST_OUTPUT:,} of {length:,} characters"]
            if length > LONGEST_OUTPUT
            else []
        ),
    ]
    return ", ".join(parts) or None


def error_output(kind: str, message: str) -> str:
    """An error as the model is told it."""
    message = _HALF.sub("\ufffd", redact(message[:LONGEST_READ]))
    message = " ".join(message.split())[:LONGEST_MESSAGE]
    return json.dumps({"error": {"type": kind, "message": message}}, ensure_ascii=False)


def exception_output(error: BaseException) -> str:
    """What a function raised, in one line."""
    if isinstance(error, SystemExit):
        return error_output("SystemExit", _exit_message(error))
    try:
        said = str(error)
    except Exception:  # an error of somebody's own may fail at this too
        said = ""
    return error_output(type(error).__name__[:60], said)


def _exit_message(error: SystemExit) -> str:
    """`argparse` and `click` exit where they would raise, and say why on stderr alone."""
    code = error.code
    if isinstance(code, str) and code:
        return code
    return f"The function called sys.exit({_short_code(code)}) and returned nothing."


def _short_code(code: object) -> str:
    return "" if code is None else str(code) if isinstance(code, int) else type(code).__name__


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if value is None:
        return "done"
    if _is_frame(value):
        return _frame(value)
    if not isinstance(value, dict | list | tuple | bool | int | float):
        value = _plain(value)
    return value if isinstance(value, str) else _json(value)


def _as_it_prints(value: Any) -> str:
    done = f"[done; its result, a {type(value).__name__[:60]}, cannot be written as JSON"
    try:
        return f"{done} and prints as:]\n{value}"
    except Exception:  # it fails at this too
        return f"{done}, and does not print]"


def _json(value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, default=_plain)
    except (TypeError, ValueError, RecursionError):  # odd keys, or a structure inside itself
        return str(value)


def _is_frame(value: Any) -> bool:
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(value, pandas.DataFrame | pandas.Series)


def _is_long_frame(value: Any) -> bool:
    return _is_frame(value) and len(value) > FRAME_ROWS


def _frame(frame: Any) -> str:
    head = f"{len(frame):,} rows"
    if _is_long_frame(frame):
        head += f", the first {FRAME_ROWS} of them"
    return "\n".join([head, *csv_lines(frame.head(FRAME_ROWS)), ""])


def _plain(value: Any) -> Any:
    if callable(dump := getattr(value, "model_dump", None)):
        return dump(mode="json")
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    if isinstance(value, set | frozenset | tuple):
        return list(value)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    if isinstance(value, bytes | bytearray | memoryview):
        return _decoded(bytes(value))  # pyright: ignore[reportUnknownArgumentType]
    if callable(listed := getattr(value, "tolist", None)) and _few(value):
        return listed()  # an array, or a number of one
    return str(value)


def _decoded(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return f"{len(value):,} bytes that are no text"


def _few(value: Any) -> bool:
    size = getattr(value, "size", None)
    return isinstance(size, int) and size <= MOST_NUMBERS
