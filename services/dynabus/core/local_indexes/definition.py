"""What a table's local secondary indexes are, and what they demand of an item."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from dynabus.core.errors import ApiError, invalid_parameter, validation_error
from dynabus.core.key_schema import KeySchema, key_schema
from dynabus.core.keys import encode_delimited, encode_partition_key, encode_sort_key, raw_bytes
from dynabus.core.limits import MAX_SORT_KEY_BYTES
from dynabus.core.values import AttributeValue, Item, check_item_size, item_size


class LocalIndex(NamedTuple):
    """One index. `schema` is its partition key (the table's) and sort key; `projected` is None for ALL."""

    name: str
    number: int
    schema: KeySchema
    sort_key: str
    """The table's own sort key, which tells items with equal index keys apart."""
    projected: frozenset[str] | None

    @property
    def names(self) -> list[str]:
        """The attributes of a LastEvaluatedKey."""
        return list(dict.fromkeys((self.schema.hash, self.sort_key, str(self.schema.range))))

    def holds(self, item: Item) -> bool:
        """Whether the item has an entry; its index key has been checked, or is of another type in an old item."""
        value = item.get(str(self.schema.range))
        return value is not None and str(self.schema.range_type) in value

    def entry_key(self, item: Item) -> bytes:
        """The key of an item's entry, without the index's number; the item has all key attributes."""
        return (
            encode_partition_key(item[self.schema.hash])
            + encode_delimited(item[str(self.schema.range)])
            + encode_sort_key(item[self.sort_key])
        )

    def row_key(self, item: Item) -> bytes:
        """The table's own key of the item that an entry belongs to; every entry has it."""
        return encode_partition_key(item[self.schema.hash]) + encode_sort_key(item[self.sort_key])

    def lacks(self, names: set[str]) -> list[str]:
        """Which of these attributes entries do not have, in order."""
        return [] if self.projected is None else sorted(names - self.projected)

    def entry_of(self, item: Item) -> Item:
        """What it has of an item: the item itself where it projects all."""
        projected = self.projected
        return item if projected is None else {name: value for name, value in item.items() if name in projected}

    def refusal(self, item: Item) -> ApiError | None:
        """Why an item cannot be put: its index key has another type, is empty or too long.

        Messages: dynalite's recorded answers and its issue 35 (sizes), paritysuite/dynamodb-conformance
        (error-messages/indexKeyValues: empty values).
        """
        name = str(self.schema.range)
        value = item.get(name)
        if value is None:
            return None
        if self.schema.range_type not in value:
            return self.mismatch(next(iter(value)))
        size = _size(value)
        if size == 0:
            return validation_error(
                "One or more parameter values are not valid. A value specified for a secondary index key is not "
                f"supported. {_cannot_be_empty(value)} IndexName: {self.name}, IndexKey: {name}"
            )
        return self._too_long(size)

    def update_refusal(self, item: Item) -> ApiError | None:
        """Why an update cannot make this item. Sources: as `refusal`; that sizes are worded alike is ours."""
        value = item.get(str(self.schema.range))
        if value is None:
            return None
        if self.schema.range_type not in value:
            return validation_error(
                "The update expression attempted to update the secondary index key to unsupported type"
            )
        size = _size(value)
        if size == 0:
            return validation_error(
                "One or more parameter values are not valid. The update expression attempted to update a secondary "
                f"index key to a value that is not supported. {_cannot_be_empty(value)}"
            )
        return self._too_long(size)

    def mismatch(self, actual: str) -> ApiError:
        """The index key is given a value of another type."""
        return invalid_parameter(
            f"Type mismatch for Index Key {self.schema.range} Expected: {self.schema.range_type} "
            f"Actual: {actual} IndexName: {self.name}"
        )

    def _too_long(self, size: int) -> ApiError | None:
        if size <= MAX_SORT_KEY_BYTES:
            return None
        return invalid_parameter(
            f"Size limit exceeded for Index Key {self.schema.range} Actual Size: {size} bytes "
            f"Max Size: {MAX_SORT_KEY_BYTES} bytes IndexName: {self.name}"
        )


def _size(value: AttributeValue) -> int:
    """Bytes of a key value; numbers always fit."""
    return 1 if "N" in value else len(raw_bytes(value))


def _cannot_be_empty(value: AttributeValue) -> str:
    kind = "string" if "S" in value else "binary"
    return f"The AttributeValue for a key attribute cannot contain an empty {kind} value."


def stored_key(number: int, key: bytes) -> bytes:
    """The key of an entry of the index with this number in the key space of entries."""
    return bytes((number,)) + key


def stored_bounds(number: int, lower: bytes, upper: bytes | None) -> tuple[bytes, bytes]:
    """The range of its entries there; None for all behind `lower`."""
    return stored_key(number, lower), bytes((number + 1,)) if upper is None else stored_key(number, upper)


class LocalIndexes(NamedTuple):
    """All of a table; empty for most tables."""

    partition_key: str
    all: tuple[LocalIndex, ...]

    def named(self, name: str) -> LocalIndex | None:
        return next((index for index in self.all if index.name == name), None)

    @property
    def by_name(self) -> list[LocalIndex]:
        """In the order in which refusals name them. Source: paritysuite/dynamodb-conformance, indexKeyValues."""
        return sorted(self.all)

    def check(self, item: Item) -> None:
        """Raise the ValidationException for an item whose index keys do not fit, or too large with its entries."""
        if self.all:
            _raise_first(index.refusal(item) for index in self.by_name)
            check_item_size(self._size(item))

    def _size(self, item: Item) -> int:
        """In bytes, the item's and its entries'."""
        return item_size(item) + sum(item_size(each.entry_of(item)) for each in self.all if each.holds(item))

    def check_update(self, item: Item) -> None:
        """The same for what an update made."""
        _raise_first(index.update_refusal(item) for index in self.by_name)

    def check_types(self, types: Mapping[str, str]) -> None:
        """Refuse an update that writes values of these types to these attributes, one of which is an index key."""
        for index in self.by_name if self.all and types else ():
            actual = types.get(str(index.schema.range))
            if actual is not None and actual != index.schema.range_type:
                raise index.mismatch(actual)


def _raise_first(refusals: Iterable[ApiError | None]) -> None:
    for refusal in refusals:
        if refusal is not None:
            raise refusal


def local_indexes(description: Mapping[str, Any]) -> LocalIndexes:
    """Those of a table description."""
    table = key_schema(dict(description))
    types = {each["AttributeName"]: each["AttributeType"] for each in description["AttributeDefinitions"]}
    found = []
    for number, each in enumerate(description.get("LocalSecondaryIndexes", ()), 1):
        sort = next(key["AttributeName"] for key in each["KeySchema"] if key["KeyType"] == "RANGE")
        schema = KeySchema(table.hash, table.hash_type, sort, types[sort])
        found.append(LocalIndex(each["IndexName"], number, schema, str(table.range), _projected(each, table, sort)))
    return LocalIndexes(table.hash, tuple(found))


def _projected(index: Mapping[str, Any], table: KeySchema, sort: str) -> frozenset[str] | None:
    projection = index["Projection"]
    if projection["ProjectionType"] == "ALL":
        return None
    return frozenset([*table.names, sort, *projection.get("NonKeyAttributes", ())])
