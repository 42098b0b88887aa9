"""`%%research` starts a run and gives the cell back; `%research` lists, shows and ends them.

Rule: what a person starts here is a yes to what it costs. The variable holds the Run at once, and
so does `_`; the card in the output goes on by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from kit.errors import InputError, Interrupted
from kit.notebook.arguments import Commission, near_variable, nearest
from kit.notebook.interpolate import fill
from kit.notebook.render import plain
from kit.notebook.splitting import split_words

__all__ = ["COMMANDS", "control_runs", "start"]


def start(commission: Commission, body: str, shell: Any) -> Any:
    """Start what the cell asks for, and show it; the Run. Raises KitError."""
    from kit.connect_research import left_out, research

    variables = shell.user_ns
    filled = fill(body.replace("\r\n", "\n"), variables)
    question = filled.text.strip()
    if not question:
        raise InputError("The question is empty: write it below %%research.")
    contexts = [(name, _variable(name, variables)) for name in commission.contexts]
    parts = {name: left_out(value) for name, value in contexts}
    run = _begun(
        research,
        question,
        format=commission.format,
        context=[value for _, value in contexts],
        constraints=commission.constraints,
        system=commission.system,
        budget=commission.budget,
        model=commission.model,
        max_tool_calls=commission.max_tool_calls,
        clarify=commission.clarify,
    )
    for name in commission.outputs:
        variables[name] = run
    cut = (f"--context {name} was sent in part: {part}." for name, part in parts.items() if part)
    for note in (*filled.notes, *cut):
        print(plain(note))
    _show(run, shell, quiet=commission.quiet, wait=commission.wait)
    return run


def _begun(begin: Callable[..., Any], question: str, **options: Any) -> Any:
    """The run. Raises Interrupted where that is stopped: by then it may have been sent."""
    try:
        return begin(question, **options)
    except KeyboardInterrupt:
        pass
    raise Interrupted("Stopped while it was sent. It may have begun: kit.runs() shows it.")


def _show(run: Any, shell: Any, *, quiet: bool = False, wait: bool = False) -> None:
    """The card of a run; live where the front end can update it."""
    from IPython.display import publish_display_data

    from kit.notebook.frontend import publishes
    from kit.notebook.run_live import RunCard

    if publishes(shell) and not quiet:
        card = RunCard(run)
        card.show(shell, busy=wait)
        if wait:
            card.watch()
            run.wait()  # it has ended: where it failed, so does the cell
        else:
            card.go_on()
        return
    if wait:
        run.wait()
    if not quiet:
        bundle = run._repr_mimebundle_()
        publish_display_data({**bundle, "text/plain": plain(bundle["text/plain"])})


def _variable(name: str, variables: Mapping[str, Any]) -> Any:
    if name not in variables:
        hint = near_variable(name, variables) or "."
        raise InputError(f"--context {name}: there is no variable {name}{hint}")
    return variables[name]


# -- %research ---------------------------------------------------------------------------------


def control_runs(line: str, shell: Any) -> None:
    """Do what the line after `%research` says. Raises KitError."""
    words = [word.text for word in split_words(line)]
    name, arguments = (words[0], words[1:]) if words else ("list", [])
    command = COMMANDS.get({"--help": "help", "-h": "help"}.get(name, name))
    if command is None:
        near = nearest(name, COMMANDS)
        hint = f"did you mean %research {near}? " if near else ""
        there = ", ".join(COMMANDS)
        raise InputError(
            f"There is no %research {name[:40]}; {hint}there are: {there}. "
            "A question goes below %%research (two signs)."
        )
    command(arguments, shell)


def _list(arguments: list[str], shell: Any) -> None:
    from IPython.display import display

    from kit.connect_research import runs

    _take(arguments, 0, "%research list")
    table = runs()
    if len(table):
        display(table)
    else:
        print("There are no runs yet: %%research starts one.")


def _display(arguments: list[str], shell: Any) -> None:
    _show(_named(arguments, "show", shell), shell)


def _resume(arguments: list[str], shell: Any) -> None:
    _show(_named(arguments, "resume", shell), shell)


def _cancel(arguments: list[str], shell: Any) -> None:
    run = _named(arguments, "cancel", shell)
    before = run.status
    run.cancel()
    print(f"{run.id} is cancelled." if run.status == "cancelled" else f"{run.id} is {before}.")


def _delete(arguments: list[str], shell: Any) -> None:
    run = _named(arguments, "delete", shell)
    run.delete()
    print(f"{run.id} is deleted.")


def _help(arguments: list[str], shell: Any) -> None:
    rows = (
        ("%research list", "your runs, the newest first"),
        ("%research show ID", "one of them, with its report; live while it goes on"),
        ("%research resume ID", "the same, by the name that a run left behind is looked for"),
        ("%research cancel ID", "end it for good"),
        ("%research delete ID", "remove one that has ended"),
        ("%%research --help", "how to start one"),
        ("", "ID: a run's id, its beginning, or a variable that holds the run"),
    )
    print("\n".join(f"{usage:<22}  {does}" for usage, does in rows))


COMMANDS: dict[str, Callable[[list[str], Any], None]] = {
    "list": _list,
    "show": _display,
    "resume": _resume,
    "cancel": _cancel,
    "delete": _delete,
    "help": _help,
}


def _named(arguments: list[str], command: str, shell: Any) -> Any:
    """The run of that id, of which the beginning is enough, or in the variable of that name."""
    from kit.connect_research import run
    from kit.relay.run import Run

    _take(arguments, 1, f"%research {command} ID (%research list shows them)")
    held = shell.user_ns.get(arguments[0])
    return held if isinstance(held, Run) else run(arguments[0])


def _take(arguments: list[str], count: int, usage: str) -> None:
    if len(arguments) != count:
        raise InputError(f"That is written {usage}")
