"""A change of one item as applications see it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from dynabus.client.values import Item, item_of

T = TypeVar("T")


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


def _parsed(image: Mapping[str, Any] | None, parse: Callable[[Item], T]) -> T | None:
    return parse(item_of(image)) if image is not None else None
