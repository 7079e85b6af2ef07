"""LMDB as the B-tree of one replica.

The replication log is the write-ahead log; an environment is a checkpoint of it (I6): the rows, the outcomes of
request ids and the place up to which the log was folded change in the same transaction. `store` is the store,
`snapshot` reads one commit of it in another thread, `layers` stores keys of any length in exact order, `directory`
knows what state a data directory was left in.
"""

from dynabus.adapters.lmdb.directory import (
    discard,
    exchange,
    install,
    keep_loss,
    loss_kept,
    place_put_aside,
    put_aside,
    put_off,
    settled,
)
from dynabus.adapters.lmdb.errors import StoreDamagedError, StoreError, StoreLostError, StoreVersionError
from dynabus.adapters.lmdb.snapshot import Snapshot, SnapshotClosed
from dynabus.adapters.lmdb.store import LmdbStore

__all__ = [
    "LmdbStore",
    "Snapshot",
    "SnapshotClosed",
    "StoreDamagedError",
    "StoreError",
    "StoreLostError",
    "StoreVersionError",
    "discard",
    "exchange",
    "install",
    "keep_loss",
    "loss_kept",
    "place_put_aside",
    "put_aside",
    "put_off",
    "settled",
]
