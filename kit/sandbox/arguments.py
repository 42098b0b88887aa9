"""A function's arguments, read from a prompt by its JSON schema.

What a parameter is comes from its type, its name and its description; what it gets must stand in the
prompt. An optional parameter that the prompt does not mention is left out (null where the schema
demands it), a required one is reported as missing, unless the caller insists on a value.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kit.sandbox import spans as spot
from kit.sandbox.asking import topic_of, without_asking_phrases
from kit.sandbox.lexicon import meanings, meanings_of
from kit.sandbox.spans import Text
from kit.sandbox.steps import FunctionTool
from kit.sandbox.sums import as_expression

Schema = Mapping[str, Any]
DEEPEST = 6
ABSENT: Any = object()


@dataclass(frozen=True, slots=True)
class Filled:
    """Arguments for one call, the required ones that are missing, and the further values of one."""

    arguments: dict[str, object]
    missing: tuple[str, ...] = ()
    spread: str | None = None
    others: tuple[str, ...] = field(default=())

    def each(self) -> list[dict[str, object]]:
        """One set of arguments for each value: "Paris and Rome" is two calls."""
        rest = [{**self.arguments, self.spread: value} for value in self.others if self.spread]
        return [self.arguments, *rest]


def fill_arguments(
    tool: FunctionTool, prompt: str, own: frozenset[str], *, insist: bool = False
) -> Filled:
    """Arguments for `tool` from `prompt`; `own` are meanings that belong to the tool itself."""
    filler = Filler(prompt, own, tool.parameters, insist)
    arguments = filler.record(tool.parameters, 0)
    spread, others = filler.further(tool.parameters, arguments)
    return Filled(arguments, tuple(filler.missing), spread, others)


KINDS = (
    ("language", r"language|\blang\b|locale|언어"),
    ("currency", r"currency|통화"),
    ("email", r"e_?mail|recipient|^to to$"),
    ("url", r"\burl\b|link|website|uri"),
    ("phone", r"phone|mobile|전화"),
    ("expression", r"expression|formula|equation|수식"),
    ("origin", r"origin|\bfrom\b|source_city|departure|depart|start_location|출발"),
    ("target", r"destination|\bto\b|arrival|end_location|도착|목적지"),
    ("place", r"city|location|place|country|town|address|region|timezone|time_zone|area|도시|장소|지역|위치|국가|나라"),
    ("date", r"date|day|when|날짜"),
    ("time", r"time|hour|시간|시각"),
    ("whole", r"question|prompt|request|instruction|task|brief|질문|요청"),
    ("query", r"query|quer|topic|keyword|search|subject|term|phrase|\bq\b|about|주제|검색어"),
    ("content", r"text|message|body|content|note|description|title|summary|comment|sentence|내용|본문|제목|메시지"),
    ("symbol", r"symbol|ticker|code|\bid\b|_id|identifier|sku|번호"),
    ("name", r"name|user|person|author|customer|title|이름|recipient"),
)  # fmt: skip
CURRENCIES = {
    "USD": r"usd|us\s+dollars?|dollars?|\$|달러", "EUR": r"eur|euros?|€|유로",
    "KRW": r"krw|korean\s+won|won|₩|원화|원", "JPY": r"jpy|(?:japanese\s+)?yen|¥|엔화|엔",
    "GBP": r"gbp|(?:british\s+)?pounds?|£|파운드", "CNY": r"cny|yuan|rmb|위안",
    "CHF": r"chf|swiss\s+francs?|프랑", "INR": r"inr|rupees?|루피",
    "CAD": r"cad|canadian\s+dollars?", "AUD": r"aud|australian\s+dollars?",
}  # fmt: skip
LANGUAGES = {
    "English": "english|영어", "Korean": "korean|한국어", "Japanese": "japanese|일본어",
    "Chinese": "chinese|중국어", "French": "french|프랑스어|불어", "German": "german|독일어",
    "Spanish": "spanish|스페인어", "Italian": "italian|이탈리아어", "Russian": "russian|러시아어",
    "Portuguese": "portuguese|포르투갈어", "Vietnamese": "vietnamese|베트남어", "Arabic": "arabic|아랍어",
}  # fmt: skip
SUM = re.compile(r"[\d(][\d\s+\-*/().,^%]*[\d)]")
SAYING = re.compile(
    r"(?is)\b(?:saying|says?|that\s+says|with\s+the\s+(?:text|message|body|content)|tell(?:ing)?\s+\w+\s+that)\b\W*(.+)$|"
    r"[:：]\s*(.+)$"
)


BOUNDS = {
    "max": re.compile(
        r"(?i)\b(?:under|below|less\s+than|up\s+to|at\s+most|max(?:imum)?|within|cheaper\s+than)\s+[$€£₩]?"
        r"(\d[\d,.]*k?)|(\d[\d,.]*(?:만|천|억)?)\s*\S{0,4}?\s*(?:이하|미만|까지|안\s*넘)"
    ),
    "min": re.compile(
        r"(?i)\b(?:over|above|more\s+than|at\s+least|min(?:imum)?|from)\s+[$€£₩]?(\d[\d,.]*k?)|"
        r"(\d[\d,.]*(?:만|천|억)?)\s*\S{0,4}?\s*(?:이상|초과|부터)"
    ),
}
EXPLAINS = re.compile(r"(?i)^\W*(?:why|how\s+(?:do|does|did|come)|explain|what\s+causes)\b|왜|이유")
"""Questions about a thing in general, which name no place unless they say "in" one."""
ABOUT = re.compile(r"(?i)\babout\s+(.+?)(?=\s+(?:saying|and|with|to|that)\b|[,.;:?!]|$)")


class Filler:
    """Walks a schema with one prompt; every value of the prompt is given away once."""

    def __init__(self, prompt: str, own: frozenset[str], root: Schema, insist: bool) -> None:
        self.text = Text(prompt, own)
        self.missing: list[str] = []
        self._root = root
        self._insist = insist
        self._prompt = prompt
        self._names = {str(name) for name in root.get("properties", {})}

    def record(self, schema: Schema, depth: int) -> dict[str, object]:
        """An object's properties, those with tighter types first, so that text gets the rest."""
        properties: Mapping[str, Schema] = schema.get("properties", {})
        required = set(schema.get("required", ()))
        values: dict[str, object] = {}
        for name in sorted(properties, key=lambda one: _looseness(one, properties[one])):
            value = self.value(name, properties[name], name in required, depth)
            if value is not ABSENT:
                values[name] = value
        return {name: values[name] for name in properties if name in values}

    def value(self, name: str, schema: Schema, required: bool, depth: int) -> object:
        schema, nullable = self._plain(schema)
        needed = required and not nullable
        found = self._found(name, schema, needed, depth) if depth < DEEPEST else ABSENT
        if found is not ABSENT:
            return found
        if "default" in schema and not required:
            return ABSENT
        if not needed:
            return None if required else ABSENT
        if "default" in schema:
            return schema["default"]
        if not self._insist:
            self.missing.append(name)
            return ABSENT
        return self._invented(name, schema)

    def further(
        self, schema: Schema, arguments: dict[str, object]
    ) -> tuple[str | None, tuple[str, ...]]:
        """Values beside the one taken, for a function of one place, name or symbol."""
        required = [str(name) for name in schema.get("required", ())]
        texts = [name for name in required if isinstance(arguments.get(name), str)]
        if len(texts) != 1 or len([one for one in required if arguments.get(one) is not None]) != 1:
            return None, ()
        name = texts[0]
        kind = _kind(name, schema["properties"][name])
        if kind not in ("place", "name", "symbol", "other"):
            return None, ()
        first = str(arguments[name])
        alike = [span for span in self.text.spans() if _same_shape(span, first)]
        joined = re.search(r"(?i)\band\b|,|&|[와과랑]\s|하고|및|그리고|/", self._prompt)
        return (name, tuple(alike[:7])) if joined else (None, ())

    def _plain(self, schema: Schema) -> tuple[Schema, bool]:
        """The schema behind `$ref`, `anyOf` and a list of types, and whether null is allowed."""
        nullable = False
        for _ in range(DEEPEST):
            if "$ref" in schema:
                schema = self._target(str(schema["$ref"]))
            elif options := schema.get("anyOf") or schema.get("oneOf"):
                real = [one for one in options if one.get("type") != "null"]
                nullable |= len(real) < len(options)
                rest = {
                    key: value for key, value in schema.items() if key not in ("anyOf", "oneOf")
                }
                schema = {**rest, **(real[0] if real else {"type": "null"})}
            else:
                break
        kind = schema.get("type")
        if isinstance(kind, list):
            real = [one for one in kind if one != "null"]
            return {**schema, "type": real[0] if real else "null"}, "null" in kind
        return schema, nullable

    def _target(self, reference: str) -> Schema:
        target: Any = self._root
        for part in reference.removeprefix("#").strip("/").split("/"):
            target = target.get(part, {}) if part and isinstance(target, Mapping) else target
        return target if isinstance(target, Mapping) else {}

    def _found(self, name: str, schema: Schema, needed: bool, depth: int) -> object:
        if "const" in schema:
            return schema["const"]
        if members := schema.get("enum"):
            return self._member(name, list(members), needed, schema)
        match schema.get("type"):
            case "boolean":
                return self._switch(name)
            case "integer" | "number" as kind:
                return self._number(name, schema, needed, whole=kind == "integer")
            case "array":
                return self._list(name, schema, needed, depth)
            case "object":
                values = self.record(schema, depth + 1)
                return values if values or needed else ABSENT
            case "null":
                return None
            case _:
                return self._string(name, schema, needed)

    def _member(self, name: str, members: list[Any], needed: bool, schema: Schema) -> object:
        """The choice the prompt names; the first one, where one is needed and none is named."""
        asked = meanings_of(self._prompt)
        lowered = self._prompt.lower()
        for member in sorted(members, key=lambda one: -len(str(one))):
            word = str(member).lower().replace("_", " ")
            if re.search(rf"(?<![a-z0-9]){re.escape(word)}(?![a-z0-9])", lowered) and len(word) > 1:
                self.text.mark(str(member))
                return member
        for member in members:
            concepts = {one for one in meanings_of(str(member)) if one.startswith("#")}
            if isinstance(member, str) and concepts & asked and len(concepts) < 3:
                return member
        if needed and "default" not in schema:
            return next((member for member in members if member is not None), None)
        return ABSENT

    def _switch(self, name: str) -> object:
        words = "|".join(
            re.escape(part)
            for part in _parts(name)
            if len(part) > 2 and part not in ("include", "use", "with", "enable")
        )
        if not words:
            return ABSENT
        if re.search(
            rf"(?i)\b(?:no|not|without|don't|exclude)\s+(?:\w+\s+)?(?:{words})", self._prompt
        ):
            return False
        named = {meaning for part in _parts(name) for meaning in meanings(part)} & meanings_of(
            self._prompt
        )
        return True if named and re.search(rf"(?i)(?:{words})", self._prompt) else ABSENT

    def _number(self, name: str, schema: Schema, needed: bool, *, whole: bool) -> object:
        words = "|".join(re.escape(part) for part in _parts(name) if len(part) > 1)
        found = self.text.number(words) if words else None
        if found is None and (bound := BOUNDS.get(next(iter(_parts(name)), ""))):
            limit = self.text.take(bound)
            found = spot.as_number(limit) if limit else None
        if found is None and re.search(r"(?i)limit|count|max|top|results|\bn\b|\bk\b|num", name):
            top = self.text.take(
                re.compile(
                    r"(?i)\b(?:top|first|only)\s+(\d+)|(\d+)\s*(?:results?|items?|개|건|times|번)"
                )
            )
            found = spot.as_number(top) if top else None
        if found is None and needed:
            found = self.text.number()
        if found is None:
            return ABSENT
        low, high = schema.get("minimum"), schema.get("maximum")
        found = max(found, low) if low is not None else found
        found = min(found, high) if high is not None else found
        return int(found) if whole or (isinstance(found, float) and found.is_integer()) else found

    def _list(self, name: str, schema: Schema, needed: bool, depth: int) -> object:
        item, _ = self._plain(schema.get("items", {"type": "string"}))
        if members := item.get("enum"):
            lowered = self._prompt.lower()
            named = [one for one in members if str(one).lower() in lowered]
            return named or ABSENT
        if item.get("type") in ("integer", "number"):
            numbers = self.text.numbers()
            return numbers or ABSENT
        if item.get("type") == "object":
            values = self.record(item, depth + 1)
            return [values] if values else ABSENT
        if not needed and not (meanings_of(name) & meanings_of(self._prompt)):
            return ABSENT
        return self._strings(name, item) or ABSENT

    def _strings(self, name: str, item: Schema) -> list[str]:
        found: list[str] = []
        while len(found) < 20:
            value = self._string(name, item, True)
            if value is ABSENT or value in found:
                break
            found.append(str(value))
        return found

    def _string(self, name: str, schema: Schema, needed: bool) -> object:
        label = "|".join(re.escape(part) for part in (name, name.replace("_", " ")))
        named = self.text.take(
            re.compile(
                rf"(?i)\b(?:{label})\s*(?:is\s+|=\s*|:\s*|named\s+|called\s+)\"?([^\s,\"]+)"
                rf"|\bwith\s+(?:the\s+|a\s+)?(?:{label})\s+(?:of\s+)?\"?([^,\"]+?)\"?"
                r"(?=\s+(?:and|saying|with|that)\b|[,.?!]|$)"
            )
        )
        if named:
            return named.strip(".?!")
        kind = _kind(name, schema)
        found = self._of_kind(kind, needed)
        if found is None and needed and kind not in ("email", "url", "phone", "expression"):
            found = self._rest(kind)
        return ABSENT if found is None else found

    def _of_kind(self, kind: str, needed: bool) -> str | None:
        text = self.text
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
                return text.take(spot.QUOTED) or text.take(ABOUT) or self._topic()
            case _:
                return text.take(spot.QUOTED) if needed else None

    def _rest(self, kind: str) -> str | None:
        """What is left of the prompt: a name in capitals, what follows "in", else the first words."""
        if kind in ("whole", "query"):
            return self._topic()
        if kind == "content":
            return self.text.take_span() or self._topic()
        if kind in ("date", "time"):
            return None
        spans = self.text.spans()
        capital = next((span for span in spans if span[0].isupper()), None)
        placed = next((span for span in spans if self._follows_preposition(span)), None)
        explains = kind == "place" and EXPLAINS.search(self._prompt)
        chosen = capital or placed or (None if explains else next(iter(spans), None))
        if chosen and not chosen[0].isdigit():
            self.text.mark(chosen)
            return chosen
        return None

    def _topic(self) -> str | None:
        return topic_of(without_asking_phrases(self._prompt)).phrase or None

    def _listed(self, names: Mapping[str, str]) -> str | None:
        """The first of several known names that the prompt still holds, in the prompt's order."""
        found: list[tuple[int, str, str]] = []
        for name, pattern in names.items():
            for match in re.finditer(rf"(?i)(?<![a-z])(?:{pattern})(?![a-z])", self.text.text):
                found.append((match.start(), name, match.group()))
        for _, name, word in sorted(found):
            if self.text.take(re.compile(rf"(?<![A-Za-z]){re.escape(word)}(?![A-Za-z])")):
                return name
        return None

    def _after(self, words: str) -> str | None:
        for span in self.text.spans():
            if re.search(rf"(?i)\b(?:{words})\s+{re.escape(span)}", self._prompt):
                self.text.mark(span)
                return span
        return None

    def _before(self, endings: str) -> str | None:
        found = self.text.take(re.compile(rf"([가-힣]{{2,}}?)(?:{endings})(?=\s)"))
        return found

    def _follows_preposition(self, span: str) -> bool:
        return bool(
            re.search(rf"(?i)\b(?:in|at|for|near|around|of)\s+{re.escape(span)}", self._prompt)
        )

    def _invented(self, name: str, schema: Schema) -> object:
        """A value because there must be one: the prompt for a text, the smallest for the rest."""
        match schema.get("type"):
            case "integer" | "number":
                return schema.get("minimum", 0)
            case "boolean":
                return False
            case "array":
                return []
            case "object":
                return {}
            case _:
                return self._topic() or self._prompt.strip()


def _kind(name: str, schema: Schema) -> str:
    """What a text parameter is for, by its name, else by its description."""
    spaced = "_".join(_parts(name)) + " " + " ".join(_parts(name))
    for text in (spaced, str(schema.get("description", "")).lower()[:80]):
        for kind, pattern in KINDS:
            if re.search(pattern, text) and not (
                text is not spaced and kind in ("email", "target", "origin", "name")
            ):
                return kind
    return "other"


def _parts(name: str) -> list[str]:
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[_\-.]", " ", name)
    return [part.lower() for part in spaced.split()]


def _looseness(name: str, schema: Schema) -> int:
    """The order of filling: what can only be one thing first, free text last."""
    if schema.get("type") not in (None, "string"):
        return 1
    if "enum" in schema:
        return 0
    loose = {"content": 6, "query": 7, "whole": 8, "other": 5, "name": 5, "place": 4}
    return loose.get(_kind(name, schema), 2)


def _same_shape(span: str, first: str) -> bool:
    """Whether a further value looks like the first: capitals with capitals, Hangul with Hangul."""
    if span == first or not re.search(r"\w", span):
        return False
    return (span[0].isupper(), span[0] >= "가") == (first[0].isupper(), first[0] >= "가")
