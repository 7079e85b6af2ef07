"""What is derived from the logs of tables, as metadata say: streams, and global secondary indexes. Pure."""

from __future__ import annotations

from dynabus.core.global_indexes.messages import IndexMetadata
from dynabus.core.global_indexes.view import DELETED, Index, read_index
from dynabus.core.ids import LogId
from dynabus.core.streams.view import DELETED_MOST, Stream, StreamsView

Derived = Stream | Index


class DerivedView(StreamsView):
    """Fed by one thread, read by the same."""

    def __init__(self) -> None:
        super().__init__()
        self._indexes: dict[tuple[str, str], Index] = {}
        self._dropped: dict[tuple[str, str], None] = {}

    def take_index(self, message: IndexMetadata) -> None:
        """A message of the metadata topic; an older one than what is known is ignored."""
        key = (message["table"], message["label"])
        known = self._indexes.get(key)
        if key in self._dropped:
            return
        if message["status"] == DELETED:
            self._drop(key)
        elif known is None or known.version < message["version"]:
            self._indexes[key] = read_index(message)
            self.changes += 1

    def _drop(self, key: tuple[str, str]) -> None:
        """Its id is never used again."""
        self._dropped[key] = None
        if len(self._dropped) > DELETED_MOST:
            del self._dropped[next(iter(self._dropped))]
        self.changes += self._indexes.pop(key, None) is not None

    def derived(self, table: str) -> list[Derived]:
        """From the logs of one table, by its id."""
        return [*self.of(table), *(each for each in self._indexes.values() if each.table == table)]

    def version(self, table: str) -> int:
        """What is known of a table's streams and indexes; all are published together, with one version."""
        of_indexes = (each.version for each in self._indexes.values() if each.table == table)
        return max(super().version(table), *of_indexes, -1)

    def live_tables(self) -> set[str]:
        """Ids of the tables whose logs propagators read."""
        return super().live_tables() | {each.table for each in self._indexes.values()}

    def index_logs(self) -> set[LogId]:
        """Of all indexes that are there."""
        return {each.log for each in self._indexes.values()}
