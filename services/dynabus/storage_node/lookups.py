"""Questions to Kafka that take milliseconds or hang while it is away: asked in threads of their own.

The loop starts a lookup and collects the answer in a later turn, so that requests never wait for one.
"""

from __future__ import annotations

import shutil
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from confluent_kafka import Consumer, KafkaException, TopicPartition

from dynabus.adapters.kafka.log_producer import LogProducer
from dynabus.adapters.kafka.settings import KafkaSettings
from dynabus.adapters.kafka.topics import TopicAdmin, TopicError, TopicIdentity
from dynabus.adapters.lmdb import put_aside
from dynabus.adapters.logs import kafka_logger
from dynabus.core.replication.records import Record, decode_record
from dynabus.storage_node.readers import Log, Readers

TIMEOUT_S = 2.0
"""For one question; Kafka answers in 2 ms, or in fetch.wait.max.ms behind a parked fetch."""


THREADS = 3
"""One may hang behind a parked fetch, one may be deleting a folder."""


class LogFacts(NamedTuple):
    """Which log a topic partition is, and what of it exists: offsets low <= offset < high."""

    identity: TopicIdentity
    low: int
    high: int


class LookupFailed(Exception):
    """Kafka did not tell; asking again may help."""


class Lookups:
    """Threads that ask. Consumers are told of each topic, so that they need not find out when it is assigned."""

    def __init__(self, kafka: KafkaSettings, admin: TopicAdmin, readers: Readers, log: LogProducer) -> None:
        self._settings = kafka
        self._admin, self._readers, self._log = admin, readers, log
        self._identities: dict[str, TopicIdentity] = {}
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="lookups")

    def log_facts(self, log: Log, fresh: bool = False) -> Future[LogFacts]:
        """Raises LookupFailed in the future. `fresh`: trust nothing that was told before."""
        return self._pool.submit(self._log_facts, log, fresh)

    def genesis(self, log: Log) -> Future[Record]:
        """The first record of a log. Raises LookupFailed in the future."""
        return self._pool.submit(self._genesis, log)

    def introduce(self, topic: str) -> Future[None]:
        """Make the busy consumers know the topic: found out only when it is assigned, that takes a second."""
        return self._pool.submit(
            self._introduce, topic, self._readers.main, self._readers.followed, self._readers.catch_up
        )

    def acquaint(self, topic: str, consumer: Consumer) -> Future[None]:
        """The same for another consumer; a topic that has grown is looked at again."""
        return self._pool.submit(self._introduce, topic, consumer)

    def remove_folder(self, path: Path) -> None:
        """Deleting gigabytes takes long."""
        self._pool.submit(shutil.rmtree, path, ignore_errors=True)

    def put_aside(self, path: Path, place: bytes | None) -> Future[None]:
        """Move a damaged store out of the way. Raises OSError in the future."""
        return self._pool.submit(put_aside, path, place)

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _log_facts(self, log: Log, fresh: bool) -> LogFacts:
        topic = log.topic
        try:
            identity = None if fresh else self._identities.get(topic)
            if identity is None:
                identity = self._identities[topic] = self._admin.identity(topic)
                self._introduce(topic, self._readers.catch_up)
            found = self._readers.catch_up.get_watermark_offsets(TopicPartition(*log), timeout=TIMEOUT_S)
        except (KafkaException, TopicError) as error:
            raise LookupFailed(str(error)) from error
        if found is None:
            raise LookupFailed(f"no answer about {topic} within {TIMEOUT_S} s")
        return LogFacts(identity, *found)

    def _genesis(self, log: Log) -> Record:
        """By a consumer of its own: it is asked for once in the life of a log that was recovered."""
        consumer = Consumer(self._settings.log_reader(), logger=kafka_logger())
        try:
            consumer.assign([TopicPartition(*log, 0)])
            message = consumer.poll(TIMEOUT_S)
        except KafkaException as error:
            raise LookupFailed(str(error)) from error
        finally:
            consumer.close()
        if message is None or message.error() is not None:
            raise LookupFailed(f"the first record of {log.topic}/{log.number} was not delivered")
        return decode_record(message.offset() or 0, -1, message.value())

    def _introduce(self, topic: str, *consumers: Consumer) -> None:
        self._log.acquaint(topic)
        # The request waits behind the consumer's parked fetch, up to fetch.wait.max.ms.
        for consumer in consumers:
            with suppress(KafkaException):
                consumer.list_topics(topic, timeout=TIMEOUT_S)
