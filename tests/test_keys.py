"""Where a key that was typed is kept, and what a sick keyring can do to us: nothing."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.backends import fail, null

from kit import keys

ADDRESS = "https://gateway.example/v1"
OTHER = "https://other.example/v1"


class Vault(KeyringBackend):
    """A keyring that lives as long as the test."""

    priority = 5.0

    def __init__(self) -> None:
        super().__init__()
        self.entries: dict[tuple[str, str], str] = {}

    def set_password(self, service: str, username: str, password: str) -> None:
        self.entries[service, username] = password

    def get_password(self, service: str, username: str) -> str | None:
        return self.entries.get((service, username))

    def delete_password(self, service: str, username: str) -> None:
        del self.entries[service, username]


class Broken(Vault):
    """Locked: every call fails, and the message repeats what it was given."""

    def set_password(self, service: str, username: str, password: str) -> None:
        raise RuntimeError(f"cannot store {password}")

    def get_password(self, service: str, username: str) -> str | None:
        raise RuntimeError(f"cannot read {username}")


class Forgetful(Vault):
    """Takes everything and keeps nothing."""

    def set_password(self, service: str, username: str, password: str) -> None:
        pass


class PlainFile(Vault):
    """What the keyring library does not recommend: it may keep keys in plain text."""

    priority = 0.5


class Hanging(Vault):
    """Waits for an answer on a screen that nobody sees."""

    def __init__(self) -> None:
        super().__init__()
        self.unlocked = threading.Event()
        self.asked = 0

    def get_password(self, service: str, username: str) -> str | None:
        self.asked += 1
        self.unlocked.wait(250)
        return None

    def set_password(self, service: str, username: str, password: str) -> None:
        self.get_password(service, username)


@pytest.fixture(autouse=True)
def nothing_kept(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Each test starts like a new process, with the keyring as it was afterwards."""
    before = keyring.get_keyring()
    monkeypatch.setattr(keys, "_in_memory", {})
    monkeypatch.setattr(keys, "_from_keyring", {})
    monkeypatch.setattr(keys, "_typed_here", set())
    monkeypatch.setattr(keys, "_keyring_failed", threading.Event())
    yield
    keyring.set_keyring(before)


@pytest.fixture
def vault() -> Vault:
    backend = Vault()
    keyring.set_keyring(backend)
    return backend


def test_a_key_goes_to_the_system_keyring_under_its_address(vault: Vault) -> None:
    assert keys.remember(ADDRESS, "sk-one") == "keyring"
    assert vault.entries == {("responses-kit", ADDRESS): "sk-one"}
    assert keys.recall(ADDRESS) == "sk-one"
    assert keys.kept_in(ADDRESS) == "keyring"


def test_a_key_is_given_to_its_own_address_only(vault: Vault) -> None:
    keys.remember(ADDRESS, "sk-one")
    assert keys.recall(OTHER) is None
    assert keys.recall(ADDRESS.replace("https", "http")) is None
    assert keys.recall(ADDRESS + "/") is None


def test_a_key_of_an_earlier_process_is_found(vault: Vault) -> None:
    vault.set_password("responses-kit", ADDRESS, "sk-old")
    assert keys.recall(ADDRESS) == "sk-old"
    assert keys.kept_in(ADDRESS) == "keyring"


def test_a_key_typed_elsewhere_meanwhile_is_found(vault: Vault) -> None:
    assert keys.recall(ADDRESS) is None
    vault.set_password("responses-kit", ADDRESS, "sk-new")
    assert keys.recall(ADDRESS) == "sk-new"


def test_a_second_key_replaces_the_first(vault: Vault) -> None:
    keys.remember(ADDRESS, "sk-one")
    keys.remember(ADDRESS, "sk-two")
    assert keys.recall(ADDRESS) == "sk-two"
    assert list(vault.entries.values()) == ["sk-two"]


def test_forgetting_takes_the_key_out_of_the_keyring(vault: Vault) -> None:
    keys.remember(ADDRESS, "sk-one")
    assert keys.forget(ADDRESS) is True
    assert vault.entries == {}
    assert keys.recall(ADDRESS) is None
    assert keys.kept_in(ADDRESS) is None
    assert keys.forget(ADDRESS) is False


@pytest.mark.parametrize("backend", [fail.Keyring, null.Keyring, Broken, Forgetful, PlainFile])
def test_without_a_usable_keyring_a_key_lives_in_memory(backend: type[KeyringBackend]) -> None:
    keyring.set_keyring(backend())
    assert keys.remember(ADDRESS, "sk-one") == "memory"
    assert keys.recall(ADDRESS) == "sk-one"
    assert keys.kept_in(ADDRESS) == "memory"
    assert keys.recall(OTHER) is None
    assert keys.forget(ADDRESS) is True
    assert keys.recall(ADDRESS) is None


def test_a_hanging_keyring_is_asked_once_and_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(keys, "PATIENCE", 0.2)
    backend = Hanging()
    keyring.set_keyring(backend)
    assert keys.recall(ADDRESS) is None
    assert keys.remember(ADDRESS, "sk-one") == "memory"
    assert keys.recall(ADDRESS) == "sk-one"
    assert keys.recall(OTHER) is None
    assert backend.asked == 1
    backend.unlocked.set()


def test_a_failing_keyring_says_nothing_about_the_key(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    keyring.set_keyring(Broken())
    keys.remember(ADDRESS, "sk-secret-one")
    written = capsys.readouterr()
    assert "sk-secret-one" not in written.out + written.err + caplog.text
