"""Where responses are kept: bounded, private, shared between processes, never in the way."""

import sqlite3
import stat
import threading

import pytest

from kit.sandbox.store import Store, Stored

LATER = 1e12


def stored(name: str, created: float = 0.0, *, previous=None, size=10, **fields) -> Stored:
    response = {"id": name, "previous_response_id": previous, "text": "x" * size}
    return Stored(response, [], created, fields.pop("finished", created), **fields)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "deep" / "sandbox.sqlite3"


@pytest.fixture
def open_store(path):
    """Opens stores on one file; all are closed afterwards."""
    opened = []

    def make(**options) -> Store:
        opened.append(Store(path, **options))
        return opened[-1]

    yield make
    for store in opened:
        store.close()


def test_nothing_is_written_before_the_first_use(open_store, path):
    open_store()
    assert not path.parent.exists()


def test_what_is_added_comes_back_whole_from_another_store(open_store):
    kept = stored("한글", 5.0, finished=9.0, pace=0.5, research=True, streamed=True, include=("a",))
    open_store().add(kept)
    assert open_store().get("한글", 6.0) == kept


def test_the_file_and_its_folder_are_private(open_store, path):
    open_store().add(stored("a"))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_the_oldest_finished_ones_make_room(open_store):
    store = open_store(kept=3)
    store.add(stored("running", 0.0, finished=LATER))
    for second in range(1, 6):
        store.add(stored(str(second), float(second)))
    left = [name for name in ("running", *"12345") if store.get(name, 0.0)]
    assert left == ["running", "3", "4", "5"]


def test_large_ones_make_room_sooner_and_the_newest_always_fits(open_store):
    store = open_store(kept_bytes=2_500)
    for second in range(4):
        store.add(stored(str(second), float(second), size=1_000))
    assert [name for name in "0123" if store.get(name, 9.0)] == ["2", "3"]
    store.add(stored("huge", 4.0, size=9_000))
    assert [name for name in ("2", "3", "huge") if store.get(name, 9.0)] == ["huge"]


def test_time_runs_out_for_what_expires(open_store):
    store = open_store()
    store.add(stored("a", 0.0, expires=10.0))
    assert store.get("a", 9.0)
    assert store.get("a", 10.0) is None


def test_only_what_is_not_over_can_be_cancelled_and_only_once(open_store):
    store = open_store()
    store.add(stored("over", 0.0, finished=5.0))
    store.add(stored("running", 0.0, finished=50.0))
    for moment in (7.0, 8.0):
        store.cancel("over", moment)
        store.cancel("running", moment)
    assert [store.cancelled_at(name) for name in ("over", "running", "none")] == [None, 7.0, None]


def test_a_chain_is_read_from_its_start_as_far_as_it_is_kept(open_store):
    store = open_store()
    store.add(stored("c", previous="b"))
    store.add(stored("b", previous="a"))
    store.add(stored("a", previous="gone"))
    assert [link.id for link in store.chain("c", 0.0)] == ["a", "b", "c"]
    assert store.chain("gone", 0.0) == []


def test_a_chain_that_bites_its_tail_ends(open_store):
    store = open_store()
    store.add(stored("a", previous="a"))
    assert len(store.chain("a", 0.0)) <= 500


def not_a_database(path):
    path.parent.mkdir()
    path.write_bytes(b"this is no database" * 100)


def of_a_later_version(path):
    path.parent.mkdir()
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version = 99")
    db.close()


def a_folder(path):
    path.mkdir(parents=True)


def below_a_file(path):
    path.parent.write_text("in the way")


@pytest.mark.parametrize("spoil", [not_a_database, of_a_later_version, a_folder, below_a_file])
def test_where_the_file_cannot_be_used_memory_can(open_store, path, spoil):
    spoil(path)
    before = path.read_bytes() if path.is_file() else None
    store = open_store()
    store.add(stored("a"))
    assert store.get("a", 0.0)
    assert str(path) in store.note and "memory" in store.note
    assert (path.read_bytes() if path.is_file() else None) == before


def test_many_threads_and_two_stores_on_a_new_file(open_store):
    stores = [open_store(), open_store()]
    failures = []

    def work(number: int) -> None:
        try:
            for turn in range(10):
                name = f"{number}-{turn}"
                stores[number % 2].add(stored(name))
                assert stores[turn % 2].get(name, 0.0)
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_a_closed_store_opens_again(open_store):
    store = open_store()
    store.add(stored("a"))
    store.close()
    store.close()
    assert store.get("a", 0.0)
