"""The bare Kafka floor: what any database over these topics must take at least.

2 hops: a request topic, an echo process, a reply topic. 3 hops: the echo process first appends to a log topic with
acks=all and waits for the delivery report. 1 KB values, the properties that Dynabus uses, one message in flight or
many. What has queued up is taken, appended and answered as one batch.

    python -m bench.floor HOST:PORT
"""

from __future__ import annotations

import multiprocessing
import sys
import time
from multiprocessing.synchronize import Event

from confluent_kafka import OFFSET_END, Consumer, Message, Producer, TopicPartition

from bench.figures import Measured, measured, percentile_ms
from dynabus.adapters.kafka.settings import KafkaSettings
from dynabus.adapters.kafka.topics import TopicAdmin
from dynabus.core.topics import Topic

PADDING = b"x" * 1024
NAMES = ("floor.requests", "floor.replies", "floor.log")
STOP = b"stop"
BATCH_MOST = 500
"""Messages taken at once; more than are ever in flight here."""

SILENCE_S = 2.0
"""Without an answer for so long a message counts as lost; one round trip takes a millisecond."""

WARM_UP_HOPS = 50
"""The first messages wait for metadata and connections."""


def _end_consumer(settings: KafkaSettings, topic: str) -> Consumer:
    consumer = Consumer(settings.loop_consumer())
    consumer.assign([TopicPartition(topic, 0, OFFSET_END)])
    consumer.poll(1.0)
    return consumer


def _batch(consumer: Consumer, wait_s: float) -> list[Message]:
    """Waits for one message, then takes what is there (`consume` alone would wait for a full batch)."""
    first = consumer.poll(wait_s)
    if first is None:
        return []
    return [m for m in (first, *consumer.consume(BATCH_MOST, 0)) if not m.error()]


def _echo(settings: KafkaSettings, ready: Event) -> None:
    consumer = _end_consumer(settings, NAMES[0])
    replies, log = Producer(settings.request_producer()), Producer(settings.log_producer())
    ready.set()
    while True:
        values = [message.value() or b"" for message in _batch(consumer, 1.0)]
        if STOP in values:
            replies.flush(5)
            return
        for value in values:
            if value[:1] == b"3":
                log.produce(NAMES[2], value)
        log.flush()
        for value in values:
            replies.produce(NAMES[1], value)
        replies.poll(0)


class Floor:
    """The echo process and one asker."""

    def __init__(self, settings: KafkaSettings) -> None:
        TopicAdmin(settings).ensure([Topic(name, 1, {}, "floor") for name in NAMES])
        # A process that has run librdkafka's threads must not be forked.
        spawned = multiprocessing.get_context("spawn")
        ready = spawned.Event()
        self._process = spawned.Process(target=_echo, args=(settings, ready), daemon=True)
        self._process.start()
        self._consumer = _end_consumer(settings, NAMES[1])
        self._producer = Producer(settings.request_producer())
        self._sent = 0
        self._asked_at: dict[int, float] = {}
        if not ready.wait(20):
            raise RuntimeError("the echo process did not start")
        for _ in range(WARM_UP_HOPS):
            self.hop(3)

    def hop(self, hops: int) -> float:
        """One round trip of 2 or 3 hops; how long it took, in seconds."""
        self._ask(hops)
        took: list[float] = []
        while not took:
            took = self._answered()
            if not took:
                self._asked_at.clear()
                self._ask(hops)
        return took[0]

    def run(self, hops: int, in_flight: int, seconds: float) -> Measured:
        """Round trips with so many under way at any time."""
        durations: list[float] = []
        started = time.perf_counter()
        for _ in range(in_flight):
            self._ask(hops)
        while time.perf_counter() - started < seconds:
            answered = self._answered()
            durations += answered
            for _ in answered:
                self._ask(hops)
        took_s = time.perf_counter() - started
        while self._asked_at:
            self._answered()
        return measured(durations, took_s)

    def close(self) -> None:
        self._producer.produce(NAMES[0], STOP)
        self._producer.flush(5)
        self._process.join(5)
        self._consumer.close()

    def _ask(self, hops: int) -> None:
        self._sent += 1
        self._asked_at[self._sent] = time.perf_counter()
        self._producer.produce(NAMES[0], b"%d%012d" % (hops, self._sent) + PADDING)
        self._producer.poll(0)

    def _answered(self) -> list[float]:
        """Durations of what has come back, in seconds. Empty only after `SILENCE_S`, then nothing is under way."""
        messages = _batch(self._consumer, SILENCE_S)
        if not messages:
            self._asked_at.clear()
        numbers = [int((message.value() or b"")[1:13]) for message in messages]
        now = time.perf_counter()
        return [now - self._asked_at.pop(number) for number in numbers if number in self._asked_at]


if __name__ == "__main__":
    floor = Floor(KafkaSettings(sys.argv[1]))
    for hops in (2, 3):
        seconds = [floor.hop(hops) for _ in range(1000)]
        print(f"{hops} hops: p50 {percentile_ms(seconds, 0.5):.2f} ms, p99 {percentile_ms(seconds, 0.99):.2f} ms")
    floor.close()
