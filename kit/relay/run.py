"""The run as a person holds it: `kit.research()` gives one, `kit.run()` finds one again.

Rule: a Run is a handle and not the run. Letting it go, restarting the kernel and closing the tab
change nothing; only `cancel` and `delete` do. What it shows is asked for when it is looked at,
and kept once the run has ended. It is copied as itself and never pickled: its token stays in the
user's private file.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Generator, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from kit import errors
from kit.blocking import Batches, run
from kit.gateway.answer import Answer, Usage
from kit.gateway.events import Wire
from kit.gateway.request import checked_seconds
from kit.relay.card import run_bundle, run_card
from kit.relay.evidence import Evidence, checked, evidence_of, sources_of
from kit.relay.frames import links_frame, sources_frame
from kit.relay.glance import Glance
from kit.relay.handle import NOT_SENT, AsyncRun, begin, not_sent
from kit.relay.report import markdown_of, report_of, save_report, text_of
from kit.relay.report_diff import ReportDiff, diff_of
from kit.relay.report_links import links_in, page_key
from kit.relay.view import RunEvent, View

if TYPE_CHECKING:
    import pandas

__all__ = ["Run"]


REFUSED = ("authentication_failed", "upstream_refused")
"""Codes of runs that end so again as long as nothing else is changed."""


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
        """Where it runs: `sandbox`, `local`, a gateway's address, or that of a relay elsewhere."""
        return self.inner.entry.gateway or self.inner.entry.relay

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
        self.inner.shown()
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
        return self.answer.cost

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
        named = {page_key(link.url) for link in links_in(self.text)}  # as JSON cites
        sources = [
            dataclasses.replace(one, cited=one.cited or page_key(one.url) in named)
            for one in sources_of(self._evidence())
        ]
        return sources_frame(sources)

    def check(self) -> pandas.DataFrame:
        """Each link of the report, and whether the run saw it: `verdict` is `opened`, `searched`
        (only listed by a search), `never seen`, or `unknown` where the gateway does not say.

        Columns: `verdict`, `n`, `url`, `label`, `line`. Nothing is fetched.
        """
        return links_frame(checked(self.text, self._evidence()))

    def diff(self, older: Run) -> ReportDiff:
        """What this report says that an older one did not, and the other way round.

        Raises InputError where one of them has not ended, or `older` is no run.
        """
        if not isinstance(older, Run):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise errors.InputError("A report is compared with another run's: new.diff(old).")
        for one in (self, older):
            one._reported()
        new, old = self._evidence(), older._evidence()
        return diff_of(self.text, older.text, sources_of(new), sources_of(old))

    # -- what one does with it ---------------------------------------------------------------

    def wait(self, timeout: float | None = None) -> Run:
        """Wait for its end. A stop (■) ends the waiting and never the run.

        Raises ResponseFailed when it failed or was cancelled, TimedOut after `timeout` seconds;
        the run goes on.
        """
        looks_once = timeout == 0 and not isinstance(timeout, bool)
        seconds = 0.0 if looks_once else checked_seconds(timeout)
        self._found()
        view = run(self.inner.wait, seconds)
        if not view.ended:
            raise errors.TimedOut(run(self.inner.still_going))
        return self._ended(view)

    def __await__(self) -> Generator[Any, None, Run]:
        return self._awaited().__await__()

    async def _awaited(self) -> Run:
        if not await self.inner.find():
            raise not_sent()
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
        """Start it anew, with the same question and arguments: another run, which costs again.

        One whose kernel ended before it was sent is sent. Raises InputError where this kernel uses
        another gateway than the run did, or does not know what was asked.
        """
        entry, desk = self.inner.entry, self.inner.desk
        if not entry.arguments:
            raise errors.InputError("What this run was asked is not known here: kit.research asks.")
        if self.inner.is_elsewhere:
            raise errors.InputError(
                f"This run was for {entry.gateway}, and {desk.gateway} is in use now.\n"
                "Choose that gateway with %kit use, or ask anew with kit.research."
            )
        if entry.id is None:
            run(self.inner.post)
            return self
        arguments = {key: one for key, one in entry.arguments.items() if key != "stream"}
        return Run(run(begin, desk, arguments, relay=entry.relay, gateway=entry.gateway))

    def delete(self) -> None:
        """Remove it, with its token. Raises InputError while it goes on: cancel it first."""
        run(self.inner.delete)

    def to_markdown(self) -> str:
        """The report with its sources, to keep or to send. Raises InputError for an empty one."""
        self._reported(so_far=True)
        return markdown_of(self.question, self.answer, self.id)

    def save(self, path: str | Path) -> Path:
        """Write the report to a file: `.md`, `.html`, or `.json` with sources and usage.

        Raises InputError where there is none yet, for another ending, and for a bad path.
        """
        self._reported(so_far=True)
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
        return f"Run({self.id!r}, {question!r}, {self._known_status!r})"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """What is known; with why there is no more, where the relay cannot be asked."""
        try:
            view = self._look()
            if view is None:
                return self._card(Glance(NOT_SENT, doing="run.retry() sends it"))
            report = report_of(view, self.events, self.inner.glance)
        except errors.KitError as error:
            glance = self.inner.glance if self.inner.view else Glance(doing="")
            said, status = " ".join(str(error).split()), self._known_status
            return self._card(dataclasses.replace(glance, status=status, problem=said))
        self.inner.shown()
        return self._card(self.inner.glance, report)

    @property
    def _known_status(self) -> str:
        """How it stood when it was last looked at."""
        if self.inner.view is not None:
            return self.inner.view.status
        return NOT_SENT if self.inner.entry.id is None else "unknown"

    def _card(self, glance: Glance, report: Answer | None = None) -> dict[str, str]:
        card = run_card(self.question, self.id, glance, self.seconds, time.time())
        return run_bundle(card, report, text_of(None, self.inner.events))

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError(
            "A Run is not pickled: its token does not belong into a file or another program. "
            "Keep run.id; kit.run(id) finds it again."
        )

    def __copy__(self) -> Run:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Run:
        return self

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
            raise not_sent()

    def _seen(self) -> tuple[View, tuple[RunEvent, ...]]:
        view = self._look()
        if view is None:
            raise not_sent()
        events = tuple(run(self.inner.catch_up))
        self.inner.shown()
        return self.inner.view or view, events

    def _reported(self, *, so_far: bool = False) -> None:
        """Raises InputError without a report; `so_far`: what has come of one is enough."""
        view = self._look()
        if view is None:
            raise not_sent()
        if not (view.ended or so_far):
            raise errors.InputError(f"{self.id} is {view.status}: run.wait() waits for its end.")
        if not self.text.strip():
            raise errors.InputError(f"{self.id} has no report: it is {view.status}.")

    def _evidence(self) -> Evidence:
        view, events = self._seen()
        told = [{"type": event.type, "data": event.data} for event in events]
        return evidence_of(view.response, told)

    def _ended(self, view: View) -> Run:
        self.inner.shown()
        if view.status != "completed":
            said = view.error_message or f"The run was {view.status}."
            again = "run.text has what had come; run.retry() starts it anew."
            if view.error_code in REFUSED and not self.text:
                again = "Once that is mended, run.retry() starts it anew."
            error = errors.ResponseFailed(f"{said}\n{again}", code=view.error_code)
            error.answer = report_of(view, self.inner.events, self.inner.glance)
            raise error
        return self
