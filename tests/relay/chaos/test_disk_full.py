"""A store without room: nothing new is taken, and what runs waits until there is room again."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Generator
from pathlib import Path

import pytest

from kit.gateway.client import AsyncClient
from kit.serving import serve_in_thread
from kit.settings import Endpoint
from kit.settings_relay import RelaySettings
from relay_lite.app import create_app
from relay_lite.auth import Tokens
from relay_lite.engine import Engine
from relay_lite.sqlite import SqliteStore
from relay_lite.store import Gateway as Owner
from relay_lite.upstream import Upstream
from tests.relay.chaos.processes import PATH, Reader, Relay, check_log, http
from tests.relay.upstreams import Gateway
from tests.waiting import until

pytestmark = pytest.mark.waits

FEW = 6
"""Pages beyond those of one long run: enough to accept another, and not for its text."""


@contextlib.contextmanager
def serving(file: Path, gateway: Gateway, page_limit: int | None = None) -> Generator[Relay]:
    """A relay in this process, because only there a store can be given a limit."""
    store = SqliteStore(file, page_limit=page_limit)
    client = AsyncClient(Endpoint(gateway.url, None, "plain"))
    engine = Engine(store, Upstream(client, Owner(gateway.url), free=False))
    settings = RelaySettings(user_data=file.parent, store=file)
    served = serve_in_thread(create_app(engine, settings, Tokens(b"secret" * 6)))
    try:
        yield Relay(str(file), gateway.url, port=served.port)
    finally:
        served.stop()


def test_a_full_disk_refuses_new_runs_and_delays_the_others(there: Gateway, tmp_path: Path) -> None:
    """POST gives 507; the run that was under way finishes when somebody has made room."""
    file = tmp_path / "runs.sqlite3"
    piece = "넘침 {} 👩‍👩‍👧‍👦 " * 400
    script = there.script("large", events=20, pace=0.02, piece=piece)
    there.script("larger", events=40, pace=0.02, piece=piece)
    with serving(file, there) as relay:
        old = relay.post("larger")
        assert relay.wait(old)["status"] == "completed"
    with contextlib.closing(sqlite3.connect(file)) as connection:
        (pages,) = connection.execute("pragma page_count").fetchone()
    with serving(file, there, pages + FEW) as relay:
        run = relay.post("large")
        reader = Reader(relay, run).start()
        until(lambda: relay.ask("plain").status_code == 507)
        time.sleep(1)
        assert relay.view(run)["status"] == "running"
        deleted = http.delete(f"{relay.url}{PATH}/{old.id}", headers=old.headers)
        assert deleted.status_code in (200, 204)
        view = relay.wait(run)
        assert (view["status"], view["output_text"]) == ("completed", script.text)
        check_log(reader.finish(), view)
        assert there.seen().taken(run.id) == [view["upstream_response_id"]]
