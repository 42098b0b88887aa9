"""What each verdict means, and what the toolkit does then, in a sentence each (pure).

Rule: the words are ours. Of the gateway's own stand here only names and its first line of a
refusal, on one line and cut; of a model's, nothing.
"""

from __future__ import annotations

from kit.gateway.capabilities import Seen
from kit.gateway.card import printable
from kit.gateway.refusal import shown

__all__ = ["NAMES", "said", "words_for"]

LONGEST_DETAIL = 160

_AGAIN = "takes the way that works everywhere; ask again later"

_WORDS: dict[str, dict[str, tuple[str, str]]] = {
    "reachable": {
        "yes": ("It answers.", ""),
        "certificate": ("Its certificate is not trusted here.", "sends nothing; set SSL_CERT_FILE"),
        "no": ("It does not answer.", "sends nothing; check LITELLM_BASE_URL"),
    },
    "tls": {
        "yes": ("The connection is encrypted, and the certificate is trusted.", ""),
        "loopback": ("The connection is plain http, and does not leave this machine.", ""),
        "no": (
            "The connection is plain http, and does not protect the key.",
            "allows it, since KIT_ALLOW_INSECURE_HTTP is set",
        ),
    },
    "key": {
        "yes": ("The key is accepted.", ""),
        "open": ("It asks for no key.", ""),
        "missing": ("It wants a key, and none is configured.", "asks for one: %kit login"),
        "no database": (
            "The key is wrong. LiteLLM without a database knows its master key alone, and says "
            "400 instead of 401.",
            "reads that as a wrong key; %kit login takes another",
        ),
        "no": ("The key is not accepted.", "asks for another: %kit login"),
        "unknown": ("No answer says whether the key is accepted.", ""),
    },
    "models": {
        "yes": ("They are listed.", ""),
        "not listed": ("They are listed, without this one.", "asks it all the same"),
        "shutdown": ("They are listed.", "goes on; choose another in time with %kit model"),
        "choose": ("Several are listed and none is chosen.", "asks: %kit model NAME"),
        "no": ("They are not listed.", "needs a name: LITELLM_MODEL or %kit model"),
    },
    "chat": {
        "yes": ("Chat completions answer.", ""),
        "no": ("Chat completions are refused.", "asks over responses: %%responses"),
    },
    "chat stream": {
        "yes": ("Text comes as it is written.", ""),
        "whole": ("The answer comes in one piece.", "shows it when it is there"),
        "no": ("Streams are refused or break off.", "asks for the answer in one piece"),
    },
    "chat tools": {
        "yes": ("A function is called, and a second turn takes what it returned.", ""),
        "second turn": ("A function is called; the second turn fails.", "says so; try responses"),
        "not called": ("The model called nothing although it had to.", "asks all the same"),
        "no": ("Functions are refused.", "says so in the cell; choose another model"),
    },
    "chat schema": {
        "yes": ("The answer has the form that was asked for.", ""),
        "json": ("JSON comes, and not of that form.", "checks each, and says what is wrong"),
        "ignored": ("The form is taken and ignored.", "checks each, and says what is wrong"),
        "no": ("The form is refused.", "says so in the cell; try responses"),
    },
    "responses": {
        "yes": ("The responses API answers.", ""),
        "no": ("The responses API is refused.", "asks over chat: %%chat; no research"),
    },
    "responses stream": {
        "yes": ("Text comes as it is written, and the end is said.", ""),
        "whole": ("The answer comes in one piece.", "shows it when it is there"),
        "no": ("Streams are refused or break off.", "asks for the answer in one piece"),
    },
    "history": {
        "yes": ("previous_response_id is remembered.", ""),
        "refused": ("previous_response_id is refused.", "sends what was said again"),
        "forgotten": ("previous_response_id is taken and forgotten.", "sends what was said again"),
        "unknown": (
            "previous_response_id is taken; this model does not show whether it is remembered.",
            "sends what was said again",
        ),
    },
    "tools": {
        "yes": ("A function is called, and a second turn takes what it returned.", ""),
        "second turn": ("A function is called; the second turn fails.", "says so; try chat"),
        "not called": ("The model called nothing although it had to.", "asks all the same"),
        "no": ("Functions are refused.", "says so in the cell; choose another model"),
    },
    "tools by id": {
        "yes": ("A turn after a function may name the one before.", ""),
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
    "schema": {
        "yes": ("The answer has the form that was asked for.", ""),
        "json": ("JSON comes, and not of that form.", "checks each, and says what is wrong"),
        "ignored": ("The form is taken and ignored.", "checks each, and says what is wrong"),
        "no": ("The form is refused.", "says so in the cell; try chat"),
    },
    "retrieve": {
        "yes": ("An answer can be fetched again by its id.", ""),
        "no": ("An answer cannot be fetched again by its id.", "keeps what came"),
    },
    "encrypted": {
        "yes": ("Encrypted reasoning can be asked for.", ""),
        "no": ("Encrypted reasoning is refused.", "sends turns again without the reasoning"),
    },
    "cost": {
        "yes": ("What an answer costs is said.", ""),
        "whole": ("What an answer costs is said, not where it is streamed.", "leaves it blank"),
        "streamed": ("What an answer costs is said where it is streamed.", "leaves it blank"),
        "no": ("What an answer costs is not said.", "leaves it blank; tokens are counted"),
    },
    "background": {
        "yes": ("A response goes on by itself, and its stream comes.", ""),
        "polled": (
            "A response goes on by itself; JSON comes where a stream was asked for.",
            "fetches it again and again: the relay's runs are safe",
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
        "yes": ("A stream can be taken up again where it broke.", ""),
        "no": ("A stream cannot be taken up again.", "fetches the response instead"),
    },
    "cancel": {
        "yes": ("A cancelled response stays cancelled.", ""),
        "goes on": ("A response goes on after it was cancelled.", "ends it for you; it may cost"),
        "status": (
            "A response is marked as cancelled; what runs behind it may go on.",
            "ends it for you; it may cost",
        ),
        "ended": ("It was done before it could be cancelled.", ""),
        "no": ("A response cannot be cancelled.", "ends it for you; it may cost"),
    },
    "web search": {
        "yes": ("The model searched the web.", ""),
        "refused": ("Web search is refused.", "researches without; the report says so"),
        "dropped": ("Web search is dropped without a word.", "marks what has no source"),
        "unknown": (
            "It is taken, and no search came of it: it is dropped, or the model did not search.",
            "marks what has no source",
        ),
    },
    "citations": {
        "yes": ("Sources come with the text.", ""),
        "final": ("Sources come with the whole answer alone.", "shows them at the end"),
        "unknown": ("No source came, so it could not be seen.", ""),
    },
}

NAMES = tuple(_WORDS)
"""Every finding, in the order of the table."""

_WHY = {
    "busy": ("It takes no more requests now.", _AGAIN),
    "quota": ("A budget at the gateway is used up.", _AGAIN),
    "late": ("No answer came in time.", _AGAIN),
    "broken": ("The connection broke, or what came cannot be read.", _AGAIN),
    "failed": ("The gateway failed.", _AGAIN),
    "model": ("The model is unknown there, or not for this key.", "lists others: %kit models"),
    "key": ("The key does not allow it.", ""),
    "short": ("The answer was cut before it showed anything.", _AGAIN),
    "not asked": ("Not asked.", ""),
    "dear": ("Not asked: it may cost. --all asks.", ""),
    "spent": ("Not asked: the answers before took more than a check may.", ""),
    "no background": ("There is no background to do it with.", ""),
}

_ALWAYS = ("model", "no background")
"""What says why, whatever the verdict is."""


def words_for(name: str, seen: Seen, detail: str = "") -> tuple[str, str]:
    """What it means, and what the toolkit does instead ("" where there is nothing to do)."""
    own = _WORDS[name]
    why = _WHY.get(seen.how) if seen.verdict == "unknown" or seen.how in _ALWAYS else None
    means, instead = own.get(seen.how) or why or own.get(seen.verdict) or ("Not known.", "")
    return (f"{means} {detail}" if detail else means), instead


def said(text: str, *secrets: str, longest: int = LONGEST_DETAIL) -> str:
    """What others wrote, fit for one line of a table."""
    line = printable(shown(text[: 8 * longest], *secrets))
    return line if len(line) <= longest else line[: longest - 1] + "…"
