"""A recovery's new log gets the chosen replica's contents, and what is left out of it is told."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from tests.unit.storage_node.stand_ins import BODIES, LOG, ME, ORIGIN, PARTITION, leading, read_back

from dynabus.adapters.data_folder import DataFolder
from dynabus.adapters.lmdb import LmdbStore
from dynabus.adapters.log_codec import encode_place
from dynabus.core.contents import Contents
from dynabus.core.ids import Incarnation, NodeName, PartitionId, Writer
from dynabus.core.local_indexes import IndexRules, LocalIndexes
from dynabus.core.replication.place import start_of_log
from dynabus.core.replication.records import (
    Envelope,
    Form,
    Genesis,
    Kind,
    Mutation,
    Recovered,
    decode_record,
    encode_record,
)
from dynabus.core.replication.replica import Replica
from dynabus.core.rows import encode_row
from dynabus.storage_node.replicas.hosted import Hosted
from dynabus.storage_node.replicas.readers import Log
from dynabus.storage_node.upkeep.restoring import CHUNK_ROWS, Restorings

NEW = PartitionId(PARTITION.log, 1)
ROWS = 3 * CHUNK_ROWS + 7
"""Several chunks, the last one short."""


Make = Callable[..., "Ward"]


class Ward:
    """The frozen replica of partition 0, the new one of partition 1, and what looks after both."""

    def __init__(self, tmp_path: Path, **changes: Any) -> None:
        self.folder = DataFolder(tmp_path / "node")
        self.old = leading(LmdbStore(self.folder.replica(PARTITION)))
        self.old.replica._follow = self.old.contents.follow
        leader = self.old.replica.leader
        assert leader is not None
        for number in range(ROWS):
            row = encode_row(b'{"pk":{"S":"%d"}}' % number, 4, 1)
            request = number.to_bytes(18, "big") if number % 10 == 0 else b""
            leader.append_unasked(
                Mutation(b"key-%05d" % number, None, row, 0, request, 10**6, 0, b"", 4, bytes(8)), 2.0
            )
        read_back(self.old, 3.0)
        self.old.replica.lose("place 9 lies beyond the log's end 3", 4.0)
        place = self.old.replica.place
        told = Recovered(
            0, 1, ME.node, place.reign.term, place.next_sequence, place.next_offset, place.chain, self.checksum
        )
        self.recovered = told._replace(**changes)
        self.pruned = False
        """The start of the new log."""
        self.hosted: dict[Any, Hosted] = {PARTITION: self.old}
        self.new = self._new()
        self.hosted[NEW] = self.new
        premises: Any = SimpleNamespace(folder=self.folder, around=self.old.replica.around)
        self.restorings = Restorings(premises, cast("Any", self), self.hosted)

    @property
    def checksum(self) -> bytes:
        return self.old.contents.checksum.to_bytes(8, "big")

    def genesis(self, _log: Log | None = None) -> Future[Any]:
        """As a look-up, too."""
        told = self.recovered
        number, body = BODIES.encode(Kind.GENESIS, Genesis(Form.RECOVERY, b"", None, (ME.node,), told.term, told))
        admin = Writer(NodeName("admin"), Incarnation(1))
        envelope = Envelope(2, told.term, 0, told.chain, 5, admin, 0, Kind.GENESIS)
        future: Future[Any] = Future()
        if self.pruned and _log is not None:
            future.set_result(None)
            return future
        future.set_result(decode_record(0, 0, encode_record(envelope, number, body)))
        return future

    def _new(self) -> Hosted:
        store = LmdbStore(self.folder.replica(NEW))
        none = LocalIndexes("pk", ())
        contents = Contents(store, none)
        around, origin = self.old.replica.around, ORIGIN._replace(partition=NEW)
        replica = Replica(around, store, start_of_log(origin), 5.0, contents.follow)
        made = Hosted(NEW, Log(LOG.topic, 1), store, replica, contents, IndexRules(none, store))
        replica.end_offset = 1
        made.read_log([self.genesis().result()], 5.0)
        replica.prefer(5.0)
        made.tick(5.0)
        read_back(made, 6.0)
        assert replica.leader is not None
        return made

    def run(self, most_s: float = 20.0) -> None:
        """Until the log is restored, or nothing happens for a while."""
        self.restorings.notice(self.new)
        deadline = time.monotonic() + most_s
        while self.restorings and time.monotonic() < deadline and not self.new.note:
            self.restorings.step(7.0)
            read_back(self.new, 7.0)

    def close(self) -> None:
        self.restorings.close()
        for hosted in (self.old, self.new):
            hosted.store.abandon()
        self.folder.close()


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[Ward] = []

    def make(**changes: Any) -> Ward:
        made.append(Ward(tmp_path, **changes))
        return made[-1]

    yield make
    for ward in made:
        ward.close()


def test_rows_and_request_ids_are_those_of_before(make: Make) -> None:
    ward = make()
    assert ward.new.state == "restoring"
    ward.run()
    assert ward.new.state == "active"
    assert not ward.restorings
    assert [*ward.new.store.scan(b"", None)] == [*ward.old.store.scan(b"", None)]
    assert (ward.new.contents.checksum, ward.new.contents.totals) == (
        ward.old.contents.checksum,
        ward.old.contents.totals,
    )
    for number in range(0, ROWS, 10):
        request = number.to_bytes(18, "big")
        assert ward.new.store.remembered(request) == ward.old.store.remembered(request)
    assert ward.new.alarm == ""


def test_another_place_is_not_gone_on_from(make: Make) -> None:
    ward = make(next_sequence=5)
    ward.run()
    assert "is not where the recovery begins" in ward.new.alarm
    assert ward.new.state == "restoring"
    assert not [*ward.new.store.scan(b"", None)]


def test_other_contents_than_were_shown_do_not_serve(make: Make) -> None:
    ward = make(checksum=bytes(8))
    ward.run()
    assert "recover again" in ward.new.alarm
    assert ward.new.state == "restoring"


def test_it_waits_for_the_old_replica_to_be_opened(make: Make) -> None:
    ward = make()
    del ward.hosted[PARTITION]
    ward.run()
    assert "waits for partition 0 on this node: not open" in ward.new.alarm
    ward.hosted[PARTITION], ward.new.note = ward.old, ""
    ward.run()
    assert (ward.new.state, ward.new.alarm) == ("active", "")


def test_a_replica_that_has_seen_more_is_told_and_left_alone(make: Make) -> None:
    """Its node was away during the recovery, which went on from another one."""
    ward = make(next_sequence=5, node=NodeName("node-2"))
    ward.old.store.close(encode_place(ward.old.replica.place), ward.old.contents.encode(b""))
    del ward.hosted[PARTITION]
    leader = ward.new.replica.leader
    assert leader is not None
    leader.configure(1, (ME.node, NodeName("node-2")), 6.0)
    read_back(ward.new, 6.0)
    ward.run()
    assert not ward.restorings
    assert ward.new.state == "active"
    assert f"{ward.folder.replica(PARTITION)} has partition 0 up to term 1" in ward.new.alarm
    assert (ward.folder.replica(PARTITION) / "data.mdb").exists()


def test_a_log_that_is_pruned_needs_nothing_more(make: Make) -> None:
    ward = make()
    ward.run()
    ward.pruned = True
    again = Restorings(ward.restorings._premises, cast("Any", ward), ward.hosted)
    again.notice(ward.new)
    assert again
    for _ in range(3):
        again.step(8.0)
    assert not again
    again.notice(ward.new)
    assert not again
    assert (ward.new.state, ward.new.alarm) == ("active", "")
