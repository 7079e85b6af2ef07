"""An index as log propagators know it from metadata. Pure.

| status   | propagators                                                             |
|----------|-------------------------------------------------------------------------|
| ENABLING | begin it in each log, and fill it with what is older than it            |
| ENABLED  | write                                                                   |
| DELETED  | nothing more: what was under way for it counts as done                  |
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from dynabus.core.global_indexes.definition import GlobalIndex, global_index
from dynabus.core.global_indexes.messages import IndexMetadata
from dynabus.core.ids import LogId
from dynabus.core.key_schema import key_schema
from dynabus.core.streams.shards import Shard, shard_of

ENABLING, ENABLED, DELETED = "ENABLING", "ENABLED", "DELETED"
LABEL = "index/"


@dataclass(frozen=True, slots=True)
class Index:
    """One index of a table. `log`: of its own partitions; `shards`: the table's, by number."""

    table: str
    label: str
    version: int
    status: str
    log: LogId
    index: GlobalIndex
    from_start: bool
    shards: dict[int, Shard]

    @property
    def key_names(self) -> list[str]:
        """Names of the attributes of the table's key, the partition key first."""
        return self.index.table.names

    @property
    def is_live(self) -> bool:
        """Propagators have something to do for it."""
        return True


def label_of(index_id: str) -> str:
    """Under which checkpoints name it; no stream has a label with a slash."""
    return LABEL + index_id


def read_index(message: IndexMetadata) -> Index:
    """The index of a message."""
    definition: Mapping[str, Any] = orjson.loads(message["definition"])
    types = {each["AttributeName"]: each["AttributeType"] for each in definition["AttributeDefinitions"]}
    return Index(
        message["table"],
        message["label"],
        message["version"],
        message["status"],
        LogId(message["log"]),
        global_index(definition["Index"], types, key_schema(dict(definition))),
        message["from_start"],
        {each["number"]: shard_of(each) for each in message["shards"]},
    )
