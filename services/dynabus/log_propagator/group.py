"""One member of the propagators' consumer group: which logs are ours, and what was committed."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Mapping

from confluent_kafka import TopicPartition

from dynabus.adapters.checkpoint_codec import decode_checkpoint, encode_checkpoint
from dynabus.adapters.kafka.group_member import GroupMember, Where
from dynabus.adapters.kafka.settings import KafkaSettings
from dynabus.core.errors import InvariantError
from dynabus.core.ids import LogId, PartitionId
from dynabus.core.propagation.checkpoint import Checkpoint
from dynabus.core.topics import Topics

_MAGIC = b"CGMDv2:"
_GENERATION = struct.Struct("=i")

Partitions = list[PartitionId]


class Group:
    """`revoked` and `lost` are called within `poll`, before others get the logs; `assigned` too."""

    def __init__(
        self,
        kafka: KafkaSettings,
        topics: Topics,
        session_timeout_ms: int,
        assigned: Callable[[Partitions], None],
        revoked: Callable[[Partitions], None],
        lost: Callable[[Partitions], None],
    ) -> None:
        self._prefix = topics.log_name(LogId(""))
        self._member = GroupMember(
            kafka.group_member(topics.propagators, session_timeout_ms),
            lambda given: assigned(self._partitions(given)),
            lambda taken: revoked(self._partitions(taken)),
            lambda taken: lost(self._partitions(taken)),
        )
        self.poll = self._member.poll
        self.close = self._member.close

    def subscribe(self, logs: Iterable[str]) -> None:
        """The tables whose logs are shared out, by id."""
        self._member.subscribe(self._prefix + log for log in logs)

    def committed(self, partitions: Iterable[PartitionId]) -> dict[PartitionId, Checkpoint | None]:
        """What the group has, of whoever's logs. Raises KafkaException, UndecodableMessage."""
        found = self._member.committed((self._prefix + each.log, each.number) for each in partitions)
        return {
            self._partition(where): None if told is None else decode_checkpoint(told[1])
            for where, told in found.items()
        }

    def commit(self, checkpoints: Mapping[PartitionId, Checkpoint]) -> bool:
        """False: Kafka did not take it, say because the group has gone on without us."""
        return self._member.commit(self.offsets(checkpoints))

    def offsets(self, checkpoints: Mapping[PartitionId, Checkpoint]) -> list[TopicPartition]:
        """As the group keeps them."""
        return [
            TopicPartition(
                self._prefix + each.log, each.number, checkpoint.place.next_offset, encode_checkpoint(checkpoint)
            )
            for each, checkpoint in checkpoints.items()
        ]

    def membership(self) -> bytes | None:
        """Who we are in the group's present generation, for a transaction; None: nobody.

        Brokers would take a nobody for a client that knows no generations, and would not refuse it.
        """
        told = self._member.membership()
        return told if is_member(told) else None

    def _partitions(self, places: Iterable[Where]) -> Partitions:
        return [self._partition(each) for each in places]

    def _partition(self, where: Where) -> PartitionId:
        return PartitionId(LogId(where[0][len(self._prefix) :]), where[1])


def is_member(metadata: bytes) -> bool:
    """From librdkafka's own form: CGMDv2:, generation (4 bytes, the machine's order), group, 0, member, 0, the rest.

    Raises InvariantError for another form, since nobody may write on a guess.
    """
    if not metadata.startswith(_MAGIC):
        raise InvariantError(f"librdkafka tells of its group in an unknown form: {metadata[:16]!r}")
    at = len(_MAGIC)
    [generation] = _GENERATION.unpack_from(metadata, at)
    _, _, behind = metadata[at + _GENERATION.size :].partition(b"\0")
    return bool(generation >= 0 and behind.partition(b"\0")[0])
