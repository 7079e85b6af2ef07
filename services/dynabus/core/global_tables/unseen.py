"""Writes of other regions that readers of streams do not see: they made another version of what is there. Pure.

A region may take the deletion of an item that it never had, or a later write of the same item. Nothing has changed
for who reads the stream. But where such a write is sent on (`sending`), because who made it sends nothing any more,
another region may have an older one, and needs it. So the stream has a record for RepOut (type `version`): with the
item, as a change has it; without one it is a deletion.
"""

from __future__ import annotations

from collections.abc import Sequence as Many
from typing import NamedTuple

from dynabus.core.replication.records import Mutation
from dynabus.core.rows import item_of, version_bytes, version_of
from dynabus.core.streams.changes import Change


class Unseen(NamedTuple):
    """`key` as rows have it, `version` encoded; `change`: the item, None: it is a deletion."""

    key: bytes
    version: bytes
    change: Change | None


def unseen_of(mutation: Mutation, key_names: Many[str]) -> Unseen | None:
    """Of a mutation that changes no item. None, too, where the write that made the row is the same as before.
    Raises `rows.CorruptRow`."""
    old, new = mutation.old, mutation.new
    if new is None or old == new or not (version := version_bytes(new)):
        return None
    if old is not None and version_of(old, "").stamp == version_of(new, "").stamp:
        return None
    item = item_of(new)
    if item is None:
        return Unseen(mutation.key, version, None)
    keys = {name: item[name] for name in key_names}
    return Unseen(mutation.key, version, Change("MODIFY", keys, None, item, mutation.timestamp_ms, False, version))
