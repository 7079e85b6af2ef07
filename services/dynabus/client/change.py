"""A change of one item as applications see it, and attribute values as Python's.

| DynamoDB | Python          | DynamoDB | Python     |
|----------|-----------------|----------|------------|
| S        | str             | L        | list       |
| N        | decimal.Decimal | M        | dict       |
| B        | bytes           | SS       | set[str]   |
| BOOL     | bool            | NS       | set[Decimal] |
| NULL     | None            | BS       | set[bytes] |

The same types as boto3's resources give, but for B, which is bytes there only inside of a wrapper.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Generic, TypeVar

T = TypeVar("T")

Item = dict[str, Any]
"""Attributes by name, as Python values."""


@dataclass(frozen=True, slots=True)
class Change(Generic[T]):
    """What happened to one item. `new` and `old` are what the consumer's `parse` makes of the attributes; None where
    the item was not there, or the stream's view type does not show it.

    `sequence` rises within a shard; `event_id` is the same however often this change is delivered. `service`: the
    principal that deleted the item where no client did, as time to live does.
    """

    event: str
    """INSERT, MODIFY or REMOVE."""
    table: str
    keys: Item
    new: T | None
    old: T | None
    created: datetime
    sequence: str
    event_id: str
    shard: str
    service: str | None = None


def change_of(record: Mapping[str, Any], shard: str, parse: Callable[[Item], T]) -> Change[T]:
    """`record`: as `adapters.stream_codec.decode_change` gives it. Raises whatever `parse` raises."""
    identity = record["user_identity"]
    return Change(
        event=record["event_name"],
        table=record["table"],
        keys=item_of(record["keys"]),
        new=_parsed(record["new_image"], parse),
        old=_parsed(record["old_image"], parse),
        created=record["created"],
        sequence=record["sequence_number"],
        event_id=record["event_id"],
        shard=shard,
        service=identity["principal_id"] if identity is not None else None,
    )


def item_of(image: Mapping[str, Any]) -> Item:
    """An item in DynamoDB's JSON as Python values."""
    return {name: value_of(each) for name, each in image.items()}


def value_of(value: Mapping[str, Any]) -> Any:
    """One attribute value."""
    [(kind, content)] = value.items()
    return _READERS[kind](content)


def _parsed(image: Mapping[str, Any] | None, parse: Callable[[Item], T]) -> T | None:
    return parse(item_of(image)) if image is not None else None


_READERS: Mapping[str, Callable[[Any], Any]] = {
    "S": str,
    "N": Decimal,
    "B": b64decode,
    "BOOL": bool,
    "NULL": lambda _: None,
    "L": lambda content: [value_of(each) for each in content],
    "M": item_of,
    "SS": set,
    "NS": lambda content: {Decimal(each) for each in content},
    "BS": lambda content: {b64decode(each) for each in content},
}
