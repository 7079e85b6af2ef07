"""Reading ancestors' logs for heirs: a consumer of its own, made when the first heir comes.

The parent's own replica reads the same log through another consumer, at another place. Several heirs may read one
log: it is read from the place of the one that is furthest behind, and each takes what is next for it.
"""

from __future__ import annotations

from typing import Any

from confluent_kafka import Consumer, Message, TopicPartition

from dynabus.adapters.kafka.positions import OUT_OF_RANGE
from dynabus.adapters.kafka.settings import KafkaSettings
from dynabus.adapters.logs import kafka_logger
from dynabus.core.replication.records import Record, decode_record
from dynabus.storage_node.replicas.readers import Log, introduce

DRAIN_MOST = 256
"""Records per turn: some milliseconds of folding for two heirs, so long requests wait at most."""


class AncestorLogs:
    """The logs that heirs read now."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._consumer: Consumer | None = None
        self._read: set[Log] = set()

    @property
    def consumer(self) -> Consumer:
        """Made at first use."""
        if self._consumer is None:
            own: dict[str, Any] = {"logger": kafka_logger()}
            self._consumer = Consumer({**self._settings.loop_consumer(), **own})
        return self._consumer

    def introduce(self, topic: str) -> None:
        """Let the consumer know a topic that is going to be read and may have grown."""
        introduce(self.consumer, topic)

    def read(self, log: Log, offset: int) -> None:
        """Read this log from there, whatever was read of it before."""
        self.leave(log)
        self.consumer.incremental_assign([TopicPartition(*log, offset)])
        self._read.add(log)

    def leave(self, log: Log) -> None:
        """No heir needs it any more."""
        if log in self._read:
            self._read.discard(log)
            self.consumer.incremental_unassign([TopicPartition(*log)])

    def keep(self, logs: set[Log]) -> None:
        """Leave all others."""
        for log in self._read - logs:
            self.leave(log)

    def poll(self) -> tuple[dict[Log, list[Record]], set[Log]]:
        """What has come, by log; and the logs that do not have the offset from which they were to be read."""
        records: dict[Log, list[Record]] = {}
        lost: set[Log] = set()
        for message in self.consumer.consume(DRAIN_MOST, 0) if self._read else ():
            log = Log(message.topic() or "", message.partition() or 0)
            error = message.error()
            if error is None:
                records.setdefault(log, []).append(_record(message))
            elif error.code() in OUT_OF_RANGE:
                lost.add(log)
        return records, lost

    def end_offset(self, log: Log) -> int:
        """The log's end as the last fetch told it; -1 while unknown. Asks nobody."""
        if log not in self._read:
            return -1
        found = self.consumer.get_watermark_offsets(TopicPartition(*log), cached=True)
        return -1 if found is None else int(found[1])

    def close(self) -> None:
        """Let go."""
        if self._consumer is not None:
            self._consumer.close()


def _record(message: Message) -> Record:
    epoch = message.leader_epoch()
    return decode_record(message.offset() or 0, -1 if epoch is None else epoch, message.value())
