"""Pages: what Query and Scan share. A page ends at 1 MB of items looked at, at the Limit, or at the range's end.

Filters do not count: 1 MB and Limit are measured before them. LastEvaluatedKey is answered exactly if one of the two
ended the page, whether or not anything follows, so that the last page may be empty; DynamoDB promises no more.
Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Query.Pagination.html
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Any

import orjson

from dynabus.core.capacity import consumed, read_halves
from dynabus.core.errors import InvariantError
from dynabus.core.expressions import parse_condition, parse_projection
from dynabus.core.keys import encode_key
from dynabus.core.local_indexes import note_of, noted, stored_bounds
from dynabus.core.messages import ReplyPart, ReplyStatus, RequestPart
from dynabus.core.operations.calls import Call, Calls, Code, Context, Reply, Request
from dynabus.core.operations.items import bound, settled
from dynabus.core.operations.page_requests import Detail
from dynabus.core.operations.targets import Target
from dynabus.core.replication.store import Outcome, Read, Reader
from dynabus.core.rows import Row, decode_row
from dynabus.core.topic_settings import MESSAGE_LIMIT_BYTES
from dynabus.core.values import Item

PAGE_BYTES = 1024 * 1024
"""The item that crosses it still belongs to the page."""

PAGE_JSON_BYTES = MESSAGE_LIMIT_BYTES // 2
"""One more item fits into the reply: small items can be large as JSON (`items.stored`)."""

FETCHED_BYTES = 1024 * 1024
"""Whole items of an index end a page too (ours): 1 MB of keys may stand for gigabytes of items, and others wait."""

ROWS_MOST = 20_000
"""Rows looked at in one turn of a storage node: 1 MB holds more of the tiniest items, and others wait meanwhile. The
page goes on with another turn."""


def after(lower: bytes, upper: bytes | None, start: bytes | None, forward: bool) -> tuple[bytes, bytes | None]:
    """The range that is left behind an exclusive start key."""
    if start is None:
        return lower, upper
    if forward:
        return max(lower, start + b"\x00"), upper
    return lower, start if upper is None else min(upper, start)


class Page:
    """What was gathered so far, over as many partitions as it took. `fetched` are read units of the table's items."""

    def __init__(self, of_index: bool) -> None:
        self.items: list[bytes] = []
        self.count = self.scanned = self.size = self.json_bytes = self.fetched = self.fetched_bytes = 0
        self.last = b""
        self._of_index = of_index

    def add(self, reply: ReplyPart) -> None:
        body = reply["body"]
        if self._of_index:
            note, body = note_of(body)
            self.fetched += note["fetched"]
            self.fetched_bytes += note["fetched_bytes"]
        if body:
            self.items.append(body)
            self.json_bytes += len(body)
        self.count += reply["count"]
        self.scanned += reply["scanned"]
        self.size += reply["size"]
        self.last = reply["last"]

    def is_open(self, limit: int) -> bool:
        """Whether neither the Limit (0: none) nor a size ends the page here."""
        if limit and self.scanned >= limit:
            return False
        return self.size < PAGE_BYTES and self.json_bytes < PAGE_JSON_BYTES and self.fetched_bytes < FETCHED_BYTES


def gather(
    context: Context,
    target: Target,
    request: Request,
    detail: Detail,
    lower: bytes,
    upper: bytes | None,
    start: bytes | None,
) -> Generator[Calls, list[Reply], Page]:
    """Read pages partition by partition, in key order or against it, until one ends early or the range does.

    A partition that is split meanwhile answers STALE_ROUTE: what is left is planned anew over its children.
    """
    forward, limit = detail["Forward"], request.get("Limit", 0)
    lower, upper = after(lower, upper, start, forward)
    page = Page(target.local is not None)
    while upper is None or lower < upper:
        table = context.view.now(target.source)
        partition = table.partition_of(lower) if forward else table.partition_below(upper)
        first = max(lower, partition["lower"])
        ends = [bound for bound in (upper, partition["upper"]) if bound is not None]
        behind = min(ends) if ends else None
        sent = orjson.dumps({**detail, "Budget": PAGE_BYTES - page.size, "Open": behind is None})
        left = limit - page.scanned if limit else 0
        consistent = request.get("ConsistentRead", False)
        within = first, behind
        (reply,) = yield [Call(table, first, Code.PAGE, False, consistent, first, behind or b"", left, sent, within)]
        if reply is not None and reply["status"] == ReplyStatus.STALE_ROUTE:
            continue
        part: ReplyPart = settled(reply)
        page.add(part)
        exhausted = behind is None if forward else first <= lower
        if page.last and part["scanned"] >= ROWS_MOST and page.is_open(limit):
            lower, upper = after(lower, upper, target.encode(orjson.loads(page.last)), forward)
            page.last = b""
            continue
        if page.last or exhausted:
            return page
        lower, upper = (behind or b"", upper) if forward else (lower, first)
    return page


def page_answer(page: Page, target: Target, request: Request) -> bytes:
    """The answer's JSON."""
    members = [b'"Count":%d,"ScannedCount":%d' % (page.count, page.scanned)]
    if request.get("Select") != "COUNT":
        members.insert(0, b'"Items":[' + b",".join(page.items) + b"]")
    if page.last:
        members.append(b'"LastEvaluatedKey":' + page.last)
    wanted = request.get("ReturnConsumedCapacity", "NONE")
    if wanted != "NONE":
        members.append(b'"ConsumedCapacity":' + orjson.dumps(_capacity(page, target, request, wanted)))
    return b"{" + b",".join(members) + b"}"


def _capacity(page: Page, target: Target, request: Request, wanted: str) -> dict[str, Any] | None:
    consistent = request.get("ConsistentRead", False)
    halves = read_halves(page.size, consistent)
    if target.index is None:
        return consumed(target.table.name, halves, wanted)
    if target.local is None:
        return consumed(target.table.name, 0, wanted, of_global={target.index.name: halves})
    of_items = page.fetched * (2 if consistent else 1)
    return consumed(target.table.name, of_items, wanted, {target.index.name: halves})


class _Fetcher:
    """Reads the whole item of an index's entry, and counts the read units of that."""

    def __init__(self, store: Reader, keys: list[str]) -> None:
        self._store, self._keys = store, keys
        self.units = self.size = 0

    def fetch(self, entry: Row) -> Row:
        """The table's row; each is charged for itself, as the guide says of local secondary indexes."""
        item: Item = orjson.loads(entry.item_json)
        raw = self._store.get(encode_key(*(item[name] for name in self._keys)))
        if raw is None:
            raise InvariantError("an index has an entry of an item that is not there")
        row = decode_row(raw)
        self.units += read_halves(row.size, consistent=False)
        self.size += row.size
        return row


def node(part: RequestPart) -> Read:
    """The storage-node half: part of one page from one partition. `last` is the JSON of the last key looked at."""
    detail = orjson.loads(part["detail"])
    found = bound(detail)
    text = detail.get("FilterExpression")
    matches = parse_condition(text, found, "FilterExpression").matches if text is not None else None
    text = detail.get("ProjectionExpression")
    project = parse_projection(text, found).apply if text is not None else None
    lower, upper = part["key"], None if detail["Open"] else part["value"]
    limit, budget, counts = min(part["size"] or ROWS_MOST, ROWS_MOST), detail["Budget"], detail.get("Count", False)
    keys, reverse, fetched = detail["Keys"], not detail["Forward"], detail.get("Fetch")
    looks = matches is not None or project is not None
    number, whole_items = detail.get("Index", 0), detail.get("Whole", True)

    def read(store: Reader) -> Outcome:
        items: list[bytes] = []
        count = scanned = size = json_bytes = 0
        last = b""
        fetcher = _Fetcher(store, fetched) if fetched else None
        for _, raw in _rows(store, number, lower, upper, reverse):
            row = entry = decode_row(raw)
            if not row.item_json:
                continue  # a tombstone
            scanned += 1
            size += entry.size
            if fetcher is not None:
                row = fetcher.fetch(row)
            item: Item | None = orjson.loads(row.item_json) if looks else None
            if matches is None or matches(item):
                count += 1
                if not counts:
                    shown = row if whole_items else entry
                    items.append(shown.item_json if project is None or item is None else orjson.dumps(project(item)))
                    json_bytes += len(items[-1])
            if (
                scanned >= limit
                or size >= budget
                or json_bytes >= PAGE_JSON_BYTES
                or (fetcher is not None and fetcher.size >= FETCHED_BYTES)
            ):
                whole = item if item is not None else orjson.loads(row.item_json)
                last = orjson.dumps({name: whole[name] for name in keys})
                break
        body = b",".join(items)
        if number:
            units, fetched_bytes = (fetcher.units, fetcher.size) if fetcher is not None else (0, 0)
            body = noted({"fetched": units, "fetched_bytes": fetched_bytes}, body)
        return Outcome(body=body, size=size, count=count, scanned=scanned, last=last)

    return read


def _rows(
    store: Reader, number: int, lower: bytes, upper: bytes | None, reverse: bool
) -> Iterator[tuple[bytes, bytes]]:
    """Those of the table (0), or the entries of one of its indexes."""
    if number == 0:
        return store.scan(lower, upper, reverse)
    return store.scan_entries(*stored_bounds(number, lower, upper), reverse)
