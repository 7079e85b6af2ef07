"""The streams of a cluster as one process knows them from metadata. Pure; fed with decoded messages.

| status    | table    | propagators                     | readers                                      |
|-----------|----------|---------------------------------|----------------------------------------------|
| ENABLING  | UPDATING | begin it in each log            | may read what is there                       |
| ENABLED   |          | write                           | read                                         |
| DISABLING | UPDATING | close its shards                | read                                         |
| DISABLED  |          | nothing                         | read what is left, until the retention is over |
"""

from __future__ import annotations

from dataclasses import dataclass

import orjson

from dynabus.core.streams.changes import View
from dynabus.core.streams.messages import StreamMetadata
from dynabus.core.streams.shards import Shard, shard_of
from dynabus.core.topics import Topics

ENABLING, ENABLED, DISABLING, DISABLED = "ENABLING", "ENABLED", "DISABLING", "DISABLED"
DELETED = "DELETED"
"""Said once, before the record is taken away."""

DELETED_MOST = 10_000
"""Streams that are remembered as deleted: a late, older record must not bring one back."""

LIVE = frozenset({ENABLING, ENABLED, DISABLING})
"""Propagators have something to do for it."""


@dataclass(frozen=True, slots=True)
class Stream:
    """One stream. `from_start`: it was there when its table was made, so it begins where the logs begin."""

    table: str
    name: str
    label: str
    version: int
    status: str
    view: View
    key_schema: list[dict[str, str]]
    created_ms: int
    from_start: bool
    shards: dict[int, Shard]

    @property
    def key_names(self) -> list[str]:
        """Names of the key's attributes, the partition key first."""
        return [each["AttributeName"] for each in self.key_schema]

    @property
    def is_live(self) -> bool:
        return self.status in LIVE

    def shard(self, shard_id: str) -> Shard | None:
        """By its id."""
        return next((shard for shard in self.shards.values() if shard.id == shard_id), None)


def read_stream(message: StreamMetadata) -> Stream:
    """The stream of a message."""
    shards = {each["number"]: shard_of(each) for each in message["shards"]}
    return Stream(
        message["table"],
        message["name"],
        message["label"],
        message["version"],
        message["status"],
        View(message["view"]),
        orjson.loads(message["key_schema"]),
        message["created_ms"],
        message["from_start"],
        shards,
    )


class StreamsView:
    """Fed by one thread, read by the same."""

    def __init__(self) -> None:
        self._streams: dict[tuple[str, str], Stream] = {}
        self._deleted: dict[tuple[str, str], None] = {}
        self.changes = 0
        """Counts what was learned, so that readers see that there is something."""

    def take(self, message: StreamMetadata) -> None:
        """A message of the metadata topic; an older one than what is known is ignored."""
        key = (message["table"], message["label"])
        known = self._streams.get(key)
        if key in self._deleted:
            return
        if message["status"] == DELETED:
            self._forget(key)
            return
        if known is None or known.version < message["version"]:
            self._streams[key] = read_stream(message)
            self.changes += 1

    def _forget(self, key: tuple[str, str]) -> None:
        """Its retention is over, or its table is gone."""
        self._deleted[key] = None
        if len(self._deleted) > DELETED_MOST:
            del self._deleted[next(iter(self._deleted))]
        self.changes += self._streams.pop(key, None) is not None

    def all(self) -> list[Stream]:
        """By table and by age."""
        return sorted(self._streams.values(), key=lambda stream: (stream.name, stream.label))

    def of(self, table: str) -> list[Stream]:
        """Those of one table, by its id."""
        return [stream for stream in self.all() if stream.table == table]

    def version(self, table: str) -> int:
        """What is known of a table's streams; all are published together, with one version."""
        return max((stream.version for stream in self._streams.values() if stream.table == table), default=-1)

    def shown(self, topics: Topics) -> list[dict[str, str]]:
        """The member `streams` of `dynabus status --json`."""
        return [
            {
                "table": each.name,
                "label": each.label,
                "status": each.status,
                "view": each.view.value,
                "topic": topics.stream_name(each.name, each.label),
            }
            for each in self.all()
        ]

    def named(self, name: str, label: str) -> Stream | None:
        """The newest of a table's name and a label."""
        found = [stream for stream in self._streams.values() if (stream.name, stream.label) == (name, label)]
        return max(found, key=lambda stream: stream.version, default=None)

    def live_tables(self) -> set[str]:
        """Ids of the tables whose logs propagators read."""
        return {stream.table for stream in self._streams.values() if stream.is_live}
