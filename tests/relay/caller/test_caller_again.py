"""`kit.runs()` and `kit.run()`: what a user started, in any kernel, after any restart."""

from __future__ import annotations

import asyncio
import json
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

import kit
from kit import errors
from kit.connect_desk import book_of
from kit.relay.book import Book, Entry
from kit.relay.handle import AsyncRun
from kit.relay.run import Run
from kit.settings import load
from tests.relay.caller.callers import RELAY_KEY, TEXT, Elsewhere
from tests.relay.caller.there import entry
from tests.relay.http.relays import PATH

pytestmark = pytest.mark.once

COLUMNS = ["question", "status", "age", "cost", "gateway", "id"]


def book() -> Book:
    return book_of(load())


def unanswered(there: Elsewhere | None = None, **known: Any) -> Entry:
    """A run whose kernel was killed between writing it down and reading the answer."""
    given = {"id": None, "token": None, "relay": there.url if there else ""}
    return book().write(entry(**{"asked": time.time(), **given, **known}))


def post(there: Elsewhere, asked: Entry) -> str:
    """The request of such a run, which did arrive; the id that nobody read."""
    body = {"tool_name": "deep_research", "arguments": asked.arguments}
    headers = {"Idempotency-Key": asked.key}
    if there.keyed:
        headers["Authorization"] = f"Bearer {RELAY_KEY}"
    answer = there.http.post(PATH, json=body, headers=headers)
    assert answer.status_code == 202, answer.text
    return answer.json()["invocation_id"]


def as_rows(table: Any) -> list[dict[str, Any]]:
    return table.to_dict("records")


# -- the list ------------------------------------------------------------------------------------


def test_with_no_runs_there_is_an_empty_table_of_the_same_kinds(elsewhere: Elsewhere) -> None:
    empty = kit.runs()
    assert list(empty.columns) == COLUMNS
    assert len(empty) == 0
    elsewhere.research()
    assert list(kit.runs().dtypes) == list(empty.dtypes)


def test_the_list_says_how_each_stands_the_newest_first(elsewhere: Elsewhere) -> None:
    first, second, third = (elsewhere.research(f"질문 {number}") for number in (1, 2, 3))
    elsewhere.complete(first)
    elsewhere.fail(second)
    rows = as_rows(kit.runs())
    assert [(row["id"], row["question"], row["status"]) for row in rows] == [
        (third.id, "질문 3", "pending"),
        (second.id, "질문 2", "failed"),
        (first.id, "질문 1", "completed"),
    ]
    assert rows[2]["cost"] == 0.25
    assert rows[0]["cost"] != rows[0]["cost"], "not known: NaN"
    assert {row["gateway"] for row in rows} == {elsewhere.url}
    assert all(timedelta(0) <= row["age"] < timedelta(minutes=1) for row in rows)
    assert len(kit.runs(limit=1)) == 1


@pytest.mark.parametrize("limit", [0, -1, 1.5, "all", True])
def test_a_limit_that_is_none_is_refused(elsewhere: Elsewhere, limit: Any) -> None:
    with pytest.raises(errors.InputError, match="limit"):
        kit.runs(limit)


def test_what_has_ended_is_not_asked_for_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Elsewhere(tmp_path / "relay") as there:
        run = there.known_to(monkeypatch).research()
        there.complete(run)
        assert list(kit.runs()["status"]) == ["completed"]
    assert list(kit.runs()["status"]) == ["completed"]


def test_runs_at_a_relay_that_is_away_are_unknown_and_cost_no_patience(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RELAY_BASE_URL", "http://127.0.0.1:9")
    for number in range(30):
        key = f"{number:032x}"
        book().write(entry(key=key, id=f"inv_{key}", relay="http://127.0.0.1:9"))
    table = kit.runs()
    assert set(table["status"]) == {"unknown"}
    assert len(table) == 30


def test_a_run_that_is_gone_is_listed_as_deleted_and_can_be_removed(elsewhere: Elsewhere) -> None:
    run = elsewhere.research()
    elsewhere.complete(run)
    elsewhere.http.delete(f"{PATH}/{run.id}", headers={"X-Invocation-Token": run.token})
    assert list(kit.runs()["status"]) == ["deleted"]
    gone = kit.run(run.id)
    with pytest.raises(errors.NotFound, match="deleted"):
        _ = gone.text
    gone.delete()
    assert len(kit.runs()) == 0


def test_a_damaged_book_is_no_crash(elsewhere: Elsewhere) -> None:
    run = elsewhere.research()
    folder = book().folder
    [file] = folder.iterdir()
    document = json.loads(file.read_text())
    odd = [float("nan"), -1e308, 10**400, "x", None]
    for number, asked in enumerate(odd):
        text = json.dumps({**document, "asked": asked, "question": "\ud800", "cost": asked})
        (folder / f"{number:032x}.json").write_text(text)
    (folder / f"{9:032x}.json").write_bytes(b"\0" * 1000)
    table = kit.runs()
    assert len(table) == len(odd) + 1
    assert run.id in set(table["id"])
    assert table.to_string()


@pytest.mark.parametrize("relay", ["http://[::1", "::::", "ftp://x", "x" * 3000])
def test_an_address_in_a_damaged_book_is_no_crash(relay: str) -> None:
    book().write(entry(relay=relay))
    assert list(kit.runs()["status"]) == ["unknown"]
    with pytest.raises(errors.KitError):
        kit.run(entry().id or "")


# -- one of them ---------------------------------------------------------------------------------


def test_a_run_is_found_by_its_id_and_by_how_it_begins(elsewhere: Elsewhere) -> None:
    run = elsewhere.research()
    elsewhere.complete(run)
    for name in (run.id, f" {run.id}\n", run.id[:14], run.id[4:14]):
        found = kit.run(name)
        assert found is not run
        assert (found.id, found.token, found.status) == (run.id, run.token, "completed")
        assert (found.text, found.question, found.cost) == (TEXT, run.question, 0.25)
        assert found.sent["body"] == run.sent["body"]


@pytest.mark.parametrize("name", ["", "  ", "inv_", "inv_ffffff", "x" * 5000, "../../etc", None, 7])
def test_a_run_that_is_none_of_yours_says_how_to_find_them(elsewhere: Elsewhere, name: Any) -> None:
    elsewhere.research()
    with pytest.raises(errors.InputError, match=r"kit\.runs\(\)") as caught:
        kit.run(name)
    assert len(str(caught.value)) < 200


def test_a_beginning_of_several_names_them(elsewhere: Elsewhere) -> None:
    for number in range(8):
        book().write(entry(key=f"{number:032x}", id=f"inv_aaaaaaaa{number:024x}"))
    with pytest.raises(errors.InputError, match="several runs") as caught:
        kit.run("inv_aaaaaaaa")
    assert 2 <= str(caught.value).count("inv_") <= 6


# -- one that was started elsewhere --------------------------------------------------------------


def test_a_run_of_another_person_is_opened_with_its_token(elsewhere: Elsewhere) -> None:
    theirs = elsewhere.start()
    run = kit.run(theirs.id, theirs.token)
    assert (run.status, run.question, run.token) == ("pending", "", theirs.token)
    elsewhere.complete(run)
    assert run.wait().text == TEXT
    assert run._repr_mimebundle_()["text/plain"]
    assert run.to_markdown()
    assert len(kit.runs()) == 0
    assert not book().folder.exists() or [*book().folder.iterdir()] == []
    with pytest.raises(errors.InputError, match="not known here"):
        run.retry()
    run.delete()


@pytest.mark.parametrize(
    ("token", "kind"),
    [
        ("wrong", errors.AuthenticationFailed),
        ("토큰", errors.InputError),
        ("a\nb", errors.InputError),
        ("a b", errors.InputError),
        ("x" * 5000, errors.InputError),
        (7, errors.InputError),
    ],
    ids=str,
)
def test_a_token_that_does_not_open_it_is_said(
    elsewhere: Elsewhere, token: Any, kind: type[errors.KitError]
) -> None:
    theirs = elsewhere.start()
    with pytest.raises(kind) as caught:
        kit.run(theirs.id, token)
    assert str(token) not in str(caught.value)


def test_a_token_for_a_run_that_is_not_there_is_said(elsewhere: Elsewhere) -> None:
    with pytest.raises(errors.NotFound):
        kit.run("inv_" + "f" * 32, "a-token")


# -- asked, and not answered ---------------------------------------------------------------------


def test_what_was_never_sent_is_listed_so_and_not_started_by_looking(elsewhere: Elsewhere) -> None:
    asked = unanswered(elsewhere)
    rows = as_rows(kit.runs())
    assert [(row["id"], row["status"]) for row in rows] == [(asked.key, "not sent")]
    run = kit.run(asked.key)
    assert (run.status, run.text, run.events) == ("not sent", "", ())
    assert "run.retry() sends it" in run._repr_mimebundle_()["text/plain"]
    for look in (run.wait, lambda: [*run.follow()], run.cancel, run.to_markdown):
        with pytest.raises(errors.NotFound, match=r"run\.retry\(\)"):
            look()
    assert repr(run) == f"Run({asked.key!r}, '김치의 역사는?', 'not sent')"
    assert listed(elsewhere) == []
    assert list(kit.runs()["status"]) == ["not sent"]


def listed(there: Elsewhere) -> list[str]:
    """The runs that the relay has of the question that these tests leave unanswered."""
    headers = {"Authorization": f"Bearer {RELAY_KEY}"}
    data = there.http.get(
        PATH, headers=headers, params={"idempotency_key": "0" * 32, "limit": 1000}
    ).json()["data"]
    return [one["invocation_id"] for one in data]


def test_what_was_never_sent_is_sent_by_retrying_with_its_own_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Should the first request arrive after all, there is still one run."""
    with Elsewhere(tmp_path / "relay") as there:
        asked = unanswered(there.known_to(monkeypatch))
        run = kit.run(asked.key).retry()
        assert run.status == "pending"
        assert post(there, asked) == run.id
        assert [row["id"] for row in as_rows(kit.runs())] == [run.id]


def test_what_was_never_sent_can_be_removed(elsewhere: Elsewhere) -> None:
    kit.run(unanswered(elsewhere).key).delete()
    assert len(kit.runs()) == 0


@pytest.mark.parametrize("keyed", [True, False], ids=["with keys", "without keys"])
def test_what_was_taken_without_an_answer_is_found_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keyed: bool
) -> None:
    with Elsewhere(tmp_path / "relay", keyed=keyed) as there:
        asked = unanswered(there.known_to(monkeypatch))
        id = post(there, asked)
        listed = as_rows(kit.runs())
        if keyed:
            assert [(row["id"], row["status"]) for row in listed] == [(id, "pending")]
        else:
            assert [(row["id"], row["status"]) for row in listed] == [(asked.key, "unknown")]
        run = kit.run(asked.key)
        if not keyed:  # looking starts nothing; asking with the same key finds it
            run = run.retry()
        assert (run.id, run.status) == (id, "pending")
        there.complete(run)
        assert run.wait().text == TEXT
        assert kit.run(id).text == TEXT
        assert len(there.all_runs()) == 1


def test_with_a_relay_that_keeps_no_lists_a_list_starts_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Elsewhere(tmp_path / "relay", keyed=False) as there:
        unanswered(there.known_to(monkeypatch))
        assert list(kit.runs()["status"]) == ["unknown"]
        assert there.all_runs() == []


# -- whose relay, and whose gateway --------------------------------------------------------------


def test_a_relay_with_a_key_gets_it_and_never_the_gateways(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LITELLM_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("LITELLM_API_KEY", "sk-of-the-gateway-0123456789")
    monkeypatch.setenv("LITELLM_MODEL", "deep")
    with Elsewhere(tmp_path / "relay") as there:
        run = there.known_to(monkeypatch).research()
        there.complete(run)
        run.wait().delete()
    assert {headers.get("authorization") for headers in there.heard} == {f"Bearer {RELAY_KEY}"}
    assert "sk-of-the-gateway" not in str(there.heard)


def test_a_relay_with_a_key_that_is_not_known_here_says_so(
    elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RELAY_API_KEY", "wrong-key-0123456789")
    with pytest.raises(errors.ConfigError, match="RELAY_API_KEY") as caught:
        elsewhere.research()
    assert "wrong-key" not in str(caught.value)
    assert len(kit.runs()) == 0


def test_a_key_of_a_more_trusted_place_does_not_go_to_a_folders_relay(
    elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch, fresh_home: Path
) -> None:
    (fresh_home / "project").mkdir()
    (fresh_home / "project" / ".env").write_text(f"RELAY_BASE_URL={elsewhere.url}\n")
    monkeypatch.delenv("RELAY_BASE_URL")
    monkeypatch.chdir(fresh_home / "project")
    with pytest.raises(errors.KeyWithheld) as caught:
        elsewhere.research()
    assert "relay-key" not in str(caught.value)
    assert len(kit.runs()) == 0


def test_a_run_is_read_where_it_was_started_whatever_is_configured_now(
    elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = elsewhere.research()
    elsewhere.complete(run)
    monkeypatch.delenv("RELAY_BASE_URL")
    assert kit.run(run.id).text == TEXT
    assert list(kit.runs()["status"]) == ["completed"]


def test_another_gateways_run_is_read_and_not_started_anew_elsewhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The user's own relays share a store; each asks one gateway alone."""
    run = kit.research("How do I stop a cell?").wait()
    monkeypatch.setenv("LITELLM_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("LITELLM_MODEL", "deep")
    found = kit.run(run.id)
    assert (found.gateway, found.text) == ("sandbox", run.text)
    with pytest.raises(errors.InputError, match="sandbox") as caught:
        found.retry()
    assert "http://127.0.0.1:9/v1" in str(caught.value)
    assert asyncio.run(found.inner.still_going()).splitlines() == [
        f"{run.id} is for sandbox, and http://127.0.0.1:9/v1 is in use here: "
        "only a kernel or relay that uses the other goes on with it.",
        "Choose that gateway with %kit use; run.wait() waits again.",
    ]
    assert run.retry().gateway == "sandbox", "who began it there still can"


def test_an_unsent_run_of_another_gateway_is_not_sent_to_this_one() -> None:
    asked = unanswered(gateway="https://paid.example/v1")
    assert list(kit.runs()["status"]) == ["not sent"]
    run = kit.run(asked.key)
    assert run.status == "not sent"
    with pytest.raises(errors.InputError, match=r"https://paid\.example/v1"):
        run.retry()
    assert list(kit.runs()["status"]) == ["not sent"]


# -- what is asked for ---------------------------------------------------------------------------


def test_context_may_be_many_things(elsewhere: Elsewhere) -> None:
    import pandas

    run = elsewhere.research()
    elsewhere.complete(run)
    run.wait()
    frame = pandas.DataFrame({"도시": ["서울"], "수": [1]})
    given = ["안 것", {"a": 1}, run, run.answer, frame, 7, {"at": timedelta(seconds=1)}]
    sent = elsewhere.research(context=given).sent["body"]["arguments"]["context"]
    assert sent[:4] == ["안 것", {"a": 1}, TEXT, TEXT]
    assert "서울" in sent[4]
    assert sent[5] == "7"
    assert "0:00:01" in str(sent[6])
    for alone, expected in (("하나", ["하나"]), ({"a": 1}, [{"a": 1}]), (None, []), ((), [])):
        asked = elsewhere.research(context=alone).sent["body"]["arguments"]
        assert asked["context"] == expected
    assert "서울" in elsewhere.research(context=frame).sent["body"]["arguments"]["context"][0]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"question": ""}, "The question"),
        ({"question": "  \n"}, "The question"),
        ({"question": None}, "The question"),
        ({"question": "x" * 100_001}, "100,000"),
        ({"question": "\ud800"}, "surrogate"),
        ({"format": "pdf"}, "format"),
        ({"budget": 0}, "budget"),
        ({"budget": float("nan")}, "NaN"),
        ({"budget": "much"}, "budget"),
        ({"model": ""}, "model"),
        ({"max_tool_calls": 0}, "max_tool_calls"),
        ({"constraints": 7}, "constraints"),
        ({"constraints": [7]}, "constraints"),
        ({"context": ["x"] * 201}, "200"),
        ({"context": "x" * (1024 * 1024 + 1)}, "bytes"),
        ({"context": [{"a": float("nan")}]}, "NaN"),
        ({"system": 7}, "system"),
    ],
    ids=lambda one: str(one)[:30],
)
def test_what_the_relay_would_refuse_is_refused_before_anything_is_written_or_sent(
    options: dict[str, Any], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RELAY_BASE_URL", "http://127.0.0.1:9")
    with pytest.raises(errors.InputError) as caught:
        kit.research(**{"question": "q", **options})
    said = str(caught.value)
    assert says in said
    assert len(said) < 300
    assert len(said.splitlines()) <= 3
    assert not book().folder.exists()


@pytest.mark.parametrize("constraints", [None, (), [], ("a", "b"), "a"])
def test_constraints_may_be_one_many_or_none(elsewhere: Elsewhere, constraints: Any) -> None:
    sent = elsewhere.research(constraints=constraints).sent["body"]["arguments"]["constraints"]
    assert sent == (["a"] if constraints == "a" else list(constraints or []))


def test_where_nothing_can_be_written_nothing_is_sent(elsewhere: Elsewhere) -> None:
    book().folder.parent.mkdir(parents=True, exist_ok=True)
    book().folder.write_text("")
    before = len(elsewhere.all_runs())
    with pytest.raises(errors.ConfigError, match="was not started"):
        elsewhere.research()
    assert len(elsewhere.all_runs()) == before


def unpriced(request: httpx.Request) -> httpx.Response:
    """A gateway that serves one model and no prices."""
    if request.url.path.endswith("/models"):
        return httpx.Response(200, json={"data": [{"id": "m"}]})
    return httpx.Response(404, json={"error": {"message": "no"}})


def test_a_budget_that_could_not_be_kept_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    transport = httpx.MockTransport(unpriced)
    with Elsewhere(tmp_path / "relay", transport=transport) as there:
        there.known_to(monkeypatch)
        with pytest.raises(errors.InputError) as caught:
            there.research(budget=2.0)
        assert "does not say what this model costs" in str(caught.value)
        assert len(kit.runs()) == 0
        assert there.research().status == "pending"


# -- handles -------------------------------------------------------------------------------------


def test_two_handles_of_one_run_agree(elsewhere: Elsewhere) -> None:
    one = elsewhere.research()
    other = kit.run(one.id)
    assert isinstance(other, Run)
    assert isinstance(other.inner, AsyncRun)
    other.cancel()
    assert one.status == "cancelled"
    one.delete()
    assert other.status == "cancelled", "what was read is kept"
    assert other._repr_mimebundle_()
    assert len(kit.runs()) == 0


def test_a_report_that_is_not_there_is_neither_saved_nor_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The relay there does no work by itself: the run waits."""
    with Elsewhere(tmp_path / "relay") as there:
        there.known_to(monkeypatch)
        run = kit.research("The history of tea")
        for act in (lambda: run.save(tmp_path / "x.md"), run.to_markdown):
            with pytest.raises(errors.InputError, match=f"{run.id} has no report"):
                act()
        with pytest.raises(errors.InputError, match=r"run\.wait\(\) waits"):
            run.diff(run)
        with pytest.raises(errors.InputError, match=r"new\.diff\(old\)"):
            run.diff("abc")  # type: ignore[arg-type]
        assert not (tmp_path / "x.md").exists()
