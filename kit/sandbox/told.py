"""A question and what was answered since, read out of one prompt.

    Research question: the history of kimchi
                                                labels open an entry, in two languages
    Q: Which period?
    A: The Joseon period.

    Write the whole brief.                      a paragraph after the last entry is the task

Without any label the prompt is the question, but for the paragraphs that only say what to do with
it.
"""

import itertools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from kit.sandbox.phrases import phrase

OPENS = r"(?i)^[\W\d]{0,5}"
COLON = r"\s*\d{0,2}\W{0,2}[:：](.*)$"
LABELS = (
    ("asked", re.compile(rf"{OPENS}(?:q|문){COLON}")),
    ("answered", re.compile(rf"{OPENS}(?:a|answer|reply|답|답변|대답){COLON}")),
    (
        "question",
        re.compile(
            rf"{OPENS}(?:[\w']{{1,20}}\s+){{0,3}}(?:question|topic|subject|request|query|질문|주제|과제|요청){COLON}"
        ),
    ),
)
TASK = re.compile(
    r"(?i)\bclarif|\bbrief\s*(?:[.!?]|$)|\brewrite\b|명확(?:히|하지|한지)|되물|되묻|의뢰서|다시\s*써"
)
"""What is to be done with the question, where it stands in a paragraph of its own."""
ANSWERED = re.compile(
    "|".join(
        re.escape(phrase("answered", language, question="ASKED", answer="SAID"))
        .replace("ASKED", "[^”]{1,400}")
        .replace("SAID", f"(?P<{language}>[^”]{{1,2000}})")
        for language in ("en", "ko")
    )
)
Entry = tuple[str, list[str]]
"""The kind of a label, and its paragraphs."""


@dataclass(slots=True)
class Told:
    """A question, and pairs of what was asked back and what was answered."""

    question: str = ""
    answers: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])

    @property
    def said(self) -> str:
        """What the person said: the question and the answers."""
        return "\n".join([self.question, *(answer for _, answer in self.answers)])

    def joined(self, language: str) -> str:
        """All of it in sentences; what was asked and not answered is left out."""
        sentences = [_sentence(self.question)]
        for asked, answer in self.answers:
            if asked:
                answer = answer.removesuffix(".")
                sentences.append(phrase("answered", language, question=asked, answer=answer))
            else:
                sentences.append(_sentence(answer))
        return " ".join(one for one in sentences if one)


def read_told(prompt: str) -> Told:
    """The question of a prompt, and the answers that it holds."""
    told = Told()
    plain, *entries = _entries(prompt)
    following = [kind for kind, _ in entries[1:]]
    asked = ""
    for (kind, paragraphs), after in itertools.zip_longest(entries, following):
        text = _text(paragraphs)
        if kind == "answered":
            if re.search(r"\w", text):
                told.answers.append((asked, text))
            asked = ""
        elif kind == "question" and not told.question and after != "answered":
            told.question = text
        else:
            asked = text
    told.question = told.question or _text(_without_task(plain[1]))
    return told


def unjoined(text: str) -> tuple[str, str]:
    """The question of a text that `joined` wrote, and its answers; another text has none."""
    answers = [match["en"] or match["ko"] for match in ANSWERED.finditer(text)]
    return ANSWERED.sub("", text).strip(), ". ".join(answers)


def _entries(prompt: str) -> Iterator[Entry]:
    """What stands before the first label, then each label with its text.

    What follows the paragraph of the last one is the task.
    """
    found: list[Entry] = [("plain", [""])]
    for line in prompt.strip().splitlines():
        opened = _opened(line)
        if opened:
            found.append(opened)
        elif not line.strip():
            found[-1][1].append("")
        else:
            found[-1][1][-1] += f"\n{line}"
    if len(found) > 1:
        found[-1] = (found[-1][0], found[-1][1][:1])
    yield from found


def _opened(line: str) -> Entry | None:
    for kind, label in LABELS:
        if match := label.search(line):
            return kind, [match.group(1)]
    return None


def _without_task(paragraphs: list[str]) -> list[str]:
    kept = [one for one in paragraphs if not TASK.search(one)]
    return kept if any(one.strip() for one in kept) else paragraphs


def _text(paragraphs: Iterable[str]) -> str:
    """Paragraphs in one line, without headings and the marks around a label."""
    kept = (one.strip(" \n*_") for one in paragraphs if not one.rstrip().endswith((":", "：")))
    return " ".join(" ".join(kept).split())


def _sentence(text: str) -> str:
    return text if not text or text.endswith((".", "?", "!", "。", "…")) else f"{text}."
