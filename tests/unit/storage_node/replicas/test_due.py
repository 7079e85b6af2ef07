"""Who needs a tick by time alone."""

from __future__ import annotations

from tests.unit.storage_node.stand_ins import hosted

from dynabus.storage_node.replicas.due import GATHER_MS, SWEEP_MS, DueReplicas
from dynabus.storage_node.replicas.hosted import Hosted


def due_at(due_ms: float) -> Hosted:
    replica = hosted()
    replica.replica.election.due_ms = due_ms
    return replica


def swept(replica: Hosted) -> DueReplicas:
    due = DueReplicas()
    assert due.take({replica.log: replica}, 1.0) == [replica], "everybody at first"
    return due


def test_it_is_due_at_its_time_and_until_it_was_ticked() -> None:
    replica = due_at(500.0)
    due = swept(replica)
    assert due.take({replica.log: replica}, 499.0) == []
    assert due.take({replica.log: replica}, 500.0) == [replica]
    assert due.take({replica.log: replica}, 600.0) == [replica]
    replica.replica.election.due_ms = 5000.0
    due.ticked(replica)
    assert due.take({replica.log: replica}, 700.0) == []


def test_a_time_before_the_next_gathering_that_a_tick_has_set_counts() -> None:
    replica = due_at(50_000.0)
    due = swept(replica)
    replica.replica.election.due_ms = 300.0
    assert due.take({replica.log: replica}, 400.0) == [], "nobody said so"
    due.ticked(replica)
    assert due.take({replica.log: replica}, 500.0) == [replica]


def test_what_nobody_said_is_noticed_at_the_next_gathering() -> None:
    replica = due_at(50_000.0)
    due = swept(replica)
    replica.replica.election.due_ms = 300.0
    assert due.take({replica.log: replica}, 1.0 + GATHER_MS) == [replica]


def test_everybody_is_swept_now_and_then() -> None:
    replica = due_at(1e9)
    due = swept(replica)
    assert due.take({replica.log: replica}, 1.0 + SWEEP_MS) == [replica]


def test_who_stands_still_is_due() -> None:
    replica = due_at(1e9)
    due = swept(replica)
    replica.replica.doubt("Kafka is asked", 5.0)
    due.ticked(replica)
    assert due.take({replica.log: replica}, 6.0) == [replica]


def test_a_replica_that_was_closed_is_not_ticked() -> None:
    replica = due_at(500.0)
    due = swept(replica)
    assert due.take({}, 600.0) == []
    assert due.take({replica.log: due_at(0.0)}, 600.0) == [], "another one of the same log is no substitute"
