"""A table's key schema: which attributes are the key, what is checked of them, and their encoded key."""

from __future__ import annotations

from typing import Any, NamedTuple

from dynabus.core.errors import invalid_parameter, validation_error
from dynabus.core.keys import encode_key, raw_bytes
from dynabus.core.limits import MAX_PARTITION_KEY_BYTES, MAX_SORT_KEY_BYTES
from dynabus.core.values import AttributeValue, Item

_NO_MATCH = "The provided key element does not match the schema"


class Element(NamedTuple):
    """One attribute of a key: its type is S, N or B."""

    name: str
    type: str
    sort: bool

    def check(self, key: Item) -> None:
        """Raise as GetItem does for what a key has at this attribute."""
        value = key.get(self.name)
        if value is None or self.type not in value:
            raise validation_error(_NO_MATCH)
        check_key_size(self.name, value, self.sort)


class KeySchema(NamedTuple):
    """Names and types (S, N, B) of the key attributes; `range` is None for a table without a sort key."""

    hash: str
    hash_type: str
    range: str | None = None
    range_type: str | None = None

    @property
    def names(self) -> list[str]:
        return [self.hash] if self.range is None else [self.hash, self.range]

    def encode_item(self, item: Item) -> bytes:
        """The encoded key of an item to be put; raises as PutItem does."""
        hash_value = self._of_item(item, self.hash, self.hash_type)
        if self.range is None or self.range_type is None:
            return encode_key(hash_value)
        return encode_key(hash_value, self._of_item(item, self.range, self.range_type, sort=True))

    def encode(self, key: Item) -> bytes:
        """The encoded key of a `Key` member; raises as GetItem does."""
        if len(key) != len(self.names):
            raise validation_error(_NO_MATCH)
        hash_value = self._of_key(key, self.hash, self.hash_type)
        if self.range is None or self.range_type is None:
            return encode_key(hash_value)
        return encode_key(hash_value, self._of_key(key, self.range, self.range_type, sort=True))

    def elements(self) -> list[Element]:
        """Its attributes: partition key, then sort key."""
        elements = [Element(self.hash, self.hash_type, False)]
        return elements if self.range is None else [*elements, Element(self.range, str(self.range_type), True)]

    def _of_item(self, item: Item, name: str, kind: str, sort: bool = False) -> AttributeValue:
        value = item.get(name)
        if value is None:
            raise invalid_parameter(f"Missing the key {name} in the item")
        if kind not in value:
            raise invalid_parameter(f"Type mismatch for key {name} expected: {kind} actual: {next(iter(value))}")
        check_key_size(name, value, sort)
        return value

    def _of_key(self, key: Item, name: str, kind: str, sort: bool = False) -> AttributeValue:
        value = key.get(name)
        if value is None or kind not in value:
            raise validation_error(_NO_MATCH)
        check_key_size(name, value, sort)
        return value


def check_key_size(name: str, value: AttributeValue, sort: bool) -> None:
    """Not empty, and at most 2048 bytes as partition key or 1024 as sort key; raises DynamoDB's ApiError."""
    if "N" in value:
        return
    size = len(raw_bytes(value))
    if size == 0:
        kind = "string" if "S" in value else "binary"
        raise validation_error(
            "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an "
            f"empty {kind} value. Key: {name}"
        )
    if not sort and size > MAX_PARTITION_KEY_BYTES:
        raise invalid_parameter(
            f"Size of hashkey has exceeded the maximum size limit of{MAX_PARTITION_KEY_BYTES} bytes"
        )
    if sort and size > MAX_SORT_KEY_BYTES:
        raise invalid_parameter(
            f"Aggregated size of all range keys has exceeded the size limit of {MAX_SORT_KEY_BYTES} bytes"
        )


def key_schema(description: dict[str, Any]) -> KeySchema:
    """The key schema of a table description (or of a CreateTable request that passed its checks)."""
    types = {each["AttributeName"]: each["AttributeType"] for each in description["AttributeDefinitions"]}
    by_role = {each["KeyType"]: each["AttributeName"] for each in description["KeySchema"]}
    hash_name, range_name = by_role["HASH"], by_role.get("RANGE")
    return KeySchema(hash_name, types[hash_name], range_name, types[range_name] if range_name else None)
