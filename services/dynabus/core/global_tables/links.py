"""What this region sends of its global tables to other regions, from its metadata. Pure; fed with decoded messages.

| status   | the table there                         | RepOut                                         |
|----------|-----------------------------------------|------------------------------------------------|
| COPYING  | is there; the initial copy is under way | sends its stream                               |
| ACTIVE   | has all                                 | sends its stream                               |
| DRAINING | is there; the one here is deleted, and  | sends what is left of its stream               |
|          | its stream has all that it gets         |                                                |
| DELETING | is no replica any more, or is going     | ends                                           |

The record goes with the link (a tombstone under `link/<table id>/<destination>`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

PREFIX = "link/"
KIND = "link_metadata"
COPYING, ACTIVE, DRAINING, DELETING = "COPYING", "ACTIVE", "DRAINING", "DELETING"

Where = tuple[str, str]
"""(table id, destination)."""


class Link(NamedTuple):
    """A table, by its id, and a destination. `whole`: its initial copy sends every row; otherwise those that the
    regions in `rows` wrote. `stream`: the label of the stream that is sent. `forwards`: regions that send nothing any
    more, or have lost it, and until which time (Unix ms) what they wrote is sent with it. `replica`: the table's id
    there, when the link began."""

    table: str
    name: str
    destination: str
    version: int
    status: str
    created_ms: int
    whole: bool
    stream: str
    rows: list[str]
    forwards: dict[str, int]
    replica: str

    @property
    def is_read(self) -> bool:
        return self.status in (COPYING, ACTIVE, DRAINING)

    def copies(self, region: str) -> bool:
        """Whether its initial copy, which is under way or was acknowledged, has the rows that this region wrote."""
        return self.status != DRAINING and (self.whole or region in self.rows)


def key_of(table: str, destination: str) -> str:
    """Of a link's record."""
    return f"{PREFIX}{table}/{destination}"


@dataclass(slots=True)
class Links:
    """Fed by one thread, read by the same."""

    all: dict[Where, Link] = field(default_factory=dict)
    changes: int = 0
    """Counts what was learned, so that readers see that there is something."""

    def take(self, kind: str, key: str, message: Any | None) -> None:
        """Any record of the metadata topic, None for a tombstone; others are ignored, and older ones."""
        if message is None and key.startswith(PREFIX):
            table, _, destination = key.removeprefix(PREFIX).partition("/")
            self.changes += self.all.pop((table, destination), None) is not None
        elif message is not None and kind == KIND:
            link = Link(*(message[name] for name in Link._fields))
            known = self.all.get((link.table, link.destination))
            if known is None or known.version <= link.version:
                self.all[link.table, link.destination] = link
                self.changes += 1

    def of(self, table: str) -> list[Link]:
        """Of a table, by destination."""
        return [link for (of, _), link in sorted(self.all.items()) if of == table]

    def to(self, destination: str) -> list[Link]:
        """Those of one destination whose streams are read."""
        return [link for link in self.all.values() if link.destination == destination and link.is_read]
