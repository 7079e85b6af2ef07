"""Attempts are repeated until one succeeds, or the process is asked to end."""

from __future__ import annotations

import pytest
from confluent_kafka import KafkaError, KafkaException

from dynabus.adapters.kafka import patience
from dynabus.adapters.kafka.patience import Stopped, persist
from dynabus.adapters.kafka.settings import KafkaSettings
from dynabus.adapters.kafka.topic_rules import UnsafeKafka
from dynabus.adapters.kafka.topics import TopicError

KAFKA = KafkaSettings("127.0.0.1:1")


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "RETRY_S", 0.0)


def test_until_it_succeeds() -> None:
    failures: list[Exception] = [
        TopicError("no brokers", retriable=True),
        KafkaException(KafkaError(KafkaError._TIMED_OUT)),
    ]

    def attempt() -> str:
        if failures:
            raise failures.pop()
        return "found"

    assert persist(KAFKA, "waiting", attempt) == "found"
    assert not failures


def test_until_the_process_is_to_end() -> None:
    attempts: list[None] = []

    def attempt() -> None:
        attempts.append(None)
        raise TopicError("no brokers", retriable=True)

    with pytest.raises(Stopped):
        persist(KAFKA, "waiting", attempt, lambda: len(attempts) == 3)
    assert len(attempts) == 3


def test_what_waiting_cannot_mend_is_raised() -> None:
    def attempt() -> None:
        raise UnsafeKafka("min.insync.replicas is 1")

    with pytest.raises(UnsafeKafka):
        persist(KAFKA, "waiting", attempt)
