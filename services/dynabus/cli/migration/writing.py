"""Items into a table, by BatchWriteItem.

Source: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html (25 writes and 16 MB
at most; what is unprocessed is sent again with exponential backoff).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from typing import Any

import orjson

from dynabus.cli.migration.client import Backoff, Client
from dynabus.cli.migration.endpoint import Refused
from dynabus.cli.migration.pool import settle
from dynabus.cli.migration.windows import Report, Row, Window
from dynabus.cli.problem import Problem

BATCH_ITEMS = 25
BATCH_BYTES = 4 * 1024 * 1024
"""Of JSON. A quarter of what DynamoDB takes: large items are slow enough without waiting for each other."""

BATCHES_PER_WORKER = 8
"""In a window: while its last batches are under way some workers idle, which should be a small part of the time."""

OF_THE_ITEM = frozenset(
    {
        "ValidationException",
        "SerializationException",
        "ItemCollectionSizeLimitExceededException",
        "RequestEntityTooLargeException",
    }
)
"""Errors that are an item's own fault."""


class Writer:
    """Puts rows into one table; `report` is told of each that the endpoint does not take."""

    def __init__(self, client: Client, table: str, report: Report, counted: Callable[[int], None]) -> None:
        self._client = client
        self._table = table
        self._report = report
        self._counted = counted

    def pump(self, windows: Iterable[Window], executor: Executor, acknowledged: Callable[[Window], None]) -> None:
        """Put window after window; the next one is read while one is under way. Raises Problem."""
        under_way: tuple[Window, list[Future[None]]] | None = None
        for window in windows:
            if under_way is not None:
                self._settle(*under_way, acknowledged)
            under_way = window, [executor.submit(self.write, batch) for batch in batches(window.rows)]
        if under_way is not None:
            self._settle(*under_way, acknowledged)

    def _settle(self, window: Window, futures: list[Future[None]], acknowledged: Callable[[Window], None]) -> None:
        settle(futures, self._client.stop)
        acknowledged(window)

    def write(self, batch: list[Row]) -> None:
        """Put one batch, however often it takes."""
        try:
            self._batch(batch)
        except Refused as refused:
            if refused.code not in OF_THE_ITEM:
                raise self._problem(refused) from refused
            # One bad item fails its whole batch; each alone shows which one it is.
            for row in batch:
                self._one(row)
        else:
            self._counted(len(batch))

    def _batch(self, batch: list[Row]) -> None:
        body = _request(self._table, [b'{"PutRequest":{"Item":' + row.item + b"}}" for row in batch])
        backoff = Backoff(self._client.stop, self._client.pulse)
        left = len(batch)
        while True:
            answer = self._client.ask("BatchWriteItem", body, is_progress=False)
            unprocessed: list[Any] = answer.get("UnprocessedItems", {}).get(self._table, [])
            if len(unprocessed) < left:
                left = len(unprocessed)
                backoff.progressed()
            if not unprocessed:
                return
            backoff.wait(f"{left} items of a batch are unprocessed", self._client.url, throttled=True)
            body = _request(self._table, [orjson.dumps(each) for each in unprocessed])

    def _one(self, row: Row) -> None:
        table = orjson.dumps(self._table)
        try:
            self._client.ask("PutItem", b'{"TableName":' + table + b',"Item":' + row.item + b"}")
        except Refused as refused:
            if refused.code not in OF_THE_ITEM:
                raise self._problem(refused) from refused
            self._report(row.origin, f"{refused.message or refused} (key {row.key.decode()})")
        else:
            self._counted(1)

    def _problem(self, refused: Refused) -> Problem:
        return Problem(f"{self._client.url} refuses to write to {self._table}: {refused}")


def _request(table: str, writes: Iterable[bytes]) -> bytes:
    return b'{"RequestItems":{' + orjson.dumps(table) + b":[" + b",".join(writes) + b"]}}"


def batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """Of at most 25 items and, but for one item alone, 4 MB."""
    batch: list[Row] = []
    size = 0
    for row in rows:
        if batch and (len(batch) == BATCH_ITEMS or size + len(row.item) > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(row)
        size += len(row.item)
    if batch:
        yield batch
