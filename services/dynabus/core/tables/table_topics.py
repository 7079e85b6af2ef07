"""A table's topic as the control plane keeps it, in the table's row. Pure.

| status    | in metadata | the topic                                    | next                                     |
|-----------|-------------|----------------------------------------------|------------------------------------------|
| ENABLING  | ENABLING    | made before metadata say so; is being filled | ENABLED: each checkpoint says it is full |
| ENABLED   | ENABLED     | is written                                   |                                          |
| DISABLING | none        | deleted once no checkpoint names it          | (none)                                   |
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dynabus.core.streams.view import DISABLING
from dynabus.core.table_topics.messages import TableTopicMetadata
from dynabus.core.table_topics.view import ENABLED, ENABLING, label_of
from dynabus.core.tables.streams import shards_of

TableTopic = dict[str, Any]
"""In a row: id, status, partitions (of the topic, for ever), roots (partitions of the table in which it begins)."""


def new_table_topic(topic_id: str, partitions: int, roots: Sequence[int]) -> TableTopic:
    """`topic_id`: never used before by a topic of this table, so that no checkpoint takes it for an older one."""
    return {"id": topic_id, "status": ENABLING, "partitions": partitions, "roots": list(roots)}


def is_written(topic: TableTopic) -> bool:
    """There is one, or shall be."""
    return topic.get("status") in (ENABLING, ENABLED)


def is_changing(topic: TableTopic) -> bool:
    """Propagators have yet to begin, to fill or to leave it."""
    return topic.get("status") in (ENABLING, DISABLING)


def table_topic_message(
    topic: TableTopic,
    table_id: str,
    name: str,
    version: int,
    partitions: Sequence[Mapping[str, Any]],
    ancestors: Sequence[Mapping[str, Any]],
    key_schema: bytes,
) -> TableTopicMetadata:
    """As the metadata topic carries it."""
    return {
        "table": table_id,
        "name": name,
        "label": label_of(topic["id"]),
        "version": version,
        "status": topic["status"],
        "key_schema": key_schema,
        "partitions": topic["partitions"],
        "shards": shards_of(topic, partitions, ancestors),
    }
