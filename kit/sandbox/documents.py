"""From a request for JSON to the document: which facts it is filled from.

Text that came with the prompt comes first ("Extract the name: ..."), then what the library holds.
"""

import json
import re
from dataclasses import replace

from kit.sandbox.clarifying import clarified
from kit.sandbox.dialogue import Conversation
from kit.sandbox.excerpt import text_within
from kit.sandbox.facts import Fact
from kit.sandbox.filling import MOST_ITEMS, Filler
from kit.sandbox.given import read_record
from kit.sandbox.library import Hit, Library
from kit.sandbox.phrases import phrase
from kit.sandbox.quoting import kind_of, quotes
from kit.sandbox.relevance import holds, terms_of
from kit.sandbox.replies import answering, found_for, queries_for
from kit.sandbox.schema import Schema
from kit.sandbox.spans import Text
from kit.sandbox.steps import Ask, OpenPage, Say, Search, Source, Step

MOST_PAGES = 8


def document_steps(ask: Ask, talk: Conversation, library: Library) -> tuple[Step, ...]:
    """One `Say` that is JSON: for the schema, or an outline where only an object was asked for."""
    if ask.schema is not None and (asked := clarified(ask.schema, talk)) is not None:
        return (Say(json.dumps(asked, ensure_ascii=False)),)
    hits = found_for(talk, library, MOST_PAGES)
    near = [hit for hit in hits if hit.score >= hits[0].score * 0.1]
    fact = _fact(talk, library, near)
    document: object = _outline(fact)
    if ask.schema is not None:
        wanted = talk.shape.bullets or talk.shape.sentences or MOST_ITEMS
        given = _read_out(ask.schema, talk)
        document = Filler(ask.schema, talk.prompt, given, wanted).document(fact)
    say = Say(json.dumps(document, ensure_ascii=False, indent=None if ask.schema else 2))
    if not ask.web_search or not talk.topic:
        return (say,)
    sources = tuple(Source(hit.url, hit.title) for hit in hits)
    opened = [OpenPage(hits[0].url)] if hits else []
    return (Search(queries_for(talk), sources), *opened, say)


def _read_out(schema: Schema, talk: Conversation) -> dict[str, object]:
    """The fields that the caller's own text gives, read as a function's arguments are."""
    given = _given(talk)
    return read_record(schema, given)[0] if given else {}


MATERIAL = re.compile(
    r"(?i)\b(?:extract|parse|classif\w*|label|sentiment|categori[sz]e|analy[sz]e|following|this|text|from|read|"
    r"turn|convert|review|tag|detect|summari[sz]e)\b|추출|분류|뽑아|다음|아래|읽|감정|감성|정리|리뷰|변환|요약"
)
EXTRACTS = re.compile(
    r"(?i)[^.\n]*\b(?:extract|parse|pull\s+out|classify)\b[^.\n]*\.?\s*$|[^.\n]*(?:추출|분류|뽑아)[^.\n]*$"
)
"""The task at the end of a text that it is about."""
LONG = 160


def _given(talk: Conversation) -> str:
    """The caller's own text: what functions returned, or what follows words that introduce it."""
    if talk.outputs:
        return "\n".join(turn.text for turn in talk.outputs)
    if EXTRACTS.search(talk.prompt) and len(talk.prompt) > 60 and not text_within(talk.prompt):
        return EXTRACTS.sub("", talk.prompt).strip()
    text = text_within(talk.prompt)
    head = talk.prompt[: max(0, len(talk.prompt) - len(text))]
    return text if len(text) > LONG or MATERIAL.search(f"{head} {talk.instructions}") else ""


def _fact(talk: Conversation, library: Library, hits: list[Hit]) -> Fact:
    """The whole of what a document may say."""
    if given := _given(talk):
        names = [span for span in Text(given).spans() if span[:1].isupper()]
        title = names[0] if names else given.split("\n")[0][:80]
        return Fact(title, given[:300], "", given, material=True)
    alike = [hit for hit in hits if hit.page.language == hits[0].page.language]
    pages = [_page_fact(talk, library, hit) for hit in alike]
    if not pages:
        topic = talk.topic.phrase or talk.prompt[:80]
        return Fact(topic, phrase("nothing_short", talk.language, topic=topic), "", "")
    focus = frozenset(
        term
        for word in library.mended(talk.topic.words)
        if not word.light and not holds(terms_of(pages[0].title), word)
        for term in word.terms
    )
    answers = {hit.url for hit in answering(alike, talk.topic.words)}
    told = [page for page in pages if page.url in answers]
    parts = tuple(pages) if len(pages) > 1 else pages[0].parts
    return replace(
        pages[0],
        heading="",
        focus=focus,
        parts=parts,
        best="\n".join(page.best for page in told),
        headings={key: one for page in told for key, one in page.headings.items()},
    )


def _page_fact(talk: Conversation, library: Library, hit: Hit) -> Fact:
    """A page: its sentences, those first that answer, and its sections below it."""
    found = quotes(library.passages_of(hit.url), talk.topic.words, kind=kind_of(talk.question))
    sections: dict[str, list[str]] = {}
    for quote in found:
        sections.setdefault(quote.heading, []).append(quote.text)
    parts = tuple(
        Fact(heading or hit.title, text[0], hit.url, " ".join(text), heading)
        for heading, text in sections.items()
    )
    ranked = sorted(found, key=lambda one: -one.score)
    return Fact(
        hit.title,
        hit.page.summary or hit.text[:200],
        hit.url,
        "\n".join(quote.text for quote in ranked),
        hit.heading,
        parts,
        best="\n".join(quote.text for quote in found),
        headings={quote.text: quote.heading for quote in found},
    )


def _outline(fact: Fact) -> dict[str, object]:
    parts = fact.parts or (fact,)
    return {
        "title": fact.title,
        "summary": fact.summary,
        "sections": [{"heading": one.heading or one.title, "text": one.text} for one in parts],
        "sources": list(dict.fromkeys(one.url for one in (fact, *parts) if one.url)),
    }
