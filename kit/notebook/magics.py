"""`%%chat`, `%%responses`, `%%research` and `%kit`: parse, ask, remember.

    parse       the line becomes a Command, the cell a Question
    ask         through the client everybody shares, shown as it comes
    remember    in `_`, `kit.last` and the variables of -o and `<<`

`@no_var_expand`, because IPython would otherwise evaluate `{...}` on the line, keys included.
"""

from __future__ import annotations

import re
from typing import Any, cast

from IPython.core.magic import Magics, line_cell_magic, line_magic, magics_class, no_var_expand
from traitlets import Enum

from kit.errors import InputError
from kit.notebook.arguments import manual, parse, parse_research, spare_modules
from kit.notebook.asking import ask, question_of
from kit.notebook.completion import matcher_for
from kit.notebook.edge import at_the_edge
from kit.notebook.options import Api
from kit.notebook.render import plain
from kit.notebook.screens import screen_for
from kit.notebook.session import current
from kit.notebook.unfinished import go_on_behind, news_of_runs

__all__ = ["KitMagics", "load", "unload"]

_NAMES = ("chat", "responses", "research")


@magics_class
class KitMagics(Magics):
    """The magics of one shell."""

    approve = Enum(
        ("paid", "ask", "always", "never"),
        default_value="paid",
        help="Who says yes before a model's call runs: `paid` asks before what costs money, `ask` "
        "before every call, `always` and `never` ask nobody.",
    ).tag(config=True)

    @no_var_expand
    @line_cell_magic
    def chat(self, line: str, cell: str | None = None) -> None:
        """Ask a model through the chat completions API. `%%chat --help` lists the options."""
        at_the_edge(lambda: self._run("chat", line, cell), current)

    @no_var_expand
    @line_cell_magic
    def responses(self, line: str, cell: str | None = None) -> None:
        """Ask a model through the responses API. `%%responses --help` lists the options."""
        at_the_edge(lambda: self._run("responses", line, cell), current)

    @no_var_expand
    @line_cell_magic
    def research(self, line: str, cell: str | None = None) -> None:
        """Start a research run that nothing kills. `%%research --help` lists the options."""
        at_the_edge(lambda: self._research(line, cell), current)

    @no_var_expand
    @line_magic
    def kit(self, line: str) -> None:
        """What is configured, and how to change it. `%kit help` lists what there is."""
        at_the_edge(lambda: self._control(line), current)

    def _control(self, line: str) -> None:
        from kit.notebook.control import control

        if (text := control(line, current)) is not None:
            print(plain(text))

    def _research(self, line: str, cell: str | None) -> None:
        from kit.notebook.research import control_runs, start

        shell = cast(Any, self.shell)
        if cell is None:
            control_runs(line, shell)
            return
        commission = parse_research(line)
        if commission.help:
            print(manual("research"))
            return
        spare_modules(commission, shell.user_ns)
        _leave_in_underscore(shell, start(commission, cell, shell))

    def _run(self, api: Api, line: str, cell: str | None) -> None:
        if cell is None and not {"-h", "--help"}.intersection(line.split()):
            raise InputError(
                f"%{api} takes no prompt on its line: write %%{api} (two signs) on the first line "
                "of a cell, and the prompt below it."
            )
        command = parse(api, line)
        if cell is None or command.help:
            print(manual(api))
            return
        shell = cast(Any, self.shell)
        spare_modules(command, shell.user_ns)
        approve = None if self.approve == "paid" else self.approve
        question = question_of(command, cell, shell.user_ns, current, approve)
        from kit import connect

        still = command.no_stream or command.background
        quiet = command.quiet or command.background
        _tell_of_a_key_without_address()
        screen = screen_for(shell, command.format, quiet=quiet, still=still)
        answer = ask(connect.client, question, screen, shell.user_ns, current)
        _leave_in_underscore(shell, answer)
        if command.background and not command.quiet:
            print(_how_to_fetch(answer))


def _tell_of_a_key_without_address() -> None:
    """Once in a session: otherwise nobody knows why the sandbox answers."""
    from kit import connect
    from kit.settings_unused import unused_key

    if current.told_of_key or connect.client().endpoint.identity != "sandbox":
        return
    current.told_of_key = True
    if (said := unused_key()) is not None:
        print(plain(said))


def _how_to_fetch(answer: Any) -> str:
    """A line with code to paste: whatever the gateway calls an id, it stays one literal."""
    identity = _one_line(answer.id)
    fetch = f"kit.Client().retrieve({identity!r})"
    return f"{identity} is {_one_line(answer.status)}; fetch it with {fetch}"


def _one_line(text: Any, limit: int = 200) -> str:
    return "".join(letter for letter in str(text) if letter.isprintable())[:limit]


def _leave_in_underscore(shell: Any, answer: Any) -> None:
    """Put the answer into `_` and `Out`, as a cell's value would be, without showing it twice."""
    shell.displayhook.check_for_underscore()
    shell.displayhook.update_user_ns(answer)


def keep_empty_bodies(lines: list[str]) -> list[str]:
    """Give a magic that stands alone an empty line below it.

    IPython refuses a cell magic without a body before we are asked, so that `%%chat --help`
    would never help; and it takes a name followed by a tab for another magic.
    """
    if not lines:
        return lines
    match = re.match(r"%%(chat|responses|research)(?=\s|$)[ \t]*(.*?)\s*$", lines[0], re.S)
    if match is None:
        return lines
    return [f"%%{match[1]} {match[2]}\n", *(lines[1:] or ["\n"])]


# So IPython calls what it leaves out when it asks whether a cell is complete: with our empty line
# a terminal would take the first line of every cell for all of it.
keep_empty_bodies.has_side_effects = True  # type: ignore[attr-defined]


def load(shell: Any) -> None:
    """Give the shell its magics, completion, and cells with nothing below the first line.

    One line says where there is news of research; what an earlier kernel left unfinished goes on.
    """
    unload(shell)
    shell.register_magics(KitMagics)
    shell.input_transformers_cleanup.append(keep_empty_bodies)
    shell.Completer.custom_matchers.append(matcher_for(shell, current))
    if (news := news_of_runs()) is not None:
        print(news)
    go_on_behind()


def unload(shell: Any) -> None:
    """Take away what `load` gave."""
    kinds = shell.magics_manager.magics
    for name in _NAMES:
        kinds["cell"].pop(name, None)
        kinds["line"].pop(name, None)
    kinds["line"].pop("kit", None)
    shell.magics_manager.registry.pop("KitMagics", None)
    _drop(shell.input_transformers_cleanup)
    _drop(shell.Completer.custom_matchers)


def _drop(hooks: list[Any]) -> None:
    """By module and not by identity: `%reload_ext` has made new functions meanwhile."""
    hooks[:] = [hook for hook in hooks if not getattr(hook, "__module__", "").startswith("kit.")]
