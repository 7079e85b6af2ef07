"""A table topic as log propagators and routers know it from metadata. Pure.

| status   | propagators                                                          |
|----------|----------------------------------------------------------------------|
| ENABLING | begin it in each log, and fill it with what is older                 |
| ENABLED  | write                                                                |
| DELETED  | nothing more: what was held for it is forgotten                      |
"""

from __future__ import annotations

from dataclasses import dataclass

import orjson

from dynabus.core.streams.shards import Shard, shard_of
from dynabus.core.table_topics.messages import TableTopicMetadata

ENABLING, ENABLED, DELETED = "ENABLING", "ENABLED", "DELETED"
LABEL = "topic/"


@dataclass(frozen=True, slots=True)
class TableTopic:
    """One table's. `name`: the table's; `partitions`: of the topic, for ever; `shards`: the table's, by number."""

    table: str
    name: str
    label: str
    version: int
    status: str
    key_names: list[str]
    partitions: int
    shards: dict[int, Shard]
    from_start: bool = False

    @property
    def is_live(self) -> bool:
        """Propagators have something to do for it."""
        return True


def label_of(topic_id: str) -> str:
    """Under which checkpoints name it; no stream has a label with a slash, and an index has another word before."""
    return LABEL + topic_id


def read_table_topic(message: TableTopicMetadata) -> TableTopic:
    """The table topic of a message."""
    return TableTopic(
        message["table"],
        message["name"],
        message["label"],
        message["version"],
        message["status"],
        [each["AttributeName"] for each in orjson.loads(message["key_schema"])],
        message["partitions"],
        {each["number"]: shard_of(each) for each in message["shards"]},
    )
