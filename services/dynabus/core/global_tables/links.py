"""What this region sends of its global tables to other regions, from its metadata. Pure; fed with decoded messages.

| status   | the table there                         | RepOut                                         |
|----------|-----------------------------------------|------------------------------------------------|
| COPYING  | is there; the initial copy is under way | sends its stream                               |
| ACTIVE   | has all                                 | sends its stream                               |
| DELETING | is no replica any more, or is going     | ends                                           |

The record goes with the link (a tombstone under `link/<table id>/<destination>`).
"""

from __future__ import annotations

from typing import Any

from dynabus.core.global_tables.messages import LinkMetadata

PREFIX = "link/"
KIND = "link_metadata"
COPYING, ACTIVE, DELETING = "COPYING", "ACTIVE", "DELETING"

Where = tuple[str, str]
"""(table id, destination)."""


def key_of(table: str, destination: str) -> str:
    """Of a link's record."""
    return f"{PREFIX}{table}/{destination}"


class Links:
    """Fed by one thread, read by the same."""

    def __init__(self) -> None:
        self.all: dict[Where, LinkMetadata] = {}
        self.changes = 0
        """Counts what was learned, so that readers see that there is something."""

    def take(self, kind: str, key: str, message: Any | None) -> None:
        """Any record of the metadata topic, None for a tombstone; others are ignored, and older ones."""
        if message is None and key.startswith(PREFIX):
            table, _, destination = key.removeprefix(PREFIX).partition("/")
            self.changes += self.all.pop((table, destination), None) is not None
        elif message is not None and kind == KIND:
            where = (message["table"], message["destination"])
            known = self.all.get(where)
            if known is None or known["version"] <= message["version"]:
                self.all[where] = message
                self.changes += 1

    def of(self, table: str) -> list[LinkMetadata]:
        """Of a table, by destination."""
        return [link for (of, _), link in sorted(self.all.items()) if of == table]
