"""What travels over the bus about global secondary indexes, field for field as in `schemas/*.avsc`."""

from __future__ import annotations

from typing import TypedDict

from dynabus.core.streams.messages import ShardMetadata


class IndexMetadata(TypedDict):
    """An index as auto-admin decided it, for log propagators. With one version for a table's indexes and streams.

    `table` is the table's id, `log` that of the index's own logs; `definition` is JSON: AttributeDefinitions and
    KeySchema of the table, and the index as DescribeTable has it. `shards`: partitions of the table.
    """

    table: str
    name: str
    label: str
    version: int
    status: str
    log: str
    definition: bytes
    from_start: bool
    shards: list[ShardMetadata]


class IndexPlace(TypedDict):
    """All that the log has for an index before `next_offset` is acknowledged. `index`: id of the index's logs."""

    index: str
    next_offset: int


class LogProgress(TypedDict):
    """Of one log of a table."""

    log: str
    partition: int
    generation: int
    indexes: list[IndexPlace]


class IndexPartitions(TypedDict):
    """Of an index, by the id of its logs."""

    index: str
    partitions: list[int]


class IndexProgress(TypedDict):
    """A log propagator to a storage node: how far indexes are with logs that it leads, where that is news.

    `over`: partitions of indexes that have refused writes for their cap for some time; what is not named is well.
    """

    asker: str
    logs: list[LogProgress]
    over: list[IndexPartitions]
