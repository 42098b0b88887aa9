"""What is written down of runs: private, whole, found again, and never trusted more than it is."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kit.connect_news import counts
from kit.errors import ConfigError
from kit.gateway.answer import Usage
from kit.relay.book import Book, Entry
from kit.secret import Secret
from kit.secret_file import write_private
from tests.relay.caller.there import ID, TOKEN, entry

pytestmark = pytest.mark.once


@pytest.fixture
def book(tmp_path: Path) -> Book:
    return Book(tmp_path / "deep" / "runs")


def number(count: int, **known: Any) -> Entry:
    key = f"{count:032x}"
    return entry(key=key, id=f"inv_{count:032x}", asked=1000.0 + count, **known)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# -- keeping -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "known",
    [
        {},
        {"id": None, "token": None},
        {"ended": "completed", "cost": 0.25, "seen": True},
        {"usage": Usage(10, 5, 15, 4, 3), "model": "deep", "seconds": 1.5, "searches": 2},
        {"question": "짜장면 👩‍👩‍👧‍👦\n\u2028\x1b[2J", "relay": "https://relay.example"},
        {"arguments": {"context": [{"deep": [1, None, "김치"]}], "research_question": "q"}},
    ],
    ids=["accepted", "asked", "seen", "spent", "hostile", "arguments"],
)
def test_what_was_written_is_read_again(book: Book, known: dict[str, Any]) -> None:
    given = entry(**known)
    assert book.write(given) == given
    assert Book(book.folder).entries() == [given]


def test_files_and_their_folder_are_the_users_alone(book: Book) -> None:
    before = os.umask(0)
    try:
        book.write(entry())
        book.update(entry(seen=True))
    finally:
        os.umask(before)
    assert mode(book.folder) == 0o700
    assert [mode(file) for file in book.folder.iterdir()] == [0o600]


def test_a_file_that_others_could_read_is_private_when_it_is_next_written(book: Book) -> None:
    book.write(entry())
    [file] = book.folder.iterdir()
    file.chmod(0o644)
    book.update(entry(seen=True))
    assert mode(file) == 0o600


def test_what_was_deleted_stays_deleted(book: Book) -> None:
    """Another kernel that still holds the run does not bring its token back."""
    book.write(entry())
    book.forget(entry())
    book.update(entry(seen=True))
    assert [*book.folder.iterdir()] == []
    book.forget(entry())


def test_a_run_that_is_not_in_the_book_leaves_nothing_in_it(book: Book) -> None:
    book.write(number(1))
    book.update(entry(key=""))
    assert [file.name for file in book.folder.iterdir()] == [f"{1:032x}.json"]


def test_no_reader_ever_sees_half_a_file(book: Book) -> None:
    big = entry(arguments={"context": ["x" * 200_000]})
    book.write(big)
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            book.update(replace(big, seen=True))
            book.update(replace(big, seen=False))

    with ThreadPoolExecutor() as pool:
        writing = pool.submit(write)
        found = [book.entries() for _ in range(100)]
        stop.set()
        writing.result()
    assert all(len(each) == 1 for each in found)
    assert len([*book.folder.iterdir()]) == 1


def test_a_token_is_shown_by_nothing_in_the_book(book: Book) -> None:
    book.write(entry())
    [found] = book.entries()
    assert TOKEN not in f"{found!r} {found} {book!r} {book.folder}"


# -- a disk that does not take it ----------------------------------------------------------------


def blocked(book: Book) -> None:
    """Put a file where the folder should be: root may write into any folder."""
    shutil.rmtree(book.folder, ignore_errors=True)
    book.folder.parent.mkdir(parents=True, exist_ok=True)
    book.folder.write_text("")


def test_a_run_that_cannot_be_written_down_is_an_error(book: Book) -> None:
    blocked(book)
    with pytest.raises(ConfigError) as caught:
        book.write(entry())
    said = str(caught.value)
    assert str(book.folder) in said
    assert "was not started" in said
    assert TOKEN not in said
    assert len(said.splitlines()) <= 3


def test_what_comes_later_is_a_help_and_no_condition(book: Book) -> None:
    """A full disk must not keep a report from being shown: the key alone finds the run again."""
    book.write(entry())
    blocked(book)
    book.update(entry(seen=True))
    assert book.entries() == []


def test_a_writing_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(OSError):
        write_private(tmp_path / "taken", "text")
    with pytest.raises(UnicodeEncodeError):
        write_private(tmp_path / "file", "\ud800")
    assert [file.name for file in tmp_path.iterdir()] == ["taken"]


WRITING = """
import sys
from pathlib import Path
from kit.secret_file import write_private

print(flush=True)
while True:
    write_private(Path(sys.argv[1]), "x" * 100_000)
"""


@pytest.mark.once
def test_a_process_that_is_killed_while_it_writes_spoils_nothing(tmp_path: Path) -> None:
    file = tmp_path / "runs" / f"{1:032x}.json"
    for milliseconds in (2, 7, 20):
        command = [sys.executable, "-c", WRITING, str(file)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(milliseconds / 1000)
            process.kill()
        assert not file.exists() or len(file.read_text()) == 100_000
    assert Book(file.parent).entries() == []  # and what it left unfinished is no run


def test_what_a_killed_process_left_unfinished_goes_after_a_while(book: Book) -> None:
    """It may hold a token."""
    book.write(number(1))
    old, young = (book.folder / f".{1:032x}.json.{name * 16}" for name in "ab")
    for file in (old, young):
        file.write_text(TOKEN)
    os.utime(old, (time.time() - 7200, time.time() - 7200))
    book.write(number(2))
    assert not old.exists()
    assert young.exists(), "another process may be writing it"


# -- finding -------------------------------------------------------------------------------------


def test_the_newest_comes_first(book: Book) -> None:
    for count in (2, 1, 3):
        book.write(number(count))
    assert [one.asked for one in book.entries()] == [1003.0, 1002.0, 1001.0]


def test_a_run_is_found_by_its_id_its_key_and_how_they_begin(book: Book) -> None:
    run = entry(key="a1b2c3d4" * 4, id="inv_" + "e5f6" * 8)
    book.write(run)
    book.write(number(7))
    for name in (run.id, run.key, "inv_e5f6", "e5f6", "INV_E5F6", "a1b2"):
        assert name is not None
        assert book.find(name) == [run], name
    for name in ("e5f", "inv_e5f", "a1", "", "inv_", "zzzzzz", "../../etc/passwd", "*"):
        assert book.find(name) == [], name


def test_two_runs_that_begin_alike_are_both_found(book: Book) -> None:
    for count in (1, 2):
        book.write(number(count))
    assert len(book.find("inv_0000000000")) == 2
    assert book.find(f"inv_{1:032x}") == [number(1)]


def test_a_run_without_an_id_is_called_by_its_key() -> None:
    assert entry(id=None, token=None).name == "0" * 32
    assert entry().name == ID


# -- files that are none of ours -----------------------------------------------------------------

FOREIGN: dict[str, bytes] = {
    "empty": b"",
    "half": b'{"question": "q", "argum',
    "binary": bytes(range(256)),
    "a list": b"[1, 2]",
    "null": b"null",
    "too deep": b"[" * 100_000,
    "no arguments": b'{"question": "q"}',
    "arguments of another kind": b'{"arguments": "q"}',
    "endless digits": b'{"arguments": {}, "asked": ' + b"9" * 5000 + b"}",
}


@pytest.mark.parametrize("content", FOREIGN.values(), ids=FOREIGN)
def test_a_damaged_file_is_passed_over(book: Book, content: bytes) -> None:
    book.write(number(1))
    damaged = book.folder / f"{2:032x}.json"
    damaged.write_bytes(content)
    assert book.entries() == [number(1)]
    assert book.find(f"{2:032x}") == []
    assert damaged.read_bytes() == content, "what is not understood is not touched"


ODD: dict[str, str] = {
    "asked": '["x", true, NaN, Infinity, -1e308, 1e308, null, ' + "9" * 400 + "]",
    "cost": '["x", true, NaN, -Infinity, -1, {}, null]',
    "id": '[7, true, {}, "", null, "' + "x" * 500 + '"]',
    "token": '[7, true, {}, "", null, "a\\nb", "토큰", "\\ud800"]',
    "question": '[7, {}, null, "\\ud800", "' + "x" * 500_000 + '"]',
    "relay": "[7, {}, null]",
    "gateway": "[7, {}, null]",
    "ended": "[7, true, {}, null, []]",
    "seen": '["true", 1, null]',
    "version": "[null, 99]",
    "arguments": '[{"a": NaN}, {"a": "\\ud800"}]',
}


@pytest.mark.parametrize(
    ("name", "value"),
    [(name, value) for name, text in ODD.items() for value in json.loads(text)],
    ids=lambda one: ascii(one)[:30],
)
def test_a_value_of_a_wrong_kind_is_no_crash(book: Book, name: str, value: Any) -> None:
    file = book.folder / f"{2:032x}.json"
    book.write(number(2))
    file.write_text(json.dumps({**json.loads(file.read_text()), name: value}))
    [found] = book.entries()
    assert 0 <= found.asked < 2**53
    assert found.cost is None or 0 <= found.cost < 2**53
    assert found.id is None or 0 < len(found.id) <= 200
    assert found.token is None or found.token.reveal().isascii()
    found.question.encode()
    assert isinstance(found.gateway + found.relay, str)
    assert isinstance(found.seen, bool)
    book.update(found)
    assert len(book.entries()) == 1


def test_a_huge_file_is_not_read(book: Book) -> None:
    book.write(number(1))
    huge = book.folder / f"{2:032x}.json"
    with huge.open("wb") as stream:
        stream.truncate(17 * 2**20)
    assert book.entries() == [number(1)]


def test_what_is_no_file_of_a_run_is_passed_over(book: Book) -> None:
    book.write(number(1))
    (book.folder / f"{2:032x}.json").mkdir()
    os.mkfifo(book.folder / f"{3:032x}.json")  # reading it would wait for ever
    (book.folder / f"{4:032x}.json").symlink_to("nowhere")
    shutil.copy(book.folder / f"{1:032x}.json", book.folder / "notes.json")
    shutil.copy(book.folder / f"{1:032x}.json", book.folder / ".json")
    assert book.entries() == [number(1)]


def test_a_folder_that_is_not_there_has_no_runs(tmp_path: Path) -> None:
    assert Book(tmp_path / "nowhere").entries() == []
    assert Book(tmp_path / "nowhere").open_entries() == []


# -- many ----------------------------------------------------------------------------------------


def test_of_too_many_the_oldest_that_were_seen_go_first(tmp_path: Path) -> None:
    book = Book(tmp_path / "runs", most=20)
    for count in range(20):
        book.write(
            number(count, seen=count % 2 == 0, ended="completed" if count % 2 == 0 else None)
        )
    book.write(number(20))
    kept = {one.asked - 1000 for one in book.entries()}
    assert kept == {*range(1, 21)}
    for count in range(21, 60):
        book.write(number(count))
    assert {one.asked - 1000 for one in book.entries()} >= {*range(1, 20, 2)}, (
        "nobody has seen them"
    )


def test_reading_many_is_quick(tmp_path: Path) -> None:
    book = Book(tmp_path / "runs")
    book.write(number(1, arguments={"context": ["x" * 10_000]}))
    [first] = book.folder.iterdir()
    for count in range(2, 500):
        shutil.copy(first, book.folder / f"{count:032x}.json")
    assert len(book.entries()) == 499
    assert Secret(TOKEN) == book.entries()[0].token


# -- news ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hours", "ended", "said"),
    [
        (1, None, (1, 0)),
        (25, None, (0, 0)),  # no run goes on for a day: nobody is told of it for ever
        (25, "completed", (0, 1)),
    ],
)
def test_a_run_at_a_relay_elsewhere_is_news_for_a_day(
    hours: int, ended: str | None, said: tuple[int, int], book: Book
) -> None:
    there = "http://127.0.0.1:9"
    asked = time.time() - hours * 3_600
    book.write(replace(number(1), relay=there, gateway="", asked=asked, ended=ended))
    assert counts(book.folder) == said
