"""What metadata say about regions and links, field for field as in `schemas/*.avsc`."""

from __future__ import annotations

from typing import TypedDict


class RegionMetadata(TypedDict):
    """A region that this cluster knows. Its own has no `kafka` and no `endpoint`.

    `settings`: JSON of the librdkafka properties with which its Kafka is reached.
    """

    name: str
    version: int
    kafka: str
    namespace: str
    endpoint: str
    settings: str
    removed: bool


class LinkMetadata(TypedDict):
    """What this region sends of a table (`table` is its id) to the region `destination`.

    `status`: COPYING until the initial copy was acknowledged, then ACTIVE; DRAINING
    while a deleted table's changes are sent, DELETING while it ends. `whole`: the
    initial copy has every row; otherwise those that the regions in `rows` wrote. `stream`: label of what is read.
    `forwards`: regions whose changes of until a time (Unix ms) are sent too: they send none any more, or lost them.
    `replica`: id of the table there.
    """

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
