"""Who may do what at a relay with keys."""

from __future__ import annotations

import logging
import multiprocessing
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kit.errors import ConfigError
from kit.secret import Secret
from kit.settings_relay import RelaySettings
from relay_lite.auth import Callers, Tokens, fingerprint, secret_of
from tests.relay.http.relays import PATH, Relay, run_in

pytestmark = pytest.mark.once

ALICE = {"Authorization": "Bearer key-of-alice"}
BOB = {"Authorization": "Bearer key-of-bob"}


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Relay]:
    folder = tmp_path_factory.mktemp("keyed")
    with Relay(folder, keys={"alice": "key-of-alice", "bob": "key-of-bob"}) as relay:
        yield relay


@pytest.mark.parametrize(
    "authorization",
    [
        *(None, "", "Bearer", "Bearer wrong", "Basic key-of-alice", "key-of-alice"),
        *("Bearer key-of-alic", "Bearer key-of-alice2", "Bearer KEY-OF-ALICE", "Bearer é"),
    ],
)
@pytest.mark.parametrize(
    ("method", "path"), [("POST", PATH), ("GET", PATH), ("POST", "/api/v1/chat")]
)
def test_without_a_key_nothing_starts(
    keyed: Relay, authorization: str | None, method: str, path: str
) -> None:
    """Before the body is read: what is in it does not matter."""
    headers = {} if authorization is None else {"Authorization": authorization.encode()}
    json = {} if method == "POST" else None
    answer = keyed.http.request(method, path, headers=headers, json=json)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert answer.json()["detail"]


@pytest.mark.parametrize("headers", [ALICE, BOB, {"Authorization": "bearer  key-of-bob"}])
def test_a_key_starts_runs(keyed: Relay, headers: dict[str, str]) -> None:
    assert keyed.post("stream", headers).status_code == 202


def test_a_run_is_read_with_its_token_alone(keyed: Relay) -> None:
    run = run_in(keyed.post("stream", ALICE))
    assert keyed.get(run).status_code == 200
    assert keyed.http.get(run.path, headers=ALICE).status_code == 403, "a key is no token"
    assert keyed.http.post(f"{run.path}/cancel", headers=run.headers).status_code == 200
    assert keyed.http.delete(run.path, headers=run.headers).status_code == 204


def test_a_list_shows_the_callers_own_runs_page_by_page(tmp_path: Path) -> None:
    with Relay(tmp_path, keys={"alice": "key-of-alice", "bob": "key-of-bob"}) as relay:
        mine = [run_in(relay.post("stream", ALICE)) for _ in range(5)]
        relay.post("stream", BOB)
        found: list[str] = []
        cursor: dict[str, str] = {}
        while True:
            page = relay.http.get(PATH, headers=ALICE, params={"limit": 2, **cursor}).json()
            assert len(page["data"]) <= 2
            found += [run["invocation_id"] for run in page["data"]]
            if page["next_cursor"] is None:
                break
            cursor = {"cursor": page["next_cursor"]}
        assert found == [run.id for run in reversed(mine)]
        listed = relay.http.get(PATH, headers=ALICE)
        assert "invocation_token" not in listed.text
        assert not [run.token for run in mine if run.token in listed.text]


@pytest.mark.parametrize(
    "cursor", ["x", "W10=", "WzEsICJpIl0=", "bnVsbA==", "eyJhIjogMX0=", "W05hTiwgIngiXQ==", "é"]
)
def test_a_cursor_that_no_list_gave_is_refused(keyed: Relay, cursor: str) -> None:
    answer = keyed.http.get(PATH, headers=ALICE, params={"cursor": cursor})
    assert answer.status_code == 422


def test_a_relay_without_keys_has_no_lists(relay: Relay) -> None:
    """It does not know whose runs are whose."""
    assert relay.http.get(PATH).status_code == 403


def test_the_same_idempotency_key_of_two_callers_is_two_runs(keyed: Relay) -> None:
    key = {"Idempotency-Key": "both"}
    alice, bob = (run_in(keyed.post("stream", who | key)) for who in (ALICE, BOB))
    assert alice.id != bob.id


def test_a_list_of_one_idempotency_key_says_whether_it_started_a_run(keyed: Relay) -> None:
    """For callers who died between their POST and its answer."""

    def listed(key: str, who: dict[str, str] = ALICE) -> dict[str, Any]:
        answer = keyed.http.get(PATH, headers=who, params={"idempotency_key": key})
        assert answer.status_code == 200
        return answer.json()

    assert listed("of-nobody") == {
        **{"data": [], "next_cursor": None},
        "idempotency_key": "of-nobody",
    }
    run = run_in(keyed.post("stream", ALICE | {"Idempotency-Key": "of-alice"}))
    found = listed("of-alice")
    assert [one["invocation_id"] for one in found["data"]] == [run.id]
    assert (found["next_cursor"], found["idempotency_key"]) == (None, "of-alice")
    assert run.token not in str(found)
    assert listed("of-alice", BOB)["data"] == []
    assert run_in(keyed.post("stream", ALICE | {"Idempotency-Key": "of-alice"})) == run


def test_a_list_of_everything_says_nothing_of_a_key(keyed: Relay) -> None:
    assert "idempotency_key" not in keyed.http.get(PATH, headers=ALICE).json()


@pytest.mark.parametrize("key", ["", "a b", "é", "x" * 256, "a\nb", "\x7f"])
def test_a_key_that_no_post_could_have_is_refused(keyed: Relay, key: str) -> None:
    answer = keyed.http.get(PATH, headers=ALICE, params={"idempotency_key": key})
    assert answer.status_code == 422
    assert "Idempotency-Key" in answer.json()["detail"]
    if key:
        assert key not in answer.json()["detail"]


def test_any_key_that_a_post_can_have_is_found(keyed: Relay) -> None:
    for key in ("a&b=c#d?e/f%20+", "';DROP/**/TABLE/**/run;--", "~" * 255, "%", "*"):
        run = run_in(keyed.post("stream", ALICE | {"Idempotency-Key": key}))
        found = keyed.http.get(PATH, headers=ALICE, params={"idempotency_key": key}).json()
        assert [one["invocation_id"] for one in found["data"]] == [run.id]
        assert found["idempotency_key"] == key


def test_a_key_is_listed_for_nobody_where_there_are_no_callers(relay: Relay) -> None:
    assert relay.http.get(PATH, params={"idempotency_key": "k"}).status_code == 403


def test_a_key_is_listed_for_nobody_without_a_callers_key(keyed: Relay) -> None:
    assert keyed.http.get(PATH, params={"idempotency_key": "k"}).status_code == 401


def test_no_key_and_no_token_is_ever_logged(
    keyed: Relay, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.DEBUG):
        run = run_in(keyed.post("stream", ALICE))
        keyed.get(run)
        keyed.get(run, "/wait", timeout="x")
        keyed.http.post(PATH, headers=ALICE, content=b"{")
        keyed.worker.finish(run.id)
        keyed.frames(run)
    written = caplog.text + "".join(capfd.readouterr())
    for secret in (run.token, "key-of-alice", "sk-of-the-gateway"):
        assert secret not in written


def test_neither_tokens_nor_callers_show_themselves() -> None:
    shown = f"{Tokens(b'a secret')} {Callers({'alice': Secret('key-of-alice')})!r}"
    assert "secret" not in shown
    assert "key-of" not in shown


def test_relays_with_one_secret_make_the_same_tokens() -> None:
    assert Tokens(b"one").token("inv_1") == Tokens(b"one").token("inv_1")
    assert Tokens(b"one").token("inv_1") != Tokens(b"two").token("inv_1")
    assert Tokens(b"one").check("inv_1", Tokens(b"one").token("inv_1"))
    assert not Tokens(b"one").check("inv_2", Tokens(b"one").token("inv_1"))


def test_a_fingerprint_tells_keys_apart_and_needs_the_secret() -> None:
    key = Secret("sk-of-the-gateway")
    assert fingerprint(b"one", key) == fingerprint(b"one", Secret("sk-of-the-gateway"))
    assert len({fingerprint(b"one", key), fingerprint(b"two", key), fingerprint(b"one", None)}) == 3
    assert "gateway" not in fingerprint(b"one", key)


def relay_settings(folder: Path, secret: str | None = None) -> RelaySettings:
    return RelaySettings(
        user_data=folder, store=folder / "relay.sqlite3", secret=Secret(secret) if secret else None
    )


def test_a_secret_that_is_set_is_the_one(tmp_path: Path) -> None:
    assert secret_of(relay_settings(tmp_path, "s" * 32), tmp_path) == b"s" * 32
    assert list(tmp_path.iterdir()) == []


def test_a_secret_is_made_once_for_its_user_alone(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"
    secret = secret_of(relay_settings(folder), folder)
    assert len(secret) == 64
    assert secret == secret_of(relay_settings(folder), folder)
    (file,) = folder.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_secret_that_others_could_read_is_closed(tmp_path: Path) -> None:
    secret_of(relay_settings(tmp_path), tmp_path)
    (file,) = tmp_path.iterdir()
    file.chmod(0o644)
    secret_of(relay_settings(tmp_path), tmp_path)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_damaged_secret_is_said(tmp_path: Path) -> None:
    secret_of(relay_settings(tmp_path), tmp_path)
    (file,) = tmp_path.iterdir()
    file.write_text("half")
    with pytest.raises(ConfigError, match="damaged"):
        secret_of(relay_settings(tmp_path), tmp_path)


def test_a_secret_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    folder = tmp_path / "file" / "below"
    with pytest.raises(ConfigError, match="RELAY_SECRET"):
        secret_of(relay_settings(folder), folder)


def make_secret(folder: Path, places: multiprocessing.Queue[bytes]) -> None:
    places.put(secret_of(relay_settings(folder), folder))


def test_processes_that_make_a_secret_at_once_get_the_same(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    found: multiprocessing.Queue[bytes] = context.Queue()
    makers = [context.Process(target=make_secret, args=(tmp_path, found)) for _ in range(3)]
    for maker in makers:
        maker.start()
    secrets = {found.get(timeout=30) for _ in makers}
    for maker in makers:
        maker.join()
    assert len(secrets) == 1
