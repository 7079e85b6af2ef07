"""What travels over the bus about table topics, field for field as in `schemas/*.avsc`."""

from __future__ import annotations

from typing import TypedDict

from dynabus.core.streams.messages import ShardMetadata


class TableTopicMetadata(TypedDict):
    """A table topic as auto-admin decided it. It has the version of the table's streams and indexes.

    `table` is the table's id, `name` its name, `label` what checkpoints call the topic, `key_schema` the JSON of
    DescribeTable's KeySchema, `partitions` the number of topic partitions; `shards`: partitions of the table.
    """

    table: str
    name: str
    label: str
    version: int
    status: str
    key_schema: bytes
    partitions: int
    shards: list[ShardMetadata]
