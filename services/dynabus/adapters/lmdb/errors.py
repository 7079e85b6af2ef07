"""What can go wrong with a replica's data. All are operational: they concern one replica, never the process.

StoreError              LMDB or the file system refused; the owner quarantines the replica
├── StoreDamagedError   pages: other bytes than were written; the owner rebuilds it
├── StoreLostError      the directory cannot be trusted (host crash); the owner discards and rebuilds it
└── StoreVersionError   written by another version of Dynabus; a person decides
"""

from __future__ import annotations

import lmdb


class StoreError(Exception):
    """The store failed and has stopped; nothing since its last commit is durable."""


class StoreDamagedError(StoreError):
    """LMDB met a page that it cannot have written: not a full disk, not a refused file."""


class StoreLostError(StoreError):
    """Data may be missing although the place is there: never serve, elect or clone from it."""


class StoreVersionError(StoreError):
    """The data directory's format is not the one that this version reads."""


_DAMAGE = (
    lmdb.CorruptedError,
    lmdb.PageNotFoundError,
    lmdb.InvalidError,
    lmdb.PageFullError,
    lmdb.CursorFullError,
    lmdb.BadValsizeError,
    lmdb.ProblemError,
    lmdb.PanicError,
)
"""What LMDB says of pages that are not its own work. Keys that it refuses are among them, since ours always fit. Its
`DiskError` is none of them: so py-lmdb calls ENOSPC, and a full disk has damaged nothing."""


def store_error(error: Exception, text: str) -> StoreError:
    """The error of the family that fits."""
    return StoreDamagedError(text) if isinstance(error, _DAMAGE) else StoreError(text)
