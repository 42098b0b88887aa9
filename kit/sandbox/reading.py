"""A text parameter, read from a prompt by what it is for."""

import re
from collections.abc import Mapping
from typing import Any

from kit.sandbox import spans as spot
from kit.sandbox.asking import topic_of, without_asking_phrases
from kit.sandbox.parameters import CURRENCIES, LANGUAGES, kind_of_parameter
from kit.sandbox.spans import Text
from kit.sandbox.sums import as_expression

SUM = re.compile(r"[\d(][\d\s+\-*/().,^%]*[\d)]")
SAYING = re.compile(
    r"(?is)\b(?:saying|says?|that\s+says|with\s+the\s+(?:text|message|body|content)|tell(?:ing)?\s+\w+\s+that)\b\W*(.+)$|"
    r"[:：]\s*(.+)$"
)


EXPLAINS = re.compile(r"(?i)^\W*(?:why|how\s+(?:do|does|did|come)|explain|what\s+causes)\b|왜|이유")
"""Questions about a thing in general, which name no place unless they say "in" one."""
CALLED = re.compile(
    r"(?i)\b(?:titled|called|named)\s+(?:\"([^\"]+)\"|(\w[\w -]{0,60}?)"
    r"(?=\s+(?:on|at|with|in|for|by|and)\b|[,.?!]|$))"
)
ABOUT = re.compile(r"(?i)\babout\s+(.+?)(?=\s+(?:saying|and|with|to|that)\b|[,.;:?!]|$)")


class Reader:
    """Reads text values; each stretch of the prompt is given away once."""

    def __init__(self, text: Text, prompt: str) -> None:
        self._text = text
        self._prompt = prompt

    def read(self, name: str, schema: Mapping[str, Any], needed: bool) -> str | None:
        """The value of a text parameter, or None when the prompt does not hold one."""
        label = "|".join(re.escape(part) for part in (name, name.replace("_", " ")))
        named = self._text.take(
            re.compile(
                rf"(?i)\b(?:{label})\s*(?:is\s+|=\s*|:\s*|named\s+|called\s+)\"?([^\s,\"]+)"
                rf"|\bwith\s+(?:the\s+|a\s+)?(?:{label})\s+(?:of\s+)?\"?([^,\"]+?)\"?"
                r"(?=\s+(?:and|saying|with|that)\b|[,.?!]|$)"
            )
        )
        if named:
            return named.strip(".?!")
        if re.search(r"(?i)title|name|label", name) and (called := self._text.take(CALLED)):
            return called
        kind = kind_of_parameter(name, schema)
        found = self._of_kind(kind, needed)
        if (
            found is None
            and needed
            and kind not in ("email", "url", "phone", "expression", "currency")
        ):
            found = self._rest(kind)
        return found

    def _of_kind(self, kind: str, needed: bool) -> str | None:
        text = self._text
        match kind:
            case "email":
                return text.take(spot.EMAIL)
            case "url":
                return text.take(spot.URL)
            case "phone":
                return text.take(spot.PHONE)
            case "date":
                return text.take(spot.DATE) or text.take(spot.RELATIVE)
            case "time":
                return text.take(spot.CLOCK)
            case "expression":
                found = SUM.search(as_expression(self._prompt))
                return found.group().strip(" .,") if found else None
            case "language":
                return self._listed(LANGUAGES)
            case "currency":
                return self._listed(CURRENCIES)
            case "origin":
                return self._after(r"from|출발지는") or self._before(r"에서|발")
            case "target":
                return (
                    text.take(spot.EMAIL) or self._after(r"to") or self._before(r"까지|으로|로|행")
                )
            case "content":
                return text.take(spot.QUOTED) or (text.take(SAYING) if needed else None)
            case "symbol":
                return text.take(re.compile(r"#?\b([A-Z]{1,5}-?\d[\w-]*|[A-Z]{2,5}|\d[\w-]*)\b"))
            case "whole":
                return self._prompt.strip()
            case "query":
                return text.take(spot.QUOTED) or text.take(ABOUT) or self.topic()
            case _:
                return text.take(spot.QUOTED) if needed else None

    def _rest(self, kind: str) -> str | None:
        """What is left of the prompt: a name in capitals, what follows "in", else the first."""
        if kind in ("whole", "query"):
            return self.topic()
        if kind == "content":
            return self._text.take_span() or self.topic()
        if kind in ("date", "time"):
            return None
        spans = self._text.spans()
        capital = next((span for span in spans if span[0].isupper()), None)
        placed = next((span for span in spans if self._follows_preposition(span)), None)
        explains = kind == "place" and EXPLAINS.search(self._prompt)
        named = (placed or capital) if kind == "place" else (capital or placed)
        chosen = named or (None if explains else next(iter(spans), None))
        if chosen and not chosen[0].isdigit():
            self._text.mark(chosen)
            return chosen
        return None

    def topic(self) -> str | None:
        return topic_of(without_asking_phrases(self._prompt)).phrase or None

    def _listed(self, names: Mapping[str, str]) -> str | None:
        """The first of several known names that the prompt still holds, in the prompt's order."""
        found: list[tuple[int, str, str]] = []
        for name, pattern in names.items():
            for match in re.finditer(rf"(?i)(?<![a-z])(?:{pattern})(?![a-z])", self._text.text):
                found.append((match.start(), name, match.group()))
        for _, name, word in sorted(found):
            if self._text.take(re.compile(rf"(?<![A-Za-z]){re.escape(word)}(?![A-Za-z])")):
                return name
        return None

    def _after(self, words: str) -> str | None:
        for span in self._text.spans():
            if re.search(rf"(?i)\b(?:{words})\s+{re.escape(span)}", self._prompt):
                self._text.mark(span)
                return span
        return None

    def _before(self, endings: str) -> str | None:
        found = self._text.take(re.compile(rf"([가-힣]{{2,}}?)(?:{endings})(?=\s)"))
        return found

    def _follows_preposition(self, span: str) -> bool:
        return bool(
            re.search(rf"(?i)\b(?:in|at|for|near|around|of)\s+{re.escape(span)}", self._prompt)
        )
