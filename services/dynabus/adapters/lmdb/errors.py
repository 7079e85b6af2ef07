"""What can go wrong with a replica's data. All are operational: they concern one replica, never the process.

StoreError              LMDB or the file system refused; the owner quarantines the replica
├── StoreLostError      the directory cannot be trusted (host crash); the owner discards and rebuilds it
└── StoreVersionError   written by another version of Dynabus; a person decides
"""

from __future__ import annotations


class StoreError(Exception):
    """The store failed and has stopped; nothing since its last commit is durable."""


class StoreLostError(StoreError):
    """Data may be missing although the place is there: never serve, elect or clone from it."""


class StoreVersionError(StoreError):
    """The data directory's format is not the one that this version reads."""
