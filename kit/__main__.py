"""`python -m kit`: ask once from a terminal or a script.

stdout gets the answer alone, so that it can be piped; everything else is one line on stderr.
Exit status: 0 answered, 1 it failed, 2 wrong usage, 130 stopped, 141 nobody reads any more.
"""

from __future__ import annotations

import argparse
import errno
import json
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from kit.clean_terminal import (
    complain,
    in_a_shell,
    note,
    passing,
    shown,
    write_anything,
    write_nowhere,
)
from kit.command_listing import list_models, list_runs
from kit.command_options import misused, options_of
from kit.command_research import report_of_run, research_on_purpose, research_where_needed
from kit.errors import InputError, KitError
from kit.piped import as_typed, piped, piped_beside

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line (default: this process's); the exit status."""
    write_anything(sys.stdout)
    write_anything(sys.stderr)
    try:
        options = options_of(arguments)
        status = _carried_out(options)
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


def _carried_out(options: argparse.Namespace) -> int | None:
    from kit.settings_unused import unused_key

    if (said := unused_key()) is not None:
        note(said)
    if options.doctor:
        return _examine(options)
    if options.models:
        return list_models()
    if options.runs:
        return list_runs()
    if options.run is not None:
        return report_of_run(options)
    return _ask(options, _prompt(options.prompt))


def _unforeseen(error: Exception) -> str:
    """One line for what no part of the toolkit foresaw; not what the error itself says."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EIO, errno.EBADF):
        return f"the answer could not be written: {os.strerror(error.errno)}"
    from kit.notebook.edge import unforeseen

    return str(unforeseen(error))


def _prompt(given: str | None) -> str:
    """The prompt from the command line, a blank line, and what is piped in."""
    alone = given in (None, "-")
    try:
        text = piped(typed=given == "-") if alone else piped_beside()
    except InputError as error:
        raise misused(str(error)) from None
    if text is None:
        note("Nothing was piped in so far: the prompt is asked alone.")
    parts = ("" if given is None or alone else as_typed(given), text or "")
    prompt = "\n\n".join(part for part in parts if part.strip())
    if not prompt:
        raise misused("there is no prompt; write it as the last argument, in quotes, or pipe it in")
    return prompt


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
        return research_on_purpose(options, prompt)
    if options.auto_tool_call:
        return _print(research_where_needed(options, prompt))
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


def _print(answer: Any) -> None:
    print(shown(answer.text or answer.refusal))


if __name__ == "__main__":
    sys.exit(main())
