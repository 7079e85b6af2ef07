"""Faults to plant in Dynabus, each of which the state machine must find: `python -m tests.model --fault all`.

They are small, and such as happen: a bound that is off by one, bytes taken for characters, a change that is forgotten
in one place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from dynabus.core import capacity, contents
from dynabus.core.expressions import conditions, documents, updates
from dynabus.core.local_indexes import leading
from dynabus.core.operations import batch_get_item, get_item, items, pages, query, scan
from dynabus.core.replication.store import Decision
from dynabus.core.values import compare, item_size

Replacement = Callable[[Any], Any]
"""From what Dynabus has to what stands there instead."""


def _floating(add: Any) -> Any:
    return lambda left, right: add(repr(float(left)), right) if len(left) > 17 else add(left, right)


def _as_text(compare_values: Any) -> Any:
    return lambda left, right: (
        compare({"S": left["N"]}, {"S": right["N"]}) if "N" in left else compare_values(left, right)
    )


def _utf16(compare_values: Any) -> Any:
    def compared(left: Any, right: Any) -> int:
        if "S" not in left:
            return int(compare_values(left, right))
        one, two = left["S"].encode("utf-16-be"), right["S"].encode("utf-16-be")
        return int(one > two) - int(one < two)

    return compared


def _inclusive(after: Any) -> Any:
    return lambda lower, upper, start, forward: after(lower, upper, start and start[:-1], forward)


def _rounded_down(_: Any) -> Any:
    return lambda size: 2 * max(1, size // capacity.WRITE_UNIT_BYTES)


def _page_by_item(read_halves: Any) -> Any:
    return lambda size, consistent: read_halves(size + capacity.READ_UNIT_BYTES // 2, consistent)


def _entries_stay(write_entries: Any) -> Any:
    """An entry whose index key changed stays where it was."""
    return lambda store, indexes, old, new: write_entries(store, indexes, old if new is None else None, new)


def _one_by_one(rewritten: Any) -> Any:
    """Removed elements move those behind them before the next path is looked at."""

    def changed(item: Any, tree: Any, values: Any) -> Any:
        for name, below in tree.items():
            if isinstance(below, dict) and all(isinstance(step, int) for step in below):
                for step, rest in sorted(below.items()):
                    item = rewritten(item, {name: {step: rest}}, values)
            else:
                item = rewritten(item, {name: below}, values)
        return item

    return changed


def _characters(_: Any) -> Any:
    return lambda item: sum(len(name) + sum(map(_character_count, value.items())) for name, value in item.items())


def _character_count(value: tuple[str, Any]) -> int:
    kind, content = value
    return len(content) if kind == "S" else item_size({"": {kind: content}})


def _writes_anyway(evaluation: Any) -> Any:
    """A write whose condition failed is refused and done."""

    def of(self: Any, evaluate: Any, **of: bool) -> Any:
        inner = evaluation(self, evaluate, **of)

        def evaluated(old: Any, wall_ms: int) -> Decision:
            decision: Decision = inner(old, wall_ms)
            failed = b"ConditionalCheckFailed" in decision.outcome.body
            return Decision(True, None, decision.outcome) if failed else decision

        return evaluated

    return of


def _segments_overlap(segment: Any) -> Any:
    """Each begins where the one before it begins."""

    def bounds(request: Any) -> Any:
        lower, upper = segment(request)
        return segment({**request, "Segment": request["Segment"] - 1})[0] if request.get("Segment") else lower, upper

    return bounds


def _with_gaps(project: Any) -> Any:
    """Lists keep the places of what was not asked for."""
    return lambda elements, tree: [
        each if each is not None else {"NULL": True}
        for each in (documents._picked(e, tree[i]) if i in tree else None for i, e in enumerate(elements))
    ]


def _created(update: Any) -> Any:
    """An update that only removes creates an item."""

    def made(*arguments: Any) -> Any:
        found = update(*arguments)
        found.removes_only = False
        return found

    return made


PLACES: dict[str, tuple[Any, str, Replacement]] = {
    "sums-as-floats": (updates, "add_numbers", _floating),
    "numbers-ordered-as-text": (conditions, "compare", _as_text),
    "strings-ordered-as-utf-16": (conditions, "compare", _utf16),
    "start-key-included": (pages, "after", _inclusive),
    "write-units-rounded-down": (items, "write_halves", _rounded_down),
    "read-units-of-a-page": (pages, "read_halves", _page_by_item),
    "read-units-of-an-item": (get_item, "read_halves", _page_by_item),
    "read-units-of-a-batch": (batch_get_item, "read_halves", _page_by_item),
    "entries-of-indexes-stay": (contents, "write_entries", _entries_stay),
    "index-units-forgotten": (leading, "_halves", lambda _: lambda number, before, after: 0),
    "lists-changed-one-by-one": (updates, "rewritten", _one_by_one),
    "sizes-in-characters": (items, "item_size", _characters),
    "refused-and-written": (leading.IndexRules, "evaluation", _writes_anyway),
    "segments-overlap": (scan, "_segment", _segments_overlap),
    "projected-lists-keep-gaps": (documents, "_picked_elements", _with_gaps),
    "removal-creates-an-item": (updates, "Update", _created),
    "order-of-a-query-ignored": (query, "page_detail", lambda detail: lambda *a: {**detail(*a), "Forward": True}),
}
FAULTS = PLACES.keys()


@contextmanager
def planted(name: str) -> Iterator[None]:
    """Dynabus with this fault in it."""
    place, member, replacement = PLACES[name]
    with patch.object(place, member, replacement(getattr(place, member))):
        yield
