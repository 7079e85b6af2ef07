"""Which tables' changes go to which regions, as metadata have it. Pure; fed with decoded messages.

| status   | the initial copy | the stream is read |
|----------|------------------|--------------------|
| COPYING  | is under way     | yes                |
| ACTIVE   | is done          | yes                |
| DELETING |                  | no                 |
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

KIND = "link_metadata"
PREFIX = "link/"

COPYING, ACTIVE, DELETING = "COPYING", "ACTIVE", "DELETING"


class Link(NamedTuple):
    """A table, by its id, and a destination. `whole`: its initial copy sends every row; otherwise only this region's
    own. `stream`: the label of the stream that is sent."""

    table: str
    name: str
    destination: str
    version: int
    status: str
    created_ms: int
    whole: bool
    stream: str

    @property
    def is_read(self) -> bool:
        return self.status in (COPYING, ACTIVE)


@dataclass(slots=True)
class Links:
    """Fed by one thread, read by the same. By table id and destination."""

    links: dict[tuple[str, str], Link] = field(default_factory=dict)

    def take(self, kind: str, key: str, message: Any | None) -> None:
        """Any message of the metadata topic; without one (a tombstone) the key tells which link is gone."""
        if message is None:
            if key.startswith(PREFIX):
                _, table, destination = key.split("/", 2)
                self.links.pop((table, destination), None)
        elif kind == KIND:
            link = Link(*(message[name] for name in Link._fields))
            known = self.links.get((link.table, link.destination))
            if known is None or known.version < link.version:
                self.links[link.table, link.destination] = link

    def to(self, destination: str) -> list[Link]:
        """Those of one destination whose streams are read."""
        return [link for link in self.links.values() if link.destination == destination and link.is_read]
