"""What an accepted mutation becomes in a stream: which images, and whether there is a change at all.

| old image | new image | equal | event  |
|-----------|-----------|-------|--------|
| none      | none      |       | (none) |
| none      | some      |       | INSERT |
| some      | none      |       | REMOVE |
| some      | some      | no    | MODIFY |
| some      | some      | yes   | (none) |

Equal as attribute values: the elements of sets have no order. Source of the rule: "a stream record appears only if
data were changed", https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html.
"""

from __future__ import annotations

from collections.abc import Sequence as Many
from enum import Enum
from typing import NamedTuple

import orjson

from dynabus.core.messages import ReplyStatus
from dynabus.core.replication.records import Mutation
from dynabus.core.rows import item_of, version_bytes
from dynabus.core.values import Item, equal, item_size


class View(Enum):
    """StreamViewType: which images a record has besides the key."""

    KEYS_ONLY = "KEYS_ONLY"
    NEW_IMAGE = "NEW_IMAGE"
    OLD_IMAGE = "OLD_IMAGE"
    NEW_AND_OLD_IMAGES = "NEW_AND_OLD_IMAGES"

    @property
    def shows_new(self) -> bool:
        return self in (View.NEW_IMAGE, View.NEW_AND_OLD_IMAGES)

    @property
    def shows_old(self) -> bool:
        return self in (View.OLD_IMAGE, View.NEW_AND_OLD_IMAGES)


class Change(NamedTuple):
    """A change of one item, with both images as the log has them. `time_ms` is the leader's time of the write.

    `expired`: nobody asked for it, the item's time to live was over. `version`: in a global table, that of the write
    (`global_tables.versions`), encoded; else empty.
    """

    event: str
    keys: Item
    old: Item | None
    new: Item | None
    time_ms: int
    expired: bool = False
    version: bytes = b""

    def seen(self, view: View) -> Change:
        """With the images that a stream shows."""
        return self._replace(old=self.old if view.shows_old else None, new=self.new if view.shows_new else None)

    @property
    def size(self) -> int:
        """SizeBytes: of key and images, by DynamoDB's rule for items."""
        return sum(item_size(item) for item in (self.keys, self.old, self.new) if item is not None)

    @property
    def key_bytes(self) -> bytes:
        """The Kafka key: JSON, partition key first. Stored values are canonical, so equal keys have equal bytes."""
        return orjson.dumps(self.keys)


def change_of(mutation: Mutation, key_names: Many[str]) -> Change | None:
    """None where nothing has changed. Raises `rows.CorruptRow`."""
    if mutation.old == mutation.new:
        return None
    old, new = item_of(mutation.old), item_of(mutation.new)
    some = new if new is not None else old
    if some is None or (old is not None and new is not None and equal({"M": old}, {"M": new})):
        return None
    event = "INSERT" if old is None else "REMOVE" if new is None else "MODIFY"
    keys, expired = {name: some[name] for name in key_names}, mutation.status == ReplyStatus.EXPIRED
    return Change(event, keys, old, new, mutation.timestamp_ms, expired, version_bytes(mutation.new))
