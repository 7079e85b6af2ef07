"""How many files this process may have open: an LMDB environment takes three."""

from __future__ import annotations

import resource

from dynabus.adapters.lmdb import StoreError

FILES_PER_STORE = 3
FILES_BESIDE = 200
"""For everything else: Kafka connections, logs, the HTTP server."""

STORES_LEAST = 50
"""A node that cannot hold so many replicas is refused at once, not when the next table is created."""


class FileLimitError(Exception):
    """The limit is too low to begin with; one line that says what to do."""


class FileLimit:
    """The limit, raised to what the system allows."""

    def __init__(self) -> None:
        """Raises FileLimitError."""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft != hard:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self.stores = (hard - FILES_BESIDE) // FILES_PER_STORE
        if hard != resource.RLIM_INFINITY and self.stores < STORES_LEAST:
            need = FILES_BESIDE + FILES_PER_STORE * STORES_LEAST
            raise FileLimitError(
                f"only {hard} files may be open, {need} are needed: raise it with `ulimit -Hn {need}`"
            )
        self._unlimited = hard == resource.RLIM_INFINITY

    def check(self, stores: int) -> None:
        """Raises StoreError where so many replicas need more files than allowed."""
        if not self._unlimited and stores > self.stores:
            raise StoreError(
                f"{stores} replicas need {FILES_BESIDE + FILES_PER_STORE * stores} open files, more than this "
                "process may have: raise the limit (`ulimit -Hn`) and restart this node"
            )
