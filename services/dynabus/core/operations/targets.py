"""What a Query or Scan reads: a table, or one of its indexes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dynabus.core.errors import invalid_parameter, resource_not_found, validation_error
from dynabus.core.expressions import KeyCondition
from dynabus.core.global_indexes import GlobalIndex
from dynabus.core.key_schema import Element, KeySchema
from dynabus.core.keys import index_range_bounds, partition_key_bounds, range_bounds
from dynabus.core.keys.bounds import Bounds
from dynabus.core.local_indexes import LocalIndex
from dynabus.core.operations.calls import Context, Request
from dynabus.core.operations.items import UNKNOWN_TABLE
from dynabus.core.values import Item

if TYPE_CHECKING:
    from dynabus.core.published_table import Table


@dataclass(frozen=True, slots=True)
class Target:
    """`index` is None for the table itself. `source` has the partitions that are read: the table, which has its local
    indexes too, or a global index."""

    table: Table
    index: LocalIndex | GlobalIndex | None
    source: Table

    @property
    def schema(self) -> KeySchema:
        """What key conditions are about; of a global index of more attributes the first ones."""
        return self.table.schema if self.index is None else self.index.schema

    @property
    def elements(self) -> Sequence[Element]:
        """All of them."""
        return self.index.elements if isinstance(self.index, GlobalIndex) else self.schema.elements()

    @property
    def names(self) -> list[str]:
        """The attributes of a LastEvaluatedKey."""
        return self.table.schema.names if self.index is None else self.index.names

    @property
    def local(self) -> LocalIndex | None:
        return self.index if isinstance(self.index, LocalIndex) else None

    @property
    def several(self) -> GlobalIndex | None:
        """A global index whose key has more attributes than a table's."""
        return self.index if isinstance(self.index, GlobalIndex) and not self.index.is_plain else None

    def encode(self, key: Item) -> bytes:
        """Where a start key stands; raises ApiError if it is none of the table.

        That of an index has its attributes, checked.
        """
        if self.index is None:
            return self.table.schema.encode(key)
        self.table.schema.encode({name: key[name] for name in self.table.schema.names if name in key})
        return self.index.row_key(key) if isinstance(self.index, GlobalIndex) else self.index.entry_key(key)

    def bounds(self, condition: KeyCondition) -> Bounds:
        """The range of a Query."""
        if isinstance(self.index, GlobalIndex):
            hashes = (condition.hash_value, *condition.more_hashes)
            return self.index.range_of(hashes, condition.equal, condition.operator, condition.operands)
        if condition.operator is None:
            return partition_key_bounds(condition.hash_value)
        find = range_bounds if self.index is None else index_range_bounds
        return find(condition.hash_value, condition.operator, tuple(condition.operands))

    def fetches(self, request: Request, read: set[str]) -> bool:
        """Whether whole items must be read, since the index does not project what the request reads of them."""
        if self.local is None or self.local.projected is None:
            return False
        return request.get("Select") == "ALL_ATTRIBUTES" or bool(self.local.lacks(read))

    def check_projected(self, request: Request, shown: set[str]) -> None:
        """A global index shows what it projects and nothing else; raises the ValidationException for more."""
        if not isinstance(self.index, GlobalIndex):
            return
        name = self.index.name
        if request.get("Select") == "ALL_ATTRIBUTES" and self.index.projected is not None:
            raise invalid_parameter(
                f"Select type ALL_ATTRIBUTES is not supported for global secondary index {name} because its "
                "projection type is not ALL"
            )
        if lacking := self.index.lacks(shown):
            raise invalid_parameter(f"Global secondary index {name} does not project [{', '.join(lacking)}]")

    def check_filtered(self, filtered: set[str]) -> None:
        """The filter of a Query looks at entries; raises the ValidationException for what no entry has.

        Sources: dynamodb-toolbox issue 1195 (a local index), reports of AppSync users (global ones).
        """
        if self.index is not None and (lacking := self.index.lacks(filtered)):
            raise invalid_parameter(
                f"Secondary index {self.index.name} does not project one or more filter attributes: "
                f"[{', '.join(lacking)}]"
            )


def target(context: Context, table: Table, request: Request) -> Target:
    """The table, or the index that IndexName says; raises DynamoDB's ValidationException where there is none."""
    name = request.get("IndexName")
    if name is None:
        return Target(table, None, table)
    local = table.indexes.named(name)
    if local is not None:
        return Target(table, local, table)
    index = table.global_indexes.named(name)
    if index is None:
        raise validation_error(f"The table does not have the specified index: {name}")
    if request.get("ConsistentRead"):
        raise validation_error("Consistent reads are not supported on global secondary indexes")
    if _is_being_filled(table, name):
        raise validation_error(f"Cannot read from backfilling global secondary index: {name}")
    source = context.view.index(table.id, name)
    if source is None or not source.partitions:
        # It is being made: no partition of it serves yet.
        raise resource_not_found(UNKNOWN_TABLE)
    return Target(table, index, source)


def _is_being_filled(table: Table, name: str) -> bool:
    found = (each for each in table.description["GlobalSecondaryIndexes"] if each["IndexName"] == name)
    return bool(next(found).get("IndexStatus") == "CREATING")
