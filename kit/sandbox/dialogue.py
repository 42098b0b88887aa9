"""The conversation so far: what is asked now, what it refers back to, what has been said.

"And when was that?" has no topic of its own; it borrows the one that was spoken of before it.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from kit.sandbox.asking import Topic, topic_of
from kit.sandbox.follow_ups import MORE, REFERS_BACK, asks_for_another_form, is_miss
from kit.sandbox.steps import Ask, Turn
from kit.sandbox.told import unjoined
from kit.sandbox.wishes import Shape, is_greeting, is_thanks, language_wanted, shape_of
from kit.sandbox.words import Word, question_words, sentences, tokens

MOST_TURNS = 200
LONGEST_TURN = 20_000
"""Characters of a turn that are read: rules over text of any length would take any time."""
LONGEST_QUESTION = 2000
NO_TOPIC = Topic((), "", "en")
Entitles = Callable[[Sequence[Word]], bool]
"""Whether a word is a subject of its own: `Library.entitles`."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """The prompt in its conversation. `outputs` are what functions returned since the prompt."""

    prompt: str
    instructions: str
    topic: Topic
    language: str
    shape: Shape
    earlier: tuple[Turn, ...]
    outputs: tuple[Turn, ...]
    said: frozenset[str]
    """Sentences that were already answered with."""
    question: str = ""
    """What is to be answered: the prompt, or the question whose answer it wants in another form."""
    asked: Topic = NO_TOPIC
    """The topic of the prompt alone; `topic` has what it refers back to as well."""
    follows_up: bool = False
    wants_more: bool = False


def read_conversation(ask: Ask, entitles: Entitles = lambda words: False) -> Conversation:
    """Find the prompt, its topic (borrowed where it has none) and the tools' outputs."""
    turns = tuple(_bounded(turn) for turn in ask.turns[-MOST_TURNS:])
    last = max((i for i, turn in enumerate(turns) if turn.role == "user"), default=None)
    prompt = turns[last].text.strip() if last is not None else ""
    earlier = turns[:last] if last is not None else turns
    system = [turn.text for turn in ask.turns if turn.role == "system"]
    instructions = "\n".join([ask.instructions, *system]).strip()[:LONGEST_TURN]
    topic = _topic_in(prompt)
    borrowed = _borrowed(topic, prompt, earlier, entitles)
    restated = _restated(prompt, topic, earlier, entitles) if borrowed else None
    question, borrowed = restated or (prompt, borrowed)
    more = borrowed is not None and bool(MORE.search(prompt))
    language = language_wanted(prompt, instructions)
    return Conversation(
        prompt=prompt,
        instructions=instructions,
        topic=borrowed or topic,
        language=language,
        shape=_shape(prompt, instructions),
        earlier=earlier,
        outputs=tuple(turn for turn in turns[(last or 0) :] if turn.role == "tool"),
        said=_said(earlier) if more else frozenset(),
        question=question,
        asked=topic,
        follows_up=borrowed is not None,
        wants_more=more,
    )


def _bounded(turn: Turn) -> Turn:
    """A turn as far as it is read; what functions returned is bounded where it is shown."""
    if turn.role == "tool" or len(turn.text) <= LONGEST_TURN:
        return turn
    return replace(turn, text=turn.text[:LONGEST_TURN])


def _question_in(prompt: str) -> str:
    """Where a long prompt has its question: before its material, or after it."""
    if len(prompt) <= LONGEST_QUESTION:
        return prompt
    last = prompt.rstrip().rpartition("\n")[2].strip()
    if last.endswith("?") and len(last) <= LONGEST_QUESTION:
        return last
    half = LONGEST_QUESTION // 2
    return f"{prompt[:half]}\n{prompt[-half:]}"


def _topic_in(prompt: str) -> Topic:
    """What a prompt is about: named by its question, looked for by its answers as well."""
    question, answers = unjoined(core_of(_question_in(prompt)))
    topic = topic_of(question)
    return replace(_joined(topic, topic_of(answers)), phrase=topic.phrase) if answers else topic


def on_its_own(talk: Conversation) -> Conversation:
    """The conversation with the prompt's own topic, for a prompt that names a new subject."""
    return replace(
        talk,
        topic=talk.asked,
        question=talk.prompt,
        said=frozenset(),
        follows_up=False,
        wants_more=False,
    )


LABEL = re.compile(
    r"(?im)^\W*(?:research\s+)?(?:question|topic|subject|task|query|연구\s*질문|질문|주제|조사\s*주제|과제)"
    r"\W*[:：]\W*(.+)$"
)


def core_of(prompt: str) -> str:
    """The question of a brief that names it on a line of its own, else the prompt as it is."""
    label = LABEL.search(prompt)
    return label.group(1).strip() if label else prompt


def _shape(prompt: str, instructions: str) -> Shape:
    shape = shape_of(prompt[:LONGEST_QUESTION])
    return shape if shape != Shape() else shape_of(instructions[:LONGEST_QUESTION])


def _borrowed(
    topic: Topic, prompt: str, earlier: tuple[Turn, ...], entitles: Entitles
) -> Topic | None:
    """The topic with that of the last prompt that had one of its own, when it refers back.

    A prompt that found nothing lends its topic only where a new word is asked of it, or where no
    other prompt has one.
    """
    heavy = _heavy(topic)
    refers = bool(REFERS_BACK.search(prompt)) and len(heavy) <= 2
    if (heavy and not refers) or is_greeting(prompt) or is_thanks(prompt):
        return None
    missed: Topic | None = None
    answer = ""
    for turn in reversed(earlier):
        if turn.role == "assistant":
            answer = turn.text
        if turn.role != "user":
            continue
        former = _topic_in(turn.text)
        own = _heavy(former) and (
            not REFERS_BACK.search(turn.text)
            or entitles(former.words)
            or turn is next(one for one in earlier if one.role == "user")
        )
        if own and (heavy or not is_miss(answer)):
            return _joined(former, topic)
        missed = missed or (former if own else None)
        answer = ""
    return _joined(missed, topic) if missed else None


def _heavy(topic: Topic) -> list[Word]:
    return [word for word in topic.words if not word.light]


def _restated(
    prompt: str, topic: Topic, earlier: tuple[Turn, ...], entitles: Entitles
) -> tuple[str, Topic] | None:
    """The question whose answer is wanted in another form, with its topic; None: no such wish."""
    if topic.words or not asks_for_another_form(prompt) or MORE.search(prompt):
        return None
    answer = ""
    for place, turn in reversed(tuple(enumerate(earlier))):
        if turn.role == "assistant":
            answer = turn.text
        if turn.role != "user":
            continue
        asked = _topic_in(turn.text)
        if (asked.words or not asks_for_another_form(turn.text)) and not is_miss(answer):
            alone = entitles(asked.words)
            borrowed = None if alone else _borrowed(asked, turn.text, earlier[:place], entitles)
            if borrowed or asked.words:
                return turn.text, borrowed or asked
        answer = ""
    return None


def _joined(former: Topic, topic: Topic) -> Topic:
    known = {word.terms for word in former.words}
    words = (*former.words, *(word for word in topic.words if word.terms not in known))
    phrase = f"{former.phrase} {topic.phrase}".strip() if topic.phrase else former.phrase
    return Topic(words, phrase, topic.language)


def _said(earlier: tuple[Turn, ...]) -> frozenset[str]:
    """The sentences of earlier answers, without the quotation marks and links around them."""
    said: set[str] = set()
    for turn in earlier:
        if turn.role == "assistant":
            text = re.sub(r"\s*\(\[[^\]\n]*\]\([^)\n]*\)\)", "\n", turn.text)
            said.update(sentence.lstrip("> -*") for sentence in sentences(text))
    return frozenset(said)


def remembered(talk: Conversation) -> str | None:
    """The person's own sentence that answers a question about themselves, or None.

    "What is my name?" finds "My name is Alice"; nothing is concluded, the sentence is quoted.
    """
    if not ABOUT_ME.search(talk.prompt):
        return None
    wanted = {word.terms[-1] for word in _memory_words(talk.prompt)}
    best: tuple[int, str] | None = None
    for turn in talk.earlier:
        if turn.role != "user":
            continue
        for sentence in sentences(turn.text):
            shared = len(wanted.intersection(w.terms[-1] for w in _memory_words(sentence)))
            asks = sentence.rstrip().endswith("?") or ABOUT_ME_QUESTION.search(sentence)
            if not asks and shared and (best is None or shared >= best[0]):
                best = (shared, sentence)
    return best[1] if best else None


ABOUT_ME = re.compile(
    r"(?i)\b(?:my|mine|i|me)\b.*\?|\b(?:what|which|who|where)\b.*\b(?:my|i)\b|did\s+i\b|i\s+(?:told|said|asked)|"
    r"(?:내|제|나의|저의)\s*[가-힣]+.*(?:뭐|무엇|누구|언제|어디|몇|알|기억)|내가\s*(?:뭐|말|좋아)|제가\s*(?:뭐|말)|기억"
)
ABOUT_ME_QUESTION = re.compile(r"뭐|무엇|누구야|인가요|기억해\?")


def _memory_words(text: str) -> list[Word]:
    skip = {"what", "is", "my", "the", "i", "a", "do", "did", "you", "me", "are", "was", "remember"}
    kept = [
        t for t in tokens(text) if t.lower() not in skip and t not in {"내", "제", "뭐야", "뭐"}
    ]
    return question_words(kept)
