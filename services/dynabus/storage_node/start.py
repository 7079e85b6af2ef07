"""From settings to a node that is ready to turn: data folder, Kafka, topics, consumers, replicas.

Order matters: the folder is locked before anything is read, topics are checked before anything is written, metadata
is read to its end before the first replica is opened, and the inbox is positioned before the first heartbeat tells
routers to send requests.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TypeVar

from confluent_kafka import Consumer

from dynabus.adapters.clock import exact_ms
from dynabus.adapters.data_folder import DataFolder
from dynabus.adapters.kafka.log_producer import LogProducer
from dynabus.adapters.kafka.message_producer import MessageProducer
from dynabus.adapters.kafka.patience import persist
from dynabus.adapters.kafka.settings import KafkaSettings
from dynabus.adapters.kafka.topics import TopicAdmin, check_belonging, reach_kafka
from dynabus.adapters.log_codec import AvroBodies
from dynabus.adapters.logs import kafka_logger, logger
from dynabus.core.ids import NodeName, Writer
from dynabus.core.replication.effects import Surroundings
from dynabus.core.topics import Topics
from dynabus.storage_node.cloning.clones import Clones
from dynabus.storage_node.cloning.receiving import CloneReceiving
from dynabus.storage_node.cloning.sending import CloneSending
from dynabus.storage_node.config import StorageNodeSettings
from dynabus.storage_node.file_limit import FileLimit
from dynabus.storage_node.inbox import Operations
from dynabus.storage_node.metadata import newest_of_all
from dynabus.storage_node.namesake import check_free
from dynabus.storage_node.outbox import Outbox
from dynabus.storage_node.replicas.hosting import Hosting
from dynabus.storage_node.replicas.lookups import Lookups
from dynabus.storage_node.replicas.opening import Premises
from dynabus.storage_node.replicas.readers import Readers
from dynabus.storage_node.service import Parts, StorageNode
from dynabus.storage_node.splitting.ancestors import AncestorLogs

NONCE_BITS = 62
"""Of claims and questions: never twice, and it fits Avro's signed long."""

T = TypeVar("T")


class Start:
    """Builds a node; `stage` says what it waits for, for whoever asks whether it is ready."""

    def __init__(self, settings: StorageNodeSettings, operations: Operations) -> None:
        self.stage = "starting"
        self._settings, self._operations = settings, operations
        self._topics = Topics(settings.namespace)
        self.stopped = False

    def stop(self) -> None:
        """End instead; may be called from a signal handler."""
        self.stopped = True

    def build(self, folder: DataFolder) -> StorageNode:
        """Waits for Kafka as long as it takes.

        Raises Stopped, UnsafeKafka, DataFolderError, FileLimitError, NamesakeError.
        """
        settings, kafka = self._settings, self._settings.kafka_settings()
        files = FileLimit()
        me = Writer(NodeName(settings.name), folder.next_incarnation())
        admin = self._persist("waiting for Kafka", lambda: self._ensure_topics(kafka, folder))
        self._persist("is the name free", lambda: self._check_name(kafka, me, folder))
        readers = Readers(kafka)
        log = LogProducer(kafka.log_producer())
        lookups = Lookups(kafka, admin, log)
        dice = random.SystemRandom()
        around = Surroundings(
            me,
            random.Random(dice.random()).random,
            lambda: dice.getrandbits(NONCE_BITS),
            AvroBodies(),
            settings.timing(),
        )
        premises = Premises(self._topics, folder, files, around, settings.sync, settings.collection_bytes)
        node = StorageNode(
            Parts(
                settings,
                me,
                self._topics,
                readers,
                Hosting(premises, readers, lookups, AncestorLogs(kafka), self._clones(kafka, me, premises, lookups)),
                log,
                Outbox(MessageProducer(kafka.request_producer()), self._topics, me.node),
                self._operations,
                CloneSending(
                    lambda: MessageProducer(kafka.request_producer()), self._topics, me.node, self._clone_bytes_per_s
                ),
                folder,
            )
        )
        self._persist("learning of all topics", readers.learn_topics)
        self._persist("reading metadata", lambda: self._read_metadata(kafka, readers, node))
        self._persist("looking at the admin log", lambda: self._check_belonging(admin, folder))
        for topic in (self._topics.requests(me.node), self._topics.heartbeats()):
            self._persist(f"waiting for topic {topic.name}", lambda name=topic.name: readers.start_at_end(name))  # type: ignore[misc]
        logger().info("started", incarnation=me.incarnation, zone=settings.zone)
        return node

    @property
    def _clone_bytes_per_s(self) -> float:
        return self._settings.clone_mb_per_s * 1e6

    def _clones(self, kafka: KafkaSettings, me: Writer, premises: Premises, lookups: Lookups) -> Clones:
        """A consumer of its own, made when the first clone comes: bulk delays nothing else (`readers`)."""
        receiving = CloneReceiving(
            lambda: Consumer(kafka.log_reader(partition_eof=False), logger=kafka_logger()),
            lambda: MessageProducer(kafka.request_producer()),
            self._topics,
            me.node,
            self._clone_bytes_per_s,
        )
        return Clones(premises, lookups, receiving, self._settings.clone_after_records)

    def _ensure_topics(self, kafka: KafkaSettings, folder: DataFolder) -> TopicAdmin:
        admin, topics = reach_kafka(kafka), self._topics
        self._check_belonging(admin, folder)
        name = NodeName(self._settings.name)
        own = [topics.requests(name), topics.clone(name)]
        for warning in admin.ensure([topics.heartbeats(), topics.metadata(), *own]):
            logger().warning("kafka", warning=warning)
        return admin

    def _check_belonging(self, admin: TopicAdmin, folder: DataFolder) -> None:
        check_belonging(admin, folder, self._topics.admin_log().name)

    def _check_name(self, kafka: KafkaSettings, me: Writer, folder: DataFolder) -> None:
        silence_ms = self._settings.heartbeat_ms * self._settings.missed
        check_free(kafka, self._topics.heartbeats().name, me, folder.former, silence_ms)

    def _read_metadata(self, kafka: KafkaSettings, readers: Readers, node: StorageNode) -> None:
        topic = self._topics.metadata().name
        messages, next_offset = newest_of_all(kafka, topic)
        for message in messages:
            node.intake.learn(message, exact_ms())
        readers.start_at(topic, next_offset)

    def _persist(self, stage: str, attempt: Callable[[], T]) -> T:
        self.stage = stage
        return persist(self._settings.kafka_settings(), stage, attempt, lambda: self.stopped)
