"""What callers of the relay have always been promised, row by row."""

from __future__ import annotations

import os
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from relay_lite.store import Draft, Fenced, Progress
from tests.relay.http.relays import PATH, Relay, events_in, run_in

VIEW = {
    *("invocation_id", "tool_name", "mode", "status", "deliverable_format", "invocation_token"),
    *("upstream_response_id", "output_text", "response", "error_message"),
}


def test_a_foreground_run_is_answered_with_its_report(own_relay: Relay) -> None:
    with ThreadPoolExecutor() as callers:
        answer = callers.submit(own_relay.post, "foreground")
        own_relay.worker.finish()
    view = answer.result().json()
    assert answer.result().status_code == 200
    assert view.keys() >= VIEW
    assert (view["status"], view["mode"]) == ("completed", "foreground")
    assert view["output_text"] == "김치는 발효 음식이다."
    assert view["response"] == {"id": "resp_1", "status": "completed"}


def test_a_foreground_run_that_fails_is_a_502_with_its_ids(own_relay: Relay) -> None:
    with ThreadPoolExecutor() as callers:
        answer = callers.submit(own_relay.post, "foreground")
        own_relay.worker.fail(own_relay.worker.take(), "The gateway failed.")
    problem = answer.result()
    assert problem.status_code == 502
    assert problem.headers["content-type"] == "application/problem+json"
    assert problem.json()["detail"] == "The gateway failed."
    assert own_relay.get(run_in(problem)).json()["status"] == "failed"


def test_a_foreground_run_that_outlasts_its_time_is_a_504_and_goes_on(tmp_path: Path) -> None:
    with Relay(tmp_path, research_seconds=0.1) as relay:
        problem = relay.post("foreground")
        assert problem.status_code == 504
        assert "goes on" in problem.json()["detail"]
        run = run_in(problem)
        assert relay.get(run).json()["status"] == "pending"
        relay.worker.finish(run.id)
        assert relay.get(run, "/wait").json()["status"] == "completed"


def test_a_background_run_is_answered_with_the_gateways_id(own_relay: Relay) -> None:
    with ThreadPoolExecutor() as callers:
        answer = callers.submit(own_relay.post, "background")
        own_relay.worker.hand_over(own_relay.worker.take(), "resp_42")
    view = answer.result().json()
    assert answer.result().status_code == 202
    assert (view["status"], view["upstream_response_id"]) == ("queued", "resp_42")
    assert view.keys() >= VIEW


def test_a_background_run_without_an_id_is_answered_when_the_time_for_it_is_over(
    tmp_path: Path,
) -> None:
    with Relay(tmp_path, turn_seconds=0.1) as relay:
        answer = relay.post("background")
    assert answer.status_code == 202
    view = answer.json()
    assert (view["status"], view["upstream_response_id"]) == ("queued", None)


def test_a_stream_run_is_accepted_at_once(relay: Relay) -> None:
    answer = relay.post("stream")
    assert answer.status_code == 202
    assert answer.json()["status"] == "pending"
    assert answer.json()["mode"] == "stream"


def test_an_accepted_run_says_where_it_is(relay: Relay) -> None:
    answer = relay.post("stream")
    location = answer.headers["Location"]
    assert location == run_in(answer).path
    assert int(answer.headers["Retry-After"]) > 0
    assert relay.http.get(location, headers=run_in(answer).headers).status_code == 200


@pytest.mark.parametrize(
    ("below", "method"),
    [("", "GET"), ("/wait", "GET"), ("/events", "GET"), ("/cancel", "POST"), ("", "DELETE")],
)
@pytest.mark.parametrize("token", [None, "", "wrong", "é"])
def test_a_run_needs_its_token(relay: Relay, below: str, method: str, token: str | None) -> None:
    run = relay.start()
    headers = {} if token is None else {"X-Invocation-Token": token.encode()}
    answer = relay.http.request(method, run.path + below, headers=headers)
    assert answer.status_code == 403
    assert answer.json()["detail"] == "Invocation token is invalid"


def test_a_token_opens_its_own_run_only(relay: Relay) -> None:
    one, other = relay.start(), relay.start()
    assert relay.http.get(one.path, headers=other.headers).status_code == 403


@pytest.mark.parametrize("id", [f"inv_{'0' * 32}", "inv_1", "x", "%00", "한글", "inv_" + "A" * 32])
@pytest.mark.parametrize("below", ["", "/wait", "/events"])
def test_an_unknown_id_is_not_found(relay: Relay, id: str, below: str) -> None:
    answer = relay.http.get(f"{PATH}/{id}{below}", headers={"X-Invocation-Token": "any"})
    assert answer.status_code == 404
    assert answer.json()["detail"] == "Invocation not found"


def test_a_wait_that_runs_out_gives_the_run_as_it_stands(relay: Relay) -> None:
    run = relay.start()
    answer = relay.get(run, "/wait", timeout=0.05)
    assert answer.status_code == 200
    assert answer.json()["status"] == "pending"


def test_a_wait_without_a_time_takes_the_relays_own(tmp_path: Path) -> None:
    with Relay(tmp_path, research_seconds=0.1) as relay:
        run = relay.start()
        assert relay.get(run, "/wait").json()["status"] == "pending"


def test_a_wait_ends_with_the_run(relay: Relay) -> None:
    run = relay.start()
    with ThreadPoolExecutor() as callers:
        answer = callers.submit(relay.get, run, "/wait", timeout=60)
        relay.worker.finish(run.id)
    assert answer.result().json()["output_text"] == "김치는 발효 음식이다."


def test_frames_have_the_shape_that_clients_read(relay: Relay) -> None:
    run = relay.start()
    relay.worker.finish(run.id)
    with relay.reading(run) as answer:
        raw = answer.read().decode()
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert re.match(r"retry: \d+\n\nid: 1\nevent: status\ndata: \{.*\}\n\nid: 2\n", raw)
    first, text, last = relay.frames(run)
    assert first["type"] == "status"
    assert first["data"] == {"mode": "stream"}
    assert text["data"] == {"text": "김치는 발효 음식이다."}
    assert last["data"] == {"output_text": "김치는 발효 음식이다."}
    assert {one["invocation_id"] for one in (first, text, last)} == {run.id}
    assert last["status"] == "completed"


def test_only_text_events_have_a_text(relay: Relay) -> None:
    """Clients join `data.text` of every frame, whatever its type."""
    run = relay.start()
    hold = relay.worker.take(run.id)
    relay.worker.write(hold, Draft("output_text", {"text": "김"}), Draft("search", {"queries": []}))
    relay.worker.write(hold, Draft("output_text", {"text": "치"}), status="running")
    relay.worker.fail(hold)
    assert "".join(one["data"].get("text", "") for one in relay.frames(run)) == "김치"


def test_an_error_event_has_a_message(relay: Relay) -> None:
    run = relay.start()
    relay.worker.fail(relay.worker.take(run.id), "It failed.")
    assert relay.frames(run)[-1]["data"]["message"] == "It failed."


# -- the three faults of the earlier relay -----------------------------------------------------


def test_a_background_run_in_progress_is_not_reported_as_failed(relay: Relay) -> None:
    run = relay.start("background")
    relay.worker.hand_over(relay.worker.take(run.id))
    for _ in range(3):
        view = relay.get(run, "/wait", timeout=0.05).json()
        assert (view["status"], view["error_message"]) == ("running", None)


def test_a_run_goes_on_when_its_only_reader_leaves(relay: Relay) -> None:
    run = relay.start()
    with relay.reading(run) as answer:
        next(answer.iter_bytes())
    relay.worker.finish(run.id)
    assert relay.get(run, "/wait", timeout=60).json()["status"] == "completed"


def test_a_second_reader_gets_the_terminal_event(relay: Relay) -> None:
    run = relay.start()
    with ThreadPoolExecutor() as readers:
        first, second = (readers.submit(relay.frames, run) for _ in range(2))
        relay.worker.finish(run.id)
    late = relay.frames(run)
    assert first.result() == second.result() == late
    assert [one["type"] for one in late] == ["status", "output_text", "completed"]


# -- beyond it ---------------------------------------------------------------------------------


def test_a_cancelled_run_ends_at_once_and_for_good(relay: Relay) -> None:
    run = relay.start()
    hold = relay.worker.take(run.id)
    relay.worker.hand_over(hold)
    for _ in range(2):
        answer = relay.http.post(f"{run.path}/cancel", headers=run.headers)
        assert answer.status_code == 200
        assert answer.json()["status"] == "cancelled"
    with pytest.raises(Fenced):
        relay.worker.complete(hold)
    assert relay.get(run).json()["status"] == "cancelled"
    assert relay.frames(run)[-1]["type"] == "cancelled"


def test_a_cancel_of_a_run_that_has_ended_leaves_it(relay: Relay) -> None:
    run = relay.start()
    relay.worker.finish(run.id)
    answer = relay.http.post(f"{run.path}/cancel", headers=run.headers)
    assert answer.json()["status"] == "completed"


def test_only_a_run_that_has_ended_is_deleted(relay: Relay) -> None:
    run = relay.start()
    refused = relay.http.delete(run.path, headers=run.headers)
    assert refused.status_code == 409
    assert "cancel it first" in refused.json()["detail"]
    relay.worker.finish(run.id)
    assert relay.http.delete(run.path, headers=run.headers).status_code == 204
    assert relay.get(run).status_code == 404


@pytest.mark.parametrize("mode", ["stream", "background"])
def test_the_same_post_gives_the_same_run(relay: Relay, mode: str) -> None:
    headers = {"Idempotency-Key": f"the-same-{mode}", "Prefer": "wait=0"}
    first, second = relay.post(mode, headers), relay.post(mode, headers)
    assert first.status_code == second.status_code == 202
    assert run_in(first) == run_in(second)


def test_a_foreground_post_sent_again_finds_its_run(own_relay: Relay) -> None:
    headers = {"Idempotency-Key": "one"}
    with ThreadPoolExecutor() as callers:
        first = callers.submit(own_relay.post, "foreground", headers)
        hold = own_relay.worker.take()
        again = own_relay.post("foreground", headers)
        own_relay.worker.complete(hold)
    assert again.status_code == 409
    assert int(again.headers["Retry-After"]) > 0
    assert run_in(again) == run_in(first.result())
    later = own_relay.post("foreground", headers)
    assert later.status_code == 200
    assert later.json()["output_text"] == "김치는 발효 음식이다."


def test_a_key_with_another_request_is_refused(relay: Relay) -> None:
    headers = {"Idempotency-Key": "with-another"}
    relay.post("stream", headers)
    answer = relay.post("stream", headers, deliverable_format="markdown_report")
    assert answer.status_code == 422
    assert "Idempotency-Key" in answer.json()["detail"]


@pytest.mark.parametrize("key", ["", "a b", "x" * 256])
def test_a_key_that_is_none_is_refused(relay: Relay, key: str) -> None:
    assert relay.post("stream", {"Idempotency-Key": key}).status_code == 422


@pytest.mark.parametrize(
    "prefer", ["wait=0", "respond-async, wait=0", 'handling=lenient; wait="0"']
)
def test_a_caller_says_how_long_a_post_may_take(relay: Relay, prefer: str) -> None:
    answer = relay.post("foreground", {"Prefer": prefer})
    assert answer.status_code == 202
    assert answer.headers["Preference-Applied"] == "wait=0"
    assert answer.json()["status"] == "pending"


def test_a_submission_nobody_knows_the_id_of_is_called_uncertain(relay: Relay) -> None:
    run = relay.start()
    hold = relay.worker.take(run.id)
    relay.worker.write(hold, progress=Progress(1, uncertain=True))
    relay.worker.fail(hold)
    assert relay.get(run).json()["submission_uncertain"] is True


def test_texts_of_gateways_that_are_no_characters_do_not_break_answers(relay: Relay) -> None:
    run = relay.start()
    hold = relay.worker.take(run.id)
    hostile = "\ud800 \u2028 \x85 \x00 👩‍👩‍👧‍👦"
    relay.worker.complete(hold, hostile)
    assert "👩‍👩‍👧‍👦" in relay.get(run).json()["output_text"]
    with relay.reading(run) as answer:
        lines = answer.read().decode().splitlines()
    starts = {line.partition(":")[0] for line in lines if line}
    assert starts == {"retry", "id", "event", "data"}


def test_a_reader_comes_back_where_it_was(relay: Relay) -> None:
    run = relay.start()
    hold = relay.worker.take(run.id)
    for letter in "abc":
        relay.worker.write(hold, Draft("output_text", {"text": letter}), status="running")
    relay.worker.fail(hold)
    whole = relay.frames(run)
    assert [one["number"] for one in whole] == [1, 2, 3, 4, 5]
    for seen in range(1, 5):
        assert relay.frames(run, after=seen) == whole[seen:]
        assert relay.frames(run, last_seen=str(seen)) == whole[seen:]
    assert relay.frames(run, after=4, last_seen="1") == whole[1:], "Last-Event-ID wins"
    for strange in ("x", "-1", "9" * 40, "１"):
        assert relay.frames(run, last_seen=strange.encode()) == whole


@pytest.mark.parametrize("seen", [3, 1000])
def test_a_reader_of_everything_is_told_not_to_come_back(relay: Relay, seen: int) -> None:
    run = relay.start()
    relay.worker.finish(run.id)
    assert relay.get(run, "/events", starting_after=seen).status_code == 204


def test_events_come_while_the_run_goes_on(relay: Relay) -> None:
    run = relay.start()
    hold = relay.worker.take(run.id)
    with relay.reading(run) as answer:
        events = events_in(answer)
        assert next(events)["type"] == "status"
        for number in range(3):
            relay.worker.write(hold, Draft("output_text", {"text": str(number)}))
            assert next(events)["data"]["text"] == str(number)
        relay.worker.fail(hold)
        assert next(events)["type"] == "error"
        assert next(events, None) is None


@pytest.mark.skipif(os.name != "posix", reason="elsewhere an open file stays where it is")
def test_a_relay_whose_file_is_gone_takes_no_runs_and_is_not_ready(own_relay: Relay) -> None:
    run = own_relay.start()
    own_relay.file.unlink()
    answer = own_relay.post()
    assert (answer.status_code, answer.json()["code"]) == (503, "store_unavailable")
    assert own_relay.http.get("/readyz").status_code == 503
    assert own_relay.get(run).status_code == 200


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_its_health_can_be_asked(relay: Relay, path: str) -> None:
    assert relay.http.get(path).status_code == 200
