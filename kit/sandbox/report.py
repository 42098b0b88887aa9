"""A research run: a plan of questions, searches, pages opened, and one report with citations.

The questions come from what the library holds (the sections of the pages that answer), or from the
list that the prompt gives. A section of the report quotes; no sentence appears twice.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from kit.sandbox.asking import topic_of
from kit.sandbox.dialogue import Conversation
from kit.sandbox.library import Hit, Library
from kit.sandbox.phrases import phrase
from kit.sandbox.quoting import Draft, Quote, link_text, quotes, telling
from kit.sandbox.replies import nothing_found, queries_for
from kit.sandbox.steps import Ask, FindInPage, OpenPage, Say, Search, Source, Step, Think
from kit.sandbox.words import Word, question_words, tokens

MOST_SECTIONS = 5
OUTLINE = re.compile(r"(?i)json[_\s-]*outline|\boutline\b.*\bjson\b|\bjson\b|JSON\s*(?:개요|형식)")
BRIEF = re.compile(r"(?i)markdown[_\s-]*brief|\bbrief\b|\bshort\b|간단|간략|브리프|짧게")


@dataclass(frozen=True, slots=True)
class Section:
    """One question of the plan, with the sentences that answer it."""

    question: str
    hits: tuple[Hit, ...]
    quotes: tuple[Quote, ...]


def research_steps(ask: Ask, talk: Conversation, library: Library) -> tuple[Step, ...]:
    """Everything a research run does, ending in one `Say`."""
    hits = library.find(talk.topic.words, limit=6, prefer=talk.language)
    sources = tuple(Source(hit.url, hit.title) for hit in hits)
    first = Search(queries_for(talk) or (talk.prompt[:100],), sources)
    if not hits:
        looked = Think(WORDS[talk.language]["none"].format(topic=talk.topic.phrase))
        return (Think(_opening(talk)), first, looked, nothing_found(talk, library))
    sections = _sections(talk, library, hits)
    steps: list[Step] = [Think(_opening(talk)), first, Think(_plan(talk, sections))]
    steps.extend(_visits(talk, sections))
    steps.append(Think(WORDS[talk.language]["writing"].format(count=len(_pages(sections)))))
    wants_json = ask.json_object or OUTLINE.search(f"{talk.prompt}\n{talk.instructions}")
    say = _outline(talk, sections) if wants_json else _report(talk, sections)
    return (*steps, say)


WORDS = {
    "en": {
        "open": "Looking for what the library holds about **{topic}**.",
        "plan": "The plan, question by question:\n\n{questions}",
        "none": "Nothing in the library is about **{topic}**.",
        "next": "Next: {question}",
        "writing": "Enough to write from: {count} pages read. Writing the report.",
        "summary": "Summary",
        "sources": "Sources",
        "general": "Overview",
    },
    "ko": {
        "open": "서고에서 **{topic}**에 관한 글을 찾습니다.",
        "plan": "조사 계획입니다.\n\n{questions}",
        "none": "서고에는 **{topic}**에 관한 글이 없습니다.",
        "next": "다음 질문: {question}",
        "writing": "글 {count}개를 읽었습니다. 보고서를 씁니다.",
        "summary": "요약",
        "sources": "출처",
        "general": "개요",
    },
}


def _opening(talk: Conversation) -> str:
    return WORDS[talk.language]["open"].format(topic=talk.topic.phrase)


def _plan(talk: Conversation, sections: Sequence[Section]) -> str:
    questions = "\n".join(f"{n}. {one.question}" for n, one in enumerate(sections, 1))
    return WORDS[talk.language]["plan"].format(questions=questions)


def _sections(talk: Conversation, library: Library, hits: Sequence[Hit]) -> list[Section]:
    """The questions with their answers, none of whose sentences appears twice."""
    used: set[str] = set()
    found: list[Section] = []
    asked = listed_questions(talk.prompt)
    for question, pages in asked_of(library, talk, asked) if asked else _headings(library, hits):
        words = _words_for(talk, question)
        pool = [
            quote
            for hit in pages[:3]
            for quote in quotes(
                [one for one in library.passages_of(hit.url) if asked or one.heading == question],
                words,
                unlike=frozenset(used),
            )
        ]
        chosen = telling(pool, 3) if asked else pool[:3]
        if chosen:
            used.update(quote.text for quote in chosen)
            found.append(Section(question, tuple(pages[:3]), tuple(chosen)))
        if len(found) == (3 if BRIEF.search(talk.prompt) else MOST_SECTIONS):
            break
    return found


def listed_questions(prompt: str) -> list[str]:
    """Questions that the prompt itself lists, one a line ("1. ...", "- ...")."""
    lines = re.findall(r"(?m)^\s*(?:[-*•]|\d{1,2}[.)])\s+(.{3,200})$", prompt)
    return lines[:MOST_SECTIONS] if len(lines) >= 2 else []


def asked_of(
    library: Library, talk: Conversation, questions: Sequence[str]
) -> list[tuple[str, list[Hit]]]:
    """Each listed question with the pages that answer it together with the topic."""
    found: list[tuple[str, list[Hit]]] = []
    for question in questions:
        words = _words_for(talk, question)
        pages = library.find(words, limit=3, prefer=talk.language)
        found.append((question.strip(), pages or library.find(talk.topic.words, limit=2)))
    return found


def _headings(library: Library, hits: Sequence[Hit]) -> list[tuple[str, list[Hit]]]:
    """The sections of the pages that answer, the best page's first; doubles are left out."""
    top = hits[0].score
    alike = [hit for hit in hits if hit.page.language == hits[0].page.language]
    pages = [hit for hit in alike if hit.score >= top * 0.12][:3]
    found: list[tuple[str, list[Hit]]] = []
    for hit in pages:
        headings = dict.fromkeys(one.heading for one in library.passages_of(hit.url))
        found.extend((heading, [hit]) for heading in headings)
    return found


def _words_for(talk: Conversation, question: str) -> tuple[Word, ...]:
    own = topic_of(question).words or tuple(question_words(tokens(question)))
    known = {word.terms for word in own}
    return (*own, *(word for word in talk.topic.words if word.terms not in known))


def _visits(talk: Conversation, sections: Sequence[Section]) -> list[Step]:
    """Searching, opening and looking up, section by section; a page is opened once."""
    steps: list[Step] = []
    opened: set[str] = set()
    for number, section in enumerate(sections):
        if number:
            steps.append(Think(WORDS[talk.language]["next"].format(question=section.question)))
        heavy = " ".join(word.noun for word in talk.topic.words if not word.light)
        query = f"{heavy} {topic_of(section.question).phrase}".strip()
        sources = tuple(Source(hit.url, hit.title) for hit in section.hits)
        steps.append(Search((query,), sources))
        for hit in section.hits:
            if hit.url not in opened:
                opened.add(hit.url)
                steps.append(OpenPage(hit.url))
        pattern = next((word.noun for word in _words_for(talk, section.question)), "")
        steps.append(FindInPage(section.quotes[0].page.url, section.question or pattern))
    return steps


def _pages(sections: Sequence[Section]) -> list[Quote]:
    """One quotation of each page that is quoted, in order."""
    return list({quote.page.url: quote for one in sections for quote in one.quotes}.values())


def _report(talk: Conversation, sections: Sequence[Section]) -> Say:
    words = WORDS[talk.language]
    draft = Draft()
    draft.write(f"# {_title(talk, sections)}\n\n## {words['summary']}\n\n")
    for number, section in enumerate(sections[:3]):
        quote = section.quotes[0]
        draft.write("\n" if number else "").write(f"- {quote.text}").cite(quote.page)
    for section in sections:
        draft.write(f"\n\n## {_heading(section.question) or words['general']}\n\n")
        draft.quote(section.quotes)
    draft.write(f"\n\n## {words['sources']}\n")
    for number, quote in enumerate(_pages(sections), 1):
        draft.write(f"\n{number}. ").link(quote.page)
        draft.write(f": {quote.page.summary}" if quote.page.summary else "")
    return draft.write(f"\n\n{phrase('notice', talk.language)}").say()


def _outline(talk: Conversation, sections: Sequence[Section]) -> Say:
    """The report as a JSON outline; its links stay where they are quoted, and are cited."""
    outline = {
        "title": _title(talk, sections),
        "summary": " ".join(section.quotes[0].text for section in sections[:2]),
        "sections": [
            {
                "heading": section.question or WORDS[talk.language]["general"],
                "points": [quote.text for quote in section.quotes],
                "sources": list(dict.fromkeys(quote.page.url for quote in section.quotes)),
            }
            for section in sections
        ],
        "sources": [
            {"title": quote.page.title, "url": quote.page.url} for quote in _pages(sections)
        ],
    }
    return Say(json.dumps(outline, ensure_ascii=False, indent=2))


def _title(talk: Conversation, sections: Sequence[Section]) -> str:
    phrase_of_topic = link_text(talk.topic.phrase)
    title = phrase_of_topic if phrase_of_topic != "source" else sections[0].quotes[0].page.title
    return title[:1].upper() + title[1:]


def _heading(question: str) -> str:
    return " ".join(question.split())[:120].strip("# ")
