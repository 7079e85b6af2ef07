"""What travels over the bus about streams, field for field as in `schemas/*.avsc`."""

from __future__ import annotations

from typing import TypedDict


class ShardMetadata(TypedDict):
    """A shard of a stream, which has its partition's number and generation; `parent`: -1 for a root.

    `successor`: of a partition whose log lost records, the one that goes on from its place `recovered_offset`; else
    -1.
    """

    number: int
    generation: int
    parent: int
    open: bool
    successor: int
    recovered_offset: int


class StreamMetadata(TypedDict):
    """A stream as auto-admin decided it. All streams of a table are published together, with one version.

    `table` is the table's id, `key_schema` the JSON of DescribeTable's KeySchema; `from_start`: made with its table.
    """

    table: str
    name: str
    label: str
    version: int
    status: str
    view: str
    key_schema: bytes
    created_ms: int
    from_start: bool
    shards: list[ShardMetadata]


class PlaceRequest(TypedDict):
    """A log propagator asks a storage node where its replica of a partition stands."""

    asker: str
    incarnation: int
    log: str
    partition: int


class PlaceReply(TypedDict):
    """The answer: a whole place (schema `place`)."""

    incarnation: int
    log: str
    partition: int
    place: bytes
