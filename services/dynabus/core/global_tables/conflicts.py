"""What an accepted mutation says of a conflict: two writes of an item, neither of which knew of the other.

| `losing` of the mutation | lost                                   | won     |
|--------------------------|----------------------------------------|---------|
| none                     | nobody: no conflict                    |         |
| a row                    | this: it was never the row here        | the new |
| empty                    | the old row                            | the new |

Two deletions that met are a conflict that nobody can see: nothing is told of them.
"""

from __future__ import annotations

from collections.abc import Sequence as Many
from typing import NamedTuple

import orjson

from dynabus.core.global_tables.versions import Stamp
from dynabus.core.replication.records import Mutation
from dynabus.core.rows import item_of, version_of
from dynabus.core.values import Item

UNKNOWN = ""
"""Of a row without a version, which a leader never leaves in a conflict."""


class Side(NamedTuple):
    """One of the two; `item` None: a deletion."""

    stamp: Stamp
    item: Item | None


class Conflict(NamedTuple):
    """`time_ms`: the leader's time when it was decided."""

    keys: Item
    winner: Side
    loser: Side
    time_ms: int

    @property
    def key_bytes(self) -> bytes:
        """The Kafka key, as of a stream's record."""
        return orjson.dumps(self.keys)


def conflict_of(mutation: Mutation, key_names: Many[str]) -> Conflict | None:
    """None where there was none, or none that shows. Raises `rows.CorruptRow`."""
    lost = mutation.old if mutation.losing == b"" else mutation.losing
    if lost is None or mutation.new is None:
        return None
    winner, loser = _side(mutation.new), _side(lost)
    some = winner.item or loser.item
    if some is None:
        return None
    return Conflict({name: some[name] for name in key_names}, winner, loser, mutation.timestamp_ms)


def _side(row: bytes) -> Side:
    return Side(version_of(row, UNKNOWN).stamp, item_of(row))
