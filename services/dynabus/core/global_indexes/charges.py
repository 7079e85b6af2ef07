"""What a write of a table costs its global secondary indexes, in half write units: told in the write's answer.

| what the write does to the row in an index | costs                                      |
|--------------------------------------------|--------------------------------------------|
| nothing                                    | 0                                          |
| puts it, or deletes it                     | a write of its size                        |
| changes what is projected                  | a write of the larger of both sizes        |
| changes its key                            | both: a deletion of one, a put of another  |

The leader of the table's partition knows both images, so it counts; the index itself is written later. The router
charges each index's own throughput by it (`core.admission`), and it is a ConsumedCapacity's. As an answer's note of
local indexes it is part of the body, since what is sent again must get the same answer (I10); but indexes come and go
while a table is used, and node and router may know different ones: so this note is known by its first byte, which no
JSON has.
Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GSI.html ("Write capacity units")
"""

from __future__ import annotations

from collections.abc import Mapping

import orjson

from dynabus.core.capacity import NOTHING, write_halves
from dynabus.core.global_indexes.definition import GlobalIndex, GlobalIndexes
from dynabus.core.global_indexes.projection import project
from dynabus.core.messages import ReplyStatus
from dynabus.core.replication.store import Decision, Evaluate
from dynabus.core.rows import item_of
from dynabus.core.values import Item, equal, item_size

MARK = b"\x01"
_END = b"\n"


def halves_of(index: GlobalIndex, old: Item | None, new: Item | None) -> int:
    """Of a write that made `new` of `old` (None: no item)."""
    gone = project(index, old) if old is not None and index.holds(old) else None
    come = project(index, new) if new is not None and index.holds(new) else None
    if gone is None or come is None:
        return sum(write_halves(item_size(each)) for each in (gone, come) if each is not None)
    if index.row_key(gone) != index.row_key(come):
        return write_halves(item_size(gone)) + write_halves(item_size(come))
    if equal({"M": gone}, {"M": come}):
        return 0
    return write_halves(max(item_size(gone), item_size(come)))


def charged(indexes: GlobalIndexes, evaluate: Evaluate) -> Evaluate:
    """The evaluation of a write whose answer says what it costs the indexes; itself where there are none."""
    if not indexes.all:
        return evaluate

    def evaluated(old: bytes | None, wall_ms: int) -> Decision:
        decision = evaluate(old, wall_ms)
        if not decision.write or decision.outcome.status != ReplyStatus.OK:
            return decision
        before, after = item_of(old), item_of(decision.row)
        found = {index.name: halves_of(index, before, after) for index in indexes.all}
        costs = {name: halves for name, halves in found.items() if halves}
        if costs:
            decision.outcome.body = MARK + orjson.dumps(costs) + _END + decision.outcome.body
        return decision

    return evaluated


def charges_of(body: bytes) -> tuple[Mapping[str, int], bytes]:
    """Half units by index, and the body without them."""
    if not body.startswith(MARK):
        return NOTHING, body
    note, _, rest = body.removeprefix(MARK).partition(_END)
    return orjson.loads(note), rest
