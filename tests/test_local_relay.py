"""The relay of this process: one for a gateway, with a key that is the user's."""

from __future__ import annotations

import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from kit import local
from kit.errors import ConfigError
from kit.settings import Endpoint, Secret, load
from kit.settings_relay import RelaySettings
from tests.growth import unit

pytestmark = pytest.mark.once

GATEWAY = Endpoint("http://127.0.0.1:9/v1", Secret("sk-one"), model="m")


@pytest.fixture
def relay(tmp_path: Path) -> RelaySettings:
    return RelaySettings(user_data=tmp_path, store=tmp_path / "relay.sqlite3")


def status_of(address: str, **headers: str) -> int:
    return httpx.get(address, headers=headers, trust_env=False).status_code


def test_it_is_started_once_for_a_gateway_and_its_key(relay: RelaySettings) -> None:
    """However many ask at once."""
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(local.relay_of, load(), GATEWAY, relay) for _ in range(8)]
        (first,) = {each.result() for each in asked}
    other = local.relay_of(load(), replace(GATEWAY, api_key=Secret("sk-two")), relay)
    assert other.url != first.url
    assert other.key == first.key
    assert status_of(f"{first.url}/readyz") == 200


def test_it_answers_nobody_without_the_key(relay: RelaySettings) -> None:
    running = local.relay_of(load(), GATEWAY, relay)
    runs = f"{running.url}/api/v1/tool-invocations"
    assert status_of(runs) == 401
    assert status_of(runs, authorization="Bearer wrong") == 401
    assert status_of(runs, authorization=f"Bearer {running.key.reveal()}") == 200


def test_what_it_keeps_is_private(relay: RelaySettings) -> None:
    running = local.relay_of(load(), GATEWAY, relay)
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in relay.user_data.iterdir()}
    assert {"relay.key", "relay.secret", "relay.sqlite3"} <= modes.keys()
    assert {*modes.values()} == {0o600}
    assert running.key.reveal() not in repr(running)


def test_a_store_that_cannot_be_used_is_said_in_its_own_words(relay: RelaySettings) -> None:
    store = relay.user_data / "notes.txt"
    store.write_text("no database")
    with pytest.raises(ConfigError, match=r"notes.txt was not made by the relay"):
        local.relay_of(load(), GATEWAY, replace(relay, store=store))
    assert store.read_text() == "no database"


def test_it_starts_with_little_work_once_everything_is_imported() -> None:
    program = """
import sys, time
from dataclasses import replace
from kit import local
from kit.settings import Endpoint, Secret, load

one = Endpoint("http://127.0.0.1:9/v1", Secret("sk-one"))
local.relay_of(load(), one)  # pays the imports
took = []
for number in range(3):
    began = time.process_time()
    local.relay_of(load(), replace(one, api_key=Secret(f"sk-{number}-more")))
    took.append(time.process_time() - began)
print(min(took))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 6 * unit()


def test_a_forked_child_starts_its_own() -> None:
    program = """
import os
from kit import local
from kit.settings import Endpoint, Secret, load

one = Endpoint("http://127.0.0.1:9/v1", Secret("sk-one"))
mine = local.relay_of(load(), one).url
if (child := os.fork()) == 0:
    os._exit(0 if local.relay_of(load(), one).url != mine else 1)
print(os.waitpid(child, 0)[1])
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True, timeout=60
    )
    assert (done.stdout, done.stderr) == ("0\n", "")
