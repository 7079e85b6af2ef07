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
