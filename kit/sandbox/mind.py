"""What the sandbox answers: a request in, steps out. Deterministic, and no language model.

The order is the rule: what functions returned, then functions to call, then research, then words of
its own (a greeting, words to repeat, a sum), and last what the library holds.
"""

from kit.sandbox.dialogue import Conversation, on_its_own, read_conversation
from kit.sandbox.documents import document_steps
from kit.sandbox.library import Library
from kit.sandbox.outputs import say_outputs
from kit.sandbox.phrases import phrase
from kit.sandbox.planner import Plan, plan_calls
from kit.sandbox.quoting import shortened
from kit.sandbox.replies import found_for, library_steps, plain_reply
from kit.sandbox.report import research_steps
from kit.sandbox.steps import Ask, Say, Step, count_tokens

__all__ = ["answer", "count_tokens"]


def answer(ask: Ask, library: Library) -> tuple[Step, ...]:
    """The steps that answer `ask`: calls without a `Say`, or anything that ends in one `Say`."""
    talk = read_conversation(ask, library.entitles)
    return tuple(_bounded(step, ask.max_output_tokens) for step in _steps(ask, talk, library))


def _steps(ask: Ask, talk: Conversation, library: Library) -> tuple[Step, ...]:
    wants_document = ask.schema is not None or ask.json_object
    if talk.outputs and not wants_document:
        return (say_outputs(talk),)
    plan = Plan() if talk.outputs else plan_calls(ask, talk, library)
    if plan.calls:
        return plan.calls
    if talk.follows_up and library.entitles(talk.asked.words):
        talk = on_its_own(talk)
    if ask.research:
        return research_steps(ask, talk, library)
    if wants_document:
        return document_steps(ask, talk, library)
    if reply := plain_reply(talk, library):
        return (reply,)
    if plan.missing and plan.tool and not found_for(talk, library, limit=1):
        missing = ", ".join(f"`{name}`" for name in plan.missing)
        return (Say(phrase("cannot_call", talk.language, tool=plan.tool, missing=missing)),)
    return library_steps(ask, talk, library)


def _bounded(step: Step, limit: int | None) -> Step:
    if isinstance(step, Say):
        return shortened(step.text, step.citations, limit)
    return step
