"""What only the LMDB store does: durability, the state file, markers of long keys, failures."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import threading
import weakref
from pathlib import Path

import lmdb
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynabus.adapters.lmdb import (
    LmdbStore,
    StoreDamagedError,
    StoreError,
    StoreLostError,
    StoreVersionError,
    directory,
    discard,
)
from dynabus.adapters.lmdb import store as store_module
from dynabus.adapters.lmdb.errors import store_error
from dynabus.core.errors import InvariantError

BOOT, OTHER_BOOT = "this-boot", "another-boot"


def state_of(path: Path) -> dict[str, object]:
    return orjson.loads((path / "state").read_bytes())  # type: ignore[no-any-return]


def entries(path: Path, database: bytes) -> list[tuple[bytes, bytes]]:
    """All entries of one database as they are stored."""
    with lmdb.open(str(path), max_dbs=4, readonly=True) as env, env.begin(env.open_db(database)) as txn:
        return list(txn.cursor())


def killed_process_with_a_store(path: Path) -> None:
    """A process commits, changes more and is killed with -9."""
    program = (
        "import sys; from pathlib import Path; from dynabus.adapters.lmdb import LmdbStore\n"
        "store = LmdbStore(Path(sys.argv[1])); store.put(b'kept', b'row'); store.commit(b'place')\n"
        "store.put(b'lost', b'row'); print('ready', flush=True); sys.stdin.read()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL


def test_a_killed_process_keeps_its_last_commit(tmp_path: Path) -> None:
    killed_process_with_a_store(tmp_path / "r")
    assert state_of(tmp_path / "r")["state"] == "dirty"
    store = LmdbStore(tmp_path / "r")
    assert store.place() == b"place"
    assert list(store.scan(b"", None)) == [(b"kept", b"row")]
    store.abandon()


def test_a_dirty_environment_of_another_boot_is_refused_until_it_is_discarded(tmp_path: Path) -> None:
    store = LmdbStore(tmp_path / "r", boot_id=BOOT)
    store.put(b"key", b"row")
    store.commit(b"place")
    store.abandon()
    for _ in range(2):
        with pytest.raises(StoreLostError, match="restarted"):
            LmdbStore(tmp_path / "r", boot_id=OTHER_BOOT)
    discard(tmp_path / "r")
    store = LmdbStore(tmp_path / "r", boot_id=OTHER_BOOT)
    assert (store.place(), store.get(b"key")) == (None, None)
    store.abandon()


def test_without_a_boot_id_no_dirty_environment_is_trusted(tmp_path: Path) -> None:
    LmdbStore(tmp_path / "r", boot_id="").abandon()
    with pytest.raises(StoreLostError):
        LmdbStore(tmp_path / "r", boot_id="")


@pytest.mark.parametrize("sync", [False, True])
def test_a_closed_environment_is_trusted_after_a_host_restart(tmp_path: Path, sync: bool) -> None:
    store = LmdbStore(tmp_path / "r", sync=sync, boot_id=BOOT)
    store.put(b"key", b"row")
    store.close(b"place")
    assert state_of(tmp_path / "r")["state"] == "clean"
    store = LmdbStore(tmp_path / "r", sync=sync, boot_id=OTHER_BOOT)
    assert (store.place(), store.get(b"key")) == (b"place", b"row")
    assert state_of(tmp_path / "r")["state"] == ("synced" if sync else "dirty")
    store.abandon()


def test_synced_commits_are_trusted_after_a_host_restart(tmp_path: Path) -> None:
    store = LmdbStore(tmp_path / "r", sync=True, boot_id=BOOT)
    store.commit(b"place")
    store.abandon()
    store = LmdbStore(tmp_path / "r", boot_id=OTHER_BOOT)
    assert store.place() == b"place"
    assert state_of(tmp_path / "r") == {"format": 1, "state": "dirty", "boot_id": OTHER_BOOT}
    store.abandon()


def test_unsynced_commits_are_synced_before_the_mark_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    LmdbStore(tmp_path / "r", boot_id=BOOT).abandon()
    marks: list[str] = []
    monkeypatch.setattr(directory, "mark", lambda path, state, boot: marks.append(state))
    LmdbStore(tmp_path / "r", sync=True, boot_id=BOOT).abandon()
    assert marks == ["synced"]
    assert state_of(tmp_path / "r")["state"] == "dirty"


def test_another_format_is_refused_in_one_line(tmp_path: Path) -> None:
    LmdbStore(tmp_path / "r").close(b"place")
    state = tmp_path / "r" / "state"
    state.write_bytes(orjson.dumps({"format": 99, "anything": "else"}))
    before = sorted((file.name, file.stat().st_mtime_ns) for file in (tmp_path / "r").iterdir())
    with pytest.raises(StoreVersionError) as caught:
        LmdbStore(tmp_path / "r")
    assert "format 99" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert sorted((file.name, file.stat().st_mtime_ns) for file in (tmp_path / "r").iterdir()) == before


@pytest.mark.parametrize("damage", ["no state", "torn state", "no data"])
def test_a_damaged_directory_is_lost(tmp_path: Path, damage: str) -> None:
    store = LmdbStore(tmp_path / "r")
    store.close(b"place")
    if damage == "no state":
        (tmp_path / "r" / "state").unlink()
    elif damage == "torn state":
        (tmp_path / "r" / "state").write_bytes(b'{"format"')
    else:
        (tmp_path / "r" / "data.mdb").unlink()
    with pytest.raises(StoreLostError):
        LmdbStore(tmp_path / "r")
    discard(tmp_path / "r")
    LmdbStore(tmp_path / "r").abandon()


def test_discard_of_nothing(tmp_path: Path) -> None:
    discard(tmp_path / "never there")


def test_a_corrupt_data_file_is_a_store_error(tmp_path: Path) -> None:
    LmdbStore(tmp_path / "r").close(b"place")
    (tmp_path / "r" / "data.mdb").write_bytes(b"noise" * 10_000)
    with pytest.raises(StoreError):
        LmdbStore(tmp_path / "r")


def fill_up(store: LmdbStore) -> None:
    for number in range(1000):
        store.put(b"%d" % number, b"x" * 1000)


def test_a_full_map_fails_the_store_and_keeps_the_last_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "MAP_BYTES", 256 * 1024)
    store = LmdbStore(tmp_path / "r")
    store.put(b"kept", b"row")
    store.commit(b"place")
    with pytest.raises(StoreError, match="MAP_FULL"):
        fill_up(store)
    for use in (
        lambda: store.get(b"kept"),
        lambda: store.put(b"a", b"b"),
        lambda: store.delete(b"kept"),
        lambda: list(store.scan(b"", None)),
        lambda: store.remembered(b"id"),
        lambda: store.remember(b"id", b"x"),
        lambda: store.forget(b"id"),
        lambda: store.first_remembered(b""),
        lambda: store.place(),
        lambda: store.commit(b"later"),
        lambda: store.close(b"later"),
    ):
        with pytest.raises(StoreError):
            use()
    store.abandon()
    store = LmdbStore(tmp_path / "r")
    assert store.place() == b"place"
    assert list(store.scan(b"", None)) == [(b"kept", b"row")]
    store.abandon()


def test_an_unwritable_folder_is_a_store_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreError):
        LmdbStore(tmp_path / "file" / "r")


def test_long_keys_are_stored_as_the_table_says(tmp_path: Path) -> None:
    store = LmdbStore(tmp_path / "r")
    store.put(b"a" * 480, b"fits")
    store.put(b"a" * 481, b"one over")
    store.put(b"a" * 961, b"two layers")
    store.close(b"place")
    assert entries(tmp_path / "r", b"rows") == [(b"a" * 480, b"fits"), (b"a" * 480 + b"\x01", b"")]
    stored = entries(tmp_path / "r", b"overflow")
    assert sorted((len(key), value) for key, value in stored) == [(17, b"one over"), (17, b"two layers"), (497, b"")]


PARTS = st.sampled_from([b"a" * 480, b"b" * 480, b"a", b"\0", b"\xff" * 481])
LONG_KEYS = st.lists(st.lists(PARTS, min_size=1, max_size=5).map(b"".join), max_size=12, unique=True)


@settings(max_examples=40)
@given(kept=LONG_KEYS, deleted=LONG_KEYS)
def test_markers_exist_exactly_while_they_are_needed(
    tmp_path_factory: pytest.TempPathFactory, kept: list[bytes], deleted: list[bytes]
) -> None:
    """What is put and deleted again leaves no trace: the same entries as if it had never been."""
    one, other = (tmp_path_factory.mktemp("store") for _ in range(2))
    store = LmdbStore(one)
    for key in [*deleted, *kept]:
        store.put(key, b"row")
    for key in set(deleted) - set(kept):
        store.delete(key)
    store.close(b"place")
    store = LmdbStore(other)
    for key in reversed(kept):
        store.put(key, b"row")
    store.close(b"place")
    for database in (b"rows", b"overflow"):
        assert entries(one, database) == entries(other, database)


def test_rows_are_bytes_that_outlive_the_transaction(tmp_path: Path) -> None:
    store = LmdbStore(tmp_path / "r")
    store.put(b"key", b"row")
    row, (pair, *_) = store.get(b"key"), list(store.scan(b"", None))
    store.put(b"key", b"changed")
    store.commit(b"place")
    assert (row, pair) == (b"row", (b"key", b"row"))
    store.abandon()


def anonymous_bytes() -> int:
    """Private memory of this process, mapped pages aside."""
    for line in Path("/proc/self/smaps_rollup").read_text().splitlines():
        if line.startswith("Anonymous:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no Anonymous line")


@pytest.mark.skipif(not os.path.exists("/proc/self/smaps_rollup"), reason="needs Linux's /proc")
def test_memory_does_not_grow_with_the_number_of_items(tmp_path: Path) -> None:
    store = LmdbStore(tmp_path / "r")
    row = b"x" * 100

    def load(numbers: range) -> None:
        for number in numbers:
            store.put(b"%08d" % (number * 7919 % 10_000_000), row)
            if number % 1000 == 999:
                store.commit(b"place")

    load(range(20_000))
    before = anonymous_bytes()
    load(range(20_000, 200_000))
    assert sum(1 for _ in store.scan(b"", None)) == 200_000
    assert anonymous_bytes() - before < 10 << 20  # 180,000 items would need 30 MB and more
    store.abandon()


def test_a_directory_is_open_once_in_a_process(tmp_path: Path) -> None:
    store = LmdbStore(tmp_path / "r")
    with pytest.raises(InvariantError, match="is open in this process"):
        LmdbStore(tmp_path / "r")
    store.close(b"place")
    LmdbStore(tmp_path / "r").abandon()
    assert store_module.open_stores == {}


def test_a_store_that_was_only_dropped_is_not_freed_by_another_thread(tmp_path: Path) -> None:
    """Or the next commit in this thread, of any store, is a segmentation fault."""
    dropped = weakref.ref(LmdbStore(tmp_path / "dropped"))
    collector = threading.Thread(target=gc.collect)
    collector.start()
    collector.join()
    assert dropped() is not None
    other = LmdbStore(tmp_path / "other")
    other.put(b"key", b"row")
    other.commit(b"place")


def test_a_full_disk_is_no_damage() -> None:
    """So py-lmdb names ENOSPC. A store that is taken for damaged is moved away and built anew."""
    assert not isinstance(store_error(lmdb.DiskError("No space left on device"), ""), StoreDamagedError)
    assert isinstance(store_error(lmdb.CorruptedError("a page"), ""), StoreDamagedError)
