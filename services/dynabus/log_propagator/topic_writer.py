"""The transactional producer of table topics: records and checkpoints are committed together, or not at all.

One transaction, in this order (ARCHITECTURE, "Table topics"):

    1. begin      2. records, flushed     3. checkpoints, with the member's generation     4. commit

After anything that failed or was not answered the producer is thrown away: the next one ends what it had begun, since
both have the process's name (`init_transactions`), and what comes late of it is of an older epoch. Then the group's
checkpoints tell whether it was committed (`resolve`). To write its records once more would be wrong if it was: by
then a child of the log may have written newer ones.

There is no producer before the first record.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from functools import partial

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from dynabus.adapters.clock import unix_ms
from dynabus.adapters.codec import UndecodableMessage
from dynabus.adapters.kafka.release import let_go
from dynabus.adapters.kafka.settings import KafkaSettings
from dynabus.adapters.logs import kafka_logger, logger
from dynabus.adapters.schema_registry import RegistryProblem, SchemaRegistry
from dynabus.adapters.table_codec import ITEM_ID, PUBLISHED, encode_table_record
from dynabus.core.ids import PartitionId
from dynabus.core.propagation.propagator import Parcel
from dynabus.core.propagation.table_records import TableRecord
from dynabus.core.streams.registry import subject_of
from dynabus.core.table_topics.partitioner import topic_partition
from dynabus.core.topics import Topics
from dynabus.log_propagator.group import Group
from dynabus.log_propagator.sender import OF_ONE_TOPIC

CALL_S = 5.0
"""For each of four calls: all of them together leave the group polled twice as often as it must be."""

FULL_S = 0.05


class TopicWriter:
    """Used from one thread. `culprit`: whose topic was the reason of the last failure, if it was one alone."""

    def __init__(
        self, kafka: KafkaSettings, topics: Topics, name: str, registry: SchemaRegistry | None = None
    ) -> None:
        self._kafka, self._topics, self._registry = kafka, topics, registry
        self._id = topics.transactional_id(name)
        self._producer: Producer | None = None
        self._failed: str | None = None
        self._doubtful: dict[PartitionId, Parcel] = {}
        """What was tried last, and may have been committed."""
        self.sent = self.transactions = self.replaced = 0
        self.culprit: PartitionId | None = None
        self.reason = ""

    def forget(self, partitions: Iterable[PartitionId]) -> None:
        """These logs are let go of: whoever has them next begins at the group's checkpoints."""
        for partition in partitions:
            self._doubtful.pop(partition, None)

    def write(self, parcels: Mapping[PartitionId, Parcel], group: Group) -> Mapping[PartitionId, Parcel] | None:
        """What is committed now: these, or what was before, unheard, and then these come another time. None: it
        failed."""
        resolved = self.resolve(group)
        if resolved is None or resolved or not parcels:
            return resolved
        return parcels if self.commit(parcels, group) else None

    def resolve(self, group: Group) -> dict[PartitionId, Parcel] | None:
        """What of the last transaction, if that failed, is committed all the same; None: not known yet."""
        if not self._doubtful:
            return {}
        try:
            self._made()
            committed = group.committed(self._doubtful)
        except (KafkaException, UndecodableMessage) as error:
            self._give_up(str(error))
            return None
        doubtful, self._doubtful = self._doubtful, {}
        return {each: parcel for each, parcel in doubtful.items() if committed[each] == parcel.checkpoint}

    def commit(self, parcels: Mapping[PartitionId, Parcel], group: Group) -> bool:
        """True: all of it is committed. False: all of it or nothing is, or shall be, which `resolve` tells."""
        self.culprit = self._failed = None
        membership = group.membership()
        if membership is None:
            # Nobody's member may not write: the group has gone on without us, or has not begun.
            return False
        try:
            self._transact(parcels, membership, group)
        except RegistryProblem as error:
            self._give_up(str(error))
            return False
        except KafkaException as error:
            self._give_up(self._failed or error.args[0].str())
            return False
        self.transactions += 1
        self.sent += sum(len(parcel.records) for parcel in parcels.values())
        return True

    def _transact(self, parcels: Mapping[PartitionId, Parcel], membership: bytes, group: Group) -> None:
        ids = self._schema_ids(parcels)
        producer = self._made()
        producer.begin_transaction()
        deadline = time.monotonic() + CALL_S
        for partition, parcel in parcels.items():
            for record in parcel.records:
                self._produce(producer, partition, record, ids[record.topic.name], deadline)
        left = producer.flush(max(0.0, deadline - time.monotonic()))
        if self._failed is not None or left:
            self._failed = self._failed or f"{left} records are not delivered after {CALL_S:.0f} s"
            raise KafkaException(KafkaError(KafkaError._FAIL))
        offsets = group.offsets({partition: parcel.checkpoint for partition, parcel in parcels.items()})
        self._doubtful = dict(parcels)
        producer.send_offsets_to_transaction(offsets, membership, CALL_S)
        producer.commit_transaction(CALL_S)
        self._doubtful = {}

    def _made(self) -> Producer:
        """One that has ended what those before it had begun."""
        producer = self._producer
        if producer is None:
            producer = Producer(self._kafka.table_producer(self._id), logger=kafka_logger())
            # Kept at once, so that what fails from here on is thrown away in one place.
            self._producer = producer
            producer.init_transactions(CALL_S)
        return producer

    def _schema_ids(self, parcels: Mapping[PartitionId, Parcel]) -> dict[str, int]:
        """By table's name: what stands before values of its topic. Raises RegistryProblem, nothing is begun then."""
        ids: dict[str, int] = {}
        for partition, parcel in parcels.items():
            for name in {record.topic.name for record in parcel.records} - ids.keys():
                try:
                    ids[name] = self._schema_id(self._topics.table_name(name))
                except RegistryProblem:
                    self.culprit = partition
                    raise
        return ids

    def _schema_id(self, topic: str) -> int:
        if self._registry is None:
            return ITEM_ID
        return self._registry.register(subject_of(topic), PUBLISHED[ITEM_ID])

    def _produce(
        self, producer: Producer, partition: PartitionId, record: TableRecord, schema_id: int, deadline: float
    ) -> None:
        message = encode_table_record(record, unix_ms(), schema_id)
        while True:
            try:
                producer.produce(
                    self._topics.table_name(record.topic.name),
                    message.value,
                    message.key,
                    topic_partition(record.key, record.topic.partitions),
                    on_delivery=partial(self._delivered, partition),
                    timestamp=message.timestamp_ms,
                    headers=message.headers,
                )
            except BufferError:
                if time.monotonic() > deadline:
                    raise KafkaException(KafkaError(KafkaError._QUEUE_FULL)) from None
                producer.poll(FULL_S)
            else:
                return

    def _delivered(self, partition: PartitionId, error: KafkaError | None, _message: Message) -> None:
        if error is None:
            return
        # What is purged behind the first error is no news.
        if error.code() in OF_ONE_TOPIC and self.culprit is None:
            self.culprit, self._failed = partition, error.str()
        self._failed = self._failed or error.str()

    def _give_up(self, why: str) -> None:
        self.reason = why
        stuck, self._producer = self._producer, None
        if stuck is None:
            return
        logger().warning("table topics: transaction given up, to be done again", reason=why)
        self.replaced += 1
        stuck.purge(blocking=False)
        let_go([stuck])

    def close(self) -> None:
        """Between transactions there is nothing to be done."""
        self._producer = None
