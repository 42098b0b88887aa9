"""Answers in text: the few things the sandbox says itself, and the quotations it finds.

With `web_search` the same answer is preceded by the search and the page that was opened for it.
"""

import re
from collections.abc import Sequence

from kit.sandbox.dialogue import Conversation, remembered
from kit.sandbox.excerpt import excerpt_of
from kit.sandbox.follow_ups import repeated
from kit.sandbox.library import Hit, Library
from kit.sandbox.phrases import phrase
from kit.sandbox.quoting import Draft, Quote, best, kind_of, leads, quotes, telling
from kit.sandbox.relevance import holds, terms_of
from kit.sandbox.steps import Ask, OpenPage, Say, Search, Source, Step
from kit.sandbox.sums import computed
from kit.sandbox.wishes import (
    asks_about_itself,
    beyond,
    exact_reply,
    is_greeting,
    is_thanks,
)
from kit.sandbox.words import Word

CLOSE = 0.6
"""Below this share of the question's words, what was found is the closest and not the answer."""
SECOND_PAGE = 0.55
"""A second page is quoted too when it scores this share of the first one."""
SHOWN_TITLES = 6


def plain_reply(talk: Conversation, library: Library) -> Say | None:
    """An answer that needs no library: words to repeat, a greeting, a sum, a text that came."""
    prompt, language = talk.prompt, talk.language
    if again := repeated(prompt, talk.earlier, library):
        return again
    literal = exact_reply(prompt)
    if literal is not None:
        return Say(literal)
    if not prompt:
        return Say(phrase("empty", language, titles=titles_to_try(library, language)))
    if is_greeting(prompt):
        hello = phrase("hello", language, titles=titles_to_try(library, language))
        return Say(_first_words(hello, talk.shape.words))
    if is_thanks(prompt):
        return Say(phrase("thanks", language))
    if said := remembered(talk):
        return Say(f"{phrase('you_said', language)}\n\n> {said}")
    if asks_about_itself(prompt):
        return Say(phrase("itself", language, example=phrase("example", language)))
    if (value := computed(prompt)) is not None:
        return Say(f"{value}\n\n{phrase('computed', language)}")
    if task := beyond(prompt):
        return Say(phrase("beyond", language, task=phrase(task, language)))
    return excerpt_of(talk)


def library_steps(ask: Ask, talk: Conversation, library: Library) -> tuple[Step, ...]:
    """What the library says, with the search itself before it when the caller asked for one."""
    hits = found_for(talk, library)
    say = quoted_answer(talk, library, hits)
    if not ask.web_search or not talk.topic:
        return (say,)
    sources = tuple(Source(hit.url, hit.title) for hit in hits)
    steps: list[Step] = [Search(queries_for(talk), sources)]
    steps.extend(OpenPage(hit.url) for hit in answering(hits, talk.topic.words)[:2])
    return (*steps, say)


def found_for(talk: Conversation, library: Library, limit: int = 5) -> list[Hit]:
    return library.find(talk.topic.words, limit=limit, prefer=talk.language)


def queries_for(talk: Conversation) -> tuple[str, ...]:
    """What a search box would be given: the topic as asked, then its words alone."""
    heavy = " ".join(word.noun for word in talk.topic.words if not word.light)
    queries = (talk.topic.phrase, talk.topic.query, heavy)
    return tuple(dict.fromkeys(query for query in queries if query))[:3]


def quoted_answer(talk: Conversation, library: Library, hits: Sequence[Hit]) -> Say:
    """The sentences that answer, as quotations with their sources; or that there are none."""
    if not talk.topic:
        return Say(phrase("empty", talk.language, titles=titles_to_try(library, talk.language)))
    if not hits:
        return nothing_found(talk, library)
    chosen = _chosen(talk, library, hits)
    if not chosen:
        return Say(phrase("no_more", talk.language, topic=hits[0].title))
    if _beside_the_point(talk, library, chosen):
        return nothing_found(talk, library)
    if _particular(talk) and not _answered(talk, library, chosen):
        return nothing_found(talk, library)
    return _written(talk, hits, chosen)


PARTICULAR = ("when", "who", "number", "where")
OF_THE_DAY = re.compile(r"(?i)\b(?:today|tomorrow|tonight|right\s+now)\b|오늘|내일|지금")
SUPERLATIVE = re.compile(
    r"(?i)\b(?:(?:high|larg|bigg|tall|long|fast|old|small|deep|rich|young|new)i?est|first|last|most)\b|"
    r"가장|제일|최대|최고|최초"
)


def _particular(talk: Conversation) -> bool:
    """Whether one thing is asked for, so that a page that merely speaks of the subject is none."""
    if talk.follows_up:
        return False
    asks = kind_of(talk.question) in PARTICULAR or SUPERLATIVE.search(talk.prompt)
    dated = any(word.text.isdigit() for word in talk.topic.words)
    return bool(asks or dated or OF_THE_DAY.search(talk.prompt))


def _beside_the_point(talk: Conversation, library: Library, chosen: Sequence[Quote]) -> bool:
    """Whether neither the pages' names nor the quotations hold any word of the question."""
    heavy = [word for word in library.mended(talk.topic.words) if _tells(word)]
    names = (f"{quote.page.title} {quote.page.also} {quote.page.summary}" for quote in chosen)
    terms = terms_of(" ".join([*names, *(quote.text for quote in chosen)]))
    return bool(heavy) and not any(holds(terms, word) for word in heavy)


def _answered(talk: Conversation, library: Library, chosen: Sequence[Quote]) -> bool:
    """Whether the quotations hold a word of the question that the page's own names do not."""
    pages = " ".join(f"{quote.page.title} {quote.page.also}" for quote in chosen)
    named = terms_of(pages)
    heavy = [word for word in library.mended(talk.topic.words) if _tells(word)]
    beside = [word for word in heavy if not holds(named, word)]
    said = terms_of(" ".join(f"{quote.heading}\n{quote.text}" for quote in chosen))
    return not beside or any(holds(said, word) for word in beside)


def nothing_found(talk: Conversation, library: Library) -> Say:
    titles = titles_to_try(library, talk.language)
    return Say(phrase("nothing", talk.language, topic=_plain(talk.topic.phrase), titles=titles))


def titles_to_try(library: Library, language: str) -> str:
    """A few titles of the library, spread over it: always the same ones."""
    titles = library.titles(language)
    step = max(1, len(titles) // SHOWN_TITLES)
    return ", ".join(titles[::step][:SHOWN_TITLES])


def answering(hits: Sequence[Hit], words: Sequence[Word]) -> list[Hit]:
    """The pages worth quoting: the best, the nearly as good, those that another word names."""
    if not hits:
        return []
    first, *rest = hits
    chosen = [first]
    entitled = any(not word.light and holds(terms_of(first.title), word) for word in words)
    held = terms_of(f"{first.title} {first.page.also}")
    for hit in rest:
        own = {term for term in terms_of(hit.title) if term not in held}
        adds = any(not word.light and own.intersection(word.terms) for word in words)
        near = hit.score >= first.score * SECOND_PAGE and not entitled
        if (near or adds) and hit.page.language == first.page.language:
            chosen.append(hit)
            held |= terms_of(f"{hit.title} {hit.page.also}")
    return chosen[:3]


def _chosen(talk: Conversation, library: Library, hits: Sequence[Hit]) -> list[Quote]:
    kind = kind_of(talk.question)
    pages = answering(hits, talk.topic.words)
    count = _how_many(talk, kind)
    chosen: list[Quote] = []
    for number, hit in enumerate(pages):
        share = (
            count if len(pages) == 1 else max(1, (count + 1) // 2 if number == 0 else count // 3)
        )
        words = library.mended(talk.topic.words)
        found = quotes(library.passages_of(hit.url), words, kind=kind, unlike=talk.said)
        beside = [word for word in words if _tells(word) and not _entitles(word, hit)]
        answered = any(holds(terms_of(quote.text), word) for quote in found for word in beside)
        overview = kind is None and not answered and share > 1
        exact = bool(talk.shape.sentences or talk.shape.bullets) and len(pages) == 1
        pick = leads if overview else best if exact else telling
        chosen.extend(pick(found, share))
    return chosen[:count] if talk.shape.sentences or talk.shape.bullets else chosen


def _tells(word: Word) -> bool:
    """Whether a word says what of a subject is asked: no verb, no "history"; but a year does."""
    return not word.light or word.text.isdigit()


def _entitles(word: Word, hit: Hit) -> bool:
    """Whether a word is of the page's title: it says no more of the page than that it is right."""
    return holds(terms_of(hit.title), word)


def _how_many(talk: Conversation, kind: str | None) -> int:
    shape = talk.shape
    if wanted := shape.sentences or shape.bullets:
        return min(wanted, 12)
    if shape.words:
        return 1
    if shape.short:
        return 1
    if shape.long or talk.wants_more:
        return 7
    return 2 if kind in ("when", "who", "number", "where") else 4


def _written(talk: Conversation, hits: Sequence[Hit], chosen: Sequence[Quote]) -> Say:
    """The quotations in the form that was asked for."""
    shape, draft = talk.shape, Draft()
    if shape.words:
        return Say(_first_words(chosen[0].text, shape.words))
    if shape.sentences or (shape.short and not shape.bullets):
        for number, quote in enumerate(chosen):
            draft.write(" " if number else "").write(quote.text).cite(quote.page)
        return draft.say()
    if not _holds_all(talk, chosen):
        draft.write(phrase("closest", talk.language)).write("\n\n")
    elif chosen[0].page.language != talk.language:
        draft.write(phrase("other_language", talk.language)).write("\n\n")
    if shape.bullets:
        for number, quote in enumerate(chosen):
            draft.write("\n- " if number else "- ").write(quote.text).cite(quote.page)
    else:
        page = chosen[0].page
        if page.summary and not talk.follows_up and kind_of(talk.question) is None:
            draft.write(f"**{_plain(page.title)}**: {page.summary}\n\n")
        draft.quote(chosen)
    _see_also(draft, talk, hits, chosen)
    return draft.write(f"\n\n{phrase('notice', talk.language)}").say()


def _holds_all(talk: Conversation, chosen: Sequence[Quote]) -> bool:
    """Whether the quoted pages together know most of what was asked."""
    pages = {quote.page.url: quote.page for quote in chosen}.values()
    terms = terms_of("\n".join(f"{page.title} {page.also} {page.text}" for page in pages))
    heavy = [word for word in talk.topic.words if not word.light]
    return sum(1 for word in heavy if holds(terms, word)) >= CLOSE * len(heavy)


def _see_also(
    draft: Draft, talk: Conversation, hits: Sequence[Hit], chosen: Sequence[Quote]
) -> None:
    quoted = {quote.page.url for quote in chosen}
    others = [hit for hit in hits if hit.url not in quoted and hit.score >= hits[0].score * 0.15]
    if not others:
        return
    draft.write(f"\n\n{phrase('see_also', talk.language)}")
    for number, hit in enumerate(others[:3]):
        draft.write(" · " if number else "").link(hit.page)


def _first_words(text: str, count: int | None) -> str:
    return text if count is None else " ".join(text.split()[:count]).rstrip(",;:")


def _plain(text: str) -> str:
    """A topic as it may stand in bold: no markup of its own."""
    return "".join(letter for letter in text if letter not in "*_`[]<>|\\\n")[:80]
