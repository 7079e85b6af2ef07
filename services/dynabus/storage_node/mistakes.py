"""Messages that could not be used: counted each, logged seldom, with topic and offset."""

from __future__ import annotations

from dynabus.adapters.logs import logger
from dynabus.storage_node.replicas.readers import Arrival

LOG_EVERY_MS = 10_000.0
"""Whoever sends rubbish sends much of it; one line per topic in ten seconds says enough."""


class Mistakes:
    """`undecodable` and `errors` count; both are safe to skip outside of replication logs."""

    def __init__(self) -> None:
        self.undecodable = 0
        self.errors = 0
        self._logged_ms: dict[str, float] = {}

    def skip(self, message: Arrival, why: str, now_ms: float) -> None:
        """A message whose value is not what belongs on its topic."""
        self.undecodable += 1
        self._log("message skipped", message, why, now_ms)

    def error(self, message: Arrival, why: str, now_ms: float) -> None:
        """The consumer reports an error about a topic partition; it goes on by itself, or is read on (`Intake`)."""
        self.errors += 1
        self._log("consumer error", message, why, now_ms)

    def _log(self, event: str, message: Arrival, why: str, now_ms: float) -> None:
        topic = message.topic()
        if now_ms - self._logged_ms.get(topic, float("-inf")) >= LOG_EVERY_MS:
            self._logged_ms[topic] = now_ms
            logger().warning(event, topic=topic, partition=message.partition(), offset=message.offset(), reason=why)
