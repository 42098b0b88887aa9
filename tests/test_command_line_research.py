"""`python -m kit` and research, as a shell sees it: stdout, stderr, exit status."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import kit
from kit.__main__ import main
from relay_lite.auth import Tokens
from relay_lite.store import Draft
from tests.relay.caller.callers import RELAY_KEY, Elsewhere, stop_behind_a_start
from tests.relay.caller.paid import FINAL, KEY, Paid, Slow
from tests.relay.http.relays import SECRET

pytestmark = pytest.mark.once

RESEARCH = "짜장면의 역사와 기원에 대해 상세히 조사해줘"
HELLO = "안녕하세요!"
MARK = "[deep_research was called automatically]"
IDS = [
    *("response_id", "previous_response_id", "tool_call_id"),
    *("invocation_id", "invocation_token", "upstream_response_id"),
]


@dataclass
class Done:
    status: int
    out: str
    error: str


Run = Callable[..., Done]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command line in this process; nobody is at its terminal."""

    def run(*arguments: str, stdin: bytes = b"") -> Done:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        status = main(arguments)
        return Done(status, *capsys.readouterr())

    return run


@pytest.fixture(scope="module")
def one_for_all(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Elsewhere]:
    with Elsewhere(tmp_path_factory.mktemp("relay")) as there:
        yield there


@pytest.fixture
def elsewhere(one_for_all: Elsewhere, monkeypatch: pytest.MonkeyPatch) -> Elsewhere:
    return one_for_all.known_to(monkeypatch)


# -- the model decides ---------------------------------------------------------------------------


def test_a_question_that_needs_research_gets_it(run: Run) -> None:
    done = run("--auto-tool-call", RESEARCH)
    assert done.status == 0
    mark, ids = done.error.splitlines()
    assert mark == MARK
    told = json.loads(ids)
    assert list(told) == IDS
    assert all(isinstance(value, str) and value for value in told.values())
    assert "짜장면" in done.out
    assert MARK not in done.out
    found = kit.run(told["invocation_id"])
    assert (found.token, found.status) == (told["invocation_token"], "completed")
    assert found.upstream_response_id == told["upstream_response_id"]


@pytest.mark.parametrize("more", [[], ["--api", "responses"], ["--stream"], ["--timeout", "60"]])
def test_a_greeting_gets_none(run: Run, more: list[str]) -> None:
    done = run("--auto-tool-call", *more, HELLO)
    assert (done.status, done.error) == (0, "")
    assert done.out.strip()


def test_a_process_of_its_own_says_the_same() -> None:
    command = [sys.executable, "-m", "kit", "--auto-tool-call", RESEARCH]
    done = subprocess.run(command, capture_output=True, timeout=300)
    assert done.returncode == 0
    mark, ids = done.stderr.decode().splitlines()
    assert mark == MARK
    assert list(json.loads(ids)) == IDS
    assert "짜장면" in done.stdout.decode()


def test_the_flag_is_a_yes_to_what_it_costs(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with Paid() as there:
        there.known_to(monkeypatch)
        done = run("--auto-tool-call", "김치의 역사를 조사해줘")
        assert len(there.submitted) == 1
    assert (done.status, done.out) == (0, f"{FINAL}\n")
    assert done.error.splitlines()[0] == MARK
    assert KEY not in done.error


def test_a_last_turn_that_fails_does_not_lose_what_was_paid_for(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Paid() as there:
        there.known_to(monkeypatch)
        there.last_turn_fails = True
        done = run("--auto-tool-call", "김치의 역사를 조사해줘")
        assert (done.status, done.out) == (1, "")
        mark, ids, error = done.error.splitlines()
        assert mark == MARK
        assert kit.run(json.loads(ids)["invocation_id"]).status == "completed"
    assert error.startswith("Error: ")
    assert KEY not in done.error


def test_a_stop_while_it_researches_says_how_to_find_the_run(
    elsewhere: Elsewhere, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Paid() as there:
        there.known_to(monkeypatch)
        stop_behind_a_start(elsewhere)
        done = run("--auto-tool-call", "김치의 역사를 조사해줘")
    assert (done.status, done.out) == (130, "")
    [id] = kit.runs()["id"]
    assert done.error.splitlines() == [
        f"It goes on as {id}: python -m kit --run {id} prints its report."
    ]
    again = kit.run(id)
    assert again.status == "pending"
    elsewhere.complete(again)


def test_the_callers_format_counts_where_the_model_names_none(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Paid() as there:
        there.known_to(monkeypatch)
        done = run("--auto-tool-call", "--deliverable-format", "markdown_report", "김치")
        [id] = kit.runs()["id"]
        assert kit.run(id).inner.entry.arguments["deliverable_format"] == "markdown_report"
    assert done.status == 0


def test_the_web_search_of_the_gateway_may_be_at_hand_too(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Paid() as there:
        there.known_to(monkeypatch)
        assert run("--auto-tool-call", "--web-search", "김치").status == 0
        kinds = [tool.get("name") or tool["type"] for tool in there.asked[0]["tools"]]
        assert kinds == ["deep_research", "web_search"]


# -- to the relay --------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", [[], ["--stream"]])
def test_the_report_alone_goes_to_stdout(run: Run, stream: list[str]) -> None:
    done = run("--target", "relay", *stream, "How do I stop a cell?")
    assert (done.status, done.error) == (0, "")
    assert done.out.startswith("#")
    assert done.out == f"{kit.run(kit.runs()['id'][0]).text}\n"


def test_an_outline_is_json(run: Run) -> None:
    done = run("--target", "relay", "--deliverable-format", "json_outline", "짜장면의 역사")
    assert (done.status, done.error) == (0, "")
    assert isinstance(json.loads(done.out), dict)


def test_the_model_that_researches_can_be_named(run: Run) -> None:
    done = run("--target", "relay", "--model", "sandbox", "How do I stop a cell?")
    assert (done.status, done.error) == (0, "")
    assert kit.run(kit.runs()["id"][0]).inner.entry.arguments["model"] == "sandbox"


def test_a_prompt_may_be_piped_in(run: Run) -> None:
    done = run("--target", "relay", stdin="짜장면의 역사\n".encode())
    assert done.status == 0
    assert "짜장면" in done.out


@pytest.mark.parametrize("api", [[], ["--api", "responses"]])
def test_background_prints_the_view_and_the_run_goes_on(
    elsewhere: Elsewhere, run: Run, api: list[str]
) -> None:
    before = {*elsewhere.all_runs()}
    working = threading.Thread(target=lambda: elsewhere.worker.hand_over(elsewhere.worker.take()))
    working.start()
    done = run("--target", "relay", *api, "--background", "김치의 역사는?")
    working.join()
    assert (done.status, done.error) == (0, "")
    view = json.loads(done.out)
    [id] = {*elsewhere.all_runs()} - before
    assert view == {
        **{"invocation_id": id, "tool_name": "deep_research", "mode": "background"},
        **{"status": "queued", "upstream_response_id": "resp_1"},
        "invocation_token": kit.run(id).token,
    }
    assert RELAY_KEY not in done.out


@pytest.mark.parametrize("in_background", [False, True])
def test_a_run_that_would_end_with_its_reader_is_stayed_for(
    monkeypatch: pytest.MonkeyPatch, in_background: bool
) -> None:
    """The view is there at once all the same; where the gateway works alone nobody stays."""
    with Slow(background=in_background) as there:
        there.known_to(monkeypatch)
        with subprocess.Popen(
            [sys.executable, "-m", "kit", "--target", "relay", "--background", "김치의 역사는?"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            view = json.loads(process.stdout.readline())
            said = process.stderr.readline()
            if not in_background:
                assert process.poll() is None
                there.go_on.set()
            assert process.wait(300) == 0
            assert (process.stdout.read(), process.stderr.read()) == ("", "")
        there.go_on.set()
        assert view["status"] == "queued"
        if in_background:
            assert said == ""
        else:
            assert "does not run this in the background" in said
            assert kit.run(view["invocation_id"]).status == "completed"


def test_text_is_written_when_it_is_there(
    elsewhere: Elsewhere, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Noting(io.StringIO):
        def __init__(self) -> None:
            super().__init__()
            self.first = threading.Event()

        def write(self, text: str) -> int:
            self.first.set()
            return super().write(text)

    stdout = Noting()
    monkeypatch.setattr(sys, "stdout", stdout)

    def work() -> None:
        hold = elsewhere.worker.take()
        elsewhere.worker.write(hold, Draft("output_text", {"text": "김치"}), status="running")
        seen.append(stdout.first.wait(300))
        elsewhere.worker.write(
            hold, Draft("completed", {"output_text": "김치"}), status="completed"
        )

    seen: list[bool] = []
    working = threading.Thread(target=work)
    working.start()
    assert run("--target", "relay", "--stream", "김치의 역사는?").status == 0
    working.join()
    assert seen == [True]
    assert stdout.getvalue() == "김치\n"


@pytest.mark.parametrize("stream", [[], ["--stream"]])
def test_a_run_that_fails_is_one_line_and_status_1(
    elsewhere: Elsewhere, run: Run, stream: list[str]
) -> None:
    def work() -> None:
        hold = elsewhere.worker.take()
        elsewhere.worker.write(hold, Draft("output_text", {"text": "half of"}), status="running")
        elsewhere.worker.fail(hold)

    working = threading.Thread(target=work)
    working.start()
    done = run("--target", "relay", *stream, "김치의 역사는?")
    working.join()
    assert done.status == 1
    assert done.out == ("half of\n" if stream else "")
    [line] = done.error.splitlines()
    assert line.startswith("Error: The gateway failed. ")


def test_a_stop_is_quiet_but_for_how_to_find_the_run(elsewhere: Elsewhere, run: Run) -> None:
    stop_behind_a_start(elsewhere)
    done = run("--target", "relay", "김치의 역사는?")
    assert (done.status, done.out) == (130, "")
    [id] = kit.runs()["id"]
    assert done.error.splitlines() == [
        f"It goes on as {id}: python -m kit --run {id} prints its report."
    ]
    again = kit.run(id)
    assert again.status == "pending"
    elsewhere.complete(again)


def test_a_run_that_is_cancelled_elsewhere_is_one_line(elsewhere: Elsewhere, run: Run) -> None:
    def work() -> None:
        hold = elsewhere.worker.take()
        id = hold.invocation.id
        kit.run(id, Tokens(SECRET).token(id)).cancel()

    working = threading.Thread(target=work)
    working.start()
    done = run("--target", "relay", "김치의 역사는?")
    working.join()
    assert (done.status, done.out) == (1, "")
    [line] = done.error.splitlines()
    assert "cancelled" in line


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"RELAY_BASE_URL": "http://127.0.0.1:9"}, "No relay answers at http://127.0.0.1:9"),
        ({"RELAY_BASE_URL": "not an address"}, "RELAY_BASE_URL"),
        ({"RELAY_API_KEY": "wrong-key-0123456789"}, "RELAY_API_KEY"),
    ],
    ids=str,
)
def test_a_relay_that_cannot_be_used_is_one_line_and_status_1(
    elsewhere: Elsewhere,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    environment: dict[str, str],
    says: str,
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    done = run("--target", "relay", "김치의 역사는?")
    assert (done.status, done.out) == (1, "")
    [line] = done.error.splitlines()
    assert line.startswith("Error: ")
    assert says in line
    assert "key-0123456789" not in line


def test_a_terminal_is_not_steered_by_a_report(
    elsewhere: Elsewhere, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    evil = "a\x1b]0;owned\x07\x9b2J\u202eb"
    for stream in ([], ["--stream"]):

        def work() -> None:
            hold = elsewhere.worker.take()
            elsewhere.worker.write(
                hold,
                Draft("search", {"queries": [evil]}),
                Draft("page", {"url": f"https://{evil}"}),
                Draft("output_text", {"text": evil}),
                status="running",
            )
            elsewhere.worker.write(
                hold, Draft("completed", {"output_text": evil}), status="completed"
            )

        working = threading.Thread(target=work)
        working.start()
        done = run("--target", "relay", *stream, "김치의 역사는?")
        working.join()
        assert done.out == "a]0;owned2Jb\n"
        assert "searching: a]0;owned2Jb" in done.error
        assert not {*done.error} & {*"\x1b\x07\x9b\u202e"}


# -- found again ---------------------------------------------------------------------------------


def test_runs_are_listed_one_a_line_and_each_report_printed(run: Run) -> None:
    assert run("--runs").error.startswith("There are no runs yet: python -m kit --target relay")
    report = run("--target", "relay", "How do I\nstop a cell?").out
    [id] = kit.runs()["id"]
    listed = run("--runs")
    assert (listed.status, listed.error) == (0, "")
    [line] = listed.out.splitlines()
    assert re.fullmatch(rf"{id}  completed  .+ ago  How do I stop a cell\?", line)
    for stream in ([], ["--stream"]):
        assert run("--run", id, *stream) == Done(0, report, "")


def test_a_report_is_waited_for(elsewhere: Elsewhere, run: Run) -> None:
    again = elsewhere.research()
    working = threading.Thread(target=lambda: elsewhere.complete(again, "김치"))
    working.start()
    assert run("--run", again.id) == Done(0, "김치\n", "")
    working.join()


def test_a_run_that_is_not_there_is_said_with_what_lists_them(run: Run) -> None:
    done = run("--run", "inv_nobody")
    assert (done.status, done.out) == (1, "")
    assert "python -m kit --runs lists them" in done.error


# -- what goes together --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--auto-tool-call", "--target", "relay"], "--target relay exclude each other"),
        (["--auto-tool-call", "--background"], "exclude each other"),
        (["--auto-tool-call", "--background", "--api", "responses"], "exclude each other"),
        (["--target", "relay", "--background", "--stream"], "exclude each other"),
        (["--target", "relay", "--web-search"], "--web-search needs --api responses"),
        (["--web-search"], "--web-search needs --api responses"),
        (["--background"], "--background needs --api responses"),
        (["--api", "chat", "--background"], "--background needs --api responses"),
        (["--api", "responses", "--background", "--stream"], "exclude each other"),
        (["--deliverable-format", "markdown_brief"], "--auto-tool-call or --target relay"),
        (["--target", "relay", "--deliverable-format", "pdf"], "invalid choice"),
        (["--target", "moon"], "invalid choice"),
    ],
    ids=" ".join,
)
def test_what_does_not_go_together_is_one_line_and_status_2(
    run: Run, arguments: list[str], says: str
) -> None:
    done = run(*arguments, "hi")
    assert (done.status, done.out) == (2, "")
    [line] = done.error.splitlines()
    assert line.startswith("Error: ")
    assert says in line


def test_the_help_names_every_flag(run: Run) -> None:
    done = run("--help")
    for flag in ("--auto-tool-call", "--target", "--stream", "--deliverable-format"):
        assert flag in done.out


def test_a_report_that_nobody_reads_any_more_is_no_error(
    elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """`python -m kit --target relay … | head -1`: the run goes on."""

    class Left(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

        def fileno(self) -> int:
            return spare.fileno()

    with (tmp_path / "spare").open("w") as spare:
        working = threading.Thread(target=lambda: elsewhere.worker.finish())
        working.start()
        monkeypatch.setattr(sys, "stdout", Left())
        status = main(["--target", "relay", "--stream", "김치의 역사는?"])
        working.join()
    assert status == 141
