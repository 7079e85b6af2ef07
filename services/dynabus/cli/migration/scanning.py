"""One segment of a parallel scan, page by page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from dynabus.cli.migration.client import Client
from dynabus.cli.migration.endpoint import Refused
from dynabus.cli.problem import Problem

Key = dict[str, Any]


class Page(NamedTuple):
    """At most 1 MB of items, and the key behind them: None at the segment's end."""

    items: list[dict[str, Any]]
    next: Key | None


def scan(client: Client, table: str, segment: int, total: int, start: Key | None, consistent: bool) -> Iterator[Page]:
    """The pages behind `start`. Raises Problem where the endpoint refuses."""
    while True:
        request = {"TableName": table, "Segment": segment, "TotalSegments": total, "ConsistentRead": consistent}
        if start is not None:
            request["ExclusiveStartKey"] = start
        try:
            answer = client.ask("Scan", request)
        except Refused as refused:
            raise Problem(f"{client.url} refuses to scan {table}: {refused}") from refused
        start = answer.get("LastEvaluatedKey")
        yield Page(answer["Items"], start)
        if start is None:
            return
