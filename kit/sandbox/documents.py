"""From a request for JSON to the document: which facts it is filled from.

Text that came with the prompt comes first ("Extract the name: ..."), then what the library holds.
"""

import json

from kit.sandbox.arguments import Filler as Arguments
from kit.sandbox.dialogue import Conversation
from kit.sandbox.excerpt import text_within
from kit.sandbox.filling import Fact, Filler
from kit.sandbox.lexicon import meanings_of, together
from kit.sandbox.library import Hit, Library
from kit.sandbox.quoting import kind_of, quotes
from kit.sandbox.replies import found_for, queries_for
from kit.sandbox.schema import Schema
from kit.sandbox.spans import Text
from kit.sandbox.steps import Ask, OpenPage, Say, Search, Source, Step

MOST_PAGES = 8


def document_steps(ask: Ask, talk: Conversation, library: Library) -> tuple[Step, ...]:
    """One `Say` that is JSON: for the schema, or an outline where only an object was asked for."""
    hits = found_for(talk, library, MOST_PAGES)
    near = [hit for hit in hits if hit.score >= hits[0].score * 0.1]
    fact = _fact(talk, library, near)
    document: object = _outline(fact)
    if ask.schema is not None:
        document = Filler(ask.schema, talk.prompt, _read_out(ask.schema, talk)).document(fact)
    say = Say(json.dumps(document, ensure_ascii=False, indent=None if ask.schema else 2))
    if not ask.web_search or not talk.topic:
        return (say,)
    sources = tuple(Source(hit.url, hit.title) for hit in hits)
    opened = [OpenPage(hits[0].url)] if hits else []
    return (Search(queries_for(talk), sources), *opened, say)


def _read_out(schema: Schema, talk: Conversation) -> dict[str, object]:
    """The fields that the caller's own text gives, read as a function's arguments are."""
    given = _given(talk)
    names = together(meanings_of(str(name)) for name in schema["properties"])
    return Arguments(given, names, schema, insist=False).record(schema, 0) if given else {}


def _given(talk: Conversation) -> str:
    return "\n".join(turn.text for turn in talk.outputs) or text_within(talk.prompt)


def _fact(talk: Conversation, library: Library, hits: list[Hit]) -> Fact:
    """The whole of what a document may say."""
    if given := _given(talk):
        names = [span for span in Text(given).spans() if span[:1].isupper()]
        title = names[0] if names else given.split("\n")[0][:80]
        return Fact(title, given[:300], "", given)
    alike = [hit for hit in hits if hit.page.language == hits[0].page.language]
    pages = [_page_fact(talk, library, hit) for hit in alike]
    if not pages:
        return Fact(talk.topic.phrase or talk.prompt[:80], "", "", talk.prompt)
    parts = tuple(pages) if len(pages) > 1 else pages[0].parts
    return Fact(pages[0].title, pages[0].summary, pages[0].url, pages[0].text, parts=parts)


def _page_fact(talk: Conversation, library: Library, hit: Hit) -> Fact:
    """A page: its sentences, those first that answer, and its sections below it."""
    passages = library.passages_of(hit.url)
    kind = kind_of(talk.prompt)
    found = sorted(quotes(passages, talk.topic.words, kind=kind), key=lambda one: -one.score)
    sections: dict[str, list[str]] = {}
    for passage in passages:
        sections.setdefault(passage.heading, []).append(passage.text)
    parts = tuple(
        Fact(heading or hit.title, text[0].split(". ")[0], hit.url, " ".join(text), heading)
        for heading, text in sections.items()
    )
    text = "\n".join(quote.text for quote in found)
    return Fact(hit.title, hit.page.summary or hit.text[:200], hit.url, text, hit.heading, parts)


def _outline(fact: Fact) -> dict[str, object]:
    parts = fact.parts or (fact,)
    return {
        "title": fact.title,
        "summary": fact.summary,
        "sections": [{"heading": one.heading or one.title, "text": one.text} for one in parts],
        "sources": list(dict.fromkeys(one.url for one in (fact, *parts) if one.url)),
    }
