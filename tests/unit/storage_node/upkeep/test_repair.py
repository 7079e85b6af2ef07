"""Repair: when a damaged store is moved aside, when it is not, and what a crash leaves."""

from __future__ import annotations

from concurrent.futures import Future
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from tests.unit.core.test_contents import NONE, row
from tests.unit.storage_node.stand_ins import LOG, ORIGIN, PARTITION, read_back
from tests.unit.storage_node.upkeep.test_scrubbing import leading, put

from dynabus.adapters.kafka.topics import TopicIdentity
from dynabus.adapters.lmdb import LmdbStore, StoreError, place_put_aside, put_aside
from dynabus.adapters.log_codec import decode_place, encode_place
from dynabus.core.ids import Incarnation, NodeName
from dynabus.core.replication.effects import Append, Peer, Timing
from dynabus.core.replication.place import start_of_log
from dynabus.core.replication.records import Kind, decode_record
from dynabus.core.rows import CorruptRow
from dynabus.storage_node.replicas.hosted import Hosted
from dynabus.storage_node.replicas.lookups import LogFacts
from dynabus.storage_node.replicas.opening import Opening
from dynabus.storage_node.upkeep.repair import ASK_AGAIN_MS, REPAIRS_MOST, RESIGN_MS, Repairs, expected_place

SAME = TopicIdentity(ORIGIN.cluster, ORIGIN.topic)


class Kafka:
    """Tells at once which log it is and what of it exists; moves folders at once."""

    def __init__(self, low: int = 0, high: int = 1000, identity: TopicIdentity = SAME) -> None:
        self.facts = LogFacts(identity, low, high)

    def log_facts(self, _log: Any, fresh: bool) -> Future[LogFacts]:
        assert fresh
        future: Future[LogFacts] = Future()
        future.set_result(self.facts)
        return future

    def put_aside(self, path: Path, place: bytes | None) -> Future[None]:
        future: Future[None] = Future()
        put_aside(path, place)
        future.set_result(None)
        return future


class Ward:
    """One replica and its repair."""

    def __init__(self, path: Path, kafka: Kafka, members: int = 1) -> None:
        self.path, self.kafka = path, kafka
        self.source: str | None = None
        """Another node that it could be cloned from."""
        self.kept = False
        """Its log lost records."""
        self.hosted = leading(path, 5)
        self.hosted.replica.take_effects()
        group = self.hosted.replica.place.group
        assert group is not None
        names = tuple(NodeName(f"node-{number + 1}") for number in range(members))
        self.hosted.replica.place = self.hosted.replica.place._replace(group=group._replace(members=names))
        premises = SimpleNamespace(
            folder=SimpleNamespace(replica=lambda _partition: path), around=SimpleNamespace(timing=Timing())
        )
        self.repairs = Repairs(cast("Any", premises), cast("Any", kafka), lambda *_: self.source, lambda _: self.kept)
        self.opening = Opening(PARTITION, LOG, False, NONE)

    def run(self, until_ms: float, since_ms: float = 10.0) -> list[Opening]:
        """What is to be opened as new by then."""
        if self.hosted.damage:
            self.repairs.add(self.opening, self.hosted.damage, self.hosted)
        found: list[Opening] = []
        now_ms = since_ms
        while now_ms <= until_ms:
            found += self.repairs.step(now_ms)
            now_ms += 100.0
        return found

    @property
    def aside(self) -> list[Path]:
        return sorted(self.path.parent.glob("0.damaged-*"))


def test_a_damaged_leader_resigns_and_is_rebuilt(tmp_path: Path) -> None:
    ward = Ward(tmp_path / "0", Kafka())
    place = ward.hosted.replica.place
    ward.hosted.damaged("a row")
    (opening,) = ward.run(10 + RESIGN_MS + 1000)
    (resign,) = [effect.value for effect in ward.hosted.replica.take_effects() if isinstance(effect, Append)]
    assert decode_record(place.next_offset, 0, resign).kind == Kind.RESIGN
    assert ward.hosted.failed
    assert "rebuilt from its log" in opening.note
    assert "a row" in opening.state()["alarm"]
    assert not ward.path.exists()
    assert len(ward.aside) == 1
    assert decode_place(place_put_aside(ward.path) or b"") == place


def test_what_is_frozen_or_may_have_to_be_is_not_repaired(tmp_path: Path) -> None:
    ward = Ward(tmp_path / "0", Kafka(low=2))
    ward.source = "node-2"
    ward.hosted.damaged("a row")
    ward.hosted.replica.standstill.heard(NodeName("node-2"), True)
    assert ward.run(RESIGN_MS + 10_000) == []
    assert not ward.hosted.failed
    assert ward.repairs
    ward.hosted.replica.standstill.heard(NodeName("node-2"), False)
    ward.kept = True
    assert ward.run(RESIGN_MS + 20_000, RESIGN_MS + 10_000) == []
    assert not ward.repairs
    ward.kept = False
    assert len(ward.run(RESIGN_MS + 30_000, RESIGN_MS + 20_000)) == 1


def test_a_failed_store_of_one_that_stands_still_stays_where_it_is(tmp_path: Path) -> None:
    ward = Ward(tmp_path / "0", Kafka())
    ward.hosted.replica.doubt("beyond the end", 9.0, beyond=True)
    ward.hosted.quarantine(CorruptRow("bits"), 9.0)
    assert ward.run(20_000) == []
    assert ward.path.exists()
    ward.hosted.replica.standstill.clear()
    assert len(ward.run(40_000, 20_000)) == 1


@pytest.mark.parametrize(
    ("kafka", "why"),
    [
        (Kafka(high=3), "beyond the log's end"),
        (Kafka(identity=TopicIdentity("cluster", "another")), "the log is another one"),
        (Kafka(low=2), "begins at offset 2"),
    ],
    ids=["end", "other log", "pruned"],
)
def test_nothing_is_repaired_over_lost_history(tmp_path: Path, kafka: Kafka, why: str) -> None:
    ward = Ward(tmp_path / "0", kafka)
    ward.hosted.damaged("a row")
    assert ward.run(60_000) == []
    assert why in ward.hosted.alarm
    assert ward.path.exists()
    assert ward.aside == []
    # Kafka's leader had only not known its own end.
    kafka.facts = Kafka().facts
    assert len(ward.run(60_000 + 3 * ASK_AGAIN_MS, 60_000)) == 1


def test_where_the_log_was_pruned_a_replica_waits_for_somebody_to_clone(tmp_path: Path) -> None:
    ward = Ward(tmp_path / "0", Kafka(low=2))
    ward.hosted.damaged("a row")
    assert ward.run(20_000) == []
    assert "no other replica can be cloned" in ward.hosted.alarm
    assert ward.path.exists()
    ward.source = "node-2"
    assert len(ward.run(20_000 + 3 * ASK_AGAIN_MS, 20_000)) == 1
    assert not ward.path.exists()


@pytest.mark.parametrize("source", [None, "node-2"])
def test_a_replica_behind_its_logs_start_is_replaced_only_by_a_clone(tmp_path: Path, source: str | None) -> None:
    ward = Ward(tmp_path / "0", Kafka(low=500))
    ward.source = source
    ward.hosted.damage = "place 7 lies before the log's start 500"
    assert len(ward.run(20_000)) == (source is not None)
    assert ward.path.exists() == (source is None)


def test_a_frozen_replica_is_not_touched(tmp_path: Path) -> None:
    ward = Ward(tmp_path / "0", Kafka())
    ward.hosted.damaged("a row")
    ward.hosted.replica.freeze("diverged at offset 3", 5.0)
    assert ward.run(10_000) == []
    assert not ward.repairs
    assert ward.path.exists()


def test_a_frozen_replica_whose_store_fails_is_not_damaged(tmp_path: Path) -> None:
    ward = Ward(tmp_path / "0", Kafka())
    ward.hosted.replica.freeze("diverged at offset 3", 5.0)
    ward.hosted.quarantine(CorruptRow("bits"), 6.0)
    assert ward.hosted.failed
    assert ward.hosted.damage == ""


def test_a_full_disk_is_no_damage(tmp_path: Path) -> None:
    ward = Ward(tmp_path / "0", Kafka())
    ward.hosted.quarantine(StoreError("no space left"), 6.0)
    assert ward.hosted.failed
    assert ward.hosted.damage == ""


def test_a_read_that_meets_damage_names_the_key_and_resigns_at_once(tmp_path: Path) -> None:
    ward = Ward(tmp_path / "0", Kafka())
    ward.hosted.quarantine(CorruptRow("bits"), 6.0, b"\x01\x02")
    kinds = [effect for effect in ward.hosted.replica.take_effects() if isinstance(effect, Append)]
    assert decode_record(0, 0, kinds[0].value).kind == Kind.RESIGN
    assert "0102" in ward.hosted.damage
    assert len(ward.run(2000)) == 1


def test_it_waits_for_another_active_member(tmp_path: Path) -> None:
    ward = Ward(tmp_path / "0", Kafka(), members=3)
    ward.hosted.damaged("a row")
    assert ward.run(20_000) == []
    assert ward.hosted.replica.leader is not None
    assert ward.hosted.replica.leader.serving
    ward.hosted.replica.neighbours.heard_peer(NodeName("node-2"), Peer(Incarnation(1), 7, 20_000.0, True))
    assert len(ward.run(23_500, 20_100)) == 1


def test_a_disk_that_damages_again_and_again_is_left_alone(tmp_path: Path) -> None:
    ward = Ward(tmp_path / "0", Kafka())
    for count in range(REPAIRS_MOST + 1):
        ward.repairs.add(ward.opening, "again", None)
        ward.path.mkdir(exist_ok=True)
        assert len(ward.run(5000)) == (count < REPAIRS_MOST)


def test_only_the_newest_damaged_store_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "0"
    (tmp_path / "0.damaged-20000101T000000Z").mkdir()
    (tmp_path / "01.damaged-20000101T000000Z").mkdir()
    path.mkdir()
    put_aside(path, None)
    assert [each.name[:2] for each in sorted(tmp_path.iterdir())] == ["0.", "01"]
    assert place_put_aside(path) is None


@pytest.mark.parametrize("died", ["before anything", "older one gone", "place written"])
def test_a_crash_before_the_rename_changes_nothing(tmp_path: Path, died: str) -> None:
    """And after it there is no folder, as on a wiped disk; the rename is one step."""
    ward = Ward(tmp_path / "0", Kafka())
    place = ward.hosted.store.place()
    ward.hosted.store.abandon()
    if died == "place written":
        (ward.path / "place").write_bytes(place or b"")
    store = LmdbStore(ward.path)
    assert store.place() == place
    store.abandon()
    put_aside(ward.path, place)
    assert LmdbStore(ward.path).place() is None
    assert place_put_aside(ward.path) == place


def replayed(tmp_path: Path, other: bool) -> Hosted:
    """A replica that is rebuilt from a log, which is the one that was read before, or another one."""
    first = leading(tmp_path / "0", 5)
    again = leading(tmp_path / "1", 2 if other else 5)
    again.expected = first.replica.place
    return again


def test_the_rebuilt_replica_proves_that_it_read_the_same_log(tmp_path: Path) -> None:
    again = replayed(tmp_path, other=False)
    again._look_at_place(5.0)
    assert (again.expected, again.alarm) == (None, "")


def test_another_log_freezes_the_rebuilt_replica(tmp_path: Path) -> None:
    again = replayed(tmp_path, other=True)
    for each in range(10):
        put(again, b"other-%d" % each, row(each))
    read_back(again, 5.0)
    assert again.alarm.startswith("diverged: up to offset 7")
    assert again.replica.place.next_offset == 7, "it stops at the very place"


def test_the_old_place_is_expected_of_the_same_log_only(tmp_path: Path) -> None:
    ward = Ward(tmp_path / "0", Kafka())
    place = ward.hosted.replica.place
    ward.hosted.store.abandon()
    assert expected_place(ward.path, start_of_log(ORIGIN)) is None
    put_aside(ward.path, encode_place(place))
    assert expected_place(ward.path, start_of_log(ORIGIN)) == place
    assert expected_place(ward.path, place) is None
    assert expected_place(ward.path, start_of_log(ORIGIN._replace(topic="a new incarnation"))) is None
    (ward.aside[0] / "place").write_bytes(b"\xff")
    assert expected_place(ward.path, start_of_log(ORIGIN)) is None
