"""What is read of the relay from where, which key may go to which relay, and what is refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from kit.errors import ConfigError, KeyWithheld
from kit.settings import Secret
from kit.settings_relay import RelaySettings, load_relay

RELAY = "https://relay.example"
KEY = "rk-the-key-0123456789"
SECRET = "0123456789abcdef" * 2
PLACES = ("argument", "environment", "home", "folder")


@dataclass(frozen=True)
class Home:
    """A home and a folder in it; each may have a `.env`."""

    path: Path

    @property
    def folder(self) -> Path:
        return self.path / "project"

    def write(self, place: str, **values: str) -> None:
        where = self.path if place == "home" else self.folder
        with (where / ".env").open("a", encoding="utf-8") as file:
            file.write("".join(f"{name}={value}\n" for name, value in values.items()))

    def load(self, base_url: str | None = None, **options: Any) -> RelaySettings:
        environ = {name: options.pop(name) for name in [*options] if name.isupper()}
        return load_relay(
            base_url,
            environ=environ,
            folder=self.folder,
            home=self.path,
            user_data=self.path / "data",
            **options,
        )

    def load_from(self, places: Mapping[str, str], **options: Any) -> RelaySettings:
        """`places`: variable -> the place it stands in. Addresses and keys are this file's."""
        values = {"RELAY_BASE_URL": RELAY, "RELAY_API_KEY": KEY}
        given: dict[str, Any] = {}
        for name, place in places.items():
            if place == "argument":
                given["base_url"] = values[name]
            elif place == "environment":
                given[name] = values[name]
            else:
                self.write(place, **{name: values[name]})
        return self.load(**given, **options)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.folder.mkdir(parents=True)
    return home


def revealed(keys: Mapping[str, Secret]) -> dict[str, str]:
    return {caller: key.reveal() for caller, key in keys.items()}


def test_nothing_has_to_be_set(home: Home) -> None:
    data = home.path / "data"
    assert home.load() == RelaySettings(user_data=data, store=data / "relay.sqlite3")
    assert not data.exists()


EVERYTHING = {
    "RELAY_BASE_URL": ("http://localhost:9", "base_url", "http://localhost:9"),
    "RELAY_HOST": ("0.0.0.0", "host", "0.0.0.0"),
    "RELAY_PORT": ("0", "port", 0),
    "RELAY_TIMEOUT_SECONDS": ("0.5", "turn_seconds", 0.5),
    "RELAY_RESEARCH_TIMEOUT_SECONDS": ("60", "research_seconds", 60),
    "RELAY_RUN_SECONDS": ("3600", "run_seconds", 3600),
    "RELAY_MAX_INVOCATIONS": ("7", "max_invocations", 7),
    "RELAY_MAX_STREAM_BYTES": ("5000", "max_stream_bytes", 5000),
    "RELAY_API_KEY": (KEY, "keys", {"": Secret(KEY)}),
    "RELAY_SECRET": (SECRET, "secret", Secret(SECRET)),
    "RELAY_STORE": ("/srv/runs.sqlite3", "store", Path("/srv/runs.sqlite3")),
    "RELAY_ALLOWED_HOSTS": ("Relay.Example,::2", "allowed_hosts", ("relay.example", "::2")),
    "RELAY_ON_UNCERTAIN": ("resubmit", "uncertain", "resubmit"),
    "RELAY_RETENTION_DAYS": ("30", "retention_days", 30),
    "RELAY_CONCURRENCY": ("8", "concurrency", 8),
}  # fmt: skip


@pytest.mark.parametrize("name", EVERYTHING)
@pytest.mark.parametrize("place", ["environment", "home"])
def test_each_variable_is_read(home: Home, name: str, place: str) -> None:
    text, field, expected = EVERYTHING[name]
    if place == "home":
        home.write("home", **{name: f'"{text}"'})
    settings = home.load(**({name: text} if place == "environment" else {}))
    assert getattr(settings, field) == expected


def test_arguments_win(home: Home) -> None:
    environ = {"RELAY_HOST": "::1", "RELAY_PORT": "1", "RELAY_STORE": "a", "RELAY_BASE_URL": RELAY}
    settings = home.load("http://localhost:9/", host="h", port=2, store=Path("/b"), **environ)
    assert (settings.host, settings.port, settings.store) == ("h", 2, Path("/b"))
    assert settings.base_url == "http://localhost:9"


# -- what a folder may say -----------------------------------------------------------------------

OF_A_FOLDER = {"RELAY_BASE_URL", "RELAY_TIMEOUT_SECONDS", "RELAY_RESEARCH_TIMEOUT_SECONDS"}


@pytest.mark.parametrize("name", EVERYTHING)
def test_a_folder_says_where_a_relay_is_and_not_how_the_kernels_own_serves(
    home: Home, name: str
) -> None:
    """A stranger's folder could otherwise have this user's runs written elsewhere, or deleted."""
    text, field, expected = EVERYTHING[name]
    home.write("folder", **{name: text})
    assert (getattr(home.load(), field) == expected) is (name in OF_A_FOLDER)


@pytest.mark.parametrize("name", EVERYTHING)
def test_a_relay_that_is_started_in_a_folder_reads_all_of_its_file(home: Home, name: str) -> None:
    text, field, expected = EVERYTHING[name]
    home.write("folder", **{name: text})
    assert getattr(home.load(standalone=True), field) == expected


@pytest.mark.parametrize(
    ("place", "base"), [("environment", None), ("home", "home"), ("folder", "folder")]
)
def test_a_relative_store_lies_beside_the_file_that_names_it(
    home: Home, monkeypatch: pytest.MonkeyPatch, place: str, base: str | None
) -> None:
    monkeypatch.chdir(home.folder)
    given = {"RELAY_STORE": "runs.db"} if base is None else {}
    if base is not None:
        home.write(base, RELAY_STORE="runs.db")
    store = home.load(standalone=True, **given).store
    assert store == (home.path if place == "home" else home.folder) / "runs.db"


# -- the key to call a relay with ----------------------------------------------------------------


@pytest.mark.parametrize("key_from", PLACES[1:])
@pytest.mark.parametrize("address_from", PLACES)
def test_a_key_goes_only_to_a_relay_trusted_as_much(
    home: Home, address_from: str, key_from: str
) -> None:
    settings = home.load_from({"RELAY_BASE_URL": address_from, "RELAY_API_KEY": key_from})
    if PLACES.index(address_from) <= PLACES.index(key_from):
        key = settings.key_to_call()
        assert key is not None
        assert key.reveal() == KEY
    else:
        with pytest.raises(KeyWithheld) as caught:
            settings.key_to_call()
        assert KEY not in str(caught.value)
        assert RELAY in str(caught.value)
        assert "set RELAY_BASE_URL in the environment" in str(caught.value)


def test_a_key_that_is_withheld_hinders_no_relay_from_serving(home: Home) -> None:
    places = {"RELAY_BASE_URL": "folder", "RELAY_API_KEY": "environment"}
    assert revealed(home.load_from(places, standalone=True).keys) == {"": KEY}


def test_a_relays_address_needs_no_key(home: Home) -> None:
    assert home.load(RELAY_BASE_URL=RELAY).key_to_call() is None


def test_of_several_keys_the_first_is_sent(home: Home) -> None:
    settings = home.load(RELAY, RELAY_API_KEY="alice:rk-alice,bob:rk-bob")
    assert settings.key_to_call() == Secret("rk-alice")


@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://127.0.0.1:8080/", "http://127.0.0.1:8080"),
        ("http://localhost:8080/api/v1", "http://localhost:8080"),
        ("https://relay.example/api/v1/tool-invocations", RELAY),
        ("https://relay.example/api/v1/tool-invocations/inv_1/events", RELAY),
        ("https://relay.example/api/v1/chat/", RELAY),
        ("https://relay.example:443/team/", "https://relay.example/team"),
    ],
)
def test_an_address_loses_what_was_pasted_with_it(home: Home, written: str, address: str) -> None:
    assert home.load(written).base_url == address


@pytest.mark.parametrize("place", ["environment", "home", "folder"])
def test_it_can_be_said_where_a_relay_is_and_who_says_so(home: Home, place: str) -> None:
    relay = home.load_from({"RELAY_BASE_URL": place, "RELAY_API_KEY": "environment"})
    names = {"environment": "environment", "home": "~/.env", "folder": f".env of {home.folder}"}
    assert (relay.base_url, relay.base_url_source) == (RELAY, names[place])


def test_without_a_relays_address_nobody_names_it(home: Home) -> None:
    assert home.load().base_url_source is None


@pytest.mark.parametrize(
    "written",
    [
        *(
            "http://relay.example",
            "relay.example",
            "ftp://relay.example",
            "https://",
            "https://a b",
        ),
        *("https://user:pass-word@relay.example", "file:///etc/passwd"),
    ],
)
def test_what_is_no_relays_address_is_refused_without_repeating_it(
    home: Home, written: str
) -> None:
    with pytest.raises(ConfigError, match=r"RELAY_BASE_URL \(environment\)") as caught:
        home.load(RELAY_BASE_URL=written)
    assert "pass-word" not in str(caught.value)


def test_plain_http_to_another_machine_has_to_be_allowed_by_who_names_it(home: Home) -> None:
    home.write("folder", RELAY_BASE_URL="http://relay.example", KIT_ALLOW_INSECURE_HTTP="1")
    assert home.load().base_url == "http://relay.example"
    with pytest.raises(ConfigError):
        home.load(RELAY_BASE_URL="http://relay.example")


# -- the keys a relay takes ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("rk-1", {"": "rk-1"}),
        ("Bearer rk-1", {"": "rk-1"}),
        ("alice:rk-1", {"alice": "rk-1"}),
        ("alice:rk-1, bob : rk-2,", None),
        ("alice:rk-1, bob:rk-2,", {"alice": "rk-1", "bob": "rk-2"}),
        ("rk-1,bob:rk-2", {"": "rk-1", "bob": "rk-2"}),
        ("rk-1,rk-2", None),
        ("alice:rk-1,alice:rk-2", None),
        ("alice:rk-1,bob:rk-1", None),
        ("a:b:c", None),
        ("alice:", None),
        (",", None),
        ("al ice:rk-1", None),
        ("rk 1", None),
        ("ключ", None),
    ],
)
def test_keys_are_one_or_name_and_key_in_pairs(
    home: Home, text: str, keys: dict[str, str] | None
) -> None:
    if keys is not None:
        assert revealed(home.load(RELAY_API_KEY=text).keys) == keys
        return
    with pytest.raises(ConfigError, match="RELAY_API_KEY") as caught:
        home.load(RELAY_API_KEY=text)
    assert "rk-1" not in str(caught.value)


# -- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("RELAY_PORT", "eighty", "a whole number from 0 to 65535; 8080 is the default"),
        ("RELAY_PORT", "65536", "from 0 to 65535"),
        ("RELAY_PORT", "80.5", "a whole number"),
        ("RELAY_TIMEOUT_SECONDS", "0", "a number from 0.01"),
        ("RELAY_TIMEOUT_SECONDS", "nan", "a number from 0.01"),
        ("RELAY_RESEARCH_TIMEOUT_SECONDS", "inf", "300 is the default"),
        ("RELAY_RUN_SECONDS", "-5", "from 1 to"),
        ("RELAY_MAX_INVOCATIONS", "0", "from 1 to"),
        ("RELAY_MAX_STREAM_BYTES", "1MB", "a whole number"),
        ("RELAY_CONCURRENCY", "0", "64 is the default"),
        ("RELAY_RETENTION_DAYS", "never", "a number from 0.01 to 100000."),
        ("RELAY_ON_UNCERTAIN", "retry", "fail_unknown .* or resubmit"),
        ("RELAY_SECRET", "short", "shorter than 16 characters"),
        ("RELAY_ALLOWED_HOSTS", "https://relay.example", "host names"),
        ("RELAY_ALLOWED_HOSTS", "relay.example:8080", "host names"),
        ("RELAY_ALLOWED_HOSTS", "*", "host names"),
        ("RELAY_STORE", "mysql://me:pass-word@db/x", "neither a file nor"),
    ],
)
def test_a_value_that_does_not_work_is_named_with_what_does(
    home: Home, name: str, value: str, says: str
) -> None:
    with pytest.raises(ConfigError, match=f"{name}.*{says}") as caught:
        home.load(**{name: value})
    assert "pass-word" not in str(caught.value)
    assert str(caught.value).count("\n") < 3


def test_nothing_secret_is_in_the_repr(home: Home) -> None:
    address = "postgresql://me:pass-word@db.example/relay"
    settings = home.load(RELAY, RELAY_API_KEY=KEY, RELAY_SECRET=SECRET, RELAY_STORE=address)
    assert isinstance(settings.store, Secret)
    assert settings.store.reveal() == address
    for secret in ("pass-word", KEY, SECRET):
        assert secret not in repr(settings)
