"""Tables and local secondary indexes of the model, and the CreateTable that makes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.model.values import Item, Value, rank


@dataclass(frozen=True)
class Index:
    """A local secondary index; `included` are the non-key attributes of INCLUDE."""

    name: str
    sort: str
    sort_type: str
    projection: str = "ALL"
    included: tuple[str, ...] = ()


@dataclass(frozen=True)
class Schema:
    """A table; `sort` is None where the partition key is the whole key."""

    name: str
    hash: str
    hash_type: str
    sort: str | None = None
    sort_type: str | None = None
    indexes: tuple[Index, ...] = ()

    @property
    def names(self) -> list[str]:
        return [self.hash] if self.sort is None else [self.hash, self.sort]

    def key(self, item: Item) -> Item:
        return {name: item[name] for name in self.names}

    def place(self, item: Item) -> tuple[Any, ...]:
        """What tells items apart: equal numbers are one key however they are written."""
        return tuple(rank(item[name]) for name in self.names)

    def index(self, name: str | None) -> Index | None:
        return next((index for index in self.indexes if index.name == name), None)

    def start_names(self, index: Index | None) -> list[str]:
        """The attributes of a LastEvaluatedKey."""
        return self.names if index is None else list(dict.fromkeys([*self.names, index.sort]))

    def projected(self, index: Index, item: Item) -> Item:
        """What the index holds of an item."""
        if index.projection == "ALL":
            return item
        kept = {*self.names, index.sort, *index.included}
        return {name: value for name, value in item.items() if name in kept}

    def key_type(self, name: str) -> str | None:
        """S, N or B of a key attribute of the table or of an index."""
        types: dict[str | None, str | None] = {index.sort: index.sort_type for index in self.indexes}
        return {**types, self.hash: self.hash_type, self.sort: self.sort_type}.get(name)

    def creation(self) -> dict[str, Any]:
        """The body of CreateTable."""
        body: dict[str, Any] = {"TableName": self.name, "BillingMode": "PAY_PER_REQUEST"}
        names = dict.fromkeys([*self.names, *(index.sort for index in self.indexes)])
        body["AttributeDefinitions"] = [{"AttributeName": n, "AttributeType": self.key_type(n)} for n in names]
        body["KeySchema"] = _key_schema(self.hash, self.sort)
        if self.indexes:
            body["LocalSecondaryIndexes"] = [self._index_creation(index) for index in self.indexes]
        return body

    def _index_creation(self, index: Index) -> dict[str, Any]:
        projection: dict[str, Any] = {"ProjectionType": index.projection}
        if index.included:
            projection["NonKeyAttributes"] = list(index.included)
        return {
            "IndexName": index.name,
            "KeySchema": _key_schema(self.hash, index.sort),
            "Projection": projection,
        }


def _key_schema(hash_name: str, sort: str | None) -> list[dict[str, str]]:
    schema = [{"AttributeName": hash_name, "KeyType": "HASH"}]
    return schema if sort is None else [*schema, {"AttributeName": sort, "KeyType": "RANGE"}]


def value_of_type(value: Value | None, kind: str | None) -> bool:
    return value is not None and kind in value


PLAIN_TABLES = (
    Schema("hash_s", "pk", "S"),
    Schema("hash_n", "pk", "N"),
    Schema("hash_b", "pk", "B"),
    Schema("range_s", "pk", "S", "sk", "S"),
    Schema("range_n", "pk", "B", "sk", "N"),
    Schema("range_b", "pk", "N", "sk", "B"),
)

INDEXED_TABLES = (
    Schema(
        "indexed",
        "pk",
        "S",
        "sk",
        "S",
        (
            Index("by_number", "lk", "N", "KEYS_ONLY"),
            Index("by_string", "ls", "S", "INCLUDE", ("n", "m")),
            Index("by_binary", "lb", "B", "ALL"),
        ),
    ),
    Schema(
        "indexed_n",
        "pk",
        "N",
        "sk",
        "N",
        (Index("by_number", "n", "N", "INCLUDE", ("lk", "x")), Index("same", "n", "N", "ALL")),
    ),
)
TABLES = (*PLAIN_TABLES, *INDEXED_TABLES)
