"""The sandbox lives in the relay's process and dies with it; its runs cost nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.relay.chaos.processes import Json, Reader, Relay, check_log, codes, text_of
from tests.sandbox.passing import let_time_pass
from tests.waiting import until

pytestmark = pytest.mark.waits


@pytest.fixture
def relay(tmp_path: Path) -> Iterator[Relay]:
    """A relay of which nobody has said what its gateway is."""
    one = Relay(
        str(tmp_path / "runs.sqlite3"),
        "",
        settings={"KIT_SANDBOX_PACE": "5", "LITELLM_MODEL": ""},
    )
    yield one.start()
    one.kill()


def killed_in_its_text(relay: Relay, model: str) -> tuple[Reader, Json]:
    """A reader of a run that had begun to write when both were killed, and how it stood."""
    run = relay.post(model)
    reader = Reader(relay, run).start()
    until(lambda: len(text_of(reader.events)) > 20)
    before = relay.view(run)
    relay.kill()
    let_time_pass(Path.home())
    relay.settings["KIT_SANDBOX_PACE"] = "0"
    return reader, before


@pytest.mark.parametrize("model", ["sandbox", "sandbox:background-ignored"])
def test_a_run_of_the_sandbox_outlives_them_both(relay: Relay, model: str) -> None:
    """The sandbox has written its answer down, so it goes on under its id."""
    reader, before = killed_in_its_text(relay, model)
    view = relay.start().wait(reader.run)
    assert view["status"] == "completed"
    assert view["upstream_response_id"] == before["upstream_response_id"]
    check_log(reader.finish(), view)


def test_a_plain_stream_that_is_lost_is_started_again_where_it_is_free(
    relay: Relay, fresh_home: Path
) -> None:
    """The sandbox has forgotten it too; the log says that there is a second beginning."""
    reader, before = killed_in_its_text(relay, "sandbox:background-ignored")
    for file in fresh_home.rglob("sandbox.sqlite3*"):
        file.unlink()
    view = relay.start().wait(reader.run)
    assert view["status"] == "completed"
    assert view["upstream_response_id"] != before["upstream_response_id"]
    assert "restarted" in codes(reader.finish())
    check_log(reader.events, view)
