"""The run that a person holds: how it stands, what it brought, and what one does with it."""

from __future__ import annotations

import asyncio
import copy
import dataclasses
import gc
import json
import logging
import pickle
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import kit
from kit import errors
from kit.gateway.answer import ToolCall
from kit.relay.run import Run
from relay_lite.store import Draft, Result
from tests.relay.caller.callers import RELAY_KEY, TEXT, Elsewhere, stop_soon
from tests.waiting import until

pytestmark = pytest.mark.once

COLUMNS = ["n", "title", "url", "opened", "cited"]


# -- how it stands -------------------------------------------------------------------------------


def test_it_is_there_at_once_and_shows_how_it_stands(elsewhere: Elsewhere) -> None:
    run = elsewhere.research("김치의 역사는?", format="markdown_report")
    assert (run.status, run.text, run.cost, run.usage) == ("pending", "", None, None)
    assert [event.type for event in run.events] == ["status"]
    assert (run.question, run.gateway, run.upstream_response_id) == (
        *("김치의 역사는?", elsewhere.url, None),
    )
    hold = elsewhere.take(run)
    elsewhere.worker.hand_over(hold, "resp_9")
    elsewhere.worker.write(hold, Draft("output_text", {"text": "half of"}), status="running")
    assert (run.status, run.text, run.upstream_response_id) == ("running", "half of", "resp_9")
    assert run.answer.status == "in_progress"
    elsewhere.worker.complete(hold, "the whole")
    assert (run.status, run.text, run.answer.status) == ("completed", "the whole", "completed")
    assert [event.number for event in run.events] == [1, 2, 3, 4, 5]
    assert run.seconds is not None
    assert 0 <= run.seconds < 60


def test_what_has_ended_needs_no_relay_any_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Elsewhere(tmp_path / "relay") as there:
        run = there.known_to(monkeypatch).research()
        there.complete(run)
        run.wait()
        assert run.events
    assert (run.status, run.text, run.cost) == ("completed", TEXT, 0.25)
    assert len(run.sources) == 2
    assert run.to_markdown()


def test_it_opens_with_its_id_and_token_alone(elsewhere: Elsewhere) -> None:
    run = elsewhere.research()
    headers = {"X-Invocation-Token": run.token}
    path = f"/api/v1/tool-invocations/{run.id}"
    assert elsewhere.http.get(path, headers=headers).json()["status"] == "pending"


def test_what_left_the_machine_is_shown(elsewhere: Elsewhere) -> None:
    run = elsewhere.research(
        "김치의 역사는?",
        context=["안 것", {"deep": [1]}],
        constraints="2020년 이후",
        system="Be brief.",
        citations=False,
        max_tool_calls=5,
        model="deep",
    )
    sent = run.sent
    assert sent["to"] == elsewhere.url
    assert sent["body"]["tool_name"] == "deep_research"
    arguments = sent["body"]["arguments"]
    assert arguments["context"] == ["안 것", {"deep": [1]}]
    assert arguments["constraints"] == ["2020년 이후"]
    assert (arguments["system_prompt"], arguments["model"]) == ("Be brief.", "deep")
    assert (arguments["require_citations"], arguments["max_tool_calls"]) == (False, 5)
    assert run.token not in json.dumps(sent, default=str)
    assert RELAY_KEY not in json.dumps(sent, default=str)


# -- what it brought -----------------------------------------------------------------------------


def test_its_sources_are_a_table(elsewhere: Elsewhere) -> None:
    run = elsewhere.research()
    before = run.sources
    assert (list(before.columns), len(before)) == (COLUMNS, 0)
    elsewhere.complete(run)
    table = run.wait().sources
    assert list(table.columns) == COLUMNS
    assert list(table.dtypes) == list(before.dtypes)
    rows = table.astype(object).where(table.notna(), None).values.tolist()
    assert rows == [
        [1, "김치 *백과*", "https://a.example/1", True, True],
        [None, "https://c.example/3", "https://c.example/3", False, False],
    ]


def test_its_links_are_checked(elsewhere: Elsewhere) -> None:
    run = elsewhere.research()
    elsewhere.complete(run)
    table = run.wait().check()
    assert list(table.columns) == ["verdict", "n", "url", "label", "line"]
    verdicts = dict(zip(table["url"], table["verdict"], strict=True))
    assert verdicts == {"https://a.example/1": "opened", "https://b.example/2": "never seen"}


def test_two_reports_are_compared(elsewhere: Elsewhere) -> None:
    older, newer = elsewhere.research(), elsewhere.research()
    elsewhere.complete(older)
    elsewhere.complete(newer, TEXT.replace("발효", "절임"))
    change = newer.diff(older)
    assert "+김치는 절임 음식이다" in str(change)
    assert newer.diff(newer).unchanged


def test_a_report_is_kept_in_three_forms(elsewhere: Elsewhere, tmp_path: Path) -> None:
    run = elsewhere.research()
    elsewhere.complete(run)
    run.wait()
    markdown = run.save(tmp_path / "a.md").read_text("utf-8")
    assert markdown == run.to_markdown()
    assert "Cost: $0.2500" in markdown
    page = run.save(str(tmp_path / "a.html")).read_text("utf-8")
    assert "<h1" in page
    facts = json.loads(run.save(tmp_path / "a.json").read_text("utf-8"))
    assert facts["id"] == run.id
    assert facts["gateway"] == elsewhere.url
    assert (facts["status"], facts["cost"], facts["text"]) == ("completed", 0.25, TEXT)
    assert facts["usage"]["total_tokens"] == 15
    assert [one["url"] for one in facts["sources"]] == [
        *("https://a.example/1", "https://c.example/3"),
    ]
    for saved in (markdown, page, json.dumps(facts)):
        assert run.token not in saved


# -- its end -------------------------------------------------------------------------------------


def test_waiting_gives_the_run(elsewhere: Elsewhere) -> None:
    run = elsewhere.research()
    threading.Timer(0.2, elsewhere.complete, (run,)).start()
    assert run.wait() is run
    assert run.text == TEXT


def test_a_run_that_failed_is_an_error_with_what_there_is(elsewhere: Elsewhere) -> None:
    run = elsewhere.research()
    elsewhere.fail(run)
    with pytest.raises(errors.ResponseFailed) as caught:
        run.wait()
    assert str(caught.value).splitlines() == [
        "The gateway failed.",
        "run.text has what had come; run.retry() starts it anew.",
    ]
    assert caught.value.code == "upstream_error"
    assert caught.value.answer.text == "half of"
    assert (run.status, run.text) == ("failed", "half of")
    markdown = run.to_markdown()
    assert markdown.startswith("half of\n")
    assert "Status: failed" in markdown
    assert "The gateway failed." in run._repr_mimebundle_()["text/plain"]


@pytest.mark.parametrize("code", ["authentication_failed", "upstream_refused"])
def test_a_run_that_was_refused_is_not_said_to_need_another_try(
    elsewhere: Elsewhere, code: str
) -> None:
    run = elsewhere.research()
    elsewhere.fail(run, "The gateway does not accept the key.", code, text="")
    with pytest.raises(errors.ResponseFailed) as caught:
        run.wait()
    assert str(caught.value).splitlines() == [
        "The gateway does not accept the key.",
        "Once that is mended, run.retry() starts it anew.",
    ]


def test_a_run_that_was_cancelled_is_an_error_too(elsewhere: Elsewhere) -> None:
    run = elsewhere.research()
    assert run.cancel() is run
    assert run.status == "cancelled"
    with pytest.raises(errors.ResponseFailed, match="cancelled"):
        run.wait()
    assert run.cancel().status == "cancelled"


def test_a_cancel_does_not_undo_an_end(elsewhere: Elsewhere) -> None:
    run = elsewhere.research()
    elsewhere.complete(run)
    assert run.cancel().status == "completed"


def test_waiting_no_longer_than_one_likes_ends_nothing(elsewhere: Elsewhere) -> None:
    run = elsewhere.research()
    began = time.monotonic()
    with pytest.raises(errors.TimedOut, match=run.id):
        run.wait(timeout=0.2)
    assert time.monotonic() - began > 0.15
    with pytest.raises(errors.TimedOut):
        run.wait(0)
    assert run.status == "pending"


def test_who_has_waited_is_told_what_the_run_waits_for(elsewhere: Elsewhere) -> None:
    run = elsewhere.research()
    hold = elsewhere.begin(run)
    full = Draft("warning", {"code": "waiting", "message": "It is full."})
    elsewhere.worker.write(hold, full)
    with pytest.raises(errors.TimedOut) as caught:
        run.wait(0)
    assert (
        str(caught.value) == f"It still goes on as {run.id}. It is full.\nrun.wait() waits again."
    )


@pytest.mark.parametrize("timeout", [-1, float("nan"), "soon", True])
def test_a_time_that_is_none_is_refused(elsewhere: Elsewhere, timeout: Any) -> None:
    run = elsewhere.research()
    with pytest.raises(errors.InputError, match="timeout"):
        run.wait(timeout)


@pytest.mark.parametrize("how", ["wait", "follow"])
def test_a_stop_ends_the_waiting_and_never_the_run(elsewhere: Elsewhere, how: str) -> None:
    run = elsewhere.research()
    with pytest.raises(KeyboardInterrupt):
        stop_soon()
        run.wait() if how == "wait" else [*run.follow()]
    assert run.status == "pending"
    elsewhere.complete(run)
    assert run.wait().text == TEXT


# -- following -----------------------------------------------------------------------------------


def test_events_come_from_the_first_to_the_last(elsewhere: Elsewhere) -> None:
    run = elsewhere.research()
    threading.Timer(0.1, elsewhere.complete, (run,)).start()
    events = [*run.follow()]
    assert [event.number for event in events] == [*range(1, len(events) + 1)]
    assert events[-1].type == "completed"
    assert "".join(event.text for event in events) == TEXT
    assert [*run.follow()] == events


def test_leaving_the_loop_stops_nothing(elsewhere: Elsewhere) -> None:
    run = elsewhere.research()
    for event in run.follow():
        assert event.number == 1
        break
    elsewhere.complete(run)
    assert run.wait().status == "completed"


def test_two_may_follow_one_run(elsewhere: Elsewhere) -> None:
    run = elsewhere.research()
    with ThreadPoolExecutor() as pool:
        readers = [pool.submit(lambda: [*run.follow()]) for _ in range(4)]
        elsewhere.complete(run)
        found = [reader.result(10) for reader in readers]
    assert [[event.number for event in each] for each in found] == [
        [*range(1, len(run.events) + 1)]
    ] * 4


def test_many_threads_may_look_while_it_goes_on(elsewhere: Elsewhere) -> None:
    run = elsewhere.research()
    hold = elsewhere.take(run)
    elsewhere.worker.hand_over(hold)
    stop = threading.Event()

    def look() -> list[str]:
        texts: list[str] = []
        while not stop.is_set():
            texts.append(run.text)
            numbers = [event.number for event in run.events]
            assert numbers == [*range(1, len(numbers) + 1)]
            assert run.status in ("queued", "running", "completed")
            assert repr(run)
            assert run.sent
        return texts

    with ThreadPoolExecutor() as pool:
        lookers = [pool.submit(look) for _ in range(6)]
        for number in range(40):
            elsewhere.worker.write(hold, Draft("output_text", {"text": f"{number} "}))
        whole = "".join(f"{number} " for number in range(40))
        end = Draft("completed", {"output_text": whole})
        elsewhere.worker.write(hold, end, status="completed", result=Result(whole))
        until(lambda: run.status == "completed")
        stop.set()
        for looker in lookers:
            texts = looker.result(10)
            assert texts == sorted(texts, key=len), "it only grows"
    assert run.text == whole


# -- awaited -------------------------------------------------------------------------------------


def test_it_is_awaited_in_the_users_own_loop(elsewhere: Elsewhere) -> None:
    run = elsewhere.research()

    async def cell() -> tuple[Run, int]:
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while ticks < 9:
                ticks += 1
                await asyncio.sleep(0.01)
            await asyncio.to_thread(elsewhere.complete, run)

        ticking = asyncio.ensure_future(tick())
        found = await run
        await ticking
        return found, ticks

    found, ticks = asyncio.run(cell())
    assert found is run
    assert run.text == TEXT
    assert ticks > 8, "the loop goes on meanwhile"


def test_several_are_awaited_together_and_more_than_once(elsewhere: Elsewhere) -> None:
    runs = [elsewhere.research() for _ in range(3)]

    async def cell() -> list[Run]:
        for run in runs:
            await asyncio.to_thread(elsewhere.complete, run)
        return await asyncio.gather(*runs, *runs)  # type: ignore[call-overload]

    assert asyncio.run(cell()) == [*runs, *runs]
    assert asyncio.run(cell_of(runs[0])) is runs[0]


async def cell_of(run: Run) -> Run:
    return await run


def test_a_failed_one_is_an_error_there_too(elsewhere: Elsewhere) -> None:
    run = elsewhere.research()
    elsewhere.fail(run)
    with pytest.raises(errors.ResponseFailed) as caught:
        asyncio.run(cell_of(run))
    assert caught.value.answer.text == "half of"


def test_it_may_be_looked_at_inside_a_running_loop(elsewhere: Elsewhere) -> None:
    run = elsewhere.research()

    async def cell() -> str:
        await asyncio.to_thread(elsewhere.complete, run)
        run.wait()
        return run.text

    assert asyncio.run(cell()) == TEXT


def test_nothing_stays_open_in_a_loop_of_the_users(elsewhere: Elsewhere) -> None:
    """It may end at any time, and what is open in it then is a warning, which is an error here."""

    async def cell(runs: list[Run]) -> None:
        await asyncio.gather(*runs, *runs)  # type: ignore[call-overload]

    for _ in range(2):
        runs = [elsewhere.research() for _ in range(3)]
        for run in runs:
            elsewhere.complete(run)
        asyncio.run(cell(runs))
        gc.collect()


def test_a_cancelled_task_ends_the_waiting_alone(elsewhere: Elsewhere) -> None:
    run = elsewhere.research()

    async def cell() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await run

    asyncio.run(cell())
    assert run.status == "pending"


# -- anew, and away ------------------------------------------------------------------------------


def test_retrying_is_another_run_of_the_same_question(elsewhere: Elsewhere) -> None:
    run = elsewhere.research("김치의 역사는?", system="Be brief.", max_tool_calls=3)
    elsewhere.fail(run)
    again = run.retry()
    assert again.id != run.id
    assert again.question == run.question
    assert again.sent["body"] == run.sent["body"]
    elsewhere.complete(again)
    assert (again.wait().status, run.status) == ("completed", "failed")


def test_deleting_removes_what_has_ended(elsewhere: Elsewhere) -> None:
    run = elsewhere.research()
    with pytest.raises(errors.InputError, match="cancel it first"):
        run.delete()
    elsewhere.complete(run)
    run.wait()
    run.delete()
    assert len(kit.runs()) == 0
    assert run._repr_mimebundle_()["text/plain"]
    assert run.text == TEXT, "what was read is still here"
    assert len(kit.runs()) == 0
    with pytest.raises(errors.InputError):
        kit.run(run.id)


def test_one_that_was_deleted_elsewhere_says_so(elsewhere: Elsewhere) -> None:
    run = elsewhere.research()
    elsewhere.complete(run)
    other = kit.run(run.id)
    other.delete()
    with pytest.raises(errors.NotFound, match="deleted"):
        _ = run.status
    assert "deleted" in run._repr_mimebundle_()["text/plain"]
    run.delete()


def test_one_that_is_gone_is_not_said_to_be_waiting(elsewhere: Elsewhere) -> None:
    run = elsewhere.research()
    elsewhere.complete(run)
    kit.run(run.id).inner.desk.book.write(run.inner.entry)
    headers = {"X-Invocation-Token": run.token}
    elsewhere.http.delete(f"/api/v1/tool-invocations/{run.id}", headers=headers)
    gone = kit.run(run.id)
    for shown in (repr(gone), gone._repr_mimebundle_()["text/plain"]):
        assert "unknown" in shown
        assert not [wrong for wrong in ("not sent", "pending", "waiting") if wrong in shown]


def test_an_outline_is_an_object_and_shown_as_one(elsewhere: Elsewhere) -> None:
    run = elsewhere.research(format="json_outline")
    outline = {"title": "*김치*", "sections": [{"heading": "_a_", "code": "```"}]}
    elsewhere.complete(run, json.dumps(outline, ensure_ascii=False))
    assert run.wait().answer.parsed == outline
    shown = run._repr_mimebundle_()
    assert '"title": "*김치*"' in shown["text/html"].replace("&quot;", '"')
    assert "<em>김치" not in shown["text/html"]
    assert run.to_markdown().startswith("````json\n{")


# -- how it shows itself -------------------------------------------------------------------------


def test_a_card_and_its_report_are_static_output(elsewhere: Elsewhere) -> None:
    run = elsewhere.research()
    bundle = run._repr_mimebundle_()
    assert set(bundle) == {"text/plain", "text/markdown", "text/html"}
    assert f"kit.run({run.id!r}) finds it again" in bundle["text/plain"]
    elsewhere.complete(run)
    bundle = run._repr_mimebundle_()
    assert "발효 음식이다" in bundle["text/html"]
    for form in bundle.values():
        assert run.token not in form
        assert "<script" not in form


def test_a_relay_that_is_away_spoils_no_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A card is shown whenever somebody looks; what is known is shown then."""
    with Elsewhere(tmp_path / "relay") as there:
        run = there.known_to(monkeypatch).research()
        assert run.status == "pending"
    bundle = run._repr_mimebundle_()
    assert "No relay answers" in bundle["text/plain"]
    assert "pending" in bundle["text/plain"]


def test_a_hostile_question_and_report_stay_text(elsewhere: Elsewhere) -> None:
    evil = "<script>alert(1)</script> [x](javascript:alert(1)) \x1b[2J $\\input{x}$"
    run = elsewhere.research(evil)
    elsewhere.complete(run, f"{evil}\n\n<img src=x onerror=alert(1)>")
    run.wait()
    bundle = run._repr_mimebundle_()
    for form in ("text/markdown", "text/html"):
        assert "<script" not in bundle[form]
        assert "<img" not in bundle[form]
    assert "\x1b" not in "".join(bundle.values())
    assert "javascript:" not in bundle["text/html"].replace("javascript:alert(1))", "", 1) or (
        'href="javascript' not in bundle["text/html"]
    )
    assert "\x1b" not in repr(run)


# -- secrets -------------------------------------------------------------------------------------


def test_its_token_is_in_nothing_that_is_shown_kept_or_logged(
    elsewhere: Elsewhere,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    shown: list[str] = []
    with caplog.at_level(logging.DEBUG):
        run = elsewhere.research()
        shown += [repr(run), str(run), repr(vars(run)), repr(run.inner.entry), repr(run.inner.view)]
        shown += [kit.runs().to_string(), kit.runs().to_csv(), repr(kit.run(run.id))]
        with pytest.raises(errors.KitError) as caught:
            run.delete()
        shown.append(repr(caught.value))
        elsewhere.complete(run)
        run.wait()
        shown += [*run._repr_mimebundle_().values(), run.to_markdown(), run.sources.to_csv()]
        shown += [run.check().to_csv(), str(run.events), repr(run.answer), str(run.answer.raw)]
        for ending in ("md", "html", "json"):
            shown.append(run.save(tmp_path / f"a.{ending}").read_text("utf-8"))
    shown += [caplog.text, *capfd.readouterr()]
    assert run.token
    for text in shown:
        assert run.token not in text
        assert RELAY_KEY not in text
    kept = [file for file in kit_files() if run.token in file.read_bytes().decode("latin-1")]
    assert [(file.parent.name, file.stat().st_mode & 0o777) for file in kept] == [("runs", 0o600)]


def kit_files() -> list[Path]:
    """All that lies in this test's home."""
    return [file for file in Path.home().rglob("*") if file.is_file()]


def test_a_run_is_not_pickled_and_its_copies_are_itself(elsewhere: Elsewhere) -> None:
    """`%store`, joblib and multiprocessing would put its token into a file or a pipe."""
    run = elsewhere.research()
    for what in (run, run.inner, [run], ToolCall("deep_research", "{}", "c1", run=run)):
        with pytest.raises(TypeError, match="pickled"):
            pickle.dumps(what)
    assert copy.copy(run) is run
    assert copy.deepcopy({"run": run})["run"] is run
    assert dataclasses.asdict(ToolCall("deep_research", "{}", "c1", run=run))["run"] is run
