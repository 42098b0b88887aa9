"""What each finding is called, what each verdict means, and what follows from it (pure).

    means     what was seen, a sentence
    instead   what the toolkit does then, by itself: "sends what was said again"
    advice    what a person can do about it, as a sentence that says so; "" where there is nothing

Rule: the words are ours. Of the gateway's own stand here only names and its first line of a
refusal, on one line and cut; of a model's, nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from kit.gateway.capabilities import Seen
from kit.gateway.card import printable
from kit.gateway.refusal import shown

__all__ = ["GROUPS", "LABELS", "NAMES", "Told", "said", "words_for"]

LONGEST_DETAIL = 160


@dataclass(frozen=True, slots=True)
class Told:
    """What came of a probe, and what is said of it beside our words for the verdict.

    detail: behind our words. happened, advice: instead of them, as an error says it. theirs: the
    gateway's own line.
    """

    seen: Seen
    detail: str = ""
    happened: str = ""
    advice: str = ""
    theirs: str = ""


GROUPS: dict[str, dict[str, str]] = {
    "the gateway": {
        "reachable": "a gateway answers",
        "tls": "the connection is safe",
        "key": "the key is accepted",
        "models": "models are listed",
        "cost": "the cost of an answer is said",
    },
    "chat": {
        "chat": "chat answers",
        "chat stream": "chat, as a stream",
        "chat tools": "chat with functions",
        "chat schema": "chat in a given form",
    },
    "responses": {
        "responses": "responses answer",
        "responses stream": "responses, as a stream",
        "history": "a turn that names the one before",
        "tools": "responses with functions",
        "tools by id": "functions, naming the turn before",
        "schema": "responses in a given form",
        "retrieve": "answers fetched again by id",
        "encrypted": "encrypted reasoning",
    },
    "background and search": {
        "background": "answers made in the background",
        "cursor": "streams taken up again",
        "cancel": "cancelling in the background",
        "web search": "web search",
        "citations": "the sources of a search",
    },
}
"""Every finding, in the order of the table: its name in code, and what people call it."""

LABELS = {name: label for group in GROUPS.values() for name, label in group.items()}
NAMES = tuple(LABELS)

_OTHER_MODEL = "Choose another model for functions."
_OTHER_WAY = "Try the other API, or another model."
_CHOOSE = "Choose one: %kit model NAME, or LITELLM_MODEL."
_LATER = "Ask again later, or tell whoever runs the gateway."
_SEARCHING = "Choose a model that can search, where it matters."
_ITSELF = "Check that LITELLM_BASE_URL is the gateway itself, and no page or login before it."

_CALLS = {
    "yes": ("A function is called, and a second turn takes what it returned.",),
    "second turn": (
        "A function is called; the second turn fails.",
        "says so in the cell",
        _OTHER_WAY,
    ),
    "not called": (
        "The model called nothing although it had to.",
        "asks all the same",
        _OTHER_MODEL,
    ),
    "no": ("Functions are refused.", "says so in the cell", _OTHER_MODEL),
}
_FORM = {
    "yes": ("The answer has the form that was asked for.",),
    "json": ("JSON comes, and not of that form.", "checks each, and says what is wrong"),
    "ignored": ("The form is taken and ignored.", "checks each, and says what is wrong"),
    "no": ("The form is refused.", "says so in the cell", _OTHER_WAY),
}
_IN_ONE_PIECE = {
    "whole": ("The answer comes in one piece.", "shows it when it is there"),
    "no": ("Streams are refused or break off.", "asks for the answer in one piece"),
}
_STREAMS_ONLY = {
    "streams only": (
        "It answers as a stream alone, never in one piece.",
        "asks for streams, and reads them to their end where code wants an answer in one piece",
    )
}
"""The same of both APIs."""

_WORDS: dict[str, dict[str, tuple[str, ...]]] = {
    "reachable": {
        "yes": ("It answers.",),
        "no gateway": ("A server answers, but not as a gateway.", "", _ITSELF),
        "certificate": (
            "Its certificate is not trusted here.",
            "",
            "Set SSL_CERT_FILE to the CA file of whoever signed it.",
        ),
        "no": ("It does not answer.", "", "Check LITELLM_BASE_URL, and that the gateway runs."),
    },
    "tls": {
        "yes": ("The connection is encrypted, and the certificate is trusted.",),
        "loopback": ("The connection is plain http, and does not leave this machine.",),
        "no": (
            "The connection is plain http, and does not protect the key.",
            "allows it, since KIT_ALLOW_INSECURE_HTTP is set",
            "Ask whoever runs the gateway for an https address.",
        ),
    },
    "key": {
        "yes": ("The key is accepted.",),
        "open": ("It asks for no key.",),
        "missing": ("It wants a key, and none is configured.", "", "Run %kit login."),
        "no database": (
            "The key is wrong. LiteLLM without a database knows its master key alone, and says "
            "400 instead of 401.",
            "reads that as a wrong key",
            "Run %kit login with another key.",
        ),
        "no": (
            "The key is not accepted.",
            "",
            "Check LITELLM_API_KEY, or run %kit login with another key.",
        ),
        "unknown": ("No answer says whether the key is accepted.",),
    },
    "models": {
        "key": ("Not tried: that takes a key that is accepted.",),
        "too long": ("The list is longer than is read here.", "asks the one that is chosen"),
        "yes": ("They are listed.",),
        "not listed": ("They are listed, without this one.", "asks it all the same"),
        "shutdown": ("They are listed.", "goes on", "Choose another in time: %kit model NAME."),
        "choose": ("Several are listed and none is chosen.", "", _CHOOSE),
        "none": ("It lists no models, and none is chosen.", "", _CHOOSE),
        "no": ("They are not listed.", "asks the one that is chosen"),
    },
    "chat": {
        "yes": ("Chat completions answer.",),
        **_STREAMS_ONLY,
        "no": ("Chat completions are refused.", "", "Ask over responses: %%responses."),
    },
    "chat stream": {
        "yes": ("Text comes as it is written.",),
        **_IN_ONE_PIECE,
    },
    "chat tools": _CALLS,
    "chat schema": _FORM,
    "responses": {
        "yes": ("The responses API answers.",),
        **_STREAMS_ONLY,
        "no": (
            "The responses API is refused.",
            "",
            "Ask over chat: %%chat. Research needs the responses API.",
        ),
    },
    "responses stream": {
        "yes": ("Text comes as it is written, and the end is said.",),
        **_IN_ONE_PIECE,
    },
    "history": {
        "yes": ("previous_response_id is remembered.",),
        "refused": ("previous_response_id is refused.", "sends what was said again"),
        "forgotten": ("previous_response_id is taken and forgotten.", "sends what was said again"),
        "unknown": (
            "previous_response_id is taken; this model does not show whether it is remembered.",
            "sends what was said again",
        ),
    },
    "tools": _CALLS,
    "tools by id": {
        "yes": ("A turn after a function may name the one before.",),
        "refused": ("A turn after a function may not name the one before.", "sends all again"),
        "forgotten": (
            "A turn after a function may name the one before, which is forgotten.",
            "sends all again",
        ),
        "unknown": (
            "Whether a turn after a function may name the one before could not be seen.",
            "sends all again",
        ),
    },
    "schema": _FORM,
    "retrieve": {
        "yes": ("An answer can be fetched again by its id.",),
        "empty": ("What is fetched by an answer's id is empty, or another.", "keeps what came"),
        "no": ("An answer cannot be fetched again by its id.", "keeps what came"),
    },
    "encrypted": {
        "yes": ("Encrypted reasoning can be asked for.",),
        "no": ("Encrypted reasoning is refused.", "sends turns again without the reasoning"),
    },
    "cost": {
        "free": ("Nothing: it runs on this machine.",),
        "yes": ("What an answer costs is said.",),
        "whole": ("What an answer costs is said, not where it is streamed.", "leaves it blank"),
        "streamed": ("What an answer costs is said where it is streamed.", "leaves it blank"),
        "no": ("What an answer costs is not said.", "leaves it blank; tokens are counted"),
    },
    "background": {
        "yes": ("A response goes on by itself, and its stream comes.",),
        "polled": (
            "A response goes on by itself; JSON comes where a stream was asked for.",
            "fetches it again and again: the relay's runs are safe",
        ),
        "unfetchable": (
            "A response is said to go on by itself, and cannot be fetched afterwards.",
            "reads the stream in the relay; a run ends if its worker does",
        ),
        "ignored": (
            "background is ignored: the answer comes when it is done.",
            "reads the stream in the relay; a run ends if its worker does",
        ),
        "refused": (
            "background is refused.",
            "reads the stream in the relay; a run ends if its worker does",
        ),
    },
    "cursor": {
        "yes": ("A stream can be taken up again where it broke.",),
        "no": ("A stream cannot be taken up again.", "fetches the response instead"),
    },
    "cancel": {
        "yes": ("A cancelled response stays cancelled.",),
        "goes on": ("A response goes on after it was cancelled, and may cost.", "ends it for you"),
        "status": (
            "A response is marked as cancelled; what runs behind it may go on, and cost.",
            "ends it for you",
        ),
        "unseen": ("It is said to be cancelled, and cannot be looked at again.",),
        "ended": ("It was done before it could be cancelled.",),
        "no": ("A response cannot be cancelled, and goes on to cost.", "ends it for you"),
    },
    "web search": {
        "yes": ("The model searched the web.",),
        "refused": ("Web search is refused.", "researches without; the report says so", _SEARCHING),
        "dropped": (
            "Web search is dropped without a word.",
            "marks what has no source",
            _SEARCHING,
        ),
        "unknown": (
            "It is taken, and no search came of it: it is dropped, or the model did not search.",
            "marks what has no source",
        ),
    },
    "citations": {
        "yes": ("Sources come with the text.",),
        "final": ("Sources come with the whole answer alone.", "shows them at the end"),
        "unknown": ("No source came, so it could not be seen.",),
    },
}

_WHY: dict[str, tuple[str, ...]] = {
    "busy": ("It takes no more requests now.", "", "Ask again in a minute."),
    "quota": (
        "A budget at the gateway is used up.",
        "",
        "Ask whoever runs the gateway for more, or use another key.",
    ),
    "late": ("No answer came in time.", "", "Ask again: a model that was loading may be there."),
    "broken": ("The connection broke, or what came cannot be read.", "", _LATER),
    "header": (
        "It sends a header that is too long to be read.",
        "",
        "Tell whoever runs the gateway: asking again does not help.",
    ),
    "strange": ("What came is no answer of a model.", "", _ITSELF),
    "failed": ("The gateway failed.", "", _LATER),
    "provider": (
        "The provider of the model does not accept the gateway's own key.",
        "",
        "Tell whoever runs the gateway.",
    ),
    "model": (
        "The model is unknown there, or not for this key.",
        "",
        "Choose one that %kit models lists: %kit model NAME.",
    ),
    "key": ("The key does not allow it.", "", "Ask whoever runs the gateway to allow it."),
    "short": ("The answer was cut before it showed anything.",),
    "not asked": ("Not asked.",),
    "dear": ("Not asked: it may cost. --all asks.",),
    "spent": ("Not asked: the answers before took more than a check may.",),
    "waited": ("Not asked: answers took too long.",),
    "no background": ("Not asked: there is no background.",),
}


def words_for(name: str, told: Told) -> tuple[str, str, str]:
    """What it means, what the toolkit does instead, and what a person can do."""
    seen, own = told.seen, _WORDS[name]
    why = _WHY.get(seen.how) if seen.verdict == "unknown" or seen.how == "model" else None
    found = own.get(seen.how) or why or own.get(seen.verdict) or ("Not known.",)
    means, instead, advice = (*found, "", "")[:3]
    means = " ".join(filter(None, (told.happened or means, told.detail)))
    if told.theirs:
        means += f" The gateway says: {told.theirs}"
    return means, instead, told.advice or advice


def said(text: str, *secrets: str, longest: int = LONGEST_DETAIL) -> str:
    """What others wrote, fit for one line of a table."""
    line = printable(shown(text[: 8 * longest], *secrets))
    return line if len(line) <= longest else line[: longest - 1] + "…"
