"""Indexes and items for the tests of this folder, and for those of log propagators."""

from __future__ import annotations

from typing import Any

from dynabus.core.global_indexes import GlobalIndex, global_indexes
from dynabus.core.values import Item

TYPES = {"pk": "S", "sk": "N", "a": "S", "b": "N", "c": "B", "d": "S"}


def described(*indexes: dict[str, Any], sort: bool = True) -> dict[str, Any]:
    """A table of `pk` and, with `sort`, `sk`."""
    keys = [{"AttributeName": "pk", "KeyType": "HASH"}]
    keys += [{"AttributeName": "sk", "KeyType": "RANGE"}] if sort else []
    return {
        "TableName": "music",
        "AttributeDefinitions": [{"AttributeName": name, "AttributeType": kind} for name, kind in TYPES.items()],
        "KeySchema": keys,
        "GlobalSecondaryIndexes": [*indexes],
    }


def index(
    hashes: str = "a", ranges: str = "", projection: str = "ALL", named: tuple[str, ...] = (), name: str = "by-a"
) -> dict[str, Any]:
    """Attributes have names of one letter."""
    projected: dict[str, Any] = {"ProjectionType": projection}
    if named:
        projected["NonKeyAttributes"] = [*named]
    keys = [{"AttributeName": each, "KeyType": "HASH"} for each in hashes]
    keys += [{"AttributeName": each, "KeyType": "RANGE"} for each in ranges]
    return {"IndexName": name, "KeySchema": keys, "Projection": projected}


def the(one: dict[str, Any], *, sort: bool = True) -> GlobalIndex:
    """The index of a table that has this one."""
    return global_indexes(described(one, sort=sort)).all[0]


def item(pk: str = "p", sk: str = "1", **more: Any) -> Item:
    return {"pk": {"S": pk}, "sk": {"N": sk}, **more}
