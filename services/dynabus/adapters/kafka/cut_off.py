"""A process whose Kafka clients are cut off for good ends, so that it is started again with new ones.

librdkafka can believe for ever that there are no brokers (its issue 5301). From outside that looks like a Kafka that
is away, with one difference: a client that was just made reaches it. So a thread counts seconds in which nothing was
heard (its own heartbeats come back to every service, so a second or two of silence are all there should be), and then
asks with a new client. Kafka away: wait on. Kafka there: end at once with exit code 1, as if killed, which every
service survives at any moment.

It counts seconds in which it ran itself: a process that was stopped for an hour has not been silent for one. And only
those in which the service listened: one whose loop is busy, or waits for a disk, is slow, not cut off.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable

from dynabus.adapters.kafka.settings import KafkaSettings
from dynabus.adapters.kafka.topics import TopicError, reach_kafka
from dynabus.adapters.logs import logger

SILENT_S = 20
"""Longer than Kafka's own fail-over, and than clients need to find it again after that."""

TICK_S = 1.0
EXIT_CODE = 1


def end_process(program: str) -> None:
    """One line, then the end."""
    print(f"{program}: cut off from a Kafka that is there (librdkafka's issue 5301): start it again", file=sys.stderr)
    sys.stderr.flush()
    os._exit(EXIT_CODE)


class CutOffWatch:
    """`heard` counts all messages so far, `turns` how often the loop looked for some; `end` is called once, in the
    watch's thread."""

    def __init__(
        self, kafka: KafkaSettings, heard: Callable[[], int], turns: Callable[[], int], end: Callable[[], None]
    ) -> None:
        self._kafka, self._heard, self._turns, self._end = kafka, heard, turns, end
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="cut-off-watch", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """The service is ending by itself."""
        self._stopped.set()

    def _run(self) -> None:
        silent, heard, turns = 0, self._heard(), self._turns()
        while not self._stopped.wait(TICK_S):
            heard_before, turns_before = heard, turns
            heard, turns = self._heard(), self._turns()
            if heard != heard_before:
                silent = 0
            elif turns != turns_before:
                silent += 1
            if silent >= SILENT_S:
                if self._reaches() and self._heard() == heard:
                    logger().error("cut off from Kafka", silent_s=silent)
                    self._end()
                    return
                silent = 0

    def _reaches(self) -> bool:
        try:
            reach_kafka(self._kafka)
        except TopicError:
            return False
        return True
