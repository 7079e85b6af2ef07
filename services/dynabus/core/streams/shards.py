"""Shards of what is derived from a table's logs: a partition of the table each, with its lineage."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass

from dynabus.core.streams.messages import ShardMetadata


@dataclass(frozen=True, slots=True)
class Shard:
    """A shard, which has the number and generation of its partition. `parent` is a shard too; None for a root.

    `successor`: what goes on from a partition whose log lost records, and from which offset of that log.
    """

    number: int
    generation: int
    parent: int | None
    is_open: bool
    successor: tuple[int, int] | None = None

    @property
    def id(self) -> str:
        """37 characters, as DynamoDB's are: shardId-, 20 digits, 8 hexadecimal ones."""
        return f"shardId-{self.number:020}-{self.generation:08x}"


def shard_of(told: ShardMetadata) -> Shard:
    """As metadata have it."""
    parent, successor = told["parent"], told["successor"]
    return Shard(
        told["number"],
        told["generation"],
        None if parent < 0 else parent,
        told["open"],
        None if successor < 0 else (successor, told["recovered_offset"]),
    )


def are_copied_with(shard: Shard, shards: Mapping[int, Shard], copied: Container[int]) -> bool:
    """Whether a shard's changes are all in copies of partitions that were split from its own.

    `copied`: numbers of partitions. False for these, and for those that were split from them since.
    """
    line: Shard | None = shard
    while line is not None:
        if line.number in copied:
            return False
        line = shards.get(line.parent) if line.parent is not None else None
    return True
