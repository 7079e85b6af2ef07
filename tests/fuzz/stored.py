"""What is stored has got past all rules: it can be put again as it is, and indexes hold what their tables hold.

An update that makes an item which PutItem would refuse, a number that is not in normal form, an index that has lost
an entry: all show here, whichever request has done it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tests.fuzz.headers import usual
from tests.fuzz.requests import Request
from tests.fuzz.targets import Target
from tests.model.schema import TABLES, Index, Schema

Items = dict[str, Any]


def faults(target: Target) -> Iterator[str]:
    """Of all tables that are still there."""
    for schema in TABLES:
        items = _scanned(target, schema, None)
        for index in schema.indexes:
            yield from _index_faults(target, schema, index, items)
        for item in items.values():
            yield from _item_faults(target, schema, item)


def _item_faults(target: Target, schema: Schema, item: Any) -> Iterator[str]:
    answer = _asked(target, "PutItem", {"TableName": schema.name, "Item": item, "ReturnValues": "ALL_OLD"})
    old = answer.get("Attributes")
    if old != item:
        yield f"{schema.name} has {str(item)[:1000]}, and to put that again answers {str(answer)[:1000]}"
    now = _asked(target, "GetItem", {"TableName": schema.name, "Key": schema.key(item), "ConsistentRead": True})
    if now.get("Item") != item:
        yield f"{schema.name} had {str(item)[:1000]}, which after it was put again is {str(now)[:1000]}"


def _index_faults(target: Target, schema: Schema, index: Index, items: Items) -> Iterator[str]:
    entries = _scanned(target, schema, index.name)
    expected = {key: item for key, item in items.items() if index.sort_type in item.get(index.sort, {})}
    if entries != expected:
        differing = [key for key in entries.keys() | expected.keys() if entries.get(key) != expected.get(key)]
        yield f"index {index.name} of {schema.name} differs in {str(differing)[:1000]}"


def _scanned(target: Target, schema: Schema, index: str | None) -> Items:
    """Whole items by their key; none of a table that was deleted."""
    body: dict[str, Any] = {"TableName": schema.name, "ConsistentRead": True, "Select": "ALL_ATTRIBUTES"}
    if index is not None:
        body["IndexName"] = index
    found: Items = {}
    while True:
        page = _asked(target, "Scan", body)
        found |= {json.dumps(schema.key(item)): item for item in page.get("Items", [])}
        if "LastEvaluatedKey" not in page:
            return found
        body["ExclusiveStartKey"] = page["LastEvaluatedKey"]


def _asked(target: Target, operation: str, body: Any) -> Any:
    return json.loads(target.ask(Request(operation, usual(operation), json.dumps(body).encode())).body)
