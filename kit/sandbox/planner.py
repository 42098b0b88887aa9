"""Which functions to call: those that the prompt asks for in the words of name and description.

There is no model to understand a prompt; there are words that a prompt and a function share, in
two languages, and arguments that the prompt holds or does not. A function whose required arguments
are not in the prompt is not called, unless the caller insists.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from kit.sandbox.arguments import Filled, fill_arguments
from kit.sandbox.asking import is_asking
from kit.sandbox.commission import RESEARCH, commissions, is_research
from kit.sandbox.dialogue import Conversation
from kit.sandbox.lexicon import concept, meanings, meanings_of, together
from kit.sandbox.library import Library
from kit.sandbox.parameters import properties_of
from kit.sandbox.steps import Ask, Call, FunctionTool
from kit.sandbox.sums import as_expression
from kit.sandbox.wishes import beyond, exact_reply, is_greeting, is_thanks
from kit.sandbox.words import is_hangul, tokens

ENOUGH = 2.0
MOST_CALLS = 8
LONGEST_READ = 2000

GENERIC = """
get fetch set run do tool function api data info information by current currently given return
returns use used using call result value string number input output the of for from with your all
any one based specific specified provide provides perform performs takes take lookup name names
execute handler service please user's helper latest today now
가져오다 함수 도구
"""
GENERIC_MEANINGS = together(meanings(word) - concept(word) for word in GENERIC.split())
WEAK = together(concept(word) for word in ("list", "create", "update", "on", "read"))
"""Concepts of doing anything at all: they count half."""
SEARCH = concept("search") | concept("knowledge")
VERBS = WEAK | SEARCH | concept("calculate")
"""Concepts that say little of a function whose name goes on to say what of."""
FORBIDS = re.compile(
    r"(?i)\b(?:do\s+not|don't|without|never|no)\s+(?:use|using|call|calling|any)?\s*(?:any\s+|the\s+)?"
    r"(?:tools?|functions?)\b|(?:도구|함수|툴)(?:를|을|는|은)?\s*(?:쓰지|사용하지|호출하지|부르지|없이)"
)
CLAUSES = re.compile(
    r"(?i)\s*(?:[?;]|\.\s|,?\s+and\s+(?=(?:what|how|then|also|tell|show|get|find|send|is|the\s+\w+\s+in)\b)|"
    r",\s*(?=(?:what|how|then|also)\b)|(?:그리고|그\s*다음에?|또)\s+|(?<=[가-힣])(?:하고|해주고|주고)\s+)\s*"
)
SIGNS = {"+": "plus", "*": "times", "×": "times", "/": "divide", "÷": "divide", "-": "minus"}


@dataclass(frozen=True, slots=True)
class Plan:
    """Calls to make; or the function that would fit, and what it would need to know."""

    calls: tuple[Call, ...] = ()
    tool: str | None = None
    missing: tuple[str, ...] = ()


def plan_calls(ask: Ask, talk: Conversation, library: Library) -> Plan:
    """The calls that the prompt asks for; none when nothing fits or `tool_choice` forbids it."""
    offered = [tool for tool in ask.functions if ask.tool_choice in ("auto", "required", tool.name)]
    if not offered or ask.tool_choice == "none":
        return Plan()
    talk = replace(talk, prompt=talk.prompt[:LONGEST_READ])
    if ask.tool_choice != "auto":
        return Plan((_insisted(offered, talk),))
    if _needs_no_tool(talk):
        return Plan()
    clauses = [clause for clause in CLAUSES.split(talk.prompt) if clause and clause.strip()]
    if len(clauses) > 1:
        plans = [_plan_for(clause, offered, talk) for clause in clauses]
        calls = _distinct(call for plan in plans for call in plan.calls)
        if len(calls) > 1 and not _is_one_question(calls, offered):
            return Plan(calls[:MOST_CALLS])
    plan = _plan_for(talk.prompt, offered, talk)
    return plan if plan.calls else _last_resort(plan, offered, talk, library)


def _is_one_question(calls: tuple[Call, ...], offered: list[FunctionTool]) -> bool:
    """Whether all clauses are for one run of research, which is given the whole of them."""
    named = {call.name for call in calls}
    return all(is_research(tool) for tool in offered if tool.name in named)


def _needs_no_tool(talk: Conversation) -> bool:
    prompt = talk.prompt
    return bool(
        not prompt
        or is_greeting(prompt)
        or is_thanks(prompt)
        or exact_reply(prompt) is not None
        or FORBIDS.search(prompt)
    )


def _plan_for(text: str, offered: list[FunctionTool], talk: Conversation) -> Plan:
    """The best function for a text, with its arguments; several calls for several values."""
    asked = _source(text, talk)
    scored = sorted(
        ((fitness(tool, asked), -place, tool) for place, tool in enumerate(offered)),
        key=lambda one: one[:2],
        reverse=True,
    )
    best = Plan()
    for score, _, tool in scored:
        if score < ENOUGH:
            break
        filled = _filled(tool, text, talk)
        if not filled.missing:
            return Plan(tuple(_call(tool, one) for one in filled.each()), tool.name)
        best = best if best.tool else Plan((), tool.name, filled.missing)
    return best


def _filled(tool: FunctionTool, text: str, talk: Conversation) -> Filled:
    """Arguments from a text alone, else from it and what it refers back to.

    Research is always told that: whoever runs it has not heard the conversation.
    """
    own, asked = own_words(tool), _source(text, talk)
    sources = (asked,) if is_research(tool) else dict.fromkeys((text, asked))
    tries = [fill_arguments(tool, source, own) for source in sources]
    return next((one for one in tries if not one.missing), tries[0])


def arguments_of(tool: FunctionTool, talk: Conversation) -> dict[str, object] | None:
    """The arguments for a function that the prompt asks for; None where it does not say them."""
    text = talk.prompt[:LONGEST_READ]
    if fitness(tool, _source(text, talk)) < ENOUGH:
        return None
    filled = _filled(tool, text, talk)
    return None if filled.missing else filled.arguments


def insisted_arguments(tool: FunctionTool, talk: Conversation) -> dict[str, object]:
    """The same for a caller who insists: what is missing is filled with the prompt itself."""
    source = _source(talk.prompt[:LONGEST_READ], talk)
    return fill_arguments(tool, source, own_words(tool), insist=True).arguments


def _last_resort(
    plan: Plan, offered: list[FunctionTool], talk: Conversation, library: Library
) -> Plan:
    """A function that searches is asked what the library does not know."""
    if plan.tool or not talk.topic or beyond(talk.prompt):
        return plan
    if library.find(talk.topic.words, limit=1, prefer=talk.language):
        return plan
    for tool in offered:
        if _searches_anything(tool):
            filled = fill_arguments(tool, talk.prompt, own_words(tool))
            if not filled.missing:
                return Plan((_call(tool, filled.arguments),), tool.name)
    return plan


def _searches_anything(tool: FunctionTool) -> bool:
    """Whether a function searches, and not for one kind of thing such as products or flights."""
    concepts = {meaning for meaning in meanings_of(tool.name) if meaning.startswith("#")}
    return (
        bool(SEARCH & concepts)
        and concepts <= SEARCH | concept("document")
        and not is_research(tool)
    )


def _insisted(offered: list[FunctionTool], talk: Conversation) -> Call:
    """The call the caller insists on: the best there is, its gaps filled with the prompt itself."""
    tool = max(offered, key=lambda one: fitness(one, talk.prompt))
    return _call(tool, insisted_arguments(tool, talk))


def fitness(tool: FunctionTool, text: str) -> float:
    """How much of a text's words are the function's; from `ENOUGH` on it is asked for."""
    asked = _asked(text)
    if is_research(tool):
        return (3.0 if RESEARCH & asked else ENOUGH) if commissions(text) else 0.0
    name = meanings_of(tool.name) - GENERIC_MEANINGS
    about = meanings_of(tool.description) - GENERIC_MEANINGS
    about |= meanings_of(" ".join(properties_of(tool.parameters))) - GENERIC_MEANINGS
    said = 2.0 * _weighed(name & asked)
    if said and not _names_its_object(name & asked) and _object_of(tool) - asked:
        said /= 2
    return said + min(2.0, _weighed((about - name) & asked)) + _members(tool, text)


def _object_of(tool: FunctionTool) -> frozenset[str]:
    """The words of a function's name beside its verb: what it searches for, or computes."""
    words = [word for word in _name_words(tool) if not meanings(word) & (VERBS | GENERIC_MEANINGS)]
    return together(map(meanings, words))


def _name_words(tool: FunctionTool) -> list[str]:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[_\-.]", " ", tool.name).split()


def _names_its_object(shared: frozenset[str]) -> bool:
    verbs = {word for word in shared if concept(word) & VERBS}
    return bool(shared - VERBS - verbs)


def own_words(tool: FunctionTool) -> frozenset[str]:
    """The meanings that belong to the function, and so are not its arguments."""
    return (meanings_of(tool.name) | meanings_of(tool.description)) - {"city", "country"}


def _asked(text: str) -> frozenset[str]:
    """The meanings of a prompt, signs of arithmetic between numbers included."""
    signs = [SIGNS[sign] for sign in re.findall(r"\d\s*([-+*×/÷])\s*\(*\d", as_expression(text))]
    kept = [token for token in tokens(text) if _speaks(token)]
    return meanings_of(" ".join([*kept, *signs, *(["calculate"] if signs else [])]))


def _speaks(token: str) -> bool:
    """Whether a word can say what is wanted: asking words only where they are a concept."""
    return not is_asking(token) or bool(concept(token)) or (is_hangul(token) and len(token) > 2)


def _weighed(shared: frozenset[str]) -> float:
    """Shared meanings: a word and its concept are one, doing anything at all is half."""
    concepts = {meaning for meaning in shared if meaning.startswith("#")}
    covered = together(concept(word) for word in shared if not word.startswith("#"))
    bare = {word for word in shared if not word.startswith("#") and not concept(word)}
    return sum(0.5 if one in WEAK else 1.0 for one in concepts | set(covered & concepts)) + len(
        [word for word in bare if len(word) > 1]
    )


def _members(tool: FunctionTool, text: str) -> float:
    """A little for every choice of the function that the text names."""
    lowered = text.lower()
    found = 0
    for schema in properties_of(tool.parameters).values():
        members = schema.get("enum") or ()
        found += any(
            isinstance(one, str) and len(one) > 2 and one.lower() in lowered for one in members
        )
    return min(2.0, 1.0 * found)


def _source(text: str, talk: Conversation) -> str:
    """What the arguments are read from: the prompt, with its topic when it only refers back."""
    return f"{text} ({talk.topic.phrase})" if talk.follows_up and talk.topic.phrase else text


def _call(tool: FunctionTool, arguments: dict[str, object]) -> Call:
    return Call(tool.name, json.dumps(arguments, ensure_ascii=False))


def _distinct(calls: Iterable[Call]) -> tuple[Call, ...]:
    return tuple(dict.fromkeys(calls))
