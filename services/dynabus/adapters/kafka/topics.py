"""Topics: make them as the registry says, check that Kafka keeps what safety needs, take them away.

Kafka is the acceptor of our consensus, so its settings are part of correctness. A topic that exists with
settings that could lose an acknowledged record is refused, with the setting's name, its value and the remedy.
A single broker is allowed, visibly warned of. librdkafka's mock cluster can neither make topics with settings
nor tell settings: there a topic is made by asking for it, has four topic partitions, and nothing is checked.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from confluent_kafka import (
    ConsumerGroupTopicPartitions,
    KafkaError,
    KafkaException,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import (
    AdminClient,
    ClusterMetadata,
    ConfigResource,
    NewPartitions,
    NewTopic,
    OffsetSpec,
    PartitionMetadata,
)

from dynabus.adapters.data_folder import DataFolder
from dynabus.adapters.kafka.settings import KafkaSettings
from dynabus.adapters.kafka.topic_rules import (
    UnsafeKafka,
    replication_factor,
    topic_config,
    unsafe_settings,
    warnings_for,
)
from dynabus.core.topics import Topic

MOCK_PARTITIONS = 4
"""librdkafka's mock cluster makes every topic with four topic partitions."""

MOCK_CLUSTER_PREFIX = "mockCluster"
CALL_TIMEOUT_S = 10.0
REACH_TIMEOUT_S = 3.0
"""A broker answers in milliseconds, a far one with TLS in tenths of a second; see `reach_kafka`."""

LEADER_TIMEOUT_S = 15.0
LEADER_POLL_S = 0.01

EARLIEST, LATEST = OffsetSpec.earliest(), OffsetSpec.latest()  # type: ignore[no-untyped-call]

UNREACHABLE = frozenset(
    {
        KafkaError._TRANSPORT,
        KafkaError._ALL_BROKERS_DOWN,
        KafkaError._TIMED_OUT,
        KafkaError._RESOLVE,
        KafkaError._WAIT_COORD,
    }
)
"""librdkafka's own errors that pass when the brokers are back; it marks only the brokers' errors itself."""


class TopicError(Exception):
    """Kafka did not do what was asked within the time; `retriable` tells whether asking again may help."""

    def __init__(self, message: str, retriable: bool) -> None:
        super().__init__(message)
        self.retriable = retriable


@dataclass(frozen=True, slots=True)
class KafkaCluster:
    """What stands behind the bootstrap address.

    `brokers` counts those that the address names too, though they may be away just now: a table that is made while
    one of three brokers is restarted, or before all have started, gets its three copies none the less (Kafka places
    copies on known brokers that are away, and refuses, which is tried again, while it does not know enough of them).
    """

    cluster_id: str
    brokers: int

    @property
    def is_mock(self) -> bool:
        return self.cluster_id.startswith(MOCK_CLUSTER_PREFIX)


@dataclass(frozen=True, slots=True)
class TopicIdentity:
    """A topic across deletion and re-creation under the same name: part of a replica's place (I6)."""

    cluster_id: str
    topic_id: str


class TopicAdmin:
    """Blocking administration of topics. Each call raises TopicError where Kafka does not answer in time.

    Keeps one AdminClient for its whole life: its futures die with it.
    """

    def __init__(self, settings: KafkaSettings) -> None:
        self._named = settings.bootstrap.count(",") + 1
        self._client = AdminClient(dict(settings.admin()))
        # The mock makes a topic when a client that may make topics asks for it.
        self._asker = AdminClient({**settings.admin(), "allow.auto.create.topics": True})

    def cluster(self, timeout_s: float = CALL_TIMEOUT_S) -> KafkaCluster:
        """Cluster id and number of brokers, alive or named."""
        metadata = self._metadata(timeout_s)
        return KafkaCluster(metadata.cluster_id or "", max(len(metadata.brokers), self._named))

    def ensure(self, topics: Sequence[Topic], timeout_s: float = LEADER_TIMEOUT_S) -> list[str]:
        """Make those that are missing, check the others, return once every topic partition has a leader.

        Returns warnings to show. Raises UnsafeKafka (a setting is dangerous) or TopicError.
        """
        cluster = self.cluster()
        if cluster.is_mock:
            return self._ensure_on_mock(topics, timeout_s)
        present = self._metadata().topics
        missing = [topic for topic in topics if topic.name not in present]
        existing = [topic for topic in topics if topic.name in present]
        self._create(missing, replication_factor(cluster.brokers))
        self.verify(existing)
        self._grow_where_short(existing, present)
        self._wait_for_leaders(topics, timeout_s)
        return warnings_for(cluster.brokers)

    def verify(self, topics: Sequence[Topic]) -> None:
        """Check the settings in force of topics that exist. Raises UnsafeKafka naming every bad one."""
        if not topics:
            return
        resources = [ConfigResource(ConfigResource.Type.TOPIC, topic.name) for topic in topics]
        described = self._results(self._client.describe_configs(resources, request_timeout=CALL_TIMEOUT_S))
        in_force = {r.name: {e.name: e.value for e in entries.values()} for r, entries in described.items()}
        copies = self._replication_of({topic.name for topic in topics})
        brokers = self.cluster().brokers
        found = [
            complaint
            for topic in topics
            for complaint in unsafe_settings(topic, in_force[topic.name], copies[topic.name], brokers)
        ]
        if found:
            raise UnsafeKafka(found)

    def retention_ms(self, name: str) -> float:
        """For how long a topic keeps records; without end where it says so."""
        resource = ConfigResource(ConfigResource.Type.TOPIC, name)
        described = self._results(self._client.describe_configs([resource], request_timeout=CALL_TIMEOUT_S))
        told = next(int(each["retention.ms"].value or -1) for each in described.values())
        return float("inf") if told < 0 else float(told)

    def delete(self, names: Iterable[str], timeout_s: float = CALL_TIMEOUT_S) -> None:
        """Delete topics; one that is not there is no error. Nothing is deleted on the mock, which cannot."""
        names = list(names)
        if not names or self.cluster().is_mock:
            return
        futures = self._client.delete_topics(names, operation_timeout=timeout_s)
        self._results(futures, ignore=KafkaError.UNKNOWN_TOPIC_OR_PART)

    def create_partitions(self, name: str, total: int, timeout_s: float = LEADER_TIMEOUT_S) -> None:
        """Let the topic have `total` topic partitions, all with leaders; one that has more is no error."""
        if self.cluster().is_mock:
            _refuse_many_on_mock(name, total)
        elif len(_known(self._metadata(), name)) < total:
            self._results(self._client.create_partitions([NewPartitions(name, total)]))
        self._wait_for_leaders([Topic(name, total, {}, "log")], timeout_s)

    def delete_records(self, name: str, partition: int, before: int) -> None:
        """Delete a topic partition's records before an offset; those that are gone already are no error."""
        futures = self._client.delete_records([TopicPartition(name, partition, before)])
        self._results(futures)

    def group_offsets(self, group: str) -> dict[tuple[str, int], int]:
        """What a consumer group has committed, by topic and topic partition; nothing for one that is not known."""
        futures = self._client.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)])
        found = self._results(futures)[group].topic_partitions or []
        return {(each.topic, each.partition): each.offset for each in found if each.offset >= 0}

    def group_metadata(self, group: str, wanted: Iterable[tuple[str, int]]) -> dict[tuple[str, int], str]:
        """What a consumer group has committed beside its offsets, of these topic partitions.

        Of these, because librdkafka's mock does not tell of all.
        """
        return {where: metadata for where, (_, metadata) in self.group_commits(group, wanted).items()}

    def group_commits(self, group: str, wanted: Iterable[tuple[str, int]]) -> dict[tuple[str, int], tuple[int, str]]:
        """(offset, metadata) that a consumer group has committed of these topic partitions; nothing of the others."""
        asked = [TopicPartition(name, number) for name, number in wanted]
        if not asked:
            return {}
        futures = self._client.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group, asked)])
        found = self._results(futures)[group].topic_partitions or []
        return {
            (each.topic, each.partition): (each.offset, each.metadata or "") for each in found if each.offset >= 0
        }

    def extents(self, name: str) -> dict[int, tuple[int, int]]:
        """What exists of each topic partition of a topic: offsets low <= offset < high; empty: there is no such."""
        topic = self._metadata().topics.get(name)
        return {} if topic is None else {number: self.extent(name, number) for number in sorted(topic.partitions)}

    def group_members(self, group: str) -> int:
        """How many processes are in a consumer group; none in one that is not known."""
        futures = self._client.describe_consumer_groups([group], request_timeout=CALL_TIMEOUT_S)
        found = self._results(futures, ignore=KafkaError.GROUP_ID_NOT_FOUND)
        return len(found[group].members or []) if group in found else 0

    def names(self, prefix: str) -> set[str]:
        """Names of the existing topics that begin so."""
        return {name for name in self._metadata().topics if name.startswith(prefix)}

    def identity(self, name: str) -> TopicIdentity:
        """Cluster id and topic id; the mock has no topic ids, there the name stands for it."""
        cluster = self.cluster()
        if cluster.is_mock:
            return TopicIdentity(cluster.cluster_id, name)
        described = self._results(self._client.describe_topics(TopicCollection([name])))
        return TopicIdentity(cluster.cluster_id, str(described[name].topic_id))

    def extent(self, name: str, partition: int) -> tuple[int, int]:
        """What exists of a topic partition: offsets low <= offset < high."""
        asked = TopicPartition(name, partition)
        with _as_topic_error():
            # The client keeps for minutes how many partitions a topic had, and finds no leader of one that is new.
            self._client.list_topics(name, timeout=CALL_TIMEOUT_S)
        first = self._client.list_offsets({asked: EARLIEST}, request_timeout=CALL_TIMEOUT_S)
        end = self._client.list_offsets({asked: LATEST}, request_timeout=CALL_TIMEOUT_S)
        return self._results(first)[asked].offset, self._results(end)[asked].offset

    def _create(self, topics: Sequence[Topic], copies: int) -> None:
        new = [NewTopic(t.name, t.partitions, copies, config=topic_config(t, copies)) for t in topics]
        if new:
            futures = self._client.create_topics(new, operation_timeout=CALL_TIMEOUT_S)
            # Another auto-admin may make the same topic at the same time, with the same settings.
            self._results(futures, ignore=KafkaError.TOPIC_ALREADY_EXISTS)

    def _grow_where_short(self, topics: Sequence[Topic], present: Mapping[str, Any]) -> None:
        short = [t for t in topics if len(present[t.name].partitions) < t.partitions]
        if short:
            self._results(self._client.create_partitions([NewPartitions(t.name, t.partitions) for t in short]))

    def _replication_of(self, names: set[str]) -> dict[str, int]:
        """The smallest number of copies that a topic partition of each topic has."""
        metadata = self._metadata()
        return {name: min(len(p.replicas) for p in _known(metadata, name).values()) for name in names}

    def _ensure_on_mock(self, topics: Sequence[Topic], timeout_s: float) -> list[str]:
        for topic in topics:
            _refuse_many_on_mock(topic.name, topic.partitions)
            self._asker.list_topics(topic.name, timeout=CALL_TIMEOUT_S)
        self._wait_for_leaders(topics, timeout_s)
        return ["Kafka is librdkafka's mock: in memory, one copy, old records dropped; nothing is kept"]

    def _wait_for_leaders(self, topics: Sequence[Topic], timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        waiting = {topic.name: topic.partitions for topic in topics}
        while waiting:
            metadata = self._metadata()
            waiting = {n: count for n, count in waiting.items() if not _has_leaders(metadata, n, count)}
            if waiting and time.monotonic() > deadline:
                raise TopicError(f"no leader after {timeout_s} s for topics {sorted(waiting)}", retriable=True)
            if waiting:
                time.sleep(LEADER_POLL_S)

    def _metadata(self, timeout_s: float = CALL_TIMEOUT_S) -> ClusterMetadata:
        with _as_topic_error():
            return self._client.list_topics(timeout=timeout_s)

    def _results(self, futures: Mapping[Any, Future[Any]], ignore: int | None = None) -> dict[Any, Any]:
        """The results of all futures; an error with the code `ignore` counts as done."""
        results: dict[Any, Any] = {}
        for key, future in futures.items():
            with _as_topic_error(ignore):
                results[key] = future.result(timeout=CALL_TIMEOUT_S)
        return results


def reach_kafka(settings: KafkaSettings) -> TopicAdmin:
    """A client that has found Kafka. Raises TopicError; whoever waits for Kafka then asks for another one.

    Another one, because a client that a starting broker told of no brokers never finds any (librdkafka's issue
    5301), and soon, because such a one looks like any other that waits.
    """
    admin = TopicAdmin(settings)
    admin.cluster(REACH_TIMEOUT_S)
    return admin


def check_belonging(admin: TopicAdmin, folder: DataFolder, admin_log: str) -> None:
    """This Kafka, and the admin log in it, are the folder's. Raises DataFolderError, TopicError. The mock forgets
    all, its ids mean nothing."""
    cluster = admin.cluster()
    if not cluster.is_mock:
        folder.check_kafka(cluster.cluster_id)
        there = admin_log in admin.names(admin_log)
        folder.check_admin_log(admin_log, admin.identity(admin_log).topic_id if there else None)


@contextmanager
def _as_topic_error(ignore: int | None = None) -> Iterator[None]:
    try:
        yield
    except KafkaException as error:
        kafka_error: KafkaError = error.args[0]
        if kafka_error.code() != ignore:
            retriable = kafka_error.retriable() or kafka_error.code() in UNREACHABLE
            raise TopicError(kafka_error.str(), retriable) from error
    except TimeoutError as error:
        raise TopicError(f"Kafka did not answer within {CALL_TIMEOUT_S} s", retriable=True) from error


def _known(metadata: ClusterMetadata, name: str) -> Mapping[int, PartitionMetadata]:
    """Its topic partitions. Raises TopicError: another broker answered than before, and does not know it yet."""
    topic = metadata.topics.get(name)
    if topic is None or not topic.partitions:
        raise TopicError(f"a broker does not know of topic {name} yet", retriable=True)
    partitions: Mapping[int, PartitionMetadata] = topic.partitions
    return partitions


def _has_leaders(metadata: ClusterMetadata, name: str, count: int) -> bool:
    topic = metadata.topics.get(name)
    if topic is None or topic.error is not None or len(topic.partitions) < count:
        return False
    return all(p.leader >= 0 and p.error is None for p in topic.partitions.values())


def _refuse_many_on_mock(name: str, partitions: int) -> None:
    if partitions > MOCK_PARTITIONS:
        raise TopicError(
            f"{name} needs {partitions} topic partitions; librdkafka's mock has {MOCK_PARTITIONS} a topic: "
            "use --kafka local",
            retriable=False,
        )
