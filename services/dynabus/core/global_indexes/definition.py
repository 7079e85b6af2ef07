"""What a global secondary index is: its key, what it projects, what it demands of an item, where it lies.

Partition and sort key may have up to four attributes each (since November 2025). Source of the rules for them:
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GSI.DesignPattern.MultiAttributeKeys.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from dynabus.core.errors import ApiError, invalid_parameter, validation_error
from dynabus.core.ids import LogId
from dynabus.core.key_schema import Element, KeySchema, key_schema
from dynabus.core.keys import (
    delimited_range_bounds,
    encode_delimited,
    encode_partition_keys,
    prefix_successor,
    raw_bytes,
)
from dynabus.core.limits import MAX_PARTITION_KEY_BYTES, MAX_SORT_KEY_BYTES
from dynabus.core.values import AttributeValue, Item

INDEX = "/index/"
"""Between a table's name and an index's, as in ARNs. No table's name has a slash."""


def index_name(table: str, index: str) -> str:
    """Under which an index's partitions are known to the control plane, as a table's are under its name."""
    return f"{table}{INDEX}{index}"


def index_log(table_id: str, index_id: str) -> LogId:
    """Its logs' id, which is unique for ever."""
    return LogId(f"{table_id}.{index_id}")


def is_index_log(log: str) -> bool:
    """Whether the id is that of an index's logs, and not of a table's."""
    return "." in log


class GlobalIndex(NamedTuple):
    """One index. `hashes` and `ranges`: the attributes of its key; `table`: the table's own key.

    `projected` is None for ALL.
    """

    name: str
    hashes: tuple[Element, ...]
    ranges: tuple[Element, ...]
    table: KeySchema
    projected: frozenset[str] | None

    @property
    def elements(self) -> tuple[Element, ...]:
        """The attributes of its key, in order."""
        return (*self.hashes, *self.ranges)

    @property
    def schema(self) -> KeySchema:
        """The first attribute of each role: all of them, where `is_plain`."""
        of_hash, of_range = self.hashes[0], self.ranges[0] if self.ranges else None
        return KeySchema(
            of_hash.name,
            of_hash.type,
            None if of_range is None else of_range.name,
            None if of_range is None else of_range.type,
        )

    @property
    def is_plain(self) -> bool:
        """No more key attributes than a table has."""
        return len(self.hashes) == 1 and len(self.ranges) <= 1

    @property
    def names(self) -> list[str]:
        """The attributes of a LastEvaluatedKey."""
        return list(dict.fromkeys((*(each.name for each in self.elements), *self.table.names)))

    def holds(self, item: Item) -> bool:
        """Whether the item has a row: all key attributes are there, of the right type and as long as keys may be.

        Others are left out without an error: they may be older than the index.
        """
        for elements in (self.hashes, self.ranges):
            for each in elements:
                if not _fits(item.get(each.name), each):
                    return False
        return True

    def is_violated(self, item: Item) -> bool:
        """Whether an item without a row has all key attributes, one of them as no key can have it."""
        return all(each.name in item for each in self.elements) and not self.holds(item)

    def row_key(self, item: Item) -> bytes:
        """The encoded key of an item's row; the item has all attributes of it, and of the table's key."""
        pieces = [encode_partition_keys([item[each.name] for each in self.hashes])]
        pieces += [encode_delimited(item[each.name]) for each in self.ranges]
        pieces += [encode_delimited(item[name]) for name in self.table.names]
        return b"".join(pieces)

    def lacks(self, names: set[str]) -> list[str]:
        """Those of these attributes that rows do not have."""
        return [] if self.projected is None else sorted(names - self.projected)

    def range_of(
        self,
        hashes: Sequence[AttributeValue],
        ranges: Sequence[AttributeValue],
        operator: str | None,
        operands: Sequence[AttributeValue],
    ) -> tuple[bytes, bytes | None]:
        """The range of encoded keys of a Query: all partition key attributes, some sort key attributes from the left,
        and perhaps a condition on the next one."""
        prefix = encode_partition_keys(hashes) + b"".join(map(encode_delimited, ranges))
        if operator is None:
            return prefix, prefix_successor(prefix)
        return delimited_range_bounds(prefix, operator, operands)

    def refusal(self, item: Item) -> ApiError | None:
        """Why an item cannot be put: a key attribute has another type, is empty or too long.

        Messages: as of local secondary indexes (`core.local_indexes.definition`), whose sources name both.
        """
        refusals = (self._refusal(item.get(each.name), each) for each in self.elements)
        return next((refusal for refusal in refusals if refusal is not None), None)

    def _refusal(self, value: AttributeValue | None, element: Element) -> ApiError | None:
        if value is None:
            return None
        if element.type not in value:
            return self.mismatch(element, next(iter(value)))
        size = _size(value)
        if size == 0:
            return validation_error(
                "One or more parameter values are not valid. A value specified for a secondary index key is not "
                f"supported. {_cannot_be_empty(value)} IndexName: {self.name}, IndexKey: {element.name}"
            )
        return self._too_long(element, size)

    def update_refusal(self, item: Item) -> ApiError | None:
        """Why an update cannot make this item."""
        for element in self.elements:
            value = item.get(element.name)
            if value is None:
                continue
            if element.type not in value:
                return validation_error(
                    "The update expression attempted to update the secondary index key to unsupported type"
                )
            size = _size(value)
            if size == 0:
                return validation_error(
                    "One or more parameter values are not valid. The update expression attempted to update a "
                    f"secondary index key to a value that is not supported. {_cannot_be_empty(value)}"
                )
            if (refusal := self._too_long(element, size)) is not None:
                return refusal
        return None

    def mismatch(self, element: Element, actual: str) -> ApiError:
        """The index key is given a value of another type."""
        return invalid_parameter(
            f"Type mismatch for Index Key {element.name} Expected: {element.type} "
            f"Actual: {actual} IndexName: {self.name}"
        )

    def _too_long(self, element: Element, size: int) -> ApiError | None:
        most = _most(element)
        if size <= most:
            return None
        return invalid_parameter(
            f"Size limit exceeded for Index Key {element.name} Actual Size: {size} bytes "
            f"Max Size: {most} bytes IndexName: {self.name}"
        )


def _fits(value: AttributeValue | None, element: Element) -> bool:
    return value is not None and element.type in value and 1 <= _size(value) <= _most(element)


def _most(element: Element) -> int:
    return MAX_SORT_KEY_BYTES if element.sort else MAX_PARTITION_KEY_BYTES


def _size(value: AttributeValue) -> int:
    """Bytes of a key value; numbers always fit."""
    return 1 if "N" in value else len(raw_bytes(value))


def _cannot_be_empty(value: AttributeValue) -> str:
    kind = "string" if "S" in value else "binary"
    return f"The AttributeValue for a key attribute cannot contain an empty {kind} value."


class GlobalIndexes(NamedTuple):
    """Those of a table that writes and reads have to do with; most tables have none."""

    all: tuple[GlobalIndex, ...] = ()

    def named(self, name: str) -> GlobalIndex | None:
        return next((index for index in self.all if index.name == name), None)

    def check(self, item: Item) -> None:
        """Raise the ValidationException for an item whose index keys do not fit."""
        if self.all:
            _raise_first(index.refusal(item) for index in sorted(self.all))

    def check_update(self, item: Item) -> None:
        """The same for what an update made."""
        _raise_first(index.update_refusal(item) for index in sorted(self.all))

    def check_types(self, types: Mapping[str, str]) -> None:
        """Refuse an update that writes values of these types to these attributes, one of which is an index key."""
        for index in sorted(self.all) if self.all and types else ():
            for element in index.elements:
                actual = types.get(element.name)
                if actual is not None and actual != element.type:
                    raise index.mismatch(element, actual)


def _raise_first(refusals: Iterable[ApiError | None]) -> None:
    for refusal in refusals:
        if refusal is not None:
            raise refusal


def global_indexes(description: Mapping[str, Any]) -> GlobalIndexes:
    """Those of a table description; one that is being deleted is none any more."""
    found = description.get("GlobalSecondaryIndexes", ())
    if not found:
        return GlobalIndexes()
    table, types = key_schema(dict(description)), _types(description)
    return GlobalIndexes(
        tuple(global_index(each, types, table) for each in found if each.get("IndexStatus") != "DELETING")
    )


def global_index(index: Mapping[str, Any], types: Mapping[str, str], table: KeySchema) -> GlobalIndex:
    """One, as CreateTable or DescribeTable has it."""
    keys: Sequence[Mapping[str, str]] = index["KeySchema"]
    hashes, ranges = (
        tuple(
            Element(each["AttributeName"], types[each["AttributeName"]], role == "RANGE")
            for each in keys
            if each["KeyType"] == role
        )
        for role in ("HASH", "RANGE")
    )
    return GlobalIndex(index["IndexName"], hashes, ranges, table, _projected(index, table))


def _types(description: Mapping[str, Any]) -> dict[str, str]:
    return {each["AttributeName"]: each["AttributeType"] for each in description["AttributeDefinitions"]}


def _projected(index: Mapping[str, Any], table: KeySchema) -> frozenset[str] | None:
    projection = index["Projection"]
    if projection["ProjectionType"] == "ALL":
        return None
    keys = (each["AttributeName"] for each in index["KeySchema"])
    return frozenset([*table.names, *keys, *projection.get("NonKeyAttributes", ())])
