"""What is derived from the logs of tables, as metadata say: streams, global secondary indexes, table topics. Pure."""

from __future__ import annotations

from dynabus.core.global_indexes.messages import IndexMetadata
from dynabus.core.global_indexes.view import DELETED, Index, read_index
from dynabus.core.ids import LogId
from dynabus.core.streams.view import DELETED_MOST, Stream, StreamsView
from dynabus.core.table_topics.messages import TableTopicMetadata
from dynabus.core.table_topics.view import TableTopic, read_table_topic
from dynabus.core.topics import Topics

Derived = Stream | Index | TableTopic


class DerivedView(StreamsView):
    """Fed by one thread, read by the same."""

    def __init__(self) -> None:
        super().__init__()
        self._indexes: dict[tuple[str, str], Index] = {}
        self._table_topics: dict[tuple[str, str], TableTopic] = {}
        self._dropped: dict[tuple[str, str], None] = {}
        self._ended: dict[str, int] = {}
        """By table: the version that says that an index or a topic of it is gone, maybe the last one."""

    def take_index(self, message: IndexMetadata) -> None:
        """A message of the metadata topic; an older one than what is known is ignored."""
        key = (message["table"], message["label"])
        known = self._indexes.get(key)
        if key in self._dropped:
            return
        if message["status"] == DELETED:
            self._drop(key, message["version"])
        elif known is None or known.version < message["version"]:
            self._indexes[key] = read_index(message)
            self.changes += 1

    def take_table_topic(self, message: TableTopicMetadata) -> None:
        """The same of a table topic."""
        key = (message["table"], message["label"])
        known = self._table_topics.get(key)
        if key in self._dropped:
            return
        if message["status"] == DELETED:
            self._drop(key, message["version"])
        elif known is None or known.version < message["version"]:
            self._table_topics[key] = read_table_topic(message)
            self.changes += 1

    def _drop(self, key: tuple[str, str], version: int) -> None:
        """Its id is never used again."""
        table, _ = key
        self._ended[table] = max(version, self._ended.pop(table, -1))
        if len(self._ended) > DELETED_MOST:
            del self._ended[next(iter(self._ended))]
        self._dropped[key] = None
        if len(self._dropped) > DELETED_MOST:
            del self._dropped[next(iter(self._dropped))]
        known = self._indexes.pop(key, None) or self._table_topics.pop(key, None)
        self.changes += known is not None

    def derived(self, table: str) -> list[Derived]:
        """From the logs of one table, by its id."""
        return [*self.of(table), *(each for each in self._others() if each.table == table)]

    def _others(self) -> list[Index | TableTopic]:
        return [*self._indexes.values(), *self._table_topics.values()]

    def version(self, table: str) -> int:
        """What is known of all of a table's; they are published together, with one version. That nothing is derived
        any more is known, too."""
        return max((each.version for each in self.derived(table)), default=self._ended.get(table, -1))

    def live_tables(self) -> set[str]:
        """Ids of the tables whose logs propagators read."""
        return super().live_tables() | {each.table for each in self._others()}

    def table_topics(self) -> list[TableTopic]:
        """By table."""
        return sorted(self._table_topics.values(), key=lambda topic: topic.name)

    def shown(self, topics: Topics) -> list[dict[str, str]]:
        """The member `streams` of `dynabus status --json`, with table topics behind streams."""
        return super().shown(topics) + [
            {
                "table": each.name,
                "label": "table",
                "status": each.status,
                "view": "LATEST_ITEM",
                "topic": topics.table_name(each.name),
            }
            for each in self.table_topics()
        ]

    def index_logs(self) -> set[LogId]:
        """Of all indexes that are there."""
        return {each.log for each in self._indexes.values()}
