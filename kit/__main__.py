"""`python -m kit`: ask once from a terminal or a script.

stdout gets the answer alone, so that it can be piped; everything else is one line on stderr.
Exit status: 0 answered, 1 it failed, 2 wrong usage, 130 stopped, 141 nobody reads any more.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import json
import math
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from kit.clean_terminal import (
    complain,
    in_a_shell,
    note,
    passing,
    shown,
    unsteered,
    write_anything,
    write_nowhere,
)
from kit.errors import InputError, KitError
from kit.piped import as_typed, piped, piped_beside

__all__ = ["main"]

FORMATS = ("markdown_brief", "markdown_report", "json_outline")
PROMPT = """what is asked. Text of a file or a pipe on stdin follows it; a pipe has two seconds to
begin. Without a prompt, or with -, it is what is piped in, however long that takes"""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise _misused(message)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line (default: this process's); the exit status."""
    write_anything(sys.stdout)
    write_anything(sys.stderr)
    try:
        options = _options(arguments)
        status = _examine(options) if options.doctor else _ask(options, _prompt(options.prompt))
        if sys.stdout is not None:  # so it is where a script has closed it
            sys.stdout.flush()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    except BrokenPipeError:
        write_nowhere()
        return 141
    except KeyboardInterrupt:
        return 130
    except KitError as error:
        complain(str(error))
        return 1
    except Exception as error:
        complain(_unforeseen(error))
        write_nowhere()
        return 1
    return status or 0


def _unforeseen(error: Exception) -> str:
    """One line for what no part of the toolkit foresaw; not what the error itself says."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EIO, errno.EBADF):
        return f"the answer could not be written: {os.strerror(error.errno)}"
    from kit.notebook.edge import unforeseen

    return str(unforeseen(error))


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
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
    add("--version", action="store_true", help="print the version")
    add("prompt", nargs="?", metavar="PROMPT", help=PROMPT)
    options = parser.parse_args(arguments)
    if options.version:
        import kit

        print(f"responses-kit {kit.__version__}")
        raise SystemExit(0)
    if not options.doctor and (options.all or options.forget):
        parser.error("--all and --forget need --doctor")
    if options.doctor:
        _check_doctor(parser, options)
    _check_together(parser, options)
    return options


def _check_doctor(parser: _Parser, options: argparse.Namespace) -> None:
    if options.prompt is not None:
        parser.error("--doctor asks questions of its own, and takes no prompt")
    if options.all and options.forget:
        parser.error("--forget asks nobody, so --all goes not with it")
    asking = ("api", "background", "web_search", "auto_tool_call", "stream", "timeout")
    given = [name for name in (*asking, "deliverable_format") if getattr(options, name)]
    if given or options.target != "direct":
        other = (given or ["target"])[0].replace("_", "-")
        parser.error(f"--doctor and --{other} exclude each other")


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


def _prompt(given: str | None) -> str:
    """The prompt from the command line, a blank line, and what is piped in."""
    alone = given in (None, "-")
    try:
        text = piped(typed=given == "-") if alone else piped_beside()
    except InputError as error:
        raise _misused(str(error)) from None
    if text is None:
        note("Nothing was piped in so far: the prompt is asked alone.")
    parts = ("" if given is None or alone else as_typed(given), text or "")
    prompt = "\n\n".join(part for part in parts if part.strip())
    if not prompt:
        raise _misused(
            "there is no prompt; write it as the last argument, in quotes, or pipe it in"
        )
    return prompt


def _misused(what: str) -> SystemExit:
    complain(what)
    return SystemExit(2)


def _examine(options: argparse.Namespace) -> int:
    """What the gateway really does; 1 where a call would get no answer."""
    from kit.connect_doctor import doctor, forget_seen, intent

    if options.forget:
        print(shown(in_a_shell(forget_seen(options.model))))
        return 0
    note(intent(options.model, all=options.all))
    try:
        with passing() as progress:
            report = doctor(options.model, all=options.all, progress=progress)
    except KeyboardInterrupt:
        note("Stopped. What was begun at the gateway is cancelled; nothing of it is remembered.")
        raise
    print(shown(in_a_shell(str(report))))
    return 0 if report.usable else 1


def _ask(options: argparse.Namespace, prompt: str) -> None:
    if options.target == "relay":
        return _research(options, prompt)
    if options.auto_tool_call:
        return _with_tools(options, prompt)
    from kit.connect import Client

    search: dict[str, Any] = {"web_search": True} if options.web_search else {}
    with Client(model=options.model, timeout=options.timeout) as client:
        if options.background:
            print(shown(_json(client.submit(prompt, **search).raw)))
        elif options.stream:
            _stream(client, options.api, prompt, search)
        elif options.api == "chat":
            _print(client.chat(prompt))
        else:
            _print(client.respond(prompt, **search))


def _json(raw: Mapping[str, Any]) -> str:
    """`raw` with null for NaN and infinity, which Python reads and JSON does not have."""
    strict = json.loads(json.dumps(raw), parse_constant=lambda name: None)
    return json.dumps(strict, ensure_ascii=False)


def _stream(client: Any, api: str, prompt: str, search: dict[str, Any]) -> None:
    from kit.gateway.events import RefusalDelta, TextDelta

    wrote = False
    try:
        with client.stream(prompt, api=api, **search) as stream:
            for event in stream:
                if isinstance(event, TextDelta | RefusalDelta):
                    wrote = True
                    sys.stdout.write(shown(event.text))
                    sys.stdout.flush()
            answer = stream.answer
    except BaseException:
        if wrote:
            sys.stdout.write("\n")  # the error line starts a line of its own
        raise
    if wrote:
        sys.stdout.write("\n")
    else:
        _print(answer)


def _with_tools(options: argparse.Namespace, prompt: str) -> None:
    """The model decides. Its text is written when it is the answer, and not before a call."""
    from kit.connect import Client
    from kit.connect_compatible import research_call, research_stream
    from kit.tools.happenings import CallTold

    hosted = [{"type": "web_search"}] if options.web_search else []
    with (
        Client(model=options.model, timeout=options.timeout) as client,
        research_stream(
            client, prompt, deliverable_format=options.deliverable_format, hosted=hosted
        ) as stream,
    ):
        try:
            for happening in stream:
                if isinstance(happening, CallTold):
                    _progress(happening.what)
            answer = stream.answer
        except KitError:
            _note_research(stream.partial)  # it is paid for, whatever became of the answer
            raise
        except KeyboardInterrupt:
            call = research_call(stream.partial) if stream.partial else None
            _note_going_on(call.run if call else None)
            raise
    _note_research(answer)
    _print(answer)


def _note_research(answer: Any) -> None:
    """The two lines that programs read, where research ran."""
    from kit.connect_compatible import research_call

    if answer is not None and research_call(answer) is not None:
        ids: dict[str, Any] = dict.fromkeys(_IDS)
        for name in _IDS:
            with contextlib.suppress(KitError):  # the last one may have to be asked for
                ids[name] = getattr(answer, name)
        note("[deep_research was called automatically]")
        note(json.dumps(ids))


def _note_going_on(run: Any) -> None:
    if run is not None:
        note(f"It goes on as {run.id}: kit.run finds it again.")


_IDS = (
    *("response_id", "previous_response_id", "tool_call_id"),
    *("invocation_id", "invocation_token", "upstream_response_id"),
)


def _research(options: argparse.Namespace, prompt: str) -> None:
    """Research it, at the relay that is configured or at one of this process."""
    from kit.connect_research import research

    form = options.deliverable_format or "markdown_brief"
    run = research(prompt, model=options.model, format=form, background=options.background)
    if options.background:
        return print(shown(_json(_view(run))))
    try:
        _follow(options, run)
    except KeyboardInterrupt:
        _note_going_on(run)
        raise


def _follow(options: argparse.Namespace, run: Any) -> None:
    """The report as it comes, or in one piece. Raises ResponseFailed for a run that failed."""
    wrote = False
    try:
        for event in run.follow():
            if options.stream and event.text:
                wrote = True
                sys.stdout.write(shown(event.text))
                sys.stdout.flush()
            _progress(event)
    finally:
        if wrote:  # whatever comes next starts a line of its own
            sys.stdout.write("\n")
    run.wait()
    if not wrote:
        print(shown(run.text))


def _view(run: Any) -> dict[str, Any]:
    """The run as the relay's contract has it; whoever reads this needs the token."""
    return {
        "invocation_id": run.id,
        "tool_name": "deep_research",
        "mode": "background",
        "status": "queued" if run.status in ("pending", "running") else run.status,
        "invocation_token": run.token,
        "upstream_response_id": run.upstream_response_id,
    }


def _progress(event: Any) -> None:
    """What a run does, for a person who watches: on a terminal, and nowhere else."""
    if sys.stderr is None or not sys.stderr.isatty():
        return
    from kit.relay.glance import Glance, seen

    if event.type in ("search", "page"):
        note(unsteered(seen(Glance(), event, 0.0).doing))


def _print(answer: Any) -> None:
    print(shown(answer.text or answer.refusal))


if __name__ == "__main__":
    sys.exit(main())
