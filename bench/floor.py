"""The bare Kafka floor: what any database over these topics must take at least.

2 hops: a request topic, an echo process, a reply topic. 3 hops: the echo process first appends to a log topic with
acks=all and waits for the delivery report. One message in flight, 1 KB values, the properties that Dynabus uses.
"""

from __future__ import annotations

import multiprocessing
import sys
import time
from collections.abc import Callable

from confluent_kafka import OFFSET_END, Consumer, Producer, TopicPartition

from dynabus.adapters.kafka.settings import KafkaSettings
from dynabus.adapters.kafka.topics import TopicAdmin
from dynabus.core.topics import Topic

VALUE = b"x" * 1024
NAMES = ("floor.requests", "floor.replies", "floor.log")


def _end_consumer(settings: KafkaSettings, topic: str) -> Consumer:
    consumer = Consumer(settings.loop_consumer())
    consumer.assign([TopicPartition(topic, 0, OFFSET_END)])
    return consumer


def _echo(settings: KafkaSettings, ready: multiprocessing.synchronize.Event) -> None:  # type: ignore[name-defined]
    consumer = _end_consumer(settings, NAMES[0])
    replies, log = Producer(settings.request_producer()), Producer(settings.log_producer())
    consumer.poll(1.0)
    ready.set()
    while True:
        message = consumer.poll(1.0)
        if message is None or message.error():
            continue
        value = message.value()
        if value == b"stop":
            return
        if value[:1] == b"3":
            log.produce(NAMES[2], value)
            log.flush()
        replies.produce(NAMES[1], value)
        replies.poll(0)


class Floor:
    """The echo process and one asker; `hop(2)` and `hop(3)` time one round trip each, in seconds."""

    def __init__(self, settings: KafkaSettings) -> None:
        TopicAdmin(settings).ensure([Topic(name, 1, {}, "floor") for name in NAMES])
        ready = multiprocessing.Event()
        self._process = multiprocessing.Process(target=_echo, args=(settings, ready), daemon=True)
        self._process.start()
        self._consumer = _end_consumer(settings, NAMES[1])
        self._producer = Producer(settings.request_producer())
        self._consumer.poll(1.0)
        if not ready.wait(10):
            raise RuntimeError("the echo process did not start")
        for _ in range(50):
            self.hop(3)

    def hop(self, hops: int) -> float:
        value = b"%d" % hops + VALUE
        started = time.perf_counter()
        while True:
            self._producer.produce(NAMES[0], value)
            self._producer.poll(0)
            message = self._consumer.poll(2.0)
            if message is not None and not message.error():
                return time.perf_counter() - started

    def close(self) -> None:
        self._producer.produce(NAMES[0], b"stop")
        self._producer.flush(5)
        self._process.join(5)
        self._consumer.close()


def percentile_ms(seconds: list[float], share: float) -> float:
    ordered = sorted(seconds)
    return 1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def timed(action: Callable[[], float], count: int) -> list[float]:
    return [action() for _ in range(count)]


if __name__ == "__main__":
    floor = Floor(KafkaSettings(sys.argv[1]))
    for hops in (2, 3):
        seconds = timed(lambda hops=hops: floor.hop(hops), 1000)  # type: ignore[misc]
        print(f"{hops} hops: p50 {percentile_ms(seconds, 0.5):.2f} ms, p99 {percentile_ms(seconds, 0.99):.2f} ms")
    floor.close()
