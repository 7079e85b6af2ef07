"""At an index partition's leader: which writes count. Only the leader asks (I5); replicas apply what it decided.

| row under the key | its source place      | write  | becomes                           |
|-------------------|-----------------------|--------|-----------------------------------|
| none              | below a floor         | any    | nothing: a repeat, whose tombstone may be gone (`floors`) |
| none              |                       | put    | a row                             |
| none              |                       | delete | a tombstone: an older put may come |
| some, tombstones too | lower than the write's | put    | a row                             |
| some, tombstones too | lower than the write's | delete | a tombstone                       |
| some, tombstones too | the same, or higher   | any    | nothing: it is a repeat, or late  |

What is there already, and is newer all the same, is written: its place decides what else may come.

Places are compared as (generation, offset): see `core.rows.Source`. A write has no request id (I10), since its place
does what an id would do, for ever and not for a minute.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from dynabus.core.errors import validation_error
from dynabus.core.global_indexes.floors import Outcomes, is_refused
from dynabus.core.global_indexes.projection import IndexWrite
from dynabus.core.ids import LogId
from dynabus.core.messages import RequestPart
from dynabus.core.operations.calls import Code, part_to
from dynabus.core.replication.store import Decision, Evaluate, Outcome
from dynabus.core.rows import Source, decode_row, encode_index_row, source_of

REPEAT, NEWS, UNCHANGED = 0, 1, 2
"""`Outcome.count` of a write that did not count, of one that did, and of one that did and says what the row said."""


class Arrival(NamedTuple):
    """Where a write is to go: a partition of an index, in this generation."""

    log: LogId
    partition: int
    generation: int


def arrival_part(to: Arrival, write: IndexWrite) -> RequestPart:
    """As it travels."""
    return part_to(*to, Code.INDEX, write.key, write.item_json, write.size, write.source.encode())


def arrival(part: RequestPart, store: Outcomes) -> Evaluate:
    """The storage-node half; `store`: of the replica. Raises ApiError for what no propagator sends."""
    try:
        source = Source.decode(part["detail"])
    except struct.error as error:
        raise validation_error("An index write without the place of its source") from error
    item_json, size = part["value"], part["size"]

    def evaluate(old: bytes | None, wall_ms: int) -> Decision:
        if is_refused(source, store) if old is None else source_of(old).order >= source.order:
            return Decision(False, None, Outcome(size=size, count=REPEAT))
        before = b"" if old is None else decode_row(old).item_json
        count = UNCHANGED if before == item_json else NEWS
        return Decision(True, encode_index_row(item_json, size, wall_ms, source), Outcome(size=size, count=count))

    return evaluate
