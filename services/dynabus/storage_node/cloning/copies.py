"""Writing what was read of a snapshot into another store: clones and checkpoints."""

from __future__ import annotations

from dynabus.adapters.lmdb import LmdbStore
from dynabus.core.cloning.position import Pair, Section


def write(store: LmdbStore, section: Section, pairs: list[Pair]) -> None:
    """Pairs of one section, as they were there. Raises StoreError."""
    put = (store.put, store.put_entry, store.remember)[section]
    for key, value in pairs:
        put(key, value)
