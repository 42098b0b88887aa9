"""Research from a terminal: asked for with `--target relay`, or where the model finds it needs it.

Rule: stdout gets the report alone; what programs and people want to know of the run is on stderr.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from typing import Any

from kit.clean_terminal import note, shown, unsteered
from kit.errors import KitError

__all__ = ["report_of_run", "research_on_purpose", "research_where_needed"]


def research_where_needed(options: argparse.Namespace, prompt: str) -> Any:
    """The model decides; its answer, which is not written here."""
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
    return answer


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
    """What becomes of a run that is left."""
    if run is None:
        return
    from kit.connect_staying import needs_us

    ends = False
    with contextlib.suppress(Exception):  # a second stop is none, and a note is no reason to fail
        ends = needs_us(run)
    if ends:
        note(f"The gateway runs {run.id} only while it is read, so it ends here.")
    else:
        note(f"It goes on as {run.id}: python -m kit --run {run.id} prints its report.")


_IDS = (
    *("response_id", "previous_response_id", "tool_call_id"),
    *("invocation_id", "invocation_token", "upstream_response_id"),
)


def research_on_purpose(options: argparse.Namespace, prompt: str) -> None:
    """Research it, at the relay that is configured or at one of this process."""
    from kit.connect_research import research

    form = options.deliverable_format or "markdown_brief"
    run = research(prompt, model=options.model, format=form, background=options.background)
    try:
        if options.background:
            print(shown(json.dumps(_view(run), ensure_ascii=False)), flush=True)
            _stay(run)
        else:
            _follow(options, run)
    except KeyboardInterrupt:
        _note_going_on(run)
        raise


def report_of_run(options: argparse.Namespace) -> None:
    """The report of a run that was started before, as it comes or in one piece."""
    from kit.connect_research import run as found

    run = found(options.run)
    try:
        _follow(options, run)
    except KeyboardInterrupt:
        _note_going_on(run)
        raise


def _stay(run: Any) -> None:
    """Wait for the end of a run that nobody else would read. Raises ResponseFailed."""
    from kit.connect_staying import needs_us

    if needs_us(run, wait=True):
        note("The gateway does not run this in the background: waiting here until it has ended.")
        run.wait()


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
