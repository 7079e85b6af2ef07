"""Which Kafka settings safety needs, and what to tell the operator where they differ. Pure.

| setting of a topic | needed | what could happen otherwise |
|---|---|---|
| cleanup.policy | as the registry says | compaction or deletion takes records out of a replication log |
| retention.ms, retention.bytes | -1 on replication logs | Kafka deletes records that a replica still needs (I8) |
| unclean.leader.election.enable | false | acknowledged records are lost when a broker fails (I9) |
| min.insync.replicas | 2 with three copies | one broker alone acknowledges, and may die with the record |
| replication factor | 3, or the number of brokers | same |
| max.message.bytes | 16 MiB or more | legal items are refused half-way |
| message.timestamp.type | as the registry says | the expiry of requests is judged by wrong times |
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dynabus.core.topics import Topic

COPIES = 3
"""Replication factor where there are brokers enough: one may be away, another may fail."""

EXACT = (
    "cleanup.policy",
    "retention.ms",
    "retention.bytes",
    "message.timestamp.type",
    "unclean.leader.election.enable",
)
"""Settings that must be what the registry says; those with short retention may be kept longer."""


class UnsafeKafka(Exception):
    """Kafka's settings could lose acknowledged records; `complaints` are one line each."""

    def __init__(self, complaints: Sequence[str]) -> None:
        super().__init__("; ".join(complaints))
        self.complaints = list(complaints)


def replication_factor(brokers: int) -> int:
    """Copies of each topic partition that new topics get."""
    return min(COPIES, brokers)


def min_insync_replicas(copies: int) -> int:
    """Copies that must have a record before Kafka acknowledges it: a majority, so 2 of 3."""
    return copies // 2 + 1 if copies > 1 else 1


def topic_config(topic: Topic, copies: int) -> dict[str, str]:
    """The settings with which a topic is made."""
    return {**topic.config, "min.insync.replicas": str(min_insync_replicas(copies))}


def unsafe_settings(topic: Topic, in_force: Mapping[str, str | None], copies: int, brokers: int) -> list[str]:
    """What is wrong with an existing topic, a line for each: setting, value, what to do. Empty: it is safe."""
    complaints = [
        _complaint(topic.name, key, in_force.get(key), topic.config[key])
        for key in EXACT
        if key in topic.config and not _satisfies(topic, key, in_force.get(key))
    ]
    limit = topic.config.get("max.message.bytes", "0")
    if int(in_force.get("max.message.bytes") or 0) < int(limit):
        complaints.append(_complaint(topic.name, "max.message.bytes", in_force.get("max.message.bytes"), limit))
    return complaints + _copies_complaints(topic.name, in_force, copies, brokers)


def _satisfies(topic: Topic, key: str, value: str | None) -> bool:
    wanted = topic.config[key]
    if key == "retention.ms" and wanted != "-1" and value is not None:
        return value == "-1" or int(value) >= int(wanted)
    return value == wanted


def _copies_complaints(name: str, in_force: Mapping[str, str | None], copies: int, brokers: int) -> list[str]:
    complaints = []
    wanted_copies = replication_factor(brokers)
    if copies < wanted_copies:
        complaints.append(
            f"topic {name} has {copies} copies on {brokers} brokers and needs {wanted_copies}: "
            "add copies with kafka-reassign-partitions"
        )
    needed = min_insync_replicas(min(copies, wanted_copies))
    value = in_force.get("min.insync.replicas")
    if int(value or 0) < needed:
        complaints.append(_complaint(name, "min.insync.replicas", value, str(needed)))
    return complaints


def _complaint(topic: str, setting: str, value: str | None, wanted: str) -> str:
    return (
        f"topic {topic} has {setting}={value} and needs {wanted}: set it with "
        f"kafka-configs --alter --topic {topic} --add-config {setting}={wanted}"
    )


def warnings_for(brokers: int) -> list[str]:
    """What to tell loudly about a Kafka cluster that is allowed, but no place for data that matter."""
    if brokers == 1:
        return ["Kafka has one broker: every record has one copy; for development, not for data that matter"]
    if brokers < COPIES:
        return [f"Kafka has {brokers} brokers: when one is away nothing can be written; use three or more"]
    return []
