"""What an operation asks of the rest of the cluster, and what it knows of it."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Any, NamedTuple

from dynabus.core.messages import ReplyPart, RequestPart

if TYPE_CHECKING:
    from dynabus.core.cluster_view import ClusterView
    from dynabus.core.published_table import Table


class Code(IntEnum):
    """Operation codes of `RequestPart`; numbers are never re-used."""

    PUT = 1
    GET = 2
    UPDATE = 3
    DELETE = 4
    PAGE = 5
    SCRUB = 6
    """Of operators, not of routers: read the whole replica and compare it with its checksums."""
    PLACE = 7
    """Of operators: where the replica stands, and with what contents."""
    INDEX = 8
    """Of log propagators: a row of a global secondary index (`core.global_indexes.arrivals`)."""
    BACKFILL = 9
    """Of log propagators: rows of a table, for an index that is added to it (`core.global_indexes.backfill`)."""
    CLEAR = 11
    """Of log propagators: below which floors an index needs no tombstones any more (`core.global_indexes.walk`)."""
    IMPORT = 12
    """Of RepIn: a write of another region (`import_item`)."""
    FLOORS = 14
    """Of RepIn: what another region says of what it wrote before (`core.global_tables.forgetting`)."""
    ROWS = 13
    """Of initial copies: rows of a table as they are stored (`core.global_tables.pages`)."""


class Call(NamedTuple):
    """One call to one partition of a table: `route` is an encoded key that lies in it.

    `within`: the range of encoded keys that it reads. Where the partition does not hold all of it any more, because
    it was split meanwhile, the reply is STALE_ROUTE and the operation asks again, otherwise.
    `token`: of a command that came through Kafka (`core.replication.tokens`).
    """

    table: Table
    route: bytes
    code: Code
    write: bool
    consistent: bool
    key: bytes
    value: bytes = b""
    size: int = 0
    detail: bytes = b""
    within: tuple[bytes, bytes | None] | None = None
    token: bytes = b""


def part_to(
    log: str,
    partition: int,
    generation: int,
    operation: int,
    key: bytes,
    value: bytes = b"",
    size: int = 0,
    detail: bytes = b"",
    consistent: bool = True,
) -> RequestPart:
    """An operation as it travels to a partition of this generation."""
    return {
        "operation": operation,
        "log": log,
        "partition": partition,
        "generation": generation,
        "consistent": consistent,
        "key": key,
        "value": value,
        "size": size,
        "detail": detail,
    }


class Control(NamedTuple):
    """A request to auto-admin; `body` is the checked request as JSON."""

    operation: str
    body: bytes


class Until(NamedTuple):
    """Nothing is asked: the operation goes on, with no replies, when `holds()` is true or `most_ms` are over."""

    holds: Callable[[], bool]
    most_ms: float


@dataclass(frozen=True, slots=True)
class Context:
    """What the router half may look at besides the request. Region and account are those of ARNs.

    `wall_ms()` is the router's own idea of the time since 1970, for what is shown only.
    """

    view: ClusterView
    region: str
    account: str
    wall_ms: Callable[[], int]


Calls = list[Call] | Control | Until
Reply = ReplyPart | None
"""None where nobody answered before the deadline."""

Steps = Generator[Calls, list[Reply], bytes]
"""Yields calls, is sent one reply per call in the same order, returns the answer's JSON."""

Request = dict[str, Any]
