"""A store that fails takes its replica out of service, and nothing else."""

from __future__ import annotations

from typing import Any

from tests.unit.storage_node.stand_ins import leading, read_back

from dynabus.adapters.lmdb import StoreError
from dynabus.adapters.log_codec import decode_place
from dynabus.adapters.memory_store import MemoryStore
from dynabus.core.messages import ReplyStatus
from dynabus.core.replication.effects import Query, Respond, Write
from dynabus.core.replication.election import Stage
from dynabus.core.replication.store import Decision, Outcome
from dynabus.core.replication.unresolved import Held, Sender
from dynabus.core.rows import encode_row

SENDER = Sender("router-1", 1, 1, 0)


class FailingStore(MemoryStore):
    """Fails once told to."""

    broken = False

    def get(self, key: bytes) -> bytes | None:
        if self.broken:
            raise StoreError("disk on fire")
        return super().get(key)

    def put(self, key: bytes, row: bytes) -> None:
        if self.broken:
            raise StoreError("disk on fire")
        super().put(key, row)


def write(key: bytes) -> Write:
    return Write(SENDER, key.ljust(18), 1, key, lambda _old, _now: Decision(True, b"row", Outcome()), 1000)


def outcomes(replica: Any) -> list[int]:
    return [effect.outcome.status for effect in replica.replica.take_effects() if isinstance(effect, Respond)]


def test_rows_of_one_record_count_each_until_they_are_committed() -> None:
    replica = leading(real_rows=True)
    replica.commit(0.0)
    for number in range(9):
        put = write(b"%d" % number)._replace(
            request=b"",
            gathered=True,
            evaluate=lambda _old, _now: Decision(True, encode_row(b"{}", 2, 5), Outcome()),
        )
        replica.write(put, 2.0, 0)
    read_back(replica, 3.0)
    assert not replica.due_to_commit(4.0, 1000, 10)
    assert replica.due_to_commit(4.0, 1000, 9)
    replica.commit(5.0)
    assert (replica.committed_changes, replica.replica.place.next_offset) == (9, 3)


def test_a_write_is_applied_and_committed_with_its_place() -> None:
    replica = leading()
    replica.write(write(b"k"), 2.0, 0)
    read_back(replica, 3.0)
    assert outcomes(replica) == [ReplyStatus.OK]
    assert replica.dirty_since_ms == 0.0
    assert not replica.due_to_commit(500.0, 1000, 100)
    assert replica.due_to_commit(1000.0, 1000, 100)
    assert replica.due_to_commit(500.0, 1000, 3)
    replica.commit(1000.0)
    stored = replica.store.place()
    assert stored is not None
    assert decode_place(stored) == replica.replica.place
    assert replica.dirty_since_ms is None


def test_a_failing_read_quarantines() -> None:
    replica = leading(FailingStore())
    replica.store.broken = True  # type: ignore[attr-defined]
    replica.query(Query(SENDER, 1, True, lambda store: Outcome(body=store.get(b"k") or b"")), 2.0)
    assert (replica.state, replica.failed) == ("failed", True)
    assert "disk on fire" in (replica.replica.alarm or "")
    replica.query(Query(SENDER, 1, True, lambda _: Outcome()), 2.0)
    assert outcomes(replica) == [ReplyStatus.STALE_ROUTE]


def test_a_failing_apply_quarantines_and_leaves_the_last_commit() -> None:
    replica = leading(FailingStore())
    replica.write(write(b"k"), 2.0, 0)
    replica.store.broken = True  # type: ignore[attr-defined]
    read_back(replica, 3.0)
    assert replica.state == "failed"
    # The record is in the log for good, whoever leads next applies it.
    assert outcomes(replica) == [ReplyStatus.OK]
    replica.commit(4.0)
    replica.close()
    assert replica.store.place() is None


def test_reads_that_wait_at_a_row_that_cannot_be_read_end_the_term_once() -> None:
    """As `--barrier-reads` has it: they are held until a record of their own is accepted."""
    replica = leading(FailingStore())
    leader = replica.replica.leader
    assert leader is not None
    read = Query(SENDER, 1, True, lambda store: Outcome(body=store.get(b"k") or b""))
    leader._held.extend(Held(0, False, SENDER, each) for each in (read.read, lambda _: Outcome()))
    replica.store.broken = True  # type: ignore[attr-defined]
    for turn in range(5):
        replica.tick(10.0 + turn)
    assert replica.failed
    assert replica.replica.leader is None
    assert not replica.restless
    assert outcomes(replica) == [ReplyStatus.NOT_LEADER, ReplyStatus.NOT_LEADER]


def test_one_that_has_failed_needs_no_more_ticks() -> None:
    replica = leading()
    replica.replica.election.stage = Stage.ASKING
    replica.tick(2.0)
    assert replica.restless
    replica.failed = True
    replica.tick(3.0)
    assert not replica.restless
