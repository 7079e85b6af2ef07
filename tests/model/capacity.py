"""What an operation consumes, in the words of ReturnConsumedCapacity.

Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/capacity-unit-calculations.html, and of local
secondary indexes https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/LSI.html
"""

from __future__ import annotations

from math import ceil
from typing import Any

from tests.model.schema import Index, Schema, value_of_type
from tests.model.values import Item, item_size, rank

READ_BYTES = 4096
WRITE_BYTES = 1024


def read_units(size: int, consistent: bool) -> float:
    """Of one read of so many bytes: nothing is free."""
    return max(1, ceil(size / READ_BYTES)) * (1.0 if consistent else 0.5)


def write_units(size: int) -> float:
    return float(max(1, ceil(size / WRITE_BYTES)))


class Consumed:
    """Units of one table and of its indexes."""

    def __init__(self, table: str) -> None:
        self.table, self.units = table, 0.0
        self.of_indexes: dict[str, float] = {}

    def add_write(self, schema: Schema, old: Item, new: Item) -> None:
        """A put, update or delete: the larger of the two images, and what becomes of each index's entry."""
        self.units += write_units(max(item_size(old), item_size(new)))
        for index in schema.indexes:
            units = _entry_units(schema, index, old, new)
            if units:
                self.of_indexes[index.name] = self.of_indexes.get(index.name, 0.0) + units

    def members(self, wanted: str) -> dict[str, Any]:
        """Of an answer to a request on one table."""
        return {} if wanted == "NONE" else {"ConsumedCapacity": self.shown(wanted)}

    def shown(self, wanted: str) -> dict[str, Any]:
        total = self.units + sum(self.of_indexes.values())
        shown: dict[str, Any] = {"TableName": self.table, "CapacityUnits": total}
        if wanted == "INDEXES":
            shown["Table"] = {"CapacityUnits": self.units}
            if self.of_indexes:
                of_indexes = {name: {"CapacityUnits": units} for name, units in self.of_indexes.items()}
                shown["LocalSecondaryIndexes"] = of_indexes
        return shown


def _entry_units(schema: Schema, index: Index, old: Item, new: Item) -> float:
    """One write for an entry that comes, goes or changes, two for one whose index key changes, none for the same."""
    gone, come = _entry(schema, index, old), _entry(schema, index, new)
    if gone == come:
        return 0.0
    if gone and come and rank(gone[index.sort]) == rank(come[index.sort]):
        return write_units(max(item_size(gone), item_size(come)))
    return sum(write_units(item_size(entry)) for entry in (gone, come) if entry)


def _entry(schema: Schema, index: Index, item: Item) -> Item:
    holds = value_of_type(item.get(index.sort), index.sort_type)
    return schema.projected(index, item) if holds else {}
