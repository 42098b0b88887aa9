"""The line after `python -m kit`, read: words become options, or one line that says what is wrong.

Rule: what does not go together is refused before anybody is asked. An abbreviated option is refused
too, because a new option could change what it means.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from typing import NoReturn

from kit.clean_terminal import complain

__all__ = ["misused", "options_of"]

FORMATS = ("markdown_brief", "markdown_report", "json_outline")
PROMPT = """what is asked. Text of a file or a pipe on stdin follows it; a pipe has two seconds to
begin. Without a prompt, or with -, it is what is piped in, however long that takes"""


ALONE = {"doctor": ("model",), "models": (), "runs": (), "run": ("stream",)}
"""Options that ask no model, and what may go with each of what is for a question."""
FOR_A_QUESTION = (
    *("api", "background", "web_search", "auto_tool_call", "stream", "timeout"),
    *("deliverable_format", "model"),
)
HELP = "python -m kit -h lists what there is."


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise misused(message)

    def refuse(self, words: Sequence[str], prompt: str | None) -> NoReturn:
        """Say what is wrong with words that are of no option, behind this prompt or before it."""
        from kit.notebook.arguments import nearest

        dashed = next((word for word in words if word.startswith("-")), None)
        if dashed is None:
            whole = " ".join([prompt or "", *words])
            self.error(f'put the prompt into quotes, "{whole}"; {HELP}')
        name = dashed.partition("=")[0]
        near = nearest(name, [one for action in self._actions for one in action.option_strings])
        self.error(f"there is no {name}; {f'did you mean {near}? ' if near else ''}{HELP}")


def misused(what: str) -> SystemExit:
    """The end of a command line that cannot be carried out, once that has been said."""
    complain(what)
    return SystemExit(2)


def options_of(arguments: Sequence[str] | None) -> argparse.Namespace:
    """What the words ask for. Raises SystemExit: 2 for wrong usage, 0 at the end of --help."""
    parser = _Parser("python -m kit", description="Ask a model once.", allow_abbrev=False)
    add = parser.add_argument
    add("--api", choices=("chat", "responses"), help="default: chat; with tools, responses")
    add("--background", action="store_true", help="start it, print the raw JSON")
    add("--web-search", action="store_true", help="let the model search the web")
    add("--auto-tool-call", action="store_true", help="let the model call deep_research")
    add("--target", choices=("direct", "relay"), default="direct", help="relay: research it")
    add("--stream", action="store_true", help="write the text as it comes")
    add("--deliverable-format", choices=FORMATS, metavar="FORMAT", help=" | ".join(FORMATS))
    add("--timeout", type=_seconds, metavar="SECONDS", help="the longest one request may take")
    add("--doctor", action="store_true", help="try out what the gateway really does; 1: unusable")
    add("--all", action="store_true", help="with --doctor: what may cost more as well")
    add("--model", metavar="NAME", help="the model that is asked, or researches; or is tried out")
    add("--forget", action="store_true", help="with --doctor: forget what it saw")
    add("--models", action="store_true", help="list the gateway's models")
    add("--runs", action="store_true", help="list your research runs, the newest first")
    add("--run", metavar="ID", help="print the report of one; it is waited for")
    add("--version", action="store_true", help="print the version")
    add("prompt", nargs="?", metavar="PROMPT", help=PROMPT)
    options, rest = parser.parse_known_args(arguments)
    if rest:
        parser.refuse(rest, options.prompt)
    if options.version:
        import kit

        print(f"responses-kit {kit.__version__}")
        raise SystemExit(0)
    if not options.doctor and (options.all or options.forget):
        parser.error("--all and --forget need --doctor")
    _check_alone(parser, options)
    _check_together(parser, options)
    return options


def _check_alone(parser: _Parser, options: argparse.Namespace) -> None:
    """What asks no model takes no prompt, and nothing that is for a question."""
    named = [name for name in ALONE if getattr(options, name) not in (None, False)]
    if not named:
        return
    if options.prompt is not None:
        why = "asks questions of its own, and takes" if options.doctor else "takes"
        parser.error(f"--{named[0]} {why} no prompt")
    if options.all and options.forget:
        parser.error("--forget asks nobody, so --all goes not with it")
    given = [name for name in FOR_A_QUESTION if getattr(options, name)]
    given += ["target"] if options.target != "direct" else []
    others = [name for name in (*named[1:], *given) if name not in ALONE[named[0]]]
    if others:
        parser.error(f"--{named[0]} and --{others[0].replace('_', '-')} exclude each other")


def _check_together(parser: _Parser, options: argparse.Namespace) -> None:
    relay, tools = options.target == "relay", options.auto_tool_call
    if relay and tools:
        parser.error("--auto-tool-call and --target relay exclude each other")
    options.api = "responses" if tools else options.api or "chat"  # tools always speak responses
    if options.web_search and (options.api != "responses" or relay):
        parser.error("--web-search needs --api responses, and no --target relay")
    if options.background and options.api != "responses" and not relay:
        parser.error("--background needs --api responses")
    if options.background and (options.stream or tools):
        other = "--stream" if options.stream else "--auto-tool-call"
        parser.error(f"--background and {other} exclude each other")
    if options.deliverable_format and not (relay or tools):
        parser.error("--deliverable-format needs --auto-tool-call or --target relay")


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not (math.isfinite(seconds) and seconds > 0):
        raise argparse.ArgumentTypeError(f"a number of seconds above 0 is needed, not {text!r}")
    return seconds
