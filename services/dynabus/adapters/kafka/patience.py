"""Trying until Kafka answers: services and Kafka may be started in any order, and Kafka may come back."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from confluent_kafka import KafkaException

from dynabus.adapters.kafka.settings import KafkaSettings
from dynabus.adapters.kafka.topics import TopicError
from dynabus.adapters.logs import logger

RETRY_S = 0.25
"""Kafka may start at the same time, and its leaders take a moment to be known."""

T = TypeVar("T")


class Stopped(Exception):
    """The process was asked to end before it had begun."""


def never() -> bool:
    """For a process whose signals still end it at once."""
    return False


def persist(kafka: KafkaSettings, stage: str, attempt: Callable[[], T], stopped: Callable[[], bool] = never) -> T:
    """What the attempt returns once it does, however long that takes; each failure is a line in the log.

    Raises Stopped, and whatever the attempt raises besides TopicError and KafkaException.
    """
    while not stopped():
        try:
            return attempt()
        except (KafkaException, TopicError) as error:
            reason = error.args[0].str() if isinstance(error, KafkaException) else str(error)
            logger().warning("not yet", waiting=stage, kafka=kafka.bootstrap, reason=reason)
        time.sleep(RETRY_S)
    raise Stopped
