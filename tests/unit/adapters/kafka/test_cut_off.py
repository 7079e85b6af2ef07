"""When a service's own clients count as cut off for good."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from itertools import count

import pytest
from tests.integration.cluster import wait_until

from dynabus.adapters.kafka import cut_off
from dynabus.adapters.kafka.cut_off import CutOffWatch
from dynabus.adapters.kafka.settings import KafkaSettings
from dynabus.adapters.kafka.topics import TopicError

KAFKA = KafkaSettings("127.0.0.1:1")


class Asked:
    """A Kafka that a new client reaches or not, and how often one tried."""

    def __init__(self) -> None:
        self.there = True
        self.times = 0

    def __call__(self, _settings: KafkaSettings) -> None:
        self.times += 1
        if not self.there:
            raise TopicError("away", retriable=True)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    found = Asked()
    monkeypatch.setattr(cut_off, "TICK_S", 0.002)
    monkeypatch.setattr(cut_off, "reach_kafka", found)
    return found


def ticks() -> Callable[[], int]:
    """A loop that turns all the time."""
    turns = count()
    return lambda: next(turns)


def test_silence_beside_a_kafka_that_is_there_ends_the_process(asked: Asked) -> None:
    ended = threading.Event()
    CutOffWatch(KAFKA, lambda: 7, ticks(), ended.set).start()
    assert ended.wait(10)
    assert asked.times == 1


def test_silence_while_kafka_is_away_is_waited_out(asked: Asked) -> None:
    asked.there = False
    ended = threading.Event()
    watch = CutOffWatch(KAFKA, lambda: 7, ticks(), ended.set)
    watch.start()
    wait_until("three looks", lambda: asked.times >= 3)
    assert not ended.is_set()
    asked.there = True
    assert ended.wait(10)


def test_a_service_that_hears_something_is_left_alone(asked: Asked) -> None:
    heard, ended = iter(range(1_000_000)), threading.Event()
    watch = CutOffWatch(KAFKA, lambda: next(heard), ticks(), ended.set)
    watch.start()
    wait_until("many ticks", lambda: next(heard) > 5 * cut_off.SILENT_S)
    assert asked.times == 0
    assert not ended.is_set()
    watch.stop()


def test_a_loop_that_waits_for_something_else_is_not_cut_off(asked: Asked) -> None:
    turns, looks, ended = [1], count(), threading.Event()

    def turned() -> int:
        next(looks)
        return turns[0]

    watch = CutOffWatch(KAFKA, lambda: 7, turned, ended.set)
    watch.start()
    wait_until("many ticks", lambda: next(looks) > 5 * cut_off.SILENT_S)
    assert asked.times == 0
    assert not ended.is_set()
    watch.stop()


def test_a_service_that_stops_is_not_watched_any_more(asked: Asked) -> None:
    ended = threading.Event()
    watch = CutOffWatch(KAFKA, lambda: 7, ticks(), ended.set)
    watch.stop()
    watch.start()
    watch._thread.join(10)
    assert not ended.is_set()
    assert asked.times == 0


def test_the_end_is_one_line_and_a_code() -> None:
    program = "from dynabus.adapters.kafka.cut_off import end_process; end_process('dynabus auto-admin')"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert ran.returncode == 1
    assert ran.stderr.startswith("dynabus auto-admin: cut off from a Kafka that is there")
    assert ran.stderr.count("\n") == 1
