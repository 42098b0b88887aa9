"""`python -m kit`: ask once from a terminal or a script.

stdout gets the answer alone, so that it can be piped; everything else is one line on stderr.
Exit status: 0 answered, 1 it failed, 2 wrong usage, 130 stopped, 141 nobody reads any more.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import io
import json
import math
import os
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from kit.errors import KitError, redact

__all__ = ["main"]

_STEERING = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""Control characters: model text must not steer the terminal it is written to."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        _complain(message)
        raise SystemExit(2)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line (default: this process's); the exit status."""
    _write_anything(sys.stdout)
    _write_anything(sys.stderr)
    try:
        options = _options(arguments)
        _ask(options, _prompt(options.prompt))
        if sys.stdout is not None:  # so it is where a script has closed it
            sys.stdout.flush()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    except BrokenPipeError:
        _write_nowhere()
        return 141
    except KeyboardInterrupt:
        return 130
    except KitError as error:
        _complain(str(error))
        return 1
    except Exception as error:
        _complain(_unforeseen(error))
        _write_nowhere()
        return 1
    return 0


def _unforeseen(error: Exception) -> str:
    """One line for what no part of the toolkit foresaw; not what the error itself says."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EIO, errno.EBADF):
        return f"the answer could not be written: {os.strerror(error.errno)}"
    from kit.notebook.edge import unforeseen

    return str(unforeseen(error))


def _write_nowhere() -> None:
    """What is still buffered would fail once more when the interpreter flushes at its end."""
    with contextlib.suppress(OSError, AttributeError, ValueError):  # there is no such file at all
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = _Parser("python -m kit", description="Ask a model once.", allow_abbrev=False)
    parser.add_argument("--api", choices=("chat", "responses"), default="chat")
    parser.add_argument("--background", action="store_true", help="start it, print the raw JSON")
    parser.add_argument("--web-search", action="store_true", help="let the model search the web")
    parser.add_argument("--stream", action="store_true", help="write the text as it comes")
    parser.add_argument(
        "--timeout", type=_seconds, metavar="SECONDS", help="the longest one request may take"
    )
    parser.add_argument("--version", action="store_true", help="print the version")
    parser.add_argument("prompt", nargs="?", metavar="PROMPT", help="default: what is piped in")
    options = parser.parse_args(arguments)
    if options.version:
        import kit

        print(f"responses-kit {kit.__version__}")
        raise SystemExit(0)
    for name in ("background", "web_search"):
        if getattr(options, name) and options.api != "responses":
            parser.error(f"--{name.replace('_', '-')} needs --api responses")
    if options.background and options.stream:
        parser.error("--background and --stream exclude each other")
    return options


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not (math.isfinite(seconds) and seconds > 0):
        raise argparse.ArgumentTypeError(f"a number of seconds above 0 is needed, not {text!r}")
    return seconds


def _prompt(given: str | None) -> str:
    """The prompt from the command line, else from what is piped in."""
    if given is not None:
        prompt = _as_typed(given)
    elif sys.stdin is None or sys.stdin.isatty():
        prompt = ""
    else:
        prompt = sys.stdin.buffer.read().decode("utf-8-sig", errors="replace")
    if not prompt.strip():
        _complain("there is no prompt; write it as the last argument, in quotes, or pipe it in")
        raise SystemExit(2)
    return prompt


def _as_typed(argument: str) -> str:
    """The argument as UTF-8, whatever the locale made of its bytes."""
    if argument.isascii():
        return argument
    try:
        return os.fsencode(argument).decode("utf-8", errors="replace")
    except UnicodeEncodeError:
        return argument


def _ask(options: argparse.Namespace, prompt: str) -> None:
    from kit.connect import Client

    search: dict[str, Any] = {"web_search": True} if options.web_search else {}
    with Client(timeout=options.timeout) as client:
        if options.background:
            print(_shown(_json(client.submit(prompt, **search).raw)))
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
                    sys.stdout.write(_shown(event.text))
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
    print(_shown(answer.text or answer.refusal))


def _shown(text: str) -> str:
    """Untouched in a pipe; without control characters on a terminal."""
    on_a_terminal = sys.stdout is not None and sys.stdout.isatty()
    return _STEERING.sub("", text) if on_a_terminal else text


def _complain(message: str) -> None:
    line = _STEERING.sub("", redact(" ".join(message.split())))
    if sys.stderr is not None:
        with contextlib.suppress(OSError):  # nobody can be told
            print(f"Error: {line}", file=sys.stderr, flush=True)


def _write_anything(stream: Any) -> None:
    """A terminal that cannot show a character gets a stand-in, not a crash."""
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="replace")


if __name__ == "__main__":
    sys.exit(main())
