"""The way to another region: batches into its Kafka, its acknowledgements out of this region's.

A batch is dealt to one of the topic's partitions by its table and number: in which order changes arrive does not
matter, since versions decide, and a table that is throttled there occupies a few topic partitions at most. A batch
that Kafka does not have yet is not handed over a second time, so that a region that was away for hours does not get
as many copies as there were attempts.
"""

from __future__ import annotations

from collections.abc import Callable
from zlib import crc32

from confluent_kafka import Consumer, TopicPartition

from dynabus.adapters.codec import UndecodableMessage
from dynabus.adapters.kafka.arrivals import arrived
from dynabus.adapters.kafka.outbox import Letter, Outbox
from dynabus.adapters.kafka.peers import kafka_of
from dynabus.adapters.kafka.positions import OUT_OF_RANGE, extent_of, read_on
from dynabus.adapters.kafka.settings import KafkaSettings
from dynabus.adapters.kafka.topics import reach_kafka
from dynabus.adapters.logs import kafka_logger, logger
from dynabus.adapters.replication_codec import decode_acknowledgement, encode_batch
from dynabus.core.global_tables.links import Link
from dynabus.core.global_tables.regions import Peer
from dynabus.core.global_tables.rep_out import Batch
from dynabus.core.topic_settings import REPLICATION_PARTITIONS
from dynabus.core.topics import Topics

DRAIN_MOST = 1000
CALL_S = 5.0
CLOSE_S = 1.0


class Line:
    """Used from one thread. Topics are made as it is made: raises TopicError, UnsafeKafka, KafkaException."""

    def __init__(self, kafka: KafkaSettings, peer: Peer, own: str, now_ms: Callable[[], float]) -> None:
        self._own = own
        replication = Topics(peer.namespace).replication(own)
        acknowledgements = Topics(kafka.namespace).acknowledgements(peer.name)
        there = kafka_of(peer, kafka.client_id)
        here = reach_kafka(kafka)
        here.ensure([acknowledgements])
        reach_kafka(there).ensure([replication])
        self._topic = replication.name
        self._outbox = Outbox(there, now_ms, there.replication_producer())
        self._consumer = Consumer(kafka.loop_consumer(), logger=kafka_logger())
        _, end = here.extent(acknowledgements.name, 0)
        self._consumer.assign([TopicPartition(acknowledgements.name, 0, end)])
        self._undelivered: set[tuple[str, int]] = set()
        self._closed = False
        self.bytes = 0
        """Handed over so far, before compression."""

    @property
    def problem(self) -> str | None:
        """Why batches do not reach the destination's Kafka, as far as they do not."""
        return self._outbox.problem

    def send(self, sender: str, link: Link, batch: Batch) -> None:
        """Unless it is on its way already. Sent again it is for the link's replica of then."""
        which = (sender, batch.number)
        if which in self._undelivered:
            return
        self._undelivered.add(which)
        value = encode_batch(self._own, sender, link.name, batch, link.replica)
        self.bytes += len(value)
        partition = (crc32(link.name.encode()) + batch.number) % REPLICATION_PARTITIONS

        def done() -> None:
            self._undelivered.discard(which)

        self._outbox.send(Letter(self._topic, None, value, [], lambda: not self._closed, done, partition))

    def acknowledged(self, timeout_s: float) -> list[tuple[str, int]]:
        """(sender, number) of batches that are decided there, anybody's; waits so long for a first one."""
        self._outbox.serve()
        told = []
        for message in arrived(self._consumer, DRAIN_MOST, timeout_s):
            if (error := message.error()) is not None:
                if error.code() in OUT_OF_RANGE:
                    # What was lost is sent again, and acknowledged again.
                    read_on(self._consumer, message, extent_of(self._consumer, message.topic() or "", 0, CALL_S)[1])
                continue
            try:
                told.append(decode_acknowledgement(message.value()))
            except UndecodableMessage as fault:
                logger().warning("message skipped", topic=message.topic(), reason=str(fault))
        return told

    def close(self) -> None:
        """What is not delivered by then is sent again by a successor."""
        self._closed = True
        self._outbox.close(CLOSE_S)
        self._consumer.close()
