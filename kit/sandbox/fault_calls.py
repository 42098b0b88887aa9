"""Faults in the calling of functions: what the loop of a client must be ready for.

Arguments that make sense are those that the planner would fill for the first function that is
offered. Where none is offered, or one that takes a city and is not asked for, the city is Seoul. A
function that has been answered is not called again, nor one that `tool_choice` forbids, so that a
loop ends. The two `same-call` faults are there to not let it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

from kit.sandbox.dialogue import read_conversation
from kit.sandbox.outcome import Outcome, function_call, message
from kit.sandbox.parameters import properties_of, required_of
from kit.sandbox.phrases import phrase
from kit.sandbox.planner import arguments_of, insisted_arguments
from kit.sandbox.steps import Ask, FunctionTool

WEATHER = "get_weather"
SEOUL = {"city": "Seoul"}
UNKNOWN = "no_such_function"
LONG = 4 * 1024 * 1024
"""Characters of the arguments that never end, where they come in one piece."""
ON_AND_ON = "and so on, "


def parallel_calls(ask: Ask) -> Outcome:
    return _called(ask, '{"city": "Seoul"}', '{"city": "Busan"}')


def bad_arguments(ask: Ask) -> Outcome:
    return _called(ask, '{"city": "Seo')


def empty_arguments(ask: Ask) -> Outcome:
    return _called(ask, "")


def double_encoded(ask: Ask) -> Outcome:
    return _called(ask, json.dumps(_arguments(ask), ensure_ascii=False))


def endless_arguments(ask: Ask) -> Outcome:
    """Arguments up to the middle of a text; the stream goes on from there."""
    return _called(ask, _opened(ask) + ON_AND_ON)


def long_arguments(ask: Ask) -> Outcome:
    """The same in one piece: megabytes of a text that is never closed."""
    opened = _opened(ask)
    return _called(ask, opened + ON_AND_ON * ((LONG - len(opened)) // len(ON_AND_ON)))


def unknown_function(ask: Ask) -> Outcome:
    """A slip that models make: the right arguments for a function that nobody has."""
    name = UNKNOWN
    while name in {function.name for function in ask.functions}:
        name += "_"
    return _told(ask) or Outcome((function_call(name, _arguments(ask)),))


def call_and_text(ask: Ask) -> Outcome:
    if told := _told(ask):
        return told
    name = _chosen(ask)
    said = phrase("calling", read_conversation(_begun(ask)).language, tool=name)
    return Outcome((message(said), function_call(name, _arguments(ask))))


def same_call(ask: Ask) -> Outcome:
    """One call again and again, whatever it returns, for as long as it may be made."""
    return _say_outputs(ask) if ask.tool_choice == "none" else same_call_always(ask)


def same_call_always(ask: Ask) -> Outcome:
    """The same by a gateway that does not know `tool_choice: "none"`."""
    if not ask.functions:
        return _say_outputs(ask)
    return Outcome((function_call(_chosen(ask), _arguments(ask)),))


def _called(ask: Ask, *arguments: str) -> Outcome:
    """A call for each of the arguments, the functions taking turns."""
    if told := _told(ask):
        return told
    names = [function.name for function in ask.functions] or [WEATHER]
    return Outcome(
        tuple(
            function_call(names[place % len(names)], text) for place, text in enumerate(arguments)
        )
    )


def _told(ask: Ask) -> Outcome | None:
    """The end of a loop: what the functions returned, or None while they may be called."""
    over = ask.tool_choice == "none" or any(turn.role == "tool" for turn in ask.turns)
    return _say_outputs(ask) if over else None


def _say_outputs(ask: Ask) -> Outcome:
    outputs = [turn.text for turn in ask.turns if turn.role == "tool"]
    said = "The functions said: " + "; ".join(outputs) if outputs else "No function was called."
    return Outcome((message(said),))


# -- of which function, with what ------------------------------------------------------------------


def _function(ask: Ask) -> FunctionTool | None:
    """The function that the caller insists on, else the first."""
    named = [one for one in ask.functions if one.name == ask.tool_choice]
    return next(iter((*named, *ask.functions)), None)


def _chosen(ask: Ask) -> str:
    function = _function(ask)
    return function.name if function else WEATHER


def _arguments(ask: Ask) -> str:
    return json.dumps(_filled(ask), ensure_ascii=False)


def _filled(ask: Ask) -> Mapping[str, object]:
    function = _function(ask)
    if function is None:
        return SEOUL
    talk = read_conversation(_begun(ask))
    if (found := arguments_of(function, talk)) is not None:
        return found
    takes, needs = properties_of(function.parameters), set(required_of(function.parameters))
    if takes.keys() >= SEOUL.keys() >= needs:
        return SEOUL
    return insisted_arguments(function, talk)


def _begun(ask: Ask) -> Ask:
    """The request as it was when its loop began, so that a call stays the same until its end.

    A loop goes on until something is said; what its client adds on the way is not a new question.
    """
    said = max((n for n, turn in enumerate(ask.turns) if turn.role == "assistant"), default=-1)
    asked = (n for n, turn in enumerate(ask.turns) if n > said and turn.role == "user")
    first = next(asked, None)
    return ask if first is None else replace(ask, turns=ask.turns[: first + 1])


def _opened(ask: Ask) -> str:
    """Arguments as JSON text, open in the middle of a last field that nobody asked for."""
    return json.dumps({**_filled(ask), "more": ""}, ensure_ascii=False).removesuffix('"}')
