"""At the leader of a global table's partition: what its log says of regions, and the version of each row it writes.

That a table is global stands in the logs of its partitions, as the outcome of a request id that never expires (as
floors of indexes do, `global_indexes.floors`): which region this is, which others there are, and their floors. So
whoever leads has applied it, whatever it knows of metadata, and it moves with clones, splits and recoveries. From
that record on each write has a version, for good: a region that went may come back, and writes of before it went with
it, which must find the tombstone of what was deleted meanwhile.

| a decision becomes      | over                    | the row that is written                |
|-------------------------|-------------------------|----------------------------------------|
| an item                 | the same item           | the one that is there: nothing changes |
| an item                 | any other, or none      | the item with the next version         |
| no item                 | an item                 | a tombstone with the next version      |
| no item                 | a tombstone, or nothing | none: that is the end of a tombstone   |
| a row of a global table | anything                | that row, of `operations.import_item`  |

"The next version" is that of a client's write here over what was there (`versions.written`). All writes come this
way, whoever asked: clients, commands of Kafka, the end of an item's time. Times are above what the log has promised.
"""

from __future__ import annotations

from typing import Protocol

import orjson

from dynabus.core.global_tables.floors import Floors, decode_floors
from dynabus.core.global_tables.versions import written
from dynabus.core.replication.records import Mutation
from dynabus.core.replication.request_ids import NO_KEY, TOKENS, read_remembered
from dynabus.core.replication.store import Decision
from dynabus.core.rows import (
    FORMAT_VERSION,
    encode_global_row,
    is_tombstone,
    item_json,
    live_row,
    row_size,
    version_of,
)
from dynabus.core.values import equal

REGIONS_ID = b"\xff" * 17 + b"\xfe"
"""As long as a request id, behind those of requests and of tokens, and before that of floors of indexes."""

NEVER_MS = (1 << 63) - 1
"""When it expires."""

assert REGIONS_ID > TOKENS


class Outcomes(Protocol):
    """The part of a replica's store that is looked at."""

    def remembered(self, request_id: bytes) -> bytes | None:
        """The outcome of a request id, or None."""


def note_of(floors: Floors) -> Mutation:
    """A record that says so from here on."""
    return Mutation(NO_KEY, None, None, 0, REGIONS_ID, NEVER_MS, 0, floors.encode(), 0, bytes(8))


def floors_of(note: Mutation) -> Floors:
    """What a record says."""
    return decode_floors(note.answer)


def floors_in(store: Outcomes) -> Floors | None:
    """What this replica has applied; None: the table was never global."""
    value = store.remembered(REGIONS_ID)
    return None if value is None else decode_floors(read_remembered(value).outcome.body)


def versioned(floors: Floors, previous: bytes | None, decision: Decision, wall_ms: int) -> Decision:
    """A decision to write, as the table above has it. Raises CorruptRow."""
    row = decision.row
    if row is None:
        if previous is None or is_tombstone(previous):
            return decision
        item, size = b"", 0
    elif row[0] != FORMAT_VERSION:
        return decision
    elif _is_same(previous, row):
        decision.row = previous
        return decision
    else:
        item, size = item_json(row), row_size(row)
    before = None if previous is None else version_of(previous, floors.region)
    decision.row = encode_global_row(item, size, wall_ms, written(before, floors.region, wall_ms, floors.promised))
    return decision


def _is_same(previous: bytes | None, row: bytes) -> bool:
    """Equal as attribute values: it is no change, as a stream sees it (`streams.changes`)."""
    before = live_row(previous)
    if before is None or before.size != row_size(row):
        return False
    after = item_json(row)
    if before.item_json == after:
        return True
    return equal({"M": orjson.loads(before.item_json)}, {"M": orjson.loads(after)})
