"""Records for a table topic that come of a log: of a change, and of a page of rows that it is filled with. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

import orjson

from dynabus.core.global_indexes.backfill import Page
from dynabus.core.propagation.fills import Fill, Fills
from dynabus.core.propagation.snapshots import Offered, Snapshots
from dynabus.core.propagation.sweeps import index_of, is_topic_sweep, sweep_of
from dynabus.core.streams.changes import Change
from dynabus.core.table_topics.view import TableTopic
from dynabus.core.values import Item

Records = dict[tuple[str, bytes], "TableRecord"]
"""By label and key: of each key the last one, which is all that readers of a table want."""


class TableRecord(NamedTuple):
    """`item` None: there is none any more. `generation`: of the log that says so. `time_ms`: of the write; None where
    that is not known."""

    topic: TableTopic
    key: bytes
    item: Item | None
    generation: int
    time_ms: int | None


def of_change(topics: Iterable[TableTopic], change: Change, generation: int) -> Records:
    """The item behind a change."""
    key = change.key_bytes
    return {(each.label, key): TableRecord(each, key, change.new, generation, change.time_ms) for each in topics}


def of_page(topic: TableTopic, label: str, items: Iterable[Item], generation: int) -> Records:
    """Items of before the topic; of a sweep, that they are no more."""
    gone = sweep_of(label) is not None
    keyed = ((key_of(topic, item), None if gone else item) for item in items)
    return {(topic.label, key): TableRecord(topic, key, item, generation, None) for key, item in keyed}


def key_of(topic: TableTopic, item: Item) -> bytes:
    """The same bytes as in a stream (`Change.key_bytes`)."""
    return orjson.dumps({name: item[name] for name in topic.key_names})


@dataclass(slots=True)
class Recording:
    """What one log has for table topics, and has not given away yet."""

    snapshots: Snapshots = field(default_factory=Snapshots)
    _records: Records = field(default_factory=dict)

    def clear(self) -> None:
        """Begin anew."""
        self._records.clear()
        self.snapshots.done()

    def change(self, topics: Iterable[TableTopic], change: Change, generation: int, offset: int) -> None:
        """The log has told this."""
        found = of_change(topics, change, generation)
        self._records |= found
        for _, key in found:
            self.snapshots.changed(key, offset)

    def ask(self, label: str, fill: Fill, next_offset: int) -> tuple[str, Fill] | None:
        """The page that is wanted, of a replica that is not behind this place; None while one waits to be used."""
        if self.snapshots.waiting is not None:
            return None
        return label, fill._replace(at_least=self.snapshots.ask(next_offset, is_sweep=is_topic_sweep(label)))

    def offer(self, fills: Fills, label: str, position: bytes, page: Page) -> bool:
        """A page came. False: it is not the one that is waited for."""
        if fills.awaits(label, position):
            self.snapshots.offer(Offered(label, position, page))
        return self.snapshots.waiting is not None

    def ripen(self, topics: Iterable[TableTopic], fills: Fills, generation: int, next_offset: int) -> bool:
        """Use the page that waits, if the log is folded so far: of its items those that are the newest."""
        ripe = self.snapshots.ripe(next_offset)
        if ripe is None:
            return False
        topic = next((each for each in topics if each.label == index_of(ripe.label)), None)
        is_used = topic is not None and fills.moved(ripe.label, ripe.position, ripe.page.behind)
        items = ripe.page.items
        found = of_page(topic, ripe.label, items, generation) if topic is not None and is_used else {}
        self._records |= {at: each for at, each in found.items() if self.snapshots.is_newest(each.key, ripe)}
        self.snapshots.done()
        return is_used

    def take(self) -> Records:
        """All of it."""
        records, self._records = self._records, {}
        return records
