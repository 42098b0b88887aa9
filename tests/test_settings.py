"""What is read from where, and above all: which key may go to which address."""

from __future__ import annotations

import copy
import json
import logging
import os
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from kit import keys
from kit.errors import ConfigError, KeyWithheld
from kit.settings import Endpoint, Secret, Settings, load
from kit.settings_unused import unused_key
from kit.trust import trust, trusted

GATEWAY = "https://gateway.example/v1"
OTHER = "https://other.example/v1"
KEY = "sk-the-key-0123456789"

Login = Callable[[str], str | None]


@dataclass(frozen=True)
class Place:
    """A home, a folder in it that has a `.env`, and what `load` is told of both."""

    home: Path
    folder: Path

    def write(self, where: Path, **values: str) -> None:
        lines = "".join(f"{name}={value}\n" for name, value in values.items())
        with (where / ".env").open("a", encoding="utf-8") as file:
            file.write(lines)

    def load(
        self, *arguments: Any, login: Callable[[str], str | None] | None = None, **environ: str
    ) -> Settings:
        return load(
            *arguments,
            environ=environ,
            folder=self.folder,
            home=self.home,
            login=login or (lambda address: None),
            user_data=self.home / "data",
        )

    def put(self, source: str, name: str, value: str, call: dict[str, Any]) -> None:
        """Set `name` in one of the four places; `call` collects what `load` gets."""
        if source == "argument":
            call["arguments"][["LITELLM_BASE_URL", "LITELLM_API_KEY"].index(name)] = value
        elif source == "environment":
            call["environ"][name] = value
        else:
            self.write(self.home if source == "home" else self.folder, **{name: value})


@pytest.fixture
def place(tmp_path: Path) -> Place:
    folder = tmp_path / "home" / "project"
    folder.mkdir(parents=True)
    return Place(tmp_path / "home", folder)


SOURCES = ("argument", "environment", "home", "folder")


def settings_of(place: Place, address_from: str, key_from: str) -> Settings:
    call: dict[str, Any] = {"arguments": [None, None], "environ": {}}
    place.put(address_from, "LITELLM_BASE_URL", GATEWAY, call)
    place.put(key_from, "LITELLM_API_KEY", KEY, call)
    return place.load(*call["arguments"], **call["environ"])


def key_of(settings: Settings) -> str | None:
    assert settings.endpoint is not None
    return settings.endpoint.api_key and settings.endpoint.api_key.reveal()


@pytest.mark.parametrize("key_from", SOURCES)
@pytest.mark.parametrize("address_from", SOURCES)
def test_a_key_goes_only_to_an_address_trusted_as_much(
    place: Place, address_from: str, key_from: str
) -> None:
    """All sixteen pairs: the address's place is the key's, or a more trusted one."""
    if SOURCES.index(address_from) <= SOURCES.index(key_from):
        assert key_of(settings_of(place, address_from, key_from)) == KEY
    else:
        with pytest.raises(KeyWithheld) as caught:
            settings_of(place, address_from, key_from)
        assert KEY not in str(caught.value)
        assert GATEWAY in str(caught.value)


def test_the_refusal_names_the_file_and_the_cure(place: Place) -> None:
    with pytest.raises(KeyWithheld) as caught:
        settings_of(place, "folder", "environment")
    message = str(caught.value)
    assert str(place.folder / ".env") in message
    assert "%kit trust" in message
    assert "LITELLM_BASE_URL in the environment" in message
    assert message.count("\n") <= 2


@pytest.mark.parametrize("key_from", ["argument", "environment", "home"])
def test_a_trusted_folder_may_name_its_address(place: Place, key_from: str) -> None:
    with pytest.raises(KeyWithheld):
        settings_of(place, "folder", key_from)
    assert trust(place.folder, user_data=place.home / "data") == (place.folder, GATEWAY)
    assert key_of(settings_of(place, "folder", key_from)) == KEY


def test_trust_ends_when_the_folder_names_another_address(place: Place) -> None:
    place.write(place.folder, LITELLM_BASE_URL=GATEWAY)
    trust(place.folder, user_data=place.home / "data")
    assert key_of(place.load(LITELLM_API_KEY=KEY)) == KEY
    (place.folder / ".env").write_text(f"LITELLM_BASE_URL={OTHER}\n")
    with pytest.raises(KeyWithheld):
        place.load(LITELLM_API_KEY=KEY)


def test_trust_is_for_one_folder(place: Place) -> None:
    place.write(place.folder, LITELLM_BASE_URL=GATEWAY)
    trust(place.folder, user_data=place.home / "data")
    assert trusted(place.folder, GATEWAY, user_data=place.home / "data")
    assert not trusted(place.folder / "below", GATEWAY, user_data=place.home / "data")
    assert not trusted(place.home, GATEWAY, user_data=place.home / "data")


def test_trust_given_below_is_for_the_folder_of_the_file(place: Place) -> None:
    place.write(place.folder, LITELLM_BASE_URL=GATEWAY)
    (place.folder / "deep" / "down").mkdir(parents=True)
    folder, _ = trust(place.folder / "deep" / "down", user_data=place.home / "data")
    assert folder == place.folder


def test_the_record_of_trust_is_private(place: Place) -> None:
    place.write(place.folder, LITELLM_BASE_URL=GATEWAY)
    trust(place.folder, user_data=place.home / "data")
    record = place.home / "data" / "trusted.json"
    assert record.stat().st_mode & 0o077 == 0
    assert [file.name for file in record.parent.iterdir()] == ["trusted.json"]


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "null", '{"folders": 3}', "[" * 100_000, "\xff"]
)
def test_a_record_that_cannot_be_read_trusts_nobody(place: Place, content: str) -> None:
    record = place.home / "data" / "trusted.json"
    record.parent.mkdir()
    record.write_text(content, encoding="latin-1")
    assert not trusted(place.folder, GATEWAY, user_data=place.home / "data")
    place.write(place.folder, LITELLM_BASE_URL=GATEWAY)
    trust(place.folder, user_data=place.home / "data")
    assert trusted(place.folder, GATEWAY, user_data=place.home / "data")


@pytest.mark.parametrize("instead", ["a pipe", "a link", "others may write it"])
def test_a_record_that_others_may_have_written_trusts_nobody(place: Place, instead: str) -> None:
    """And nobody waits for a pipe."""
    place.write(place.folder, LITELLM_BASE_URL=GATEWAY)
    trust(place.folder, user_data=place.home / "data")
    record = place.home / "data" / "trusted.json"
    if instead == "others may write it":
        record.chmod(0o666)
    else:
        record.rename(record.with_name("elsewhere"))
        _ = os.mkfifo(record) if instead == "a pipe" else record.symlink_to("elsewhere")
    assert not trusted(place.folder, GATEWAY, user_data=place.home / "data")
    trust(place.folder, user_data=place.home / "data")
    assert trusted(place.folder, GATEWAY, user_data=place.home / "data")


@pytest.mark.parametrize("content", [None, "", "LITELLM_MODEL=x\n", "LITELLM_BASE_URL= \n"])
def test_trusting_a_folder_without_an_address_is_an_error(
    place: Place, content: str | None
) -> None:
    if content is not None:
        (place.folder / ".env").write_text(content)
    with pytest.raises(ConfigError, match="nothing to trust"):
        trust(place.folder, user_data=place.home / "data")


def test_a_folder_with_its_own_key_needs_no_trust_and_gets_no_other(place: Place) -> None:
    place.write(place.folder, LITELLM_BASE_URL=GATEWAY, LITELLM_API_KEY="sk-folder")
    assert key_of(place.load(LITELLM_API_KEY=KEY)) == "sk-folder"


def test_the_working_folder_that_is_the_home_counts_as_the_home(place: Place) -> None:
    place.write(place.home, LITELLM_BASE_URL=GATEWAY, LITELLM_API_KEY=KEY)
    at_home = Place(place.home, place.home)
    assert at_home.load().sources["LITELLM_API_KEY"] == "~/.env"
    assert at_home.load().endpoint == place.load().endpoint


# -- order ---------------------------------------------------------------------------------------


def test_an_earlier_place_wins(place: Place) -> None:
    place.write(place.home, LITELLM_MODEL="home")
    assert place.load().model == "home"
    place.write(place.folder, LITELLM_MODEL="folder")
    assert place.load().model == "folder"
    assert place.load(LITELLM_MODEL="environment").model == "environment"
    assert place.load(None, None, "argument", LITELLM_MODEL="environment").model == "argument"


@pytest.mark.parametrize("blank", ["", " ", "\t", '""', "''"])
def test_blank_counts_as_missing(place: Place, blank: str) -> None:
    place.write(place.home, LITELLM_MODEL="home")
    place.write(place.folder, LITELLM_MODEL=blank)
    assert place.load(blank.strip("\"'"), LITELLM_MODEL=blank.strip("\"'")).model == "home"


def test_nothing_set_means_the_sandbox(place: Place) -> None:
    settings = place.load()
    assert settings.endpoint is None
    assert settings.model is None
    assert settings.sandbox_corpus == ()
    assert settings.sandbox_pace == 1.0
    assert settings.local_model is None
    assert settings.ca_file is None
    assert dict(settings.proxies) == {}
    assert dict(settings.sources) == {}


def test_a_key_without_an_address_goes_nowhere(place: Place) -> None:
    assert place.load(LITELLM_API_KEY=KEY).endpoint is None


def test_the_nearest_parent_with_a_file_is_read_and_no_other(place: Place) -> None:
    deep = place.folder / "a" / "b"
    deep.mkdir(parents=True)
    (place.folder / "a" / ".env").mkdir()  # a virtual environment may bear that name
    place.write(place.folder, LITELLM_MODEL="nearest")
    assert Place(place.home, deep).load().model == "nearest"
    place.write(deep, LITELLM_CHAT_MODEL="chat")
    settings = Place(place.home, deep).load()
    assert (settings.model, settings.chat_model) == (None, "chat")


def test_a_file_changes_no_environment(place: Place) -> None:
    place.write(place.folder, LITELLM_MODEL="folder")
    before = dict(os.environ)
    assert load(folder=place.folder, home=place.home, user_data=place.home).model == "folder"
    assert dict(os.environ) == before


def test_the_models_of_chat_and_research(place: Place) -> None:
    names = {"LITELLM_CHAT_MODEL": "chat", "LITELLM_RESEARCH_MODEL": "research"}
    settings = place.load(GATEWAY, LITELLM_MODEL="any", **names)
    assert settings.endpoint is not None
    assert settings.endpoint.model == "any"
    assert settings.endpoint.chat_model == "chat"
    assert settings.endpoint.research_model == "research"


def test_a_model_that_is_passed_is_the_one_that_chats(place: Place) -> None:
    settings = place.load(None, None, "passed", LITELLM_CHAT_MODEL="chat")
    assert (settings.model, settings.chat_model) == ("passed", "passed")


def test_sources_name_places_and_hold_no_values(place: Place) -> None:
    place.write(place.folder, LITELLM_RESEARCH_MODEL="deep")
    place.write(place.home, LITELLM_API_KEY=KEY)
    settings = place.load(None, None, "model", LITELLM_BASE_URL=GATEWAY)
    assert settings.sources["LITELLM_MODEL"] == "argument"
    assert settings.sources["LITELLM_BASE_URL"] == "environment"
    assert settings.sources["LITELLM_API_KEY"] == "~/.env"
    assert settings.sources["LITELLM_RESEARCH_MODEL"] == f".env of {place.folder}"
    assert KEY not in str(settings.sources)


# -- login ---------------------------------------------------------------------------------------


def kept(address: str) -> str | None:
    return {GATEWAY: "sk-typed"}.get(address)


@pytest.mark.parametrize("address_from", SOURCES)
def test_a_typed_key_goes_to_its_address_whoever_names_it(place: Place, address_from: str) -> None:
    call: dict[str, Any] = {"arguments": [None, None], "environ": {}}
    place.put(address_from, "LITELLM_BASE_URL", GATEWAY + "/responses", call)
    assert key_of(place.load(*call["arguments"], login=kept, **call["environ"])) == "sk-typed"


@pytest.mark.parametrize(
    ("key_from", "expected"),
    [("argument", KEY), ("environment", KEY), ("home", "sk-typed"), ("folder", "sk-typed")],
)
def test_a_typed_key_comes_after_this_session_and_before_files(
    place: Place, key_from: str, expected: str
) -> None:
    call: dict[str, Any] = {"arguments": [GATEWAY, None], "environ": {}}
    place.put(key_from, "LITELLM_API_KEY", KEY, call)
    assert key_of(place.load(*call["arguments"], login=kept, **call["environ"])) == expected


def test_a_key_typed_in_this_process_replaces_the_one_in_the_environment(place: Place) -> None:
    """Whoever runs %kit login because the environment's key is wrong means the new one."""
    keys.remember(GATEWAY, "sk-typed-now")
    try:
        assert key_of(place.load(GATEWAY, login=keys.recall, LITELLM_API_KEY=KEY)) == "sk-typed-now"
        assert key_of(place.load(GATEWAY, KEY, login=keys.recall)) == KEY
    finally:
        keys.forget(GATEWAY)
    assert key_of(place.load(GATEWAY, login=keys.recall, LITELLM_API_KEY=KEY)) == KEY


def test_a_typed_key_is_used_where_another_would_be_withheld(place: Place) -> None:
    place.write(place.folder, LITELLM_BASE_URL=GATEWAY)
    assert key_of(place.load(login=kept, LITELLM_API_KEY=KEY)) == "sk-typed"


def test_a_typed_key_of_another_address_is_not_used(place: Place) -> None:
    assert key_of(place.load(OTHER, login=kept)) is None


# -- values --------------------------------------------------------------------------------------


def test_an_address_that_does_not_work_is_one_line(place: Place) -> None:
    with pytest.raises(ConfigError) as caught:
        place.load(LITELLM_BASE_URL="http://gateway.invalid")
    assert "\n" not in str(caught.value)
    assert "LITELLM_BASE_URL (environment)" in str(caught.value)


def test_plain_http_is_allowed_by_a_place_as_trusted_as_the_address(place: Place) -> None:
    url = "http://gateway.invalid"
    assert place.load(LITELLM_BASE_URL=url, KIT_ALLOW_INSECURE_HTTP="1").endpoint is not None
    place.write(place.folder, KIT_ALLOW_INSECURE_HTTP="1")
    with pytest.raises(ConfigError):
        place.load(LITELLM_BASE_URL=url)


def test_plain_http_to_an_argument_is_allowed_by_the_environment(place: Place) -> None:
    assert place.load("http://gateway.invalid", KIT_ALLOW_INSECURE_HTTP="1").endpoint is not None
    place.write(place.home, KIT_ALLOW_INSECURE_HTTP="1")
    with pytest.raises(ConfigError):
        place.load("http://gateway.invalid")


@pytest.mark.parametrize("value", ["0", "true", "yes", "no"])
def test_plain_http_is_allowed_by_1_only(place: Place, value: str) -> None:
    with pytest.raises(ConfigError):
        place.load("http://gateway.invalid", KIT_ALLOW_INSECURE_HTTP=value)


@pytest.mark.parametrize(
    "written", [KEY, f" {KEY} ", f'"{KEY}"', f"'{KEY}'", f"Bearer {KEY}", f"{KEY}\n"]
)
def test_a_key_loses_what_was_copied_with_it(place: Place, written: str) -> None:
    assert key_of(place.load(GATEWAY, written)) == KEY


@pytest.mark.parametrize(
    "written",
    [
        "sk-one\nsk-two",
        "sk-one\r\nX: y",
        "sk-\x00",
        "sk-\x1b[0m",
        "sk-키",
        "sk-é",
        '"',
        "s" * 20_000,
    ],
)
def test_a_key_that_cannot_be_sent_is_refused_and_not_shown(place: Place, written: str) -> None:
    with pytest.raises(ConfigError) as caught:
        place.load(GATEWAY, written)
    assert "sk-" not in str(caught.value)


@pytest.mark.parametrize(("written", "pace"), [("0", 0.0), ("0.25", 0.25), ("2", 2.0)])
def test_the_pace_of_the_sandbox(place: Place, written: str, pace: float) -> None:
    assert place.load(KIT_SANDBOX_PACE=written).sandbox_pace == pace


@pytest.mark.parametrize("written", ["fast", "-1", "nan", "inf", "1e9", "1,5"])
def test_a_pace_that_is_none_is_an_error(place: Place, written: str) -> None:
    with pytest.raises(ConfigError, match="KIT_SANDBOX_PACE"):
        place.load(KIT_SANDBOX_PACE=written)


def test_paths_count_from_where_they_are_written(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    import os

    monkeypatch.chdir(place.home)
    notes = place.home / "notes"
    for folder in (place.folder / "papers", notes, place.home / "here"):
        folder.mkdir()
    place.write(place.folder, KIT_SANDBOX_CORPUS=os.pathsep.join(["papers", str(notes), ""]))
    place.write(place.home, KIT_LOCAL_MODEL="~/models/small.gguf")
    settings = place.load()
    assert settings.sandbox_corpus == (place.folder / "papers", notes)
    assert settings.local_model == Path.home() / "models" / "small.gguf"
    assert place.load(KIT_SANDBOX_CORPUS="here").sandbox_corpus == (place.home / "here",)


@pytest.mark.parametrize("wrong", ["papres", "a-file.md", "nul\x00", "long" * 2000])
def test_a_corpus_folder_that_is_none_is_named_and_not_passed_over(
    place: Place, wrong: str
) -> None:
    import os

    (place.folder / "papers").mkdir()
    papers = str(place.folder / "papers")
    (place.folder / "a-file.md").write_text("text")
    given = os.pathsep.join([papers, str(place.folder / wrong)])
    with pytest.raises(ConfigError, match="KIT_SANDBOX_CORPUS") as raised:
        place.load(KIT_SANDBOX_CORPUS=given)
    said = str(raised.value)
    assert str(place.folder / wrong)[:60].partition("\x00")[0] in said
    assert "environment" in said
    assert said.replace("\n", " ").isprintable()
    assert len(said) < 500


def test_a_folder_cannot_say_who_reads_the_traffic_or_what_native_code_parses(
    place: Place,
) -> None:
    names = ("SSL_CERT_FILE", "HTTPS_PROXY", "https_proxy", "KIT_LOCAL_MODEL")
    place.write(place.folder, **dict.fromkeys(names, "evil"))
    settings = place.load()
    assert (settings.ca_file, settings.local_model) == (None, None)
    assert dict(settings.proxies) == {}


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"SSL_CERT_FILE": "a", "REQUESTS_CA_BUNDLE": "b", "CURL_CA_BUNDLE": "c"}, "a"),
        ({"REQUESTS_CA_BUNDLE": "b", "CURL_CA_BUNDLE": "c"}, "b"),
        ({"CURL_CA_BUNDLE": "c"}, "c"),
    ],
)
def test_the_file_of_certificates(place: Place, environ: dict[str, str], expected: str) -> None:
    assert place.load(**environ).ca_file == expected


def test_lower_case_proxies_win(place: Place) -> None:
    environ = {"HTTPS_PROXY": "http://upper", "https_proxy": "http://lower", "no_proxy": "local"}
    assert place.load(**environ).proxies == {"HTTPS_PROXY": "http://lower", "NO_PROXY": "local"}


# -- files ---------------------------------------------------------------------------------------


def test_a_file_is_read_as_people_write_it(place: Place) -> None:
    (place.folder / ".env").write_text(
        "\ufeff# ours\nexport LITELLM_MODEL='a model'  # comment\n\n"
        'LITELLM_CHAT_MODEL="chat"\nLITELLM_RESEARCH_MODEL=${LITELLM_MODEL}\r\n',
        encoding="utf-8",
    )
    settings = place.load()
    assert settings.model == "a model"
    assert settings.chat_model == "chat"
    assert settings.research_model == "${LITELLM_MODEL}"


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"A=1\nLITELLM_API_KEY='sk-one\n", "line 2"),
        (b"A=1\nB=2\nLITELLM_MODEL=\xff\n", "line 3"),
        (b"LITELLM_MODEL=x\n" * 5000, "64 KiB"),
    ],
)
def test_a_broken_file_is_an_error_that_names_the_place(
    place: Place, content: bytes, line: str
) -> None:
    (place.folder / ".env").write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        place.load()
    assert str(place.folder / ".env") in str(caught.value)
    assert line in str(caught.value)
    assert "sk-one" not in str(caught.value)


def test_broken_lines_of_other_programs_are_theirs(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    (place.folder / ".env").write_text("FOO BAR='x\nLITELLM_MODEL=m\n")
    assert place.load().model == "m"
    assert caplog.text == ""


# -- a key does not slip out ---------------------------------------------------------------------


def test_a_key_is_in_no_text_of_what_holds_it(place: Place) -> None:
    settings = place.load(GATEWAY, KEY)
    endpoint = settings.endpoint
    assert endpoint is not None
    for thing in (settings, endpoint, endpoint.api_key, [endpoint]):
        for text in (repr(thing), str(thing), f"{thing}", f"{thing!s:>5}"):
            assert KEY not in text


def test_headers_are_not_in_the_repr() -> None:
    assert KEY not in repr(Endpoint(GATEWAY, headers={"X-Api-Key": KEY}))


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_key_cannot_be_pickled(protocol: int) -> None:
    for thing in (Secret(KEY), Endpoint(GATEWAY, Secret(KEY))):
        with pytest.raises(TypeError) as caught:
            pickle.dumps(thing, protocol)
        assert KEY not in str(caught.value)


def test_a_key_is_not_json_and_not_iterable() -> None:
    with pytest.raises(TypeError) as caught:
        json.dumps({"key": Secret(KEY)})
    assert KEY not in str(caught.value)
    with pytest.raises(TypeError):
        list(Secret(KEY))  # type: ignore[call-overload]
    with pytest.raises(TypeError):
        vars(Secret(KEY))


def test_secrets_are_equal_by_key_and_to_nothing_else() -> None:
    assert Secret(KEY) == Secret(KEY)
    assert hash(Secret(KEY)) == hash(Secret(KEY))
    assert Secret(KEY) != Secret(KEY + "x")
    assert Secret(KEY) != KEY
    assert copy.deepcopy(Secret(KEY)).reveal() == copy.copy(Secret(KEY)).reveal() == KEY


def test_a_secret_cannot_be_changed() -> None:
    secret = Secret(KEY)
    with pytest.raises(AttributeError):
        secret.key = "x"  # type: ignore[attr-defined]
    with pytest.raises(AttributeError):
        secret._Secret__key = "x"  # type: ignore[attr-defined]
    assert secret.reveal() == KEY


def test_loading_logs_nothing(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    place.write(place.home, LITELLM_BASE_URL=GATEWAY, LITELLM_API_KEY=KEY)
    place.load()
    assert caplog.text == ""


def test_an_endpoint_is_named_by_its_address_unless_it_has_a_name() -> None:
    assert Endpoint(GATEWAY).identity == GATEWAY
    assert Endpoint("http://127.0.0.1:1/v1", identity="sandbox").identity == "sandbox"
    assert hash(Endpoint(GATEWAY, headers={"a": "b"})) == hash(Endpoint(GATEWAY))


def test_a_working_folder_that_is_gone_has_no_env(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    found = load("https://gateway.example.com", environ={}, home=tmp_path)
    assert found.endpoint and found.endpoint.base_url == "https://gateway.example.com/v1"


def test_lines_of_others_need_not_be_utf_8(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"OTHER=\xc7\xd1\nLITELLM_MODEL=m\n")
    assert load(environ={}, folder=tmp_path, home=tmp_path / "no").model == "m"


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({"LITELLM_API_KEY": "sk-secret12345"}, "set LITELLM_BASE_URL to the gateway's address"),
        (
            {"LITELLM_API_KEY": "sk-secret12345", "LITELLM_BASEURL": "https://a.example"},
            "rename LITELLM_BASEURL to LITELLM_BASE_URL",
        ),
        ({"LITELLM_API_KEY": " "}, None),
        ({"LITELLM_API_KEY": "sk-secret12345", "LITELLM_BASE_URL": "https://a.example"}, None),
        ({"LITELLM_BASEURL": "https://a.example"}, None),
    ],
    ids=str,
)
def test_a_key_without_an_address_is_named(
    variables: dict[str, str], says: str | None, tmp_path: Path
) -> None:
    said = unused_key(variables, tmp_path, tmp_path)
    if says is None:
        assert said is None
    else:
        assert said is not None
        assert says in said
        assert "LITELLM_API_KEY (environment) is not used" in said
        assert "sk-secret12345" not in said
