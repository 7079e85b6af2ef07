"""Deletes records of replication logs, behind what replicas, named readers and the retention need. Blocks."""

from __future__ import annotations

import time

from confluent_kafka import Consumer, KafkaException, TopicPartition

from dynabus.adapters.kafka.positions import extent_of
from dynabus.adapters.kafka.settings import KafkaSettings
from dynabus.adapters.kafka.topics import TopicAdmin, TopicError
from dynabus.adapters.logs import kafka_logger
from dynabus.auto_admin.outside import Pruned, PruneWish, StepFailed
from dynabus.core.ids import LogId
from dynabus.core.pruning import PRUNE_LEAST, RECORDS_LEAST, Hold, lowest
from dynabus.core.topics import Topics

CALL_S = 5.0
RETENTION, YOUNGEST = "the retention", "the last records"
LOST = "records that the log has lost"


class LogPruner:
    """`readers`: consumer groups whose committed offsets are waited for, and for a log of which one has none."""

    def __init__(
        self, kafka: KafkaSettings, topics: Topics, admin: TopicAdmin, retention_s: float, readers: tuple[str, ...]
    ) -> None:
        self._kafka, self._topics, self._admin = kafka, topics, admin
        self._retention_s, self._readers = retention_s, readers

    def prune(self, wishes: list[PruneWish]) -> list[Pruned]:
        """Raises StepFailed."""
        try:
            if self._admin.cluster().is_mock:
                return []
            committed = {group: self._admin.group_offsets(group) for group in self._readers}
            propagated = (
                self._admin.group_offsets(self._topics.propagators) if any(wish.followed for wish in wishes) else {}
            )
            # Rounds are seconds apart: a client that lives as long as one costs nothing in between.
            reader = Consumer(self._kafka.log_reader(), logger=kafka_logger())
            try:
                own = {**committed, self._topics.propagators: propagated}
                return [self._prune(wish, reader, own if wish.followed else committed) for wish in wishes]
            finally:
                reader.close()
        except (KafkaException, TopicError) as error:
            raise StepFailed(str(error)) from error

    def _prune(self, wish: PruneWish, reader: Consumer, committed: dict[str, dict[tuple[str, int], int]]) -> Pruned:
        topic = self._topics.log_name(LogId(wish.log))
        low, high = extent_of(reader, topic, wish.number, CALL_S)
        if high < wish.known:
            return Pruned(wish.log, wish.number, low, high, 0, LOST, 0)
        holds = [Hold(RETENTION, self._retained(topic, wish.number, high, reader))]
        if not wish.whole:
            holds.append(Hold(YOUNGEST, max(low, high - RECORDS_LEAST)))
        free = lowest(holds).offset
        holds += [Hold(group, offsets.get((topic, wish.number), 0)) for group, offsets in committed.items()]
        if not wish.whole:
            holds.append(Hold(wish.by, wish.until))
        hold = lowest(holds)
        until, least = max(low, hold.offset), 1 if wish.whole else PRUNE_LEAST
        deleted = until - low if until - low >= least else 0
        if deleted:
            self._admin.delete_records(topic, wish.number, until)
        return Pruned(wish.log, wish.number, low + deleted, high, deleted, hold.name, max(0, free - hold.offset))

    def _retained(self, topic: str, number: int, high: int, reader: Consumer) -> int:
        """Offset of the first record that is younger than the retention; the log's end where none is."""
        if self._retention_s == 0:
            return high
        since_ms = int((time.time() - self._retention_s) * 1000)
        (found,) = reader.offsets_for_times([TopicPartition(topic, number, since_ms)], timeout=CALL_S)
        return high if found.offset < 0 else int(found.offset)
