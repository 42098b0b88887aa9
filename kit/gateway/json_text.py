"""JSON as it comes from outside: text in, values out that can be written down again.

Rule: JSON can spell half a surrogate pair (`\\ud800`), and a model does when it is cut inside an
emoji. No file, terminal or socket takes such text, so it becomes U+FFFD here, where it enters.
"""

from __future__ import annotations

import json
import re
from typing import Any

__all__ = ["read_json"]

_decode = json.JSONDecoder().decode  # `json.loads` checks its arguments at every event
_ESCAPE = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    r"|(u[dD][89a-fA-F][0-9a-fA-F]{2})"
    r"|.)",
    re.DOTALL,
)
_LONE = re.compile("[\ud800-\udfff]")


def read_json(text: str) -> Any:
    """The value in `text`, without halves of pairs. Raises ValueError and RecursionError."""
    if "\\ud" in text or "\\uD" in text:
        text = _ESCAPE.sub(lambda found: r"\ufffd" if found[1] else found[0], text)
    if not text.isascii():
        text = _LONE.sub("\ufffd", text)
    return _decode(text)
