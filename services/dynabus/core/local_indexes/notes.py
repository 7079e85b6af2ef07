"""What an answer says of indexes besides its body: a line of JSON before it.

Only answers of tables with local secondary indexes have one, and the router knows which tables those are; all others
pay nothing. It is part of the body because a request that is sent again must get the same answer (I10), and the body
is what replicas remember.
"""

from __future__ import annotations

from typing import TypedDict

import orjson

_END = b"\n"


class Note(TypedDict, total=False):
    """All members are optional."""

    halves: dict[str, int]
    """Half write units per index that was changed."""
    collection: int
    """Bytes of the item collection after the write."""
    fetched: int
    """Read units (of 4 KB) of items that were fetched from the table, since the index does not project all."""
    fetched_bytes: int
    """Their size."""


def noted(note: Note, body: bytes) -> bytes:
    """The body behind its note; JSON as orjson writes it has no line break."""
    return orjson.dumps(note) + _END + body


def is_noted(body: bytes) -> bool:
    """Whether it stands behind a note. Items may begin like one, but have no line break."""
    return _END in body


def note_of(body: bytes) -> tuple[Note, bytes]:
    """Note and body apart."""
    note, _, rest = body.partition(_END)
    return orjson.loads(note), rest
