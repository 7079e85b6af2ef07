"""Whether Dynabus answers what the model says. All tolerances are here, and nowhere else.

    what is not compared                            because
    order of a set's members                        AWS: sets have no order
    order of Scan across partition keys             AWS names none; within an item collection it is compared
    which items are in which segment of a Scan      AWS names none; all segments together are compared
    order of items and tables in batch answers      AWS: BatchGetItem returns items in no particular order
    capacity of each page of a filtered Scan        the model does not know which items a page looked at; that of
                                                    pages whose items are all answered whole is compared
    words of refusals of an index key               they differ by operation; their type is compared
    words of a ValidationException of a request     they are partly others than those with expressions
    with legacy parameters
    prefix of `__type`                              conformance tests have it

Where AWS documents nothing, the model does what Dynabus says that it does: sizes of numbers ("approximately"), that
the item that crosses 1 MB belongs to its page, that items with equal index keys are ordered by the table's key.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tests.model.database import Database
from tests.model.expressions import holds
from tests.model.pages import consumed, in_order, shown
from tests.model.requests import BatchGet, Get, Query, Request, Scan
from tests.model.schema import Index, Schema
from tests.model.targets import Target
from tests.model.values import SETS, Item

Answer = dict[str, Any]
PAGES_MOST = 10_000
"""Of one Scan: more mean that it never ends."""


class Difference(AssertionError):
    """Dynabus answered something else."""

    def __init__(self, request: Request, expected: Any, answered: Any) -> None:
        super().__init__(f"{request.operation} {request.body()}\n  expected {expected}\n  answered {answered}")


class Pair:
    """The model and Dynabus."""

    def __init__(self, database: Database, target: Target) -> None:
        self.database, self.target = database, target
        self.asked = 0
        self.differed = False

    def ask(self, request: Request) -> None:
        """Put a request to both; raises Difference. Query and Scan go on to their last page."""
        self.differed = True
        self._ask(_consistent(request) if self.target.consistent_only else request)
        self.differed = False

    def _ask(self, request: Request) -> None:
        if isinstance(request, Scan):
            self._scan(request)
        elif isinstance(request, Query):
            self._query(request)
        else:
            self._same(request, self._expected(request), self._answer(request))

    def check_contents(self) -> None:
        """All items of all tables and of all indexes."""
        for table in self.database.tables.values():
            for index in (None, *table.schema.indexes):
                self.ask(Scan(table.schema.name, index.name if index is not None else None))

    def _expected(self, request: Request) -> Answer:
        expected = self.database.answer(request)
        if getattr(request, "legacy", None) is not None and expected.get("__type") == "ValidationException":
            expected["message"] = None
        return expected

    def _answer(self, request: Request) -> Answer:
        self.asked += 1
        return self.target.ask(request.operation, request.body())

    def _same(self, request: Request, expected: Answer, answered: Answer) -> None:
        if comparable(expected, expected) != comparable(answered, expected):
            raise Difference(request, expected, answered)

    def _query(self, request: Query) -> None:
        for _ in range(PAGES_MOST):
            expected = self.database.answer(request)
            self._same(request, expected, self._answer(request))
            if "LastEvaluatedKey" not in expected:
                return
            request = replace(request, start=expected["LastEvaluatedKey"])
        raise AssertionError("a Query without end")

    # -- Scan ------------------------------------------------------------------------------------------------------

    def _scan(self, request: Scan) -> None:
        """Every segment to its last page; then all of them together."""
        pages: list[Answer] = []
        for segment in range(request.segments or 1):
            part = replace(request, segment=segment) if request.segments else request
            pages += self._pages(part)
        table = self.database.tables[request.table]
        index = table.schema.index(request.index)
        seen = in_order(table.schema, index, list(table.items.values()))
        found = [item for item in seen if request.filter is None or holds(request.filter, item)]
        expected: Answer = {"Count": len(found), "ScannedCount": len(seen)}
        answered: Answer = {name: sum(page[name] for page in pages) for name in expected}
        if request.select != "COUNT":
            expected["Items"] = _any_order([shown(table.schema, index, item, request) for item in found])
            answered["Items"] = _any_order([item for page in pages for item in page["Items"]])
        self._same(request, expected, answered)
        self._check_order(request, table.schema, index, pages)

    def _pages(self, request: Scan) -> list[Answer]:
        pages: list[Answer] = []
        while not pages or "LastEvaluatedKey" in pages[-1]:
            if pages:
                request = replace(request, start=pages[-1]["LastEvaluatedKey"])
            pages.append(self._answer(request))
            self._check_page(request, pages[-1])
            assert len(pages) < PAGES_MOST, "a Scan without end"
        return pages

    def _check_page(self, request: Scan, page: Answer) -> None:
        """Limit ends a page, and a page that it did not end is the last or has 1 MB; capacity where it is known."""
        schema = self.database.tables[request.table].schema
        index = schema.index(request.index)
        if page.get("ScannedCount", 0) > (request.limit or PAGES_MOST):
            raise Difference(request, f"at most {request.limit} items", page)
        if "LastEvaluatedKey" in page and set(page["LastEvaluatedKey"]) != set(schema.start_names(index)):
            raise Difference(request, f"a LastEvaluatedKey of {schema.start_names(index)}", page)
        if request.select == "COUNT" or request.projection or request.filter or "Items" not in page:
            return
        if index is None or index.projection == "ALL" or request.select == "ALL_ATTRIBUTES":
            expected = consumed(schema, index, page["Items"], request).get("ConsumedCapacity")
            if expected != page.get("ConsumedCapacity"):
                raise Difference(request, expected, page)

    def _check_order(self, request: Scan, schema: Schema, index: Index | None, pages: list[Answer]) -> None:
        """Items of a collection stand together, in the order of their sort key."""
        if request.select == "COUNT" or request.projection or schema.sort is None:
            return
        items = [item for page in pages for item in page["Items"]]
        collections: dict[Any, list[Item]] = {}
        for item in items:
            collections.setdefault(schema.place(item)[0], []).append(item)
        together = [item for collection in collections.values() for item in in_order(schema, index, collection)]
        if together != items:
            raise Difference(request, "whole collections in order", [schema.key(item) for item in items])


def _consistent(request: Request) -> Request:
    """The same request with strongly consistent reads: what is eventually consistent may differ rightly."""
    match request:
        case Get() | Query() | Scan():
            return replace(request, consistent=True)
        case BatchGet():
            return replace(request, tables={n: replace(keys, consistent=True) for n, keys in request.tables.items()})
        case _:
            return request


def comparable(answer: Answer, expected: Answer) -> Any:
    """An answer without what is not compared."""
    if "__type" in answer:
        answer = {**answer, "__type": answer["__type"].rpartition("#")[2]}
        if expected.get("message") is None:
            answer = {**answer, "message": None}
        return _sets_sorted(answer)
    if "Responses" in answer:
        answer = {**answer, "Responses": {name: _any_order(items) for name, items in answer["Responses"].items()}}
    if isinstance(answer.get("ConsumedCapacity"), list):
        by_table = sorted(answer["ConsumedCapacity"], key=lambda each: str(each["TableName"]))
        answer = {**answer, "ConsumedCapacity": by_table}
    return _sets_sorted(answer)


def _any_order(items: list[Item]) -> list[Any]:
    return sorted(map(_sets_sorted, items), key=lambda item: repr(sorted(item.items())))


def _sets_sorted(value: Any) -> Any:
    if isinstance(value, list):
        return [_sets_sorted(each) for each in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        [(kind, content)] = value.items()
        if kind in SETS and isinstance(content, list):
            return {kind: sorted(content)}
    return {name: _sets_sorted(each) for name, each in value.items()}
