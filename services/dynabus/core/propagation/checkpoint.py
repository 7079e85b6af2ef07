"""A checkpoint of one log: the place behind the last output that Kafka has (I6), and what is open there.

It is kept in the metadata of a committed offset, which brokers bound to 4,096 bytes, and a bound is up to 511. So
bounds stand there as hashes; `fold` needs none of them, and metadata tell whose they are.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from typing import NamedTuple

from dynabus.core.replication.place import Place
from dynabus.core.replication.records import Child

MARK_BYTES = 16
NO_MARK = bytes(MARK_BYTES)
"""Before genesis."""


Marks = tuple[tuple[int, bytes], ...]


class Checkpoint(NamedTuple):
    """`place` without bounds. `marks`: by number, of the children that its seal names.

    `version`: of the streams' metadata that its writer knew. `clock_ms`: time of the newest change so far, from which
    sequence numbers do not go back. `open`: labels of the streams and indexes that are written from here.
    `fills`: how far those indexes are filled that are not filled yet (`fills`).
    """

    place: Place
    mark: bytes
    marks: Marks
    version: int
    clock_ms: int
    open: tuple[str, ...]
    fills: tuple[tuple[str, bytes], ...] = ()


def mark_of(generation: int, lower: bytes, upper: bytes | None) -> bytes:
    """A hash that stands for a range."""
    digest = blake2b(generation.to_bytes(4, "big"), digest_size=MARK_BYTES, person=b"dynabus-range")
    for bound in (lower, b"" if upper is None else b"\x01" + upper):
        digest.update(len(bound).to_bytes(4, "big") + bound)
    return digest.digest()


def without_bounds(place: Place) -> Place:
    """The same place as far as `fold` looks at it."""
    group = place.group
    children = place.children
    return place._replace(
        group=None if group is None else group._replace(lower=b"", upper=None),
        children=None
        if children is None
        else tuple(Child(each.number, each.generation, b"", None) for each in children),
    )


def marks_of(children: Iterable[Child]) -> Marks:
    """Of the children that a seal names, as long as their bounds are known."""
    return tuple((each.number, mark_of(each.generation, each.lower, each.upper)) for each in children)
