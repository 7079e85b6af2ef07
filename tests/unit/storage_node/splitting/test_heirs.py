"""Heirs on a node: copied or replayed, handed over as replicas, gone on with after a stop."""

from __future__ import annotations

from concurrent.futures import Future, wait
from pathlib import Path
from typing import Any, cast

import pytest
from tests.unit.core.replication.test_heir import LOG, LOWER, UPPER, Log, split
from tests.unit.storage_node.stand_ins import BODIES, ME

from dynabus.adapters.data_folder import DataFolder
from dynabus.adapters.kafka.topics import TopicIdentity
from dynabus.adapters.lmdb import LmdbStore
from dynabus.adapters.lmdb.directory import DIRTY, mark
from dynabus.adapters.log_codec import decode_place, encode_place
from dynabus.core.ids import PartitionId
from dynabus.core.local_indexes import LocalIndexes
from dynabus.core.replication.effects import Surroundings, Timing
from dynabus.core.replication.heir import Inheritance
from dynabus.core.replication.place import start_of_log
from dynabus.core.replication.records import Record
from dynabus.core.rows import encode_row
from dynabus.core.topics import Topics
from dynabus.storage_node.file_limit import FileLimit
from dynabus.storage_node.replicas.lookups import LogFacts
from dynabus.storage_node.replicas.opening import Opening, Premises
from dynabus.storage_node.replicas.readers import Log as Where
from dynabus.storage_node.replicas.suspects import CONFIRM_MS
from dynabus.storage_node.splitting.heirs import COMMIT_MS, RETRY_MS, Heirs

TOPIC = f"dynabus.log.{LOG}"
PARENT = PartitionId(LOG, 0)
A, X = encode_row(b"{}", 1, 1), encode_row(b"{}", 2, 1)


class Ancestors:
    """Logs in memory, read as `AncestorLogs` reads Kafka's."""

    def __init__(self, logs: dict[int, Log]) -> None:
        self.logs = logs
        self.at: dict[Where, int] = {}
        self.lost: set[Where] = set()

    def introduce(self, topic: str) -> None:
        pass

    def read(self, log: Where, offset: int) -> None:
        self.at[log] = offset

    def keep(self, logs: set[Where]) -> None:
        self.at = {log: offset for log, offset in self.at.items() if log in logs}

    def poll(self) -> tuple[dict[Where, list[Record]], set[Where]]:
        found = {log: self.logs[log.number].records[offset:] for log, offset in self.at.items()}
        self.at = {log: len(self.logs[log.number].records) for log in self.at}
        return {log: records for log, records in found.items() if records}, self.lost

    def end_offset(self, log: Where) -> int:
        return len(self.logs[log.number].records)

    def close(self) -> None:
        pass


class Facts:
    """`Lookups` that knows at once."""

    def __init__(self, logs: dict[int, Log]) -> None:
        self.logs = logs
        self.low = 0
        self.topic_id = "topic"
        self.fresh = False

    def acquaint(self, topic: str) -> None:
        pass

    def remove_folder(self, path: Path) -> None:
        pass

    def log_facts(self, log: Where, fresh: bool) -> Future[LogFacts]:
        self.fresh = fresh
        future: Future[LogFacts] = Future()
        identity = TopicIdentity("cluster", self.topic_id)
        future.set_result(LogFacts(identity, self.low, len(self.logs[log.number].records)))
        return future


class Node:
    """As much of a node as heirs need; `run` begins another run over the same folder."""

    def __init__(self, path: Path, logs: dict[int, Log], parent: LmdbStore | bool = False) -> None:
        self.path, self.parent, self.kept = path, parent, False
        self.facts, self.ancestors = Facts(logs), Ancestors(logs)
        self.run()

    def run(self) -> None:
        folder = cast("DataFolder", _Folder(self.path))
        around = Surroundings(ME, lambda: 0.5, lambda: 1, BODIES, Timing())
        premises = Premises(Topics(), folder, cast("FileLimit", None), around, False, 1)
        self.ancestors.at.clear()
        logs: Any = self.ancestors
        self.heirs = Heirs(premises, cast("Any", self.facts), logs, lambda _: self.parent, lambda _: self.kept)

    def add(self, child: Any = LOWER, lineage: tuple[int, ...] = (0,), replay: bool = True) -> Opening:
        """`replay`: it was decided that what is not here is replayed, and not cloned."""
        partition = PartitionId(LOG, child.number)
        to = Inheritance(partition, child.lower, child.upper, lineage)
        opening = Opening(partition, Where(TOPIC, child.number), False, LocalIndexes("pk", ()), to, replay=replay)
        self.heirs.add(opening)
        return opening

    def steps(self, count: int = 8, now_ms: float = 0.0) -> list[Opening]:
        done = []
        for _ in range(count):
            done += self.heirs.step(now_ms)
        return done

    def states(self) -> list[str]:
        return [state["state"] for state in self.heirs.states()]


class _Folder:
    def __init__(self, path: Path) -> None:
        self.path = path

    def replica(self, partition: PartitionId) -> Path:
        return self.path / str(partition.number)


@pytest.fixture
def log() -> Log:
    made = Log(0)
    made.put(b"a", A, b"request-1")
    made.put(b"x", X, b"request-2")
    return made


def copied(node: Node) -> None:
    """Until the copy, which is made in a thread, is there."""
    for growing in node.heirs._growing.values():
        if growing.copied is not None:
            wait([growing.copied], timeout=10)


def test_without_a_parent_the_log_is_replayed(tmp_path: Path, log: Log) -> None:
    node = Node(tmp_path, {0: log})
    node.add(LOWER)
    node.add(UPPER)
    assert node.states() == ["preparing", "preparing"]
    node.steps()
    assert node.states() == ["heir", "heir"]
    assert node.heirs.more_ready
    split(log, LOWER, UPPER)
    done = node.steps()
    assert [opening.partition.number for opening in done] == [1, 2]
    lower, upper = (opening.store for opening in done)
    assert lower is not None
    assert upper is not None
    assert [lower.get(b"a"), lower.get(b"x"), upper.get(b"a"), upper.get(b"x")] == [A, None, None, X]
    assert lower.remembered(b"request-2") is not None
    assert decode_place(lower.place() or b"").origin.partition == PartitionId(LOG, 1)
    assert not node.heirs
    assert not node.ancestors.at


def test_of_whom_nothing_is_here_is_handed_over(tmp_path: Path, log: Log) -> None:
    """Whether it is cloned or replayed is decided elsewhere."""
    node = Node(tmp_path, {0: log})
    opening = node.add(replay=False)
    node.steps()
    assert node.heirs.take_orphans() == [opening]
    assert not node.heirs
    assert not (tmp_path / "1").exists()
    opening.replay = True
    node.heirs.add(opening)
    node.steps()
    assert node.states() == ["heir"]
    assert node.heirs.take_orphans() == []


def test_a_store_that_was_lost_with_the_host_is_handed_over_too(tmp_path: Path, log: Log) -> None:
    LmdbStore(tmp_path / "1", boot_id="of another boot").abandon()
    node = Node(tmp_path, {0: log})
    opening = node.add(replay=False)
    node.steps()
    assert node.heirs.take_orphans() == [opening]
    assert not (tmp_path / "1").exists()


def parent_of(log: Log, path: Path) -> LmdbStore:
    parent = LmdbStore(path)
    parent.put(b"a", A)
    parent.commit(encode_place(log.place), b"[[1, 1]]")
    return parent


def test_a_store_that_was_lost_with_the_host_is_copied_again_where_its_parent_is(tmp_path: Path, log: Log) -> None:
    """Nobody has a replica of the child to clone before its parent is sealed."""
    node = Node(tmp_path, {0: log}, parent_of(log, tmp_path / "0"))
    LmdbStore(tmp_path / "1", boot_id="of another boot").abandon()
    node.add(replay=False)
    node.steps()
    copied(node)
    node.steps()
    assert (node.states(), node.heirs.take_orphans()) == (["heir"], [])


def test_a_parent_that_has_nothing_is_asked_once(tmp_path: Path, log: Log) -> None:
    node = Node(tmp_path, {0: log}, LmdbStore(tmp_path / "0"))
    opening = node.add(replay=False)
    node.steps(1)
    copied(node)
    node.steps(1)
    assert node.heirs.take_orphans() == [opening]


def test_all_hosts_crash_after_a_split_of_a_pruned_log(tmp_path: Path, log: Log) -> None:
    """The parent's checkpoint went with it, and the child has none of its own log yet."""
    node = Node(tmp_path, {0: log}, parent_of(log, tmp_path / "0"))
    node.add()
    node.steps(1)
    copied(node)
    log.put(b"b", A)
    split(log, LOWER, UPPER)
    (done,) = node.steps()
    assert done.store is not None
    done.store.abandon()
    mark(tmp_path / "1", DIRTY, "another boot")
    node.parent, node.facts.low = False, 2
    node.run()
    node.add(replay=False)
    (again,) = node.steps()
    assert again.store is not None
    assert [key for key, _ in again.store.scan(b"", None)] == [b"a", b"b"]


def test_an_heir_that_failed_is_not_waited_for(tmp_path: Path, log: Log) -> None:
    node = Node(tmp_path, {0: log})
    node.add()
    partition = PartitionId(LOG, LOWER.number)
    assert node.heirs.is_to_come(partition)
    node.heirs._fail(node.heirs._growing[partition], "its disk is full")
    assert not node.heirs.is_to_come(partition)
    assert not node.heirs.is_to_come(PartitionId(LOG, 9))


def test_with_a_parent_its_last_commit_is_copied(tmp_path: Path, log: Log) -> None:
    parent = LmdbStore(tmp_path / "0")
    parent.put(b"a", A)
    parent.remember(b"request-0", b"of the parent alone")
    parent.commit(encode_place(log.place), b"[[1, 1]]")
    node = Node(tmp_path, {0: log}, parent)
    node.add()
    node.steps(1)
    copied(node)
    log.put(b"b", A)
    node.steps()
    split(log, LOWER, UPPER)
    (done,) = node.steps()
    assert done.store is not None
    assert [key for key, _ in done.store.scan(b"", None)] == [b"a", b"b"]
    assert done.store.remembered(b"request-0") is not None


def test_a_parent_that_is_being_opened_is_waited_for(tmp_path: Path, log: Log) -> None:
    node = Node(tmp_path, {0: log}, True)
    node.add()
    node.steps()
    assert node.states() == ["preparing"]
    node.parent = False
    node.steps()
    assert node.states() == ["heir"]


def test_another_run_goes_on_from_the_last_commit(tmp_path: Path, log: Log) -> None:
    node = Node(tmp_path, {0: log})
    node.add()
    node.steps(now_ms=1.0)
    node.steps(now_ms=COMMIT_MS + 2)
    node.heirs.drop(PartitionId(LOG, 1))
    log.put(b"b", A)
    node.run()
    node.add()
    node.steps(3)
    (where,) = node.ancestors.at
    assert node.ancestors.at[where] > 0, "replayed from the start"
    node.steps()
    node.heirs.close()
    split(log, LOWER, UPPER)
    node.run()
    node.add()
    (done,) = node.steps()
    assert done.store is not None
    assert [key for key, _ in done.store.scan(b"", None)] == [b"a", b"b"]


def test_a_child_that_has_gone_over_is_a_replica_at_once(tmp_path: Path, log: Log) -> None:
    store = LmdbStore(tmp_path / "1")
    place = start_of_log(log.place.origin._replace(partition=PartitionId(LOG, 1)))
    store.close(encode_place(place))
    node = Node(tmp_path, {0: log})
    node.add()
    (done,) = node.steps(2)
    assert done.store is not None


def test_a_log_that_does_not_have_its_place_is_an_alarm(tmp_path: Path, log: Log) -> None:
    store = LmdbStore(tmp_path / "1")
    store.commit(encode_place(log.place._replace(next_offset=99)))
    store.abandon()
    node = Node(tmp_path, {0: log})
    node.add()
    node.steps(now_ms=1.0)
    assert node.states() == ["preparing"]
    node.steps(now_ms=CONFIRM_MS)
    assert node.facts.fresh
    assert node.states() == ["preparing"]
    node.steps(now_ms=CONFIRM_MS + 1.0 + RETRY_MS)
    assert node.states() == ["failed"]
    (state,) = node.heirs.states()
    assert "lies outside of the log" in state["alarm"]


def test_a_log_whose_end_is_told_late_is_asked_again(tmp_path: Path, log: Log) -> None:
    node = Node(tmp_path, {0: log})
    node.add()
    node.steps()
    node.heirs.close()
    records, log.records = log.records, log.records[:1]
    node.run()
    node.add()
    node.steps(now_ms=1.0)
    assert node.states() == ["preparing"]
    log.records = records
    node.steps(now_ms=1.0 + RETRY_MS)
    assert node.states() == ["heir"]
    # The next time begins anew, however long ago that was.
    node.ancestors.lost, log.records = {Where(TOPIC, 0)}, records[:1]
    node.steps(1, now_ms=2 * CONFIRM_MS)
    node.ancestors.lost = set()
    node.steps(now_ms=2 * CONFIRM_MS)
    assert node.states() == ["preparing"]
    log.records = records
    node.steps(now_ms=2 * CONFIRM_MS + RETRY_MS)
    assert node.states() == ["heir"]


def test_another_log_of_the_same_name_is_an_alarm(tmp_path: Path, log: Log) -> None:
    node = Node(tmp_path, {0: log})
    node.add()
    node.steps()
    node.heirs.close()
    node.run()
    node.facts.topic_id = "another"
    node.add()
    node.steps()
    node.steps(now_ms=CONFIRM_MS)
    assert node.states() == ["failed"]


@pytest.mark.parametrize("begun", [False, True])
def test_where_the_ancestors_log_was_pruned_it_is_handed_over(tmp_path: Path, log: Log, begun: bool) -> None:
    """Before it was read, or while it is: every member of the child has that on disk, so it is to be cloned."""
    node = Node(tmp_path, {0: log})
    opening = node.add()
    if begun:
        node.steps()
        node.ancestors.lost = {Where(TOPIC, 0)}
    node.facts.low = 1
    node.steps()
    assert node.heirs.take_orphans() == [opening]
    assert not opening.replay
    assert not (tmp_path / "1").exists()


def test_a_log_that_lost_its_end_while_it_was_read_is_an_alarm(tmp_path: Path, log: Log) -> None:
    """That is lost history, and no clone is taken over it (I9)."""
    node = Node(tmp_path, {0: log})
    node.add()
    node.steps()
    node.heirs.step(COMMIT_MS)
    node.ancestors.lost = {Where(TOPIC, 0)}
    log.records.clear()
    node.steps(now_ms=COMMIT_MS)
    node.ancestors.lost = set()
    node.steps(now_ms=COMMIT_MS + CONFIRM_MS)
    node.steps(now_ms=COMMIT_MS + 2 * CONFIRM_MS)
    assert node.states() == ["failed"]
    assert node.heirs.take_orphans() == []


def test_a_frozen_childs_store_is_neither_restored_nor_begun_anew(tmp_path: Path, log: Log) -> None:
    store = LmdbStore(tmp_path / str(LOWER.number))
    store.put(b"c", A)
    store.commit(encode_place(log.place), b"")
    store.abandon()
    mark(tmp_path / str(LOWER.number), DIRTY, "an earlier boot")
    node = Node(tmp_path, {0: log})
    node.kept = True
    node.add()
    assert node.steps() == []
    assert node.states() == ["failed"]
    assert (tmp_path / str(LOWER.number) / "data.mdb").exists()
    node.kept = False
    node.run()
    node.add()
    node.steps()
    assert node.states() == ["heir"], "begun anew, and replayed"
