"""A text that came with the prompt: its own sentences are picked, when a summary is asked for."""

import re

from kit.sandbox.asking import is_asking
from kit.sandbox.dialogue import Conversation
from kit.sandbox.phrases import phrase
from kit.sandbox.steps import Say
from kit.sandbox.words import index_terms, sentences, tokens

SUMMARISE = re.compile(
    r"(?i)\b(?:summari[sz]e|summary|tl;?dr|shorten|key\s+points?|main\s+points?|what\s+does\s+(?:it|this)\s+say)\b|"
    r"요약|간추려|줄여|핵심|정리"
)
SHORTEST_TEXT = 200


def excerpt_of(talk: Conversation) -> Say | None:
    """The most telling sentences of a text in the prompt, or None when there is no such text."""
    text = text_within(talk.prompt)
    head = talk.prompt[: max(0, len(talk.prompt) - len(text))] + talk.instructions
    if len(text) < SHORTEST_TEXT or not SUMMARISE.search(head or talk.prompt[:200]):
        return None
    chosen = _telling(sentences(text), talk.shape.sentences or talk.shape.bullets or 3)
    mark = "- " if talk.shape.bullets else "> "
    lines = ("\n" if talk.shape.bullets else "\n>\n").join(mark + one[:420] for one in chosen)
    return Say(f"{lines}\n\n{phrase('from_text', talk.language)}")


def text_within(prompt: str) -> str:
    """The material of a prompt: what follows the first line or colon that introduces it."""
    split = re.search(r"[:：]\s*\n|[:：]\s+(?=\S)|\n\s*\n|\n", prompt)
    return prompt[split.end() :].strip() if split and split.start() < 300 else ""


def _telling(found: list[str], count: int) -> list[str]:
    """The sentences whose words recur most in the text, in its order; the first has a start."""
    weight: dict[str, int] = {}
    for sentence in found:
        for term in _terms(sentence):
            weight[term] = weight.get(term, 0) + 1
    scored: list[tuple[float, int]] = []
    for place, sentence in enumerate(found):
        terms = _terms(sentence)
        score = sum(weight[term] - 1 for term in terms) / (len(terms) + 4)
        scored.append((-score - (0.5 if place == 0 else 0.0), place))
    return [found[place] for place in sorted(place for _, place in sorted(scored)[:count])]


def _terms(sentence: str) -> set[str]:
    kept = [token for token in tokens(sentence) if not is_asking(token)]
    return set(index_terms(" ".join(kept))[0].split())
