"""What travels for clones, field for field as in `schemas/*.avsc`; the prefix of each carries its CRC-32."""

from __future__ import annotations

from typing import TypedDict


class CloneRequest(TypedDict):
    """A node that needs a replica asks one that has it, again and again; see `core.cloning`."""

    clone: int
    node: str
    log: str
    partition: int
    at_least: int
    round: int
    number: int
    section: int
    after: bytes
    until: int
    done: bool


class CloneManifest(TypedDict):
    """Begins (`chunks` -1) and ends a clone: place and totals as stores keep them, number of request ids."""

    clone: int
    node: str
    place: bytes
    totals: bytes
    requests: int
    chunks: int


class CloneChunk(TypedDict):
    """Pairs behind `after` in one section of the snapshot; `last`: nothing follows in it."""

    clone: int
    number: int
    section: int
    after: bytes
    keys: list[bytes]
    values: list[bytes]
    last: bool


class CloneRefusal(TypedDict):
    """The source does not clone, or not any more."""

    clone: int
    node: str
    why: str
