"""Places outside of their logs (I9)."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any, cast

from tests.unit.storage_node.stand_ins import ORIGIN, hosted

from dynabus.adapters.kafka.topics import TopicIdentity
from dynabus.storage_node.replicas.hosted import Hosted
from dynabus.storage_node.replicas.lookups import LogFacts, LookupFailed, Lookups
from dynabus.storage_node.replicas.suspects import ASK_AGAIN_MS, CONFIRM_MS, Suspects

SAME = TopicIdentity(ORIGIN.cluster, ORIGIN.topic)


class Kafka:
    """Tells at once, what it was told to tell."""

    def __init__(self, identity: TopicIdentity, low: int, high: int) -> None:
        self.facts = LogFacts(identity, low, high)
        self.silent = False

    def place_facts(self, _log: Any, _place: Any) -> Future[LogFacts]:
        future: Future[LogFacts] = Future()
        if self.silent:
            future.set_exception(LookupFailed("away"))
        else:
            future.set_result(self.facts)
        return future


def placed(next_offset: int) -> Hosted:
    made = hosted()
    made.replica.place = made.replica.place._replace(next_offset=next_offset)
    return made


def suspects(kafka: Kafka, replica: Hosted) -> Suspects:
    made = Suspects(cast("Lookups", kafka))
    made.add(replica, 0.0)
    return made


def run(made: Suspects, until_ms: float, since_ms: float = 0.0) -> list[Hosted]:
    """What was decided by then."""
    decided: list[Hosted] = []
    now_ms = since_ms
    while now_ms <= until_ms:
        decided += made.step(now_ms)
        now_ms += ASK_AGAIN_MS / 4
    return decided


def test_beyond_the_end_freezes_when_it_stays_so() -> None:
    replica = placed(10)
    made = suspects(Kafka(SAME, 0, 9), replica)
    assert run(made, CONFIRM_MS - 1) == []
    assert replica.replica.alarm is None
    assert run(made, CONFIRM_MS + 2 * ASK_AGAIN_MS, CONFIRM_MS) == [replica]
    assert "beyond the log's end 9" in (replica.replica.alarm or "")
    assert not made


def test_one_in_a_log_that_was_cut_and_grew_again_freezes_too() -> None:
    """Others are told at once, and it fences the log."""
    replica = placed(10)
    kafka = Kafka(SAME, 0, 90)
    kafka.facts = kafka.facts._replace(cut=True)
    made = suspects(kafka, replica)
    assert run(made, CONFIRM_MS - 1) == []
    assert (replica.state, replica.replica.alarm) == ("doubtful", None)
    assert run(made, CONFIRM_MS + 2 * ASK_AGAIN_MS, CONFIRM_MS) == [replica]
    assert replica.replica.saw_loss
    assert "leader epoch" in (replica.replica.alarm or "")


def test_epochs_that_a_late_broker_did_not_know_clear_it() -> None:
    replica = placed(10)
    kafka = Kafka(SAME, 0, 90)
    kafka.facts = kafka.facts._replace(cut=True)
    made = suspects(kafka, replica)
    run(made, 3000.0)
    kafka.facts = kafka.facts._replace(cut=False)
    assert run(made, 5000.0, 3000.0) == [replica]
    assert (replica.replica.alarm, bool(replica.replica.standstill)) == (None, False)


def test_a_leader_that_did_not_know_its_end_clears_it() -> None:
    replica = placed(10)
    kafka = Kafka(SAME, 0, 9)
    made = suspects(kafka, replica)
    run(made, 3000.0)
    kafka.facts = LogFacts(SAME, 0, 10)
    assert run(made, 5000.0, 3000.0) == [replica]
    assert replica.replica.alarm is None
    assert replica.replica.end_offset == 10


def test_a_silent_kafka_decides_nothing() -> None:
    replica = placed(10)
    kafka = Kafka(SAME, 0, 9)
    made = suspects(kafka, replica)
    kafka.silent = True
    assert run(made, 10 * CONFIRM_MS) == []
    assert made


def test_before_the_start_is_no_loss_and_to_be_cloned() -> None:
    replica = placed(10)
    assert run(suspects(Kafka(SAME, 20, 30), replica), 2 * CONFIRM_MS) == [replica]
    assert "before the log's start 20" in replica.damage
    assert replica.replica.alarm is None
    assert replica.state == "held", "it serves nobody meanwhile"
    assert not replica.replica.standstill.doubted, "nothing is lost, so that nobody else stands still"
    assert "before the log's start 20" in replica.alarm


def test_another_log_freezes() -> None:
    replica = placed(10)
    assert run(suspects(Kafka(TopicIdentity("c", "x"), 20, 30), replica), 2 * CONFIRM_MS) == [replica]
    assert "another" in (replica.replica.alarm or "")
    assert replica.damage == ""
