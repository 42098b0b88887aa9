"""What the sandbox answers: a request in, steps out. Deterministic, and no language model."""

from kit.sandbox.dialogue import Conversation, read_conversation
from kit.sandbox.library import Library
from kit.sandbox.quoting import shortened
from kit.sandbox.replies import library_steps, plain_reply
from kit.sandbox.steps import Ask, Say, Step, count_tokens

__all__ = ["answer", "count_tokens"]


def answer(ask: Ask, library: Library) -> tuple[Step, ...]:
    """The steps that answer `ask`: calls without a `Say`, or anything that ends in one `Say`."""
    talk = read_conversation(ask)
    return tuple(_bounded(step, ask.max_output_tokens) for step in _steps(ask, talk, library))


def _steps(ask: Ask, talk: Conversation, library: Library) -> tuple[Step, ...]:
    if reply := plain_reply(talk, library):
        return (reply,)
    return library_steps(ask, talk, library)


def _bounded(step: Step, limit: int | None) -> Step:
    if isinstance(step, Say):
        return shortened(step.text, step.citations, limit)
    return step
