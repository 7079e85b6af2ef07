"""What travels over the bus about global secondary indexes, field for field as in `schemas/*.avsc`."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import TypedDict

from dynabus.core.messages import Reply, RequestPart
from dynabus.core.operations.calls import Code, part_to
from dynabus.core.replication.store import Outcome
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


class IndexRow(TypedDict):
    """One row of a request; as members of a `RequestPart`."""

    key: bytes
    value: bytes
    size: int
    detail: bytes


class IndexRequest(TypedDict):
    """Writes for one partition of an index, from a log propagator: a `Request` without what its parts have in common.

    What is done is answered by an `IndexReply`, all else by a `Reply`.
    """

    asker: str
    incarnation: int
    counter: int
    budget_ms: int
    log: str
    partition: int
    generation: int
    rows: list[IndexRow]


class IndexReply(TypedDict):
    """`done`: for each row that is, `done_row`."""

    incarnation: int
    counter: int
    node: str
    done: bytes


_DONE = struct.Struct(">HB")

done_row = _DONE.pack
"""(position in the request, what became of it: `Outcome.count`) -> bytes."""


def parts_of(request: IndexRequest) -> list[RequestPart]:
    """As the parts of any request."""
    to = request["log"], request["partition"], request["generation"]
    return [part_to(*to, Code.INDEX, row["key"], row["value"], row["size"], row["detail"]) for row in request["rows"]]


def are_for_index(parts: Iterable[RequestPart]) -> bool:
    """Whether these parts, which go to one partition, can travel as an `IndexRequest`."""
    return all(part["operation"] == Code.INDEX for part in parts)


def reply_of(reply: IndexReply) -> Reply:
    """As any reply."""
    parts = [Outcome(count=count).part(index) for index, count in _DONE.iter_unpack(reply["done"])]
    return {
        "incarnation": reply["incarnation"],
        "counter": reply["counter"],
        "node": reply["node"],
        "parts": parts,
    }
