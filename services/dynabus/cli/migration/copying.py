"""Pages of another endpoint's table as windows: `dynabus import --from-endpoint`.

Each segment of the scan is a stream of windows of its own; the journal holds the key behind the last page whose
items are all acknowledged.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import orjson

from dynabus.cli.migration.client import Client
from dynabus.cli.migration.scanning import Key, scan
from dynabus.cli.migration.windows import Row, Window


class Copied(NamedTuple):
    """How far one segment is."""

    next: Key | None = None
    done: bool = False


def copied(segments: int, lines: list[dict[str, Any]]) -> dict[int, Copied]:
    """Every segment's state from the journal's lines."""
    found = dict.fromkeys(range(segments), Copied())
    for line in lines:
        found[line["segment"]] = Copied(line["next"], line["next"] is None)
    return found


def pages(
    source: Client, table: Mapping[str, Any], segment: int, total: int, start: Key | None, consistent: bool
) -> Iterator[Window]:
    """The segment's pages behind `start`."""
    names = [element["AttributeName"] for element in table["KeySchema"]]
    origin = f"{table['TableName']} at {source.url}"
    for page in scan(source, table["TableName"], segment, total, start, consistent):
        rows = [Row(orjson.dumps(item), _key(item, names), origin) for item in page.items]
        yield Window(rows, {"segment": segment, "next": page.next})


def _key(item: Mapping[str, Any], names: list[str]) -> bytes:
    return orjson.dumps({name: item.get(name) for name in names})
