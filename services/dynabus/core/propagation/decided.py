"""What an accepted mutation has for streams, and for topics beside them. Pure."""

from __future__ import annotations

from collections.abc import Sequence as Many
from typing import NamedTuple

from dynabus.core.global_tables.conflicts import Conflict, conflict_of
from dynabus.core.global_tables.unseen import Unseen, unseen_of
from dynabus.core.replication.records import Bodies, Mutation, Record
from dynabus.core.rows import CorruptRow
from dynabus.core.streams.changes import Change, change_of


class Decided(NamedTuple):
    """Each None where there is none."""

    mutation: Mutation
    change: Change | None
    conflict: Conflict | None
    unseen: Unseen | None


def decided(bodies: Bodies, record: Record, key_names: Many[str]) -> Decided:
    """Raises ValueError, which says why it cannot be read."""
    mutation = bodies.decode(record.schema_number, record.body)
    if not isinstance(mutation, Mutation):
        raise ValueError("it cannot be read")
    try:
        change = change_of(mutation, key_names)
        unseen = unseen_of(mutation, key_names) if change is None else None
        return Decided(mutation, change, conflict_of(mutation, key_names), unseen)
    except CorruptRow as error:
        raise ValueError(str(error)) from error
