"""Pages: what Query and Scan share. A page ends at 1 MB of items looked at, at the Limit, or at the range's end.

Filters do not count: 1 MB and Limit are measured before them. LastEvaluatedKey is answered exactly if one of the two
ended the page, whether or not anything follows, so that the last page may be empty; DynamoDB promises no more.
Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Query.Pagination.html
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Any, NamedTuple

import orjson

from dynabus.core.capacity import consumed, read_halves
from dynabus.core.errors import ApiError, InvariantError, validation_error
from dynabus.core.expressions import Placeholders, parse_condition, parse_projection
from dynabus.core.keys import encode_key
from dynabus.core.legacy import check_select_of_names
from dynabus.core.local_indexes import note_of, noted, stored_bounds
from dynabus.core.messages import ReplyPart, ReplyStatus, RequestPart
from dynabus.core.operations.calls import Call, Calls, Code, Context, Reply, Request
from dynabus.core.operations.items import bound, settled
from dynabus.core.operations.shapes import CAPACITY, FLAG, INDEX_NAME, NAMES, TABLE_NAME, TEXT, Member
from dynabus.core.operations.targets import Target
from dynabus.core.replication.store import Outcome, Read, Reader
from dynabus.core.rows import Row, decode_row
from dynabus.core.topics import MESSAGE_LIMIT_BYTES
from dynabus.core.values import Item, normalise_item

PAGE_BYTES = 1024 * 1024
"""The item that crosses it still belongs to the page."""

PAGE_JSON_BYTES = MESSAGE_LIMIT_BYTES // 2
"""One more item fits into the reply: small items can be large as JSON (`items.stored`)."""

FETCHED_BYTES = 1024 * 1024
"""Whole items of an index end a page too (ours): 1 MB of keys may stand for gigabytes of items, and others wait."""

ROWS_MOST = 20_000
"""Rows looked at in one turn of a storage node: 1 MB holds more of the tiniest items, and others wait meanwhile. The
page goes on with another turn."""

Detail = dict[str, Any]

SELECT = Member("String", values=("SPECIFIC_ATTRIBUTES", "COUNT", "ALL_ATTRIBUTES", "ALL_PROJECTED_ATTRIBUTES"))

MEMBERS: dict[str, Member] = {
    "TableName": TABLE_NAME,
    "IndexName": INDEX_NAME,
    "ConsistentRead": FLAG,
    "ExclusiveStartKey": NAMES,
    "FilterExpression": TEXT,
    "ProjectionExpression": TEXT,
    "Limit": Member("Integer", least=1),
    "Select": SELECT,
    "ReturnConsumedCapacity": CAPACITY,
    "ExpressionAttributeNames": NAMES,
    "ExpressionAttributeValues": NAMES,
}


def check_select(request: Request) -> None:
    """Select against what is projected. Messages: moto's tests against AWS itself (test_dynamodb_query_scan)."""
    if "AttributesToGet" in request:
        check_select_of_names(request)
        return
    select, projects = request.get("Select"), "ProjectionExpression" in request
    if projects and select in _WHOLE:
        raise validation_error(f"Cannot specify the ProjectionExpression when choosing to get {_WHOLE[select]}")
    if select == "ALL_PROJECTED_ATTRIBUTES" and "IndexName" not in request:
        raise validation_error("ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName")
    if select == "SPECIFIC_ATTRIBUTES" and not projects:
        raise validation_error(
            "Must specify the AttributesToGet or ProjectionExpression when choosing to get SPECIFIC_ATTRIBUTES"
        )


_WHOLE = {
    "ALL_ATTRIBUTES": "ALL_ATTRIBUTES",
    "ALL_PROJECTED_ATTRIBUTES": "ALL_PROJECTED_ATTRIBUTES",
    "COUNT": "only the Count",
}


class Checked(NamedTuple):
    """The attributes that a request's expressions read: in its filter, in all of them; and into which they look."""

    filtered: set[str]
    read: set[str]
    nested_in_filter: set[str]
    nested_in_projection: set[str]


def check_expressions(request: Request, found: Placeholders) -> Checked:
    """Filter and projection; raises ApiError."""
    filtered: set[str] = set()
    read: set[str] = set()
    in_filter: set[str] = set()
    in_projection: set[str] = set()
    if "FilterExpression" in request:
        condition = parse_condition(request["FilterExpression"], found, "FilterExpression")
        filtered, in_filter = condition.paths(), condition.nested
    if "ProjectionExpression" in request:
        projection = parse_projection(request["ProjectionExpression"], found)
        read, in_projection = projection.names(), projection.nested()
    return Checked(filtered, filtered | read, in_filter, in_projection)


def page_detail(request: Request, found: Placeholders, target: Target, read: set[str], forward: bool) -> Detail:
    """What the storage node needs for every page of this request; `read` are the attributes that it looks at."""
    detail: Detail = {"Keys": target.names, "Forward": forward}
    if target.index is not None:
        detail["Index"] = target.number
        if target.fetches(request, read):
            detail["Fetch"] = target.table.schema.names
            # What only the filter needs is looked at and not answered: an index answers what it projects.
            detail["Whole"] = "ProjectionExpression" in request or request.get("Select") == "ALL_ATTRIBUTES"
    for name in ("FilterExpression", "ProjectionExpression"):
        if name in request:
            detail[name] = request[name]
    if request.get("Select") == "COUNT":
        detail["Count"] = True
    if found.names:
        detail["ExpressionAttributeNames"] = found.names
    if found.values:
        detail["ExpressionAttributeValues"] = found.values
    return detail


_INVALID_START = "The provided starting key is invalid"
_BARE = (
    "Number ",
    "The parameter ",
    "Attempting to store ",
    "Input collection ",
    "One or more parameter values were invalid: An number set",
    "One or more parameter values were invalid: Input collection",
)


def start_item(request: Request) -> Item | None:
    """The ExclusiveStartKey in normal form. Raises ApiError; what is wrong with numbers and sets is said as it is.

    Sources: dynalite, test/query; for sets also paritysuite/dynamodb-conformance, error-messages/valueLayers.
    """
    if "ExclusiveStartKey" not in request:
        return None
    try:
        return normalise_item(request["ExclusiveStartKey"])
    except ApiError as error:
        if not error.type.endswith("ValidationException") or error.message.startswith(_BARE):
            raise
        raise invalid_start(error.message) from error


def invalid_start(why: str | None = None) -> ApiError:
    """The ExclusiveStartKey is none of what is read."""
    return validation_error(_INVALID_START if why is None else f"{_INVALID_START}: {why}")


def start_key(start: Item | None, target: Target) -> bytes | None:
    """The ExclusiveStartKey, encoded; it must be a key of this target (which need not exist any more)."""
    if start is None:
        return None
    try:
        return target.encode(start)
    except ApiError as error:
        raise invalid_start(error.message) from error


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
    page = Page(target.index is not None)
    while upper is None or lower < upper:
        table = context.view.now(target.table)
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
