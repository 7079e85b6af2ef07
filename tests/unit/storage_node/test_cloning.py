"""A clone over real stores and a bus in memory: what is installed is whole, and nothing else is ever installed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, cast

import pytest
from tests.unit.core.test_contents import NONE, row
from tests.unit.storage_node.stand_ins import LOG, ME, ORIGIN, PARTITION, read_back
from tests.unit.storage_node.upkeep.test_scrubbing import leading, put

from dynabus.adapters.codec import decode, encode
from dynabus.adapters.lmdb import LmdbStore
from dynabus.adapters.log_codec import decode_place
from dynabus.core.cloning.choice import Extent
from dynabus.core.cloning.receiver import Wanted
from dynabus.core.contents import Contents
from dynabus.core.replication.place import Place, start_of_log
from dynabus.core.topics import Topics
from dynabus.storage_node.cloning.receiving import CloneFailed, CloneReceiving, Job, OtherHistory, unfinished
from dynabus.storage_node.cloning.sending import CloneSending
from dynabus.storage_node.replicas.hosted import Hosted

ROWS = 2000
TOPICS = Topics("t")
Hurt = Callable[[bytes], list[bytes]]


class Message:
    """As a consumer gives it out."""

    def __init__(self, value: bytes, offset: int = 0) -> None:
        self._value, self._offset = value, offset

    def error(self) -> None:
        return None

    def value(self) -> bytes:
        return self._value

    def offset(self) -> int:
        return self._offset

    def leader_epoch(self) -> int:
        return 0


class Bus:
    """The clone topic and the source's inbox; `hurt` says what becomes of a chunk on its way."""

    def __init__(self, source: Hosted, hurt: Hurt = lambda value: [value]) -> None:
        self.source, self.hurt = source, hurt
        self.arrived: list[bytes] = []
        self.requests: SimpleQueue[bytes] = SimpleQueue()
        self.sending = CloneSending(lambda: cast("Any", Outlet(self)), TOPICS, ME.node, 0.0)
        self.receiving = CloneReceiving(
            lambda: cast("Any", Inlet(self)), lambda: cast("Any", Outlet(self)), TOPICS, ME.node, 0.0
        )

    def clone(self, job: Job) -> Place:
        """Turn as the source's loop does, until the clone is installed or given up."""
        future = self.receiving.begin(job)
        while not future.done() or not self.requests.empty():
            try:
                _, request = decode(self.requests.get(timeout=0.05))
            except Empty:
                continue
            why = self.sending.ask(request, self.source, 0.0)
            if why is not None:
                self.arrived.append(self.sending.refusal(request, why)[1])
        return future.result(0)

    def close(self) -> None:
        self.sending.close()
        self.receiving.close()
        self.source.store.abandon()


class Outlet:
    """A producer, of either side."""

    def __init__(self, bus: Bus) -> None:
        self.bus = bus

    def send_one(self, topic: str, value: bytes) -> None:
        if topic.startswith("t.clone."):
            self.bus.arrived += self.bus.hurt(value)
        else:
            self.bus.requests.put(value)

    def serve(self) -> None: ...

    def flush(self, _: float) -> None: ...


class Inlet:
    """A consumer of the clone topic."""

    def __init__(self, bus: Bus) -> None:
        self.bus = bus

    def get_watermark_offsets(self, *_: Any, **__: Any) -> tuple[int, int]:
        return 0, 0

    def assign(self, _: Any) -> None:
        self.bus.arrived.clear()

    def unassign(self) -> None: ...

    def close(self) -> None: ...

    def poll(self, _: float) -> Message | None:
        return Message(self.bus.arrived.pop(0)) if self.bus.arrived else None

    def consume(self, most: int, _: float) -> list[Message]:
        return [Message(self.bus.arrived.pop(0)) for _ in range(min(most, len(self.bus.arrived)))]


@pytest.fixture
def source(tmp_path: Path) -> Hosted:
    made = leading(tmp_path / "source", ROWS)
    made.replica.end_offset = made.replica.place.next_offset
    made.store.remember(b"r" * 18, b"o" * 40)
    return made


def job(tmp_path: Path, at_least: int = 0, low: int = 0, expected: Place | None = None) -> Job:
    wanted = Wanted("node-9", PARTITION.log, PARTITION.number, at_least)
    return Job("node-1", wanted, LOG, ORIGIN, Extent(low, 10**6), tmp_path / "clone" / "0", 0, expected)


def installed(path: Path) -> tuple[Place, Contents, LmdbStore]:
    store = LmdbStore(path)
    return decode_place(store.place() or b""), Contents(store, NONE), store


def test_a_clone_is_the_replica(tmp_path: Path, source: Hosted) -> None:
    (tmp_path / "clone").mkdir()
    unfinished(tmp_path / "clone" / "0").mkdir()
    bus, wanted = Bus(source), job(tmp_path)
    place = bus.clone(wanted)
    found, contents, store = installed(wanted.path)
    assert found == place == source.replica.place
    assert contents.totals == source.contents.totals
    assert contents.checksum == source.contents.checksum
    assert list(store.scan(b"", None)) == list(source.store.scan(b"", None))
    assert store.remembered(b"r" * 18) == b"o" * 40
    assert not unfinished(wanted.path).exists()
    assert wanted.offset == place.next_offset
    store.abandon()
    bus.close()


def test_what_is_written_meanwhile_is_not_in_it(tmp_path: Path, source: Hosted) -> None:
    """A snapshot is of one commit: the log brings the rest."""
    bus = Bus(source)
    before, number = source.replica.place, 0

    def write(value: bytes) -> list[bytes]:
        nonlocal number
        number += 1
        put(source, b"later-%d" % number, row(number))
        read_back(source, 5.0)
        return [value]

    (tmp_path / "clone").mkdir()
    wanted = job(tmp_path)
    bus.clone(wanted)
    bus.hurt = write
    again = job(tmp_path / "again")
    (tmp_path / "again" / "clone").mkdir(parents=True)
    assert bus.clone(again).next_offset == before.next_offset
    _, contents, store = installed(again.path)
    assert contents.totals[0][0] == ROWS
    assert source.contents.totals[0][0] > ROWS
    store.abandon()
    bus.close()


def dropping(every: int) -> Hurt:
    count = 0

    def hurt(value: bytes) -> list[bytes]:
        nonlocal count
        count += 1
        return [] if count % every == 0 else [value]

    return hurt


def test_lost_and_doubled_messages_cost_time_only(
    tmp_path: Path, source: Hosted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dynabus.core.cloning.receiver.SILENT_MS", 300.0)
    (tmp_path / "clone").mkdir()
    drop, wanted = dropping(7), job(tmp_path)
    bus = Bus(source, lambda value: drop(value) * 2)
    bus.clone(wanted)
    _, contents, store = installed(wanted.path)
    assert contents.checksum == source.contents.checksum
    store.abandon()
    bus.close()


def refuses(bus: Bus, wanted: Job, why: str) -> None:
    with pytest.raises(CloneFailed, match=why):
        bus.clone(wanted)
    assert not wanted.path.exists()
    bus.close()


@pytest.mark.parametrize("state", ["frozen", "failed", "opening", "damaged"])
def test_a_source_that_is_not_well_is_none(tmp_path: Path, source: Hosted, state: str) -> None:
    (tmp_path / "clone").mkdir()
    if state == "frozen":
        source.replica.freeze("diverged at offset 3", 5.0)
    elif state == "failed":
        source.failed = True
    elif state == "opening":
        source.replica.end_offset = 10**6
    else:
        source.damaged("a row")
    refuses(Bus(source), job(tmp_path), "refused: its replica is")


def test_a_source_that_is_behind_replaces_nothing(tmp_path: Path, source: Hosted) -> None:
    (tmp_path / "clone").mkdir()
    refuses(Bus(source), job(tmp_path, at_least=10**5), "not up to 100000")


def test_a_log_that_was_pruned_past_the_snapshot(tmp_path: Path, source: Hosted) -> None:
    (tmp_path / "clone").mkdir()
    refuses(Bus(source), job(tmp_path, low=10**5), "the log begins at 100000")


def test_a_damaged_row_is_not_spread(tmp_path: Path, source: Hosted) -> None:
    (tmp_path / "clone").mkdir()
    (key, old), *_ = source.store.scan(b"", None)
    source.store.put(key, old[:-1] + bytes([old[-1] ^ 1]))
    refuses(Bus(source), job(tmp_path), "a row of its source is damaged")


def test_a_row_that_the_source_never_counted_is_noticed(tmp_path: Path, source: Hosted) -> None:
    (tmp_path / "clone").mkdir()
    source.store.put(b"stray", row(3))
    refuses(Bus(source), job(tmp_path), "not those that its source has counted")


def test_a_request_id_that_got_lost_is_noticed(tmp_path: Path, source: Hosted) -> None:
    """Without it a retried write would be applied twice (I10)."""
    (tmp_path / "clone").mkdir()

    def without(value: bytes) -> list[bytes]:
        kind, message = decode(value)
        if kind == "clone_chunk" and message["section"] == 2:
            first = {"keys": message["keys"][1:], "values": message["values"][1:]}
            return [encode(kind, {**message, **first})]
        return [value]

    refuses(Bus(source, without), job(tmp_path), "request ids came of")


def test_another_node_may_be_cloned_of_an_unknown_snapshot_from_its_begin_only(source: Hosted) -> None:
    bus = Bus(source)
    request: Any = {"clone": 5, "node": "node-9", "at_least": 0, "round": 0, "number": 3, "done": False}
    assert bus.sending.ask(request, source, 0.0) == "the snapshot is gone"
    assert bus.sending.ask(request, None, 0.0) == "there is no replica here"
    bus.close()


def test_a_source_that_read_another_log_than_was_here_is_not_taken(tmp_path: Path, source: Hosted) -> None:
    """The replica that was here is as far as the snapshot, by another chain (I9)."""
    (tmp_path / "clone").mkdir()
    same = source.replica.place
    bus, other = Bus(source), job(tmp_path, same.next_offset, expected=same._replace(chain=b"x" * 16))
    with pytest.raises(OtherHistory, match="diverged"):
        bus.clone(other)
    assert not other.path.exists()
    wanted = job(tmp_path, same.next_offset, expected=same)
    assert bus.clone(wanted) == same
    bus.close()


def test_a_place_of_another_log_is_not_compared(tmp_path: Path, source: Hosted) -> None:
    (tmp_path / "clone").mkdir()
    other = start_of_log(ORIGIN._replace(topic="an older incarnation"), 3)
    bus, wanted = Bus(source), job(tmp_path, expected=other)
    assert bus.clone(wanted) == source.replica.place
    bus.close()
