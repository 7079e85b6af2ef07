"""A write of another region of a global table: no operation of the API, but it goes the way of a PutItem.

RepIn asks for it (`Code.IMPORT`), through this region's request path; the leader of the item decides. Here is the
storage-node half.

    member of the request's part
    key              encoded key of the item
    value            the item, JSON in normal form; empty: the write was a deletion
    size             of the item, by DynamoDB's rule; of a deletion 0
    detail           its version (`Version.encode`)

| in this order                                 | answer                                                |
|-----------------------------------------------|-------------------------------------------------------|
| the version or the item cannot be read        | ERROR, ValidationException                            |
| the item's key is not that of the request     | ERROR, ValidationException: another key schema        |
| the log does not say that the table is global | BUSY: it is about to                                  |
| or does not name the region of the stamp yet  | the same: what is decided before that, others could   |
|                                               | forget the deletion of, and get it themselves later   |
| of a time of which deletions may be forgotten | OK, `repeat` (`floors`)                               |
| stamped ahead of the clock, beyond the bound  | ERROR, ClockAhead: to be asked for again, later       |
| stamped more than an hour ahead of it         | ERROR, ClockFarAhead                                  |
| what meeting the row that is there says       | OK, `repeat`, `news`, `won`, `lost` (`versions.meet`) |

Any other ERROR says that it never can be decided: it is to be parked. What the table's indexes have against the item
(`local_indexes.leading`) is one too. All but `repeat` are records of the log; `lost` changes the version of the item
and not the item. A conflict's record has the image that lost.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import orjson

from dynabus.core.errors import ApiError, clock_ahead, validation_error
from dynabus.core.global_tables.floors import Floors
from dynabus.core.global_tables.versions import Meeting, Version, decode_version, is_ahead, meet
from dynabus.core.key_schema import KeySchema
from dynabus.core.messages import ReplyStatus, RequestPart
from dynabus.core.operations.items import refused
from dynabus.core.replication.store import Decision, Evaluate, Outcome
from dynabus.core.rows import encode_global_row, item_json, row_size, version_bytes, version_of
from dynabus.core.values import Item

FAR_MS = 3_600_000
"""A stamp so far ahead is a clock that is wrong, and what waits for it holds back what its region writes later."""


class Here(NamedTuple):
    """What the leader knows. `floors`: as its log has them when they are asked for; None: the table is not global.
    `regions`: all that metadata name, of which the log is to say that there are, or were."""

    floors: Callable[[], Floors | None]
    schema: KeySchema
    clock_lead_ms: int
    regions: frozenset[str] = frozenset()


def node(part: RequestPart, here: Here) -> Evaluate:
    """What decides it. Raises ApiError."""
    arriving = _version(part["detail"])
    body = part["value"]
    size = part["size"] if body else 0
    _check_key(part, here.schema)

    def evaluate(old: bytes | None, wall_ms: int) -> Decision:
        floors = here.floors()
        stamp = arriving.stamp
        if floors is None or (stamp.region in here.regions and not floors.knows(stamp.region)):
            return Decision(False, None, Outcome(ReplyStatus.BUSY))
        largest = size if old is None else max(size, row_size(old))
        if floors.is_repeat(stamp):
            return Decision(False, None, _answer(Meeting.REPEAT, largest))
        if is_ahead(stamp, wall_ms, here.clock_lead_ms):
            is_far = is_ahead(stamp, wall_ms, FAR_MS)
            return refused(clock_ahead(stamp.region, stamp.ms - wall_ms, here.clock_lead_ms, is_far=is_far))
        met, version = meet(None if old is None else version_of(old, floors.region), arriving)
        if met is Meeting.REPEAT:
            return Decision(False, None, _answer(met, largest))
        if met is Meeting.LOST:
            assert old is not None
            row = encode_global_row(item_json(old), row_size(old), wall_ms, version)
            return Decision(True, row, _answer(met, largest), encode_global_row(body, size, wall_ms, arriving))
        losing = _lost(old, floors.region, wall_ms) if met is Meeting.WON and old is not None else None
        return Decision(True, encode_global_row(body, size, wall_ms, version), _answer(met, largest), losing)

    return evaluate


def _lost(old: bytes, own: str, wall_ms: int) -> bytes:
    """The old row lost: nothing more needs to be said, if that says its version."""
    if version_bytes(old):
        return b""
    return encode_global_row(item_json(old), row_size(old), wall_ms, version_of(old, own))


def _answer(met: Meeting, size: int) -> Outcome:
    return Outcome(body=met.value.encode(), size=size)


def _version(raw: bytes) -> Version:
    try:
        return decode_version(raw)
    except (ValueError, IndexError) as error:
        raise validation_error(f"A write of another region without a version: {error}") from error


def _check_key(part: RequestPart, schema: KeySchema) -> None:
    """Of a deletion there is nothing to compare."""
    if not part["value"]:
        return
    try:
        item: Item = orjson.loads(part["value"])
    except ValueError as error:
        raise validation_error("A write of another region whose item is not JSON") from error
    if schema.encode_item(item) != part["key"]:
        raise _other_key()


def _other_key() -> ApiError:
    return validation_error("The item's key is another one than that of its write in the other region")
