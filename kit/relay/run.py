"""The run as a person holds it: `kit.research()` gives one, `kit.run()` finds one again.

Rule: a Run is a handle and not the run. Letting it go, restarting the kernel and closing the tab
change nothing; only `cancel` and `delete` do. What it shows is asked for when it is looked at,
and kept once the run has ended.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Generator, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kit import errors
from kit.blocking import Batches, run
from kit.gateway.answer import Answer, Usage
from kit.gateway.events import Wire
from kit.relay.card import run_bundle, run_card
from kit.relay.evidence import Evidence, checked, evidence_of, sources_of
from kit.relay.frames import frame_of
from kit.relay.glance import Glance
from kit.relay.handle import NOT_SENT, AsyncRun, begin
from kit.relay.report import markdown_of, report_of, save_report, text_of
from kit.relay.report_diff import ReportDiff, diff_of
from kit.relay.view import RunEvent, View

if TYPE_CHECKING:
    import pandas

__all__ = ["Run"]

_SOURCES = {"n": "Int64", "title": "str", "url": "str", "opened": "bool", "cited": "bool"}
_LINKS = {"verdict": "str", "n": "Int64", "url": "str", "label": "str", "line": "Int64"}


class Run:
    """A research run. It goes on by itself, in the relay; `await run` or `run.wait()` waits.

    `status` is `pending`, `queued`, `running`, and in the end `completed`, `failed` or
    `cancelled`; `not sent` for one that a kernel wrote down and did not get to send.
    """

    def __init__(self, inner: AsyncRun) -> None:
        self.inner = inner

    # -- what it is --------------------------------------------------------------------------

    @property
    def id(self) -> str:
        """What `kit.run` takes."""
        return self.inner.entry.name

    @property
    def token(self) -> str:
        """What opens the run at the relay, for a program that speaks to it: keep it secret."""
        token = self.inner.entry.token
        return token.reveal() if token else ""

    @property
    def question(self) -> str:
        """What was asked."""
        return self.inner.entry.question

    @property
    def gateway(self) -> str:
        """Where it runs: `sandbox`, `local`, or a gateway's address."""
        return self.inner.entry.gateway

    @property
    def upstream_response_id(self) -> str | None:
        """What the gateway calls it, as soon as it has said so."""
        view = self._look()
        return view.upstream_id if view else None

    # -- how it stands -----------------------------------------------------------------------

    @property
    def status(self) -> str:
        """How it stands now."""
        view = self._look()
        return view.status if view else NOT_SENT

    @property
    def text(self) -> str:
        """The report, or what has come of it."""
        view = self._look()
        if view is None or view.text is not None:
            return text_of(view, ())
        return text_of(view, self.events)

    @property
    def events(self) -> tuple[RunEvent, ...]:
        """Everything that has happened in it so far."""
        return tuple(run(self.inner.catch_up)) if self._look() else ()

    @property
    def answer(self) -> Answer:
        """The report as an `Answer`: text, citations, tokens, cost."""
        view, events = self._seen()
        return report_of(view, events, self.inner.glance)

    @property
    def usage(self) -> Usage | None:
        """Its tokens, once the gateway has said them."""
        return self.answer.usage

    @property
    def cost(self) -> float | None:
        """US dollars so far, by estimate until it has ended; None where nobody knows."""
        if self.inner.ended and self.inner.entry.cost is not None:
            return self.inner.entry.cost
        view, events = self._seen()
        return report_of(view, events, self.inner.glance).cost

    @property
    def sent(self) -> Mapping[str, Any]:
        """What left this machine for it: `to`, and the `body` as the gateway got it.

        While the gateway has not been asked yet, and where a relay on another machine asks it,
        `body` is what the relay was sent.
        """
        bodies = [event.data.get("body") for event in self.events if event.type == "request"]
        own = not self.inner.entry.relay
        if own and bodies and isinstance(bodies[-1], dict):
            return {"to": self.gateway, "body": bodies[-1]}
        body = {"tool_name": "deep_research", "arguments": self.inner.entry.arguments}
        return {"to": self.inner.entry.relay or "the relay of this machine", "body": body}

    @property
    def sources(self) -> pandas.DataFrame:
        """What it found, one row a page: `n`, `title`, `url`, `opened`, `cited`."""
        rows = [
            {
                **{"n": one.number, "title": one.title, "url": one.url},
                **{"opened": one.opened, "cited": one.cited},
            }
            for one in sources_of(self._evidence())
        ]
        return frame_of(rows, _SOURCES)

    def check(self) -> pandas.DataFrame:
        """Each link of the report, and whether the run saw it: `verdict` is `opened`, `searched`
        (only listed by a search), `never seen`, or `unknown` where the gateway does not say.

        Columns: `verdict`, `n`, `url`, `label`, `line`. Nothing is fetched.
        """
        rows = [dataclasses.asdict(one) for one in checked(self.text, self._evidence())]
        return frame_of([{**row, "n": row["number"]} for row in rows], _LINKS)

    def diff(self, older: Run) -> ReportDiff:
        """What this report says that an older one did not, and the other way round."""
        new, old = self._evidence(), older._evidence()
        return diff_of(self.text, older.text, sources_of(new), sources_of(old))

    # -- what one does with it ---------------------------------------------------------------

    def wait(self, timeout: float | None = None) -> Run:
        """Wait for its end. A stop (■) ends the waiting and never the run.

        Raises ResponseFailed when it failed or was cancelled, TimedOut after `timeout` seconds;
        the run goes on.
        """
        self._found()
        return self._ended(run(self.inner.wait, timeout))

    def __await__(self) -> Generator[Any, None, Run]:
        return self._awaited().__await__()

    async def _awaited(self) -> Run:
        if not await self.inner.find():
            raise _not_sent()
        return self._ended(await self.inner.wait())

    def follow(self) -> Iterator[RunEvent]:
        """Its events, from the first to the last, as they come. Leaving the loop stops nothing."""
        self._found()
        batches = Batches(self.inner.follow)
        try:
            while (batch := batches.next()) is not None:
                yield from batch
        finally:
            batches.close()
        self.inner.shown()

    def cancel(self) -> Run:
        """End it for good, at the gateway too. What has ended stays as it ended."""
        self._found()
        run(self.inner.cancel)
        self.inner.shown()
        return self

    def retry(self) -> Run:
        """Start it anew, with the same question and arguments: another run, which costs again."""
        entry = self.inner.entry
        arguments = {key: one for key, one in entry.arguments.items() if key != "stream"}
        desk = self.inner.desk
        return Run(run(begin, desk, arguments, relay=entry.relay, gateway=entry.gateway))

    def delete(self) -> None:
        """Remove it, with its token. Raises InputError while it goes on: cancel it first."""
        run(self.inner.delete)

    def to_markdown(self) -> str:
        """The report with its sources, to keep or to send."""
        return markdown_of(self.question, self.answer, self.id)

    def save(self, path: str | Path) -> Path:
        """Write the report to a file: `.md`, `.html`, or `.json` with sources and usage."""
        answer = self.answer
        sources = [dataclasses.asdict(one) for one in sources_of(self._evidence())]
        facts: Wire = {
            **{"id": self.id, "question": self.question, "status": self.status},
            **{"model": answer.model, "text": answer.text, "sources": sources},
            **{"usage": dataclasses.asdict(answer.usage) if answer.usage else None},
            **{"cost": self.cost, "gateway": self.gateway},
        }
        return save_report(path, self.to_markdown(), facts)

    # -- how it shows itself -----------------------------------------------------------------

    def __repr__(self) -> str:
        question = self.question if len(self.question) <= 50 else self.question[:49] + "…"
        view = self.inner.view
        return f"Run({self.id!r}, {question!r}, {view.status if view else NOT_SENT!r})"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        view = self._look()
        if view is None:
            glance = Glance(NOT_SENT, doing="run.retry() sends it")
            return run_bundle(run_card(self.question, self.id, glance, None, time.time()), None)
        events = self.events
        self.inner.shown()
        card = run_card(self.question, self.id, self.inner.glance, self.seconds, time.time())
        return run_bundle(card, report_of(view, events, self.inner.glance))

    @property
    def seconds(self) -> float | None:
        """How long it took, or has taken so far."""
        return self.inner.seconds

    # -- behind it ---------------------------------------------------------------------------

    def _look(self) -> View | None:
        """How it stands; None for one that was never sent."""
        if not run(self.inner.find):
            return None
        return run(self.inner.refresh)

    def _found(self) -> None:
        if not run(self.inner.find):
            raise _not_sent()

    def _seen(self) -> tuple[View, tuple[RunEvent, ...]]:
        view = self._look()
        if view is None:
            raise _not_sent()
        events = tuple(run(self.inner.catch_up))
        self.inner.shown()
        return self.inner.view or view, events

    def _evidence(self) -> Evidence:
        view, events = self._seen()
        told = [{"type": event.type, "data": event.data} for event in events]
        return evidence_of(view.response, told)

    def _ended(self, view: View) -> Run:
        if not view.ended:
            raise errors.TimedOut(f"It still goes on as {self.id}; run.wait() waits again.")
        self.inner.shown()
        if view.status != "completed":
            said = view.error_message or f"The run was {view.status}."
            raise errors.ResponseFailed(
                f"{said}\nrun.text has what had come; run.retry() starts it anew.",
                code=view.error_code,
            )
        return self


def _not_sent() -> errors.NotFound:
    return errors.NotFound(
        "This run was written down, and its kernel ended before it was sent. run.retry() starts it."
    )
