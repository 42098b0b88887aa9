"""What a parameter is for, by its name and description: a place, a date, a question, a currency."""

import re
from collections.abc import Mapping
from typing import Any, cast

KINDS = (
    ("language", r"language|\blang\b|locale|언어"),
    ("currency", r"currency|통화"),
    ("email", r"e_?mail|recipient|attendee|participant|invitee|guest|^to to$"),
    ("url", r"\burl\b|link|website|uri"),
    ("phone", r"phone|mobile|전화"),
    ("expression", r"expression|formula|equation|수식"),
    ("origin", r"origin|\bfrom\b|source_city|departure|depart|start_location|출발"),
    ("target", r"destination|\bto\b|arrival|end_location|도착|목적지"),
    ("place", r"city|location|place|country|town|address|region|timezone|time_zone|area|"
     r"도시|장소|지역|위치|국가|나라"),
    ("date", r"date|day|when|날짜"),
    ("time", r"time|hour|시간|시각"),
    ("whole", r"question|prompt|request|instruction|task|brief|질문|요청"),
    ("query", r"query|quer|topic|keyword|search|subject|term|phrase|\bq\b|about|주제|검색어"),
    ("content", r"text|message|body|content|note|description|title|summary|comment|sentence|"
     r"내용|본문|제목|메시지"),
    ("symbol", r"symbol|ticker|code|number$|\bno$|\bid\b|_id|identifier|sku|번호"),
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
    "Portuguese": "portuguese|포르투갈어", "Vietnamese": "vietnamese|베트남어",
    "Arabic": "arabic|아랍어",
}  # fmt: skip
NUMBER_BOUNDS = {
    "max": re.compile(
        r"(?i)\b(?:under|below|less\s+than|up\s+to|at\s+most|max(?:imum)?|within|cheaper\s+than)\s+[$€£₩]?"
        r"(\d[\d,.]*k?)|(\d[\d,.]*(?:만|천|억)?)\s*\S{0,4}?\s*(?:이하|미만|까지|안\s*넘)"
    ),
    "min": re.compile(
        r"(?i)\b(?:over|above|more\s+than|at\s+least|min(?:imum)?|from)\s+[$€£₩]?(\d[\d,.]*k?)|"
        r"(\d[\d,.]*(?:만|천|억)?)\s*\S{0,4}?\s*(?:이상|초과|부터)"
    ),
}


def properties_of(schema: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """An object's properties that are schemas; a caller may send anything."""
    properties: Any = schema.get("properties")
    if not isinstance(properties, Mapping):
        return {}
    return {
        str(name): cast(Mapping[str, Any], one)
        for name, one in cast(Mapping[str, Any], properties).items()
        if isinstance(one, Mapping)
    }


def required_of(schema: Mapping[str, Any]) -> list[str]:
    required: Any = schema.get("required")
    if not isinstance(required, list):
        return []
    return [one for one in cast(list[Any], required) if isinstance(one, str)]


def kind_of_parameter(name: str, schema: Mapping[str, Any]) -> str:
    """What a text parameter is for, by its name, else by its description."""
    spaced = "_".join(parts_of(name)) + " " + " ".join(parts_of(name))
    for text in (spaced, str(schema.get("description", "")).lower()[:80]):
        for kind, pattern in KINDS:
            if re.search(pattern, text) and not (
                text is not spaced and kind in ("email", "target", "origin", "name")
            ):
                return kind
    return "other"


def parts_of(name: str) -> list[str]:
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[_\-.]", " ", name)
    return [part.lower() for part in spaced.split()]


def looseness(name: str, schema: Mapping[str, Any]) -> int:
    """The order of filling: what can only be one thing first, free text last."""
    if schema.get("type") not in (None, "string"):
        return 1
    if "enum" in schema:
        return 0
    loose = {"content": 6, "query": 7, "whole": 8, "other": 5, "name": 5, "place": 4}
    return loose.get(kind_of_parameter(name, schema), 2)
