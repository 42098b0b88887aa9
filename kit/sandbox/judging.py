"""Choices and yes or no: what a text names, how it feels, what it denies.

Words decide, as everywhere here; where none does, the choice is the one that claims least.
"""

import re
from collections.abc import Sequence
from typing import Any

from kit.sandbox.facts import Fact
from kit.sandbox.lexicon import meanings_of
from kit.sandbox.relevance import terms_of

PRAISES = re.compile(
    r"(?i)\b(?:lov(?:e|es|ed|ing)|great|excellent|amazing|awesome|wonderful|fantastic|perfect(?:ly)?|happy|good|nice|best|"
    r"recommend|pleased|delight\w*|enjoy\w*|fast|beautiful|impress\w*|thank\w*|helpful|works\s+well)\b|"
    r"좋|최고|만족|훌륭|추천|행복|완벽|감사|친절|예쁘|예뻐|빠르고|편하|또\s*사|사랑|재미있|맛있"
)
BLAMES = re.compile(
    r"(?i)\b(?:hat(?:e|es|ed)|bad|terribl[ey]|awful(?:ly)?|horrible|worst|poor(?:ly)?|broken?|broke|died|slow|disappoint\w*|"
    r"angry|sad|refund|rude|useless|waste|never\s+again|annoy\w*|fail\w*|crash\w*|late|ugly|dirty|problem\w*)\b|"
    r"실망|나쁘|나빠|최악|별로|싫|불만|느리|늦|고장|환불|불친절|짜증|화가|형편없|더럽|망가|아쉽|후회|맛없|재미없"
)
TURNS = re.compile(
    r"(?i)\b(?:not|n't|never|no|hardly|isn't|wasn't|don't|didn't)\s+(?:\w+\s+){0,2}$|안\s*$"
)
TURNS_AFTER = re.compile(r"^\S{0,4}\s*(?:않|못|없)")
FEELINGS = (
    ("good", re.compile(r"(?i)^(?:very[_ ])?(?:positive|pos|happy|good|satisfied|"
                        r"긍정\S*|좋음|만족|행복)$")),
    ("bad", re.compile(r"(?i)^(?:very[_ ])?(?:negative|neg|sad|angry|bad|unhappy|"
                       r"dissatisfied|부정\S*|나쁨|불만|슬픔)$")),
    ("none", re.compile(r"(?i)^(?:neutral|none|unknown|other|unclear|unsure|maybe|mixed|"
                        r"not[_ ]sure|n/?a|중립\S*|기타|없음|모름|알\s*수\s*없음)$")),
)  # fmt: skip
YES_OR_NO = (
    re.compile(r"(?i)^(?:yes|true|y|예|네|맞음|참)$"),
    re.compile(r"(?i)^(?:no|false|n|아니오|아니요|틀림|거짓)$"),
)
DENIES = re.compile(
    r"(?i)\b(?:not|no|never|cannot|nor|neither|without|hardly|false|myth)\b|n't\b|않|아니|없다|못한|못하"
)
HOLDS_BACK = re.compile(r"(?i)needs?_|has_error|missing|unknown|clarif|error|urgent|spam")


def member(members: Sequence[Any], text: str, fact: Fact) -> object:
    """The member that the text names first, or the feeling it shows; else what claims least."""
    felt = {kind: one for one in members for kind, pattern in FEELINGS if pattern.match(str(one))}
    if "good" in felt and "bad" in felt:
        return felt.get(feeling(text), felt.get("none", members[0]))
    if (judged := _yes_or_no(members, fact)) is not None:
        return judged
    lowered = text.lower()
    named = [
        (lowered.find(str(one).lower().replace("_", " ")), place)
        for place, one in enumerate(members)
        if isinstance(one, str) and len(one) > 1 and str(one).lower().replace("_", " ") in lowered
    ]
    if named:
        return members[min(named)[1]]
    spoken = meanings_of(text[:2000])
    for one in members:
        concepts = {meaning for meaning in meanings_of(str(one)) if meaning.startswith("#")}
        if isinstance(one, str) and concepts & spoken:
            return one
    return felt.get("none", members[0])


def members_named(members: Sequence[Any], text: str) -> list[object]:
    """Every member that a text names, in the order of the choices."""
    lowered = text.lower()
    return [one for one in members if str(one).lower().replace("_", " ") in lowered]


def feeling(text: str) -> str:
    """`good`, `bad` or `none`, by counting words of praise and blame; "not good" is blame."""
    score = 0
    for pattern, worth in ((PRAISES, 1), (BLAMES, -1)):
        for match in pattern.finditer(text[:5000]):
            before, after = text[: match.start()][-30:], text[match.end() :][:8]
            score += -worth if TURNS.search(before) or TURNS_AFTER.match(after) else worth
    return "good" if score > 0 else "bad" if score < 0 else "none"


def _yes_or_no(members: Sequence[Any], fact: Fact) -> object:
    sides = [next((one for one in members if side.match(str(one))), None) for side in YES_OR_NO]
    if None in sides:
        return None
    least = next((one for one in members if FEELINGS[2][1].match(str(one))), sides[1])
    if not fact.url and not fact.material:
        return least
    return sides[0] if affirmed(fact) else sides[1]


def truth_for(name: str, fact: Fact) -> bool:
    """Whether something was found, and the sentence that answers best does not deny it."""
    if re.search(HOLDS_BACK, name):
        return False
    if re.search(r"(?i)found|known|exists", name):
        return bool(fact.url or fact.material)
    return bool(fact.url or fact.material) and affirmed(fact)


def affirmed(fact: Fact) -> bool:
    """Whether the best sentence speaks of what was asked, and does not deny it."""
    best = next(iter(fact.sentences), "")
    speaks = not fact.focus or not fact.focus.isdisjoint(terms_of(best))
    return speaks and not DENIES.search(best)
