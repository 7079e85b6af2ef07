"""Query and Scan turned page by page, over any table and with any limits, against one sorted list.

What a page is, as the model below says it: items are looked at in order until Limit of them were, or 1 MB of them
(the item that crosses it belongs to the page), or the range ends. The filter comes after that. LastEvaluatedKey is
there exactly if the Limit or 1 MB ended the page: also where nothing follows, so that the next page may be empty.
DynamoDB promises no more: only its absence tells that the result is at its end.
Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Query.Pagination.html
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from decimal import Decimal
from hashlib import md5
from itertools import count, groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.core.operations.cluster import Cluster

from dynabus.adapters.lmdb import LmdbStore
from dynabus.adapters.memory_store import MemoryStore
from dynabus.core.operations import pages
from dynabus.core.replication.store import Store
from dynabus.core.values import item_size, normalise_item

EXAMPLES = settings(max_examples=60)
HASHES = 1 << 64


@dataclass(frozen=True, slots=True)
class Row:
    """An item of the model, with its place in the table's order."""

    item: dict[str, Any]
    hash: int
    sort: Any

    @property
    def pk(self) -> str:
        return str(self.item["pk"]["S"])

    @property
    def key(self) -> dict[str, Any]:
        return {name: self.item[name] for name in ("pk", "sk") if name in self.item}

    @property
    def order(self) -> tuple[Any, ...]:
        return self.hash, self.pk, self.sort


@dataclass(frozen=True, slots=True)
class Page:
    """One page as it must be answered; `last` is None where it ended with the range."""

    items: list[dict[str, Any]]
    scanned: int
    size: int
    last: dict[str, Any] | None


def model(rows: list[Row], limit: int | None, page_bytes: int, keep: Callable[[Row], bool]) -> list[Page]:
    """All pages over these rows."""
    found, items, scanned, size = [], [], 0, 0
    for row in rows:
        scanned, size = scanned + 1, size + item_size(row.item)
        if keep(row):
            items.append(row.item)
        if scanned == limit or size >= page_bytes:
            found.append(Page(items, scanned, size, row.key))
            items, scanned, size = [], 0, 0
    return [*found, Page(items, scanned, size, None)]


# -- any table --------------------------------------------------------------------------------------------------

LONG = "k" * 490
"""Longer than LMDB allows: its rows lie in the second layer of keys."""

TEXTS = st.one_of(st.text("ab~é\U0001f600", min_size=1, max_size=4), st.text("ab", max_size=2).map(LONG.__add__))
NUMBERS = st.one_of(
    st.integers(-20, 20).map(Decimal), st.decimals("-1e9", "1e9", places=3), st.sampled_from([Decimal("1e-99")])
)
SORTS: dict[str | None, st.SearchStrategy[Any]] = {
    None: st.none(),
    "S": TEXTS.map(str.encode),
    "N": NUMBERS,
    "B": st.binary(min_size=1, max_size=4),
}


def attribute(kind: str, sort: Any) -> dict[str, str]:
    """A sort key's natural value as an attribute value."""
    if kind == "B":
        return {"B": b64encode(sort).decode()}
    return {kind: sort.decode() if kind == "S" else f"{sort:f}"}


@dataclass(frozen=True, slots=True)
class Plan:
    """A table's sort key type, its rows in order, and which of them begin a partition."""

    kind: str | None
    rows: list[Row]
    cuts: list[int]


@st.composite
def plans(draw: st.DrawFn, kinds: tuple[str | None, ...] = (None, "S", "N", "B")) -> Plan:
    kind = draw(st.sampled_from(kinds))
    keys = st.tuples(st.text("pqr", min_size=1, max_size=2 if kind else 4), SORTS[kind])
    drawn = draw(
        st.lists(st.tuples(keys, st.integers(0, 400), st.booleans()), max_size=25, unique_by=lambda of: of[0])
    )
    rows = sorted((row_of(kind, *each) for each in drawn), key=lambda row: row.order)
    cuts = draw(st.sets(st.integers(0, max(0, len(rows) - 1)), max_size=3)) - {0} if rows else set()
    return Plan(kind, rows, sorted(cuts))


def row_of(kind: str | None, key: tuple[str, Any], length: int, flag: bool) -> Row:
    pk, sort = key
    item = {"pk": {"S": pk}, "v": {"S": "x" * length}, "f": {"BOOL": flag}}
    if kind is not None:
        item["sk"] = attribute(kind, sort)
    digest = md5(pk.encode() + b"\0\0", usedforsecurity=False).digest()
    return Row(normalise_item(item), int.from_bytes(digest[:8], "big"), sort)


@contextmanager
def memory() -> Iterator[Callable[[], Store]]:
    yield MemoryStore


@contextmanager
def on_disk() -> Iterator[Callable[[], Store]]:
    with TemporaryDirectory() as folder, ExitStack() as opened:
        names = count()

        def open_one() -> Store:
            store = LmdbStore(Path(folder) / str(next(names)))
            opened.callback(store.abandon)
            return store

        yield open_one


STORES = pytest.mark.parametrize("stores", [memory, on_disk])


def fill(plan: Plan, open_store: Callable[[], Store]) -> Cluster:
    """A table of these rows; its partitions begin at the cuts, in the middle of item collections too."""
    cluster = Cluster(len(plan.cuts) + 1, open_store)
    cluster.table("tab", plan.kind)
    table = cluster.view.tables["tab"]
    bounds = [b"", *(table.schema.encode(plan.rows[cut].key) for cut in plan.cuts)]
    for number, partition in enumerate(table.partitions):
        partition["lower"], partition["upper"] = bounds[number], (*bounds, None)[number + 1]
    table.__post_init__()
    for row in reversed(plan.rows):
        assert cluster.ask("PutItem", TableName="tab", Item=row.item) == {}
    return cluster


# -- any request ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Wish:
    """What the request says about pages. A negative `page_bytes` is the size of so many rows: exactly on the edge."""

    limit: int | None
    page_bytes: int
    filter: str | None
    counts: bool
    projects: bool
    consistent: bool

    def members(self) -> dict[str, Any]:
        asked: dict[str, Any] = {"ConsistentRead": self.consistent, "ReturnConsumedCapacity": "TOTAL"}
        if self.limit is not None:
            asked["Limit"] = self.limit
        if self.filter is not None:
            asked["FilterExpression"] = self.filter
        if self.counts:
            asked["Select"] = "COUNT"
        elif self.projects:
            asked["ProjectionExpression"] = "v, nothing"
        return asked

    def keep(self, row: Row) -> bool:
        kept = {
            None: True,
            "f = :t": row.item["f"]["BOOL"],
            "size(v) < :n": len(row.item["v"]["S"]) < 200,
            "attribute_not_exists(v)": False,
        }
        return bool(kept[self.filter])

    def values(self) -> dict[str, Any]:
        """What the filter's placeholders stand for."""
        values: dict[str, dict[str, Any]] = {
            "f = :t": {":t": {"BOOL": True}},
            "size(v) < :n": {":n": {"N": "200"}},
        }
        return values.get(self.filter or "", {})


WISHES = st.builds(
    Wish,
    limit=st.one_of(st.none(), st.integers(1, 12)),
    page_bytes=st.sampled_from([-1, -2, -5, 1, 400, 1500, pages.PAGE_BYTES]),
    filter=st.sampled_from([None, "f = :t", "size(v) < :n", "attribute_not_exists(v)"]),
    counts=st.booleans(),
    projects=st.booleans(),
    consistent=st.booleans(),
)


def check_pages(cluster: Cluster, operation: str, wish: Wish, rows: list[Row], **request: Any) -> None:
    """Turn all pages; each must be the model's."""
    values = {**request.pop("values", {}), **wish.values()}
    given = {"ExpressionAttributeValues": values} if values else {}
    page_bytes = (
        wish.page_bytes if wish.page_bytes > 0 else sum(item_size(row.item) for row in rows[: -wish.page_bytes])
    )
    expected = model(rows, wish.limit, page_bytes, wish.keep)
    start: dict[str, Any] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pages, "PAGE_BYTES", page_bytes)
        for page in expected:
            answer = cluster.ask(operation, TableName="tab", **wish.members(), **request, **given, **start)
            check_page(answer, page, wish)
            start = {"ExclusiveStartKey": answer.get("LastEvaluatedKey")}


def check_page(answer: dict[str, Any], page: Page, wish: Wish) -> None:
    units = max(1, -(-page.size // 4096)) / (1 if wish.consistent else 2)
    expected: dict[str, Any] = {
        "Count": len(page.items),
        "ScannedCount": page.scanned,
        "ConsumedCapacity": {"TableName": "tab", "CapacityUnits": units},
    }
    if not wish.counts:
        expected["Items"] = [{"v": item["v"]} for item in page.items] if wish.projects else page.items
    if page.last is not None:
        expected["LastEvaluatedKey"] = page.last
    assert answer == expected


@STORES
@EXAMPLES
@given(plan=plans(), wish=WISHES, total=st.sampled_from([1, 1, 2, 3, 7]))
def test_scans(stores: Callable[[], Any], plan: Plan, wish: Wish, total: int) -> None:
    """In hash order; the segments of a parallel scan divide the hashes evenly, and each has pages of its own."""
    with stores() as open_store:
        cluster = fill(plan, open_store)
        for segment in range(total):
            rows = [row for row in plan.rows if row.hash * total // HASHES == segment]
            parallel = {"Segment": segment, "TotalSegments": total} if total > 1 else {}
            check_pages(cluster, "Scan", wish, rows, **parallel)


@st.composite
def conditions(draw: st.DrawFn, kind: str) -> tuple[str, dict[str, Any], Callable[[Any], bool]]:
    """A condition on the sort key: its text, its values, and what it says of a natural value."""
    low, high = sorted((draw(SORTS[kind]), draw(SORTS[kind])))
    told: dict[str, Callable[[Any], bool]] = {
        "": lambda _: True,
        " AND sk = :a": lambda sort: sort == low,
        " AND sk < :a": lambda sort: sort < low,
        " AND :a >= sk": lambda sort: sort <= low,
        " AND sk > :a": lambda sort: sort > low,
        " AND sk >= :a": lambda sort: sort >= low,
        " AND sk BETWEEN :a AND :b": lambda sort: low <= sort <= high,
    }
    if kind != "N":
        told[" AND begins_with(sk, :a)"] = lambda sort: sort.startswith(low)
    text = draw(st.sampled_from(sorted(told)))
    values = {":a": attribute(kind, low), ":b": attribute(kind, high)}
    return text, {name: value for name, value in values.items() if name in text}, told[text]


@STORES
@EXAMPLES
@given(data=st.data(), plan=plans(kinds=("S", "N", "B")), wish=WISHES, forward=st.booleans())
def test_queries(stores: Callable[[], Any], data: st.DataObject, plan: Plan, wish: Wish, forward: bool) -> None:
    """In order of the sort key or against it, within its condition, in every item collection."""
    text, values, holds = data.draw(conditions(plan.kind or ""))
    with stores() as open_store:
        cluster = fill(plan, open_store)
        collections = {pk: list(rows) for pk, rows in groupby(plan.rows, key=lambda row: row.pk)}
        for pk, collection in [*collections.items(), ("nobody", [])]:
            rows = [row for row in collection if holds(row.sort)]
            check_pages(
                cluster,
                "Query",
                wish,
                rows if forward else rows[::-1],
                KeyConditionExpression="pk = :p" + text,
                ScanIndexForward=forward,
                values={**values, ":p": {"S": pk}},
            )
