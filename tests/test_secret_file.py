"""Secrets in a private file: made once, the same for everybody, and whole."""

from __future__ import annotations

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from kit.errors import ConfigError
from kit.secret_file import kept


def test_it_is_made_once_and_is_private(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "relay.key"
    secret = kept(file)
    assert kept(file) == secret
    assert len(secret.reveal()) == 64
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert [*file.parent.iterdir()] == [file]


def test_two_files_have_two_secrets(tmp_path: Path) -> None:
    assert kept(tmp_path / "a") != kept(tmp_path / "b")


@pytest.mark.parametrize("turn", range(5))
def test_all_who_make_it_at_once_get_the_same(tmp_path: Path, turn: int) -> None:
    with ThreadPoolExecutor(16) as pool:
        secrets = {*pool.map(kept, [tmp_path / "relay.key"] * 16)}
    assert len(secrets) == 1
    assert len([*tmp_path.iterdir()]) == 1


def test_one_that_others_may_read_is_made_private(tmp_path: Path) -> None:
    file = tmp_path / "relay.key"
    secret = kept(file)
    file.chmod(0o644)
    assert kept(file) == secret
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize("content", [b"", b"short\n", b"\xff" * 64, b"0" * 10_000])
def test_a_damaged_file_is_an_error_that_repeats_nothing(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "relay.key"
    file.write_bytes(content)
    with pytest.raises(ConfigError, match="is damaged") as caught:
        kept(file)
    assert "short" not in str(caught.value)


def test_a_place_where_no_file_can_be_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="neither read nor made"):
        kept(tmp_path / "file" / "relay.key")
    (tmp_path / "folder").mkdir()
    with pytest.raises(ConfigError, match="neither read nor made"):
        kept(tmp_path / "folder")


@pytest.mark.skipif(os.name != "posix", reason="pipes")
def test_nobody_waits_for_a_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "relay.key")
    with pytest.raises(ConfigError, match="neither read nor made: it is no file"):
        kept(tmp_path / "relay.key")


def test_a_secret_may_be_mounted(tmp_path: Path) -> None:
    """As a link to a file of somebody else's, which is how clusters do it."""
    (tmp_path / "mounted").write_text("0" * 64)
    (tmp_path / "relay.key").symlink_to(tmp_path / "mounted")
    assert kept(tmp_path / "relay.key").reveal() == "0" * 64
