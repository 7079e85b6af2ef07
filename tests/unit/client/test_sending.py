"""The thread that sends commands: what it does when the Kafka client refuses, fails, or is stuck."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import orjson
import pytest
from confluent_kafka import KafkaError, KafkaException
from tests.unit.client.ingest_stage import WAIT_S, until

from dynabus.client.errors import NotSentError, UnknownOutcomeError
from dynabus.client.flight import Flight
from dynabus.client.outcome import Applied, Outcome
from dynabus.client.sending import Sender

OVERSIZE = KafkaError(KafkaError.MSG_SIZE_TOO_LARGE, "too large")
FATAL = KafkaError(KafkaError.OUT_OF_ORDER_SEQUENCE_NUMBER, "out of order", fatal=True)
TIMED_OUT = KafkaError(KafkaError._MSG_TIMED_OUT, "timed out")
PURGED = KafkaError(KafkaError._PURGE_QUEUE, "purged")

Report = Callable[[KafkaError | None, object], None]


class Kafka:
    """What all producers of a test share. `produce` raises `refusal` once; while `is_silent` nothing is delivered."""

    def __init__(self) -> None:
        self.producers: list[ScriptedProducer] = []
        self.refusal: BaseException | None = None
        self.is_silent = False
        self.delivered: list[Any] = []

    def make(self, _properties: object, logger: object) -> ScriptedProducer:
        made = ScriptedProducer(self)
        self.producers.append(made)
        return made


class ScriptedProducer:
    """As confluent_kafka's, as far as the sender knows it."""

    def __init__(self, kafka: Kafka) -> None:
        self._kafka = kafka
        self.is_broken = False
        self.queue: list[tuple[bytes, Report]] = []
        self.reports: list[tuple[Report, KafkaError | None]] = []

    def produce(self, topic: str, value: bytes, key: str, partition: int, on_delivery: Report) -> None:
        assert (topic, key) == ("commands", str(partition))
        if self.is_broken:
            raise KafkaException(FATAL)
        refusal, self._kafka.refusal = self._kafka.refusal, None
        if refusal is not None:
            raise refusal
        self.queue.append((value, on_delivery))

    def poll(self, timeout_s: float) -> int:
        if not self._kafka.is_silent:
            for value, report in self.queue:
                self._kafka.delivered.append(orjson.loads(value))
                self.reports.append((report, None))
            self.queue.clear()
        reports, self.reports = self.reports, []
        for report, error in reports:
            report(error, None)
        if not reports:
            time.sleep(min(timeout_s, 0.01))
        return len(reports)

    def end(self, error: KafkaError, count: int) -> None:
        """So many of the first that are queued have failed."""
        for _, report in self.queue[:count]:
            self.reports.append((report, error))
        del self.queue[:count]

    def purge(self, blocking: bool) -> None:
        assert not blocking
        self.end(PURGED, len(self.queue))

    def __len__(self) -> int:
        return len(self.queue) + len(self.reports)


class Desk:
    """A sender and what its commands came to."""

    def __init__(self, limit_s: float = 30) -> None:
        self.flight = Flight(limit_s, 1000)
        self.failed = False
        self.sender = Sender({}, "commands", 0, self.flight, self._fail)
        self.outcomes: list[Outcome] = []

    def _fail(self) -> None:
        self.failed = True

    def put(self) -> Outcome:
        number = len(self.outcomes)
        outcome = Outcome(f"token-{number}")
        self.outcomes.append(outcome)
        self.flight.begin(number, outcome, 1, wait=False)
        self.sender.add(0, b"%d" % number, number)
        return outcome

    def put_alone(self, kafka: Kafka) -> Outcome:
        """In a message of its own."""
        outcome, producer = self.put(), kafka.producers[-1]
        before = len(producer.queue)
        until(lambda: len(producer.queue) > before)
        return outcome

    def close(self) -> None:
        self.sender.close()


@pytest.fixture
def kafka(monkeypatch: pytest.MonkeyPatch) -> Kafka:
    made = Kafka()
    monkeypatch.setattr("dynabus.client.sending.Producer", made.make)
    return made


@pytest.fixture
def desk(kafka: Kafka) -> Iterator[Desk]:
    made = Desk()
    yield made
    made.close()
    assert not made.failed


def has_queued(kafka: Kafka, count: int) -> bool:
    return len(kafka.producers[0].queue) == count


def numbers(kafka: Kafka) -> list[int]:
    return [number for message in kafka.delivered for number in message]


def test_commands_leave_in_order(kafka: Kafka, desk: Desk) -> None:
    for _ in range(100):
        desk.put()
    until(lambda: len(numbers(kafka)) == 100)
    assert numbers(kafka) == [*range(100)]
    assert len(kafka.delivered) < 100, "what came while one was sent shares the next"


def test_a_full_queue_is_waited_for(kafka: Kafka, desk: Desk) -> None:
    kafka.refusal = BufferError("full")
    desk.put()
    until(lambda: numbers(kafka) == [0])


def test_what_the_client_refuses_was_not_sent(kafka: Kafka, desk: Desk) -> None:
    kafka.refusal = KafkaException(OVERSIZE)
    with pytest.raises(NotSentError, match="the Kafka client did not take the command: too large"):
        desk.put().result(WAIT_S)
    desk.put()
    until(lambda: numbers(kafka) == [1])
    assert len(kafka.producers) == 1


def test_what_is_refused_later_may_have_been_applied(kafka: Kafka, desk: Desk) -> None:
    kafka.is_silent = True
    outcome = desk.put_alone(kafka)
    kafka.producers[0].end(OVERSIZE, 1)
    with pytest.raises(UnknownOutcomeError, match=r"Kafka did not take the command \(too large\).*token='token-0'"):
        outcome.result(WAIT_S)
    assert len(kafka.producers) == 1


def test_what_a_stuck_producer_has_is_sent_by_the_next_one_in_order(kafka: Kafka, desk: Desk) -> None:
    kafka.is_silent = True
    outcomes = [desk.put_alone(kafka) for _ in range(5)]
    kafka.producers[0].end(TIMED_OUT, 1)
    with pytest.raises(UnknownOutcomeError, match="timed out"):
        outcomes[0].result(WAIT_S)
    until(lambda: len(kafka.producers) == 2)
    outcomes.append(desk.put_alone(kafka))
    kafka.is_silent = False
    until(lambda: len(numbers(kafka)) == 5)
    assert numbers(kafka) == [1, 2, 3, 4, 5]
    assert not any(each.done() for each in outcomes[1:]), "their outcomes are awaited"


def test_messages_are_sent_again_in_the_order_in_which_they_left(kafka: Kafka, desk: Desk) -> None:
    """Two threads may draw numbers and add their commands in another order."""
    kafka.is_silent = True
    for count, number in enumerate((2, 1), 1):
        desk.flight.begin(number, Outcome(f"token-{number}"), 1, wait=False)
        desk.sender.add(0, b"%d" % number, number)
        until(partial(has_queued, kafka, count))
    kafka.producers[0].is_broken = True
    desk.put()
    until(lambda: len(kafka.producers) == 2)
    kafka.is_silent = False
    until(lambda: len(numbers(kafka)) == 3)
    assert numbers(kafka) == [2, 1, 0]


def test_a_producer_with_a_fatal_error_is_replaced(kafka: Kafka, desk: Desk) -> None:
    kafka.is_silent = True
    desk.put_alone(kafka)
    kafka.producers[0].is_broken = True
    desk.put()
    until(lambda: len(kafka.producers) == 2)
    desk.put()
    kafka.is_silent = False
    until(lambda: len(numbers(kafka)) == 3)
    assert numbers(kafka) == [0, 1, 2]


def test_what_nobody_awaits_any_more_is_not_sent_again(kafka: Kafka, desk: Desk) -> None:
    kafka.is_silent = True
    for _ in range(3):
        desk.put_alone(kafka)
    desk.flight.ended([(1, Applied({}, {}))])
    kafka.producers[0].end(TIMED_OUT, 1)
    until(lambda: len(kafka.producers) == 2)
    kafka.is_silent = False
    until(lambda: numbers(kafka) == [2])


def test_a_defect_is_told(kafka: Kafka, caplog: pytest.LogCaptureFixture) -> None:
    desk = Desk()
    kafka.refusal = ZeroDivisionError()
    desk.put()
    until(lambda: desk.failed)
    assert "the thread that sends commands failed" in caplog.text
    desk.close()
