"""One cell: a command and a prompt become a question, the question an answer.

What had arrived when a cell fails or is stopped is kept in `kit.last` and in `-o`, and the error
carries it too; the conversation goes on only with whole turns.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any

from kit.errors import InputError, Interrupted, KitError
from kit.notebook.arguments import Command, near_variable, nearest
from kit.notebook.attaching import file_at, picture
from kit.notebook.interpolate import fill
from kit.notebook.leaving import interrupted, unfinished
from kit.notebook.screens import Screen
from kit.notebook.session import Conversation, Session

__all__ = ["Question", "ask", "follow", "question_of"]

_POLL = 0.1
"""Seconds between looks at the screen while nothing arrives."""


@dataclasses.dataclass(frozen=True, slots=True)
class Question:
    """What is sent: the prompt, and the client's own options."""

    command: Command
    prompt: Any
    """Text, or items where pictures or files go along."""
    turn: tuple[Mapping[str, Any], ...]
    """The same as items, for the conversation."""
    options: Mapping[str, Any]
    notes: tuple[str, ...] = ()
    work: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """What goes along where the model may call functions: which, who says yes, how much."""


def question_of(
    command: Command,
    body: str,
    variables: Mapping[str, Any],
    session: Session,
    approve: str | None = None,
) -> Question:
    """The question a cell asks. `approve`: who says yes to calls, unless the command does.

    Raises InputError before anything is sent.
    """
    filled = fill(body.replace("\r\n", "\n"), variables)
    prompt = filled.text.strip("\n")
    if not prompt.strip():
        raise InputError(f"The prompt is empty: write it below %%{command.api}.")
    options: dict[str, Any] = {
        "model": command.model,
        "system": command.system,
        "effort": command.effort,
        "max_tokens": command.max_tokens,
        "timeout": command.timeout,
        "schema": _schema(command.schema, variables) if command.schema else None,
        "web_search": command.web_search or None,
    }
    if command.continues:
        options |= _continuing(command, session)
    given = {name: value for name, value in options.items() if value is not None}
    turn = _turn(command, prompt, variables)
    alone = not (command.images or command.files)
    work = _work(command, variables, approve) if command.works else {}
    return Question(command, prompt if alone else turn, turn, given, filled.notes, work)


def _work(command: Command, variables: Mapping[str, Any], approve: str | None) -> dict[str, Any]:
    tools = [_tool(name, variables) for name in command.tools] if command.tools else None
    given = {
        "tools": tools,
        "budget": command.budget,
        "approve": "always" if command.yes else approve,
    }
    return {name: value for name, value in given.items() if value is not None}


def _tool(name: str, variables: Mapping[str, Any]) -> Any:
    """A function of the notebook, else a registered one, else one of the toolkit's own."""
    from kit.tools import registered

    value = variables.get(name)
    tools = {tool.name: tool for tool in registered()}
    if callable(value) and not isinstance(value, type):
        return _anew(name, value) if name in tools else value
    if name in tools or name == "deep_research":
        return name
    near = nearest(name, ["deep_research", *tools])
    hint = f"; did you mean {near}?" if near else "."
    raise InputError(f"--tools {name}: there is no function of that name{hint} See kit.tool.")


def _anew(name: str, value: Any) -> Any:
    """The notebook's function of a registered name: whoever defines it anew means the new one."""
    from kit.tools import tool_of

    try:
        return tool_of(value)
    except InputError as error:
        raise InputError(
            f"--tools {name}: {name} is not the function that was registered, and cannot be a "
            f"tool: {error}\nMend it and put @kit.tool above it, or `del {name}` to offer the "
            "registered one."
        ) from None


def _turn(
    command: Command, prompt: str, variables: Mapping[str, Any]
) -> tuple[Mapping[str, Any], ...]:
    """The prompt with its pictures and files, read once: a later turn sends the same again."""
    from kit.gateway.wire import items_of

    images = [picture(name, variables) for name in command.images]
    files = [file_at(path, variables) for path in command.files]
    return tuple(items_of(prompt, {"images": images, "files": files}))


def _continuing(command: Command, session: Session) -> dict[str, Any]:
    """The turns so far, and the system prompt and model unless this cell names its own."""
    before = session.conversation
    if before is None:
        raise InputError(
            "There is no conversation to continue yet: run this cell without -c/--continue first."
        )
    return {
        "history": before.items,
        "system": command.system or before.system,
        "model": command.model or before.model,
    }


def _schema(name: str, variables: Mapping[str, Any]) -> Any:
    if name not in variables:
        raise InputError(
            f"--schema {name}: there is no variable {name}{near_variable(name, variables)}."
        )
    value = variables[name]
    if isinstance(value, dict) or (isinstance(value, type) and hasattr(value, "model_json_schema")):
        return value
    raise InputError(
        f"--schema {name}: it holds a {type(value).__name__}; "
        "a pydantic model class or a JSON schema (a dict) is needed."
    )


def ask(
    open_client: Callable[[], Any],
    question: Question,
    screen: Screen,
    variables: MutableMapping[str, Any],
    session: Session,
) -> Any:
    """Ask, show, remember; the `Answer`. Raises KitError, and Interrupted when it was stopped.

    The client is opened here, because starting what answers can be stopped as well.
    """
    attempt = _Attempt(open_client, question, screen)
    try:
        return _asked(attempt, variables, session)
    except KeyboardInterrupt as stop:
        carried = getattr(stop, "answer", None)
    raise _stopped(attempt, carried, variables, session)


def _asked(attempt: _Attempt, variables: MutableMapping[str, Any], session: Session) -> Any:
    question, screen = attempt.question, attempt.screen
    try:
        answer = attempt.whole = attempt.run()
    except KeyboardInterrupt:  # `Interrupted` is a KitError too
        raise
    except KitError as error:
        error.answer = unfinished(attempt.partial(error.answer), "broken off")
        _keep(error.answer, question, variables, session)
        _continue_from(error.answer, question, session)
        screen.close(error.answer, question.notes)
        raise
    _keep(answer, question, variables, session)
    if not question.command.background:
        session.conversation = _after(question, answer)
    screen.finish(answer, question.notes)
    return answer


def _stopped(
    attempt: _Attempt, carried: Any, variables: MutableMapping[str, Any], session: Session
) -> Interrupted:
    """The error of a stopped cell. What had arrived is kept; what was being shown stays so."""
    question = attempt.question
    try:
        partial = unfinished(attempt.partial(carried), "stopped")
        _keep(partial, question, variables, session)
        _continue_from(partial, question, session)
        if attempt.whole is None:
            attempt.screen.close(partial, question.notes)
    except KeyboardInterrupt:  # pressed again: shown it is not, but kept
        partial = unfinished(attempt.partial(carried), "stopped")
        _keep(partial, question, variables, session)
    where = ["kit.last", *question.command.outputs]
    return interrupted(partial, where, whole=attempt.whole is not None)


def follow(stream: Any, progress: Any, screen: Any) -> None:
    """Show a stream while it comes, to its end. Raises KeyboardInterrupt when it is stopped, by ■
    or by the screen's own button."""
    while (events := stream.poll(_POLL)) is not None:
        for event in events:
            progress.note(event)
        if screen.is_due() or progress.urgent:  # the text is put together only then
            screen.show(stream.text, progress)
        if screen.stopped:
            raise KeyboardInterrupt


class _Attempt:
    """One call, and what had arrived of it at any time."""

    def __init__(self, open_client: Callable[[], Any], question: Question, screen: Screen) -> None:
        self.open_client = open_client
        self.question = question
        self.screen = screen
        self.stream: Any = None
        self.whole: Any = None
        """The answer, once all of it is there."""

    def run(self) -> Any:
        command, prompt = self.question.command, self.question.prompt
        client = self.open_client()
        if command.background:
            return client.submit(prompt, **self.question.options)
        if command.no_stream:
            call = client.chat if command.api == "chat" else client.respond
            return call(prompt, **self.question.options)
        with self._open(client) as stream:
            self.stream = stream
            try:
                follow(stream, _progress_of(self.question.command), self.screen)
            except KeyboardInterrupt:
                stream.close()
                raise
            return stream.answer

    def _open(self, client: Any) -> Any:
        question = self.question
        open_stream = client.stream_tools if question.command.works else client.stream
        api = question.command.api
        return open_stream(question.prompt, api=api, **question.options, **question.work)

    def partial(self, carried: Any) -> Any:
        """What an error carried, else what the stream has; None when nothing arrived."""
        answer = carried if self.whole is None else self.whole
        if answer is None and self.stream is not None:
            answer = self.stream.partial
        if answer is None or not (answer.text or answer.output or answer.id or answer.tool_calls):
            return None
        return answer


def _progress_of(command: Command) -> Any:
    if not command.works:
        from kit.notebook.progress import Progress

        return Progress(time.monotonic())
    from kit.notebook.workbench import Workbench

    return Workbench(time.monotonic())


def _keep(
    answer: Any, question: Question, variables: MutableMapping[str, Any], session: Session
) -> None:
    """Put the answer where people look for it; without one, the last one stays."""
    if answer is None:
        return
    session.last = answer
    if answer.model:
        session.models.add(answer.model)
    for name in question.command.outputs:
        variables[name] = answer


def _continue_from(partial: Any, question: Question, session: Session) -> None:
    """Where `-c` goes on after a cell that did not end well."""
    if question.command.background:
        return
    if partial is not None and partial.text:
        session.conversation = _after(question, partial)
    elif not question.command.continues:
        session.conversation = None


def _after(question: Question, answer: Any) -> Conversation:
    """The conversation with this turn in it.

    The answer goes back as what it said and not as the items it came in: ids of reasoning and
    searches mean nothing to another API or model, and many gateways refuse them.
    """
    options = question.options
    said = {"role": "assistant", "content": answer.text or answer.refusal}
    return Conversation(
        items=(*options.get("history", ()), *question.turn, said),
        system=options.get("system"),
        model=options.get("model"),
    )
