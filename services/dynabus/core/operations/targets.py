"""What a Query or Scan reads: a table, or one of its indexes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dynabus.core.errors import validation_error
from dynabus.core.key_schema import KeySchema
from dynabus.core.keys import index_range_bounds, range_bounds
from dynabus.core.keys.bounds import Bounds
from dynabus.core.local_indexes import LocalIndex
from dynabus.core.operations.calls import Request
from dynabus.core.values import AttributeValue, Item

if TYPE_CHECKING:
    from dynabus.core.published_table import Table


@dataclass(frozen=True, slots=True)
class Target:
    """`index` is None for the table itself."""

    table: Table
    index: LocalIndex | None

    @property
    def schema(self) -> KeySchema:
        """What key conditions are about."""
        return self.table.schema if self.index is None else self.index.schema

    @property
    def names(self) -> list[str]:
        """The attributes of a LastEvaluatedKey."""
        return self.table.schema.names if self.index is None else self.index.names

    @property
    def number(self) -> int:
        """Of the index in its table; 0 for the table."""
        return 0 if self.index is None else self.index.number

    def encode(self, key: Item) -> bytes:
        """Where a start key stands; raises ApiError if it is none of the table.

        That of an index has its attributes, checked.
        """
        if self.index is None:
            return self.table.schema.encode(key)
        self.table.schema.encode({name: key[name] for name in self.table.schema.names if name in key})
        return self.index.entry_key(key)

    def bounds(self, hash_value: AttributeValue, operator: str, operands: tuple[AttributeValue, ...]) -> Bounds:
        """The range of a condition on the sort key."""
        find = range_bounds if self.index is None else index_range_bounds
        return find(hash_value, operator, operands)

    def fetches(self, request: Request, read: set[str]) -> bool:
        """Whether whole items must be read, since the index does not project what the request reads of them."""
        if self.index is None or self.index.projected is None:
            return False
        return request.get("Select") == "ALL_ATTRIBUTES" or not self.index.covers(read)


def target(table: Table, request: Request) -> Target:
    """The table, or the index that IndexName says; raises DynamoDB's ValidationException where there is none."""
    name = request.get("IndexName")
    if name is None:
        return Target(table, None)
    index = table.indexes.named(name)
    if index is None:
        raise validation_error(f"The table does not have the specified index: {name}")
    return Target(table, index)
