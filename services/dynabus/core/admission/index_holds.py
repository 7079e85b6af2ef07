"""Back-pressure of an index's partitions and of its lag, at the leader of the table's partition.

An index without write units holds back all writes of its table, at the router (`admission`). Two more things hold
back only writes that would make it worse, which the leader knows, since it sees both images:

| the index                                          | refused are writes that     | reason                   |
|----------------------------------------------------|-----------------------------|--------------------------|
| has partitions over their cap, for some time       | put or delete a row in such | `IndexWriteKeyRange-     |
| (`propagation.telling`)                            | a partition                 | ThroughputExceeded`      |
| is behind this log by more than its limit          | touch it                    | as without write units   |

What is refused is not evaluated further: nothing is written, and nothing charged. An index that is CREATING holds
back nothing: what it is filled with is no write of a client.
Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/gsi-throttling.html (partitions' limits hold
for each index by itself, and throttle the writes of the table whose rows lie there; the error names the index).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import orjson

from dynabus.core.admission.capacity import WRITE, Limit, capacity_of
from dynabus.core.admission.refusals import refusal
from dynabus.core.global_indexes import GlobalIndexes, writes_of
from dynabus.core.messages import ReplyStatus
from dynabus.core.published_table import Table
from dynabus.core.replication.store import Decision, Evaluate, Outcome
from dynabus.core.rows import Source, item_of

NOWHERE = Source(0, 0, 0)
"""Only the keys of rows are looked at."""


@dataclass(frozen=True, slots=True)
class Hold:
    """On one index. `late`: it is behind by more than its limit. `over`: its partitions that are over their cap."""

    index: Table
    late: bool
    over: frozenset[int]

    def limit(self, keys: Iterable[bytes]) -> Limit | None:
        """Why a write of rows with these keys is refused, if it is."""
        found = [*keys]
        if self.late and found:
            return capacity_of(self.index.description, WRITE).limit
        is_over = any(self.index.partition_of(key)["number"] in self.over for key in found)
        return Limit.KEY_RANGE if is_over else None


Held = Callable[[Table, Limit], bool]
"""(index, what is exceeded) -> whether to refuse: the caller notes it, and may let it pass."""


def held(indexes: GlobalIndexes, holds: Mapping[str, Hold], evaluate: Evaluate, refused: Held) -> Evaluate:
    """The evaluation of a write behind what holds back its table's indexes."""

    def evaluated(old: bytes | None, wall_ms: int) -> Decision:
        decision = evaluate(old, wall_ms)
        if not decision.write or decision.outcome.status != ReplyStatus.OK:
            return decision
        before, after = item_of(old), item_of(decision.row)
        for index in indexes.all:
            hold = holds.get(index.name)
            if hold is None:
                continue
            limit = hold.limit(write.key for write in writes_of(index, before, after, NOWHERE))
            if limit is not None and refused(hold.index, limit):
                error = refusal(hold.index.description, WRITE, limit)
                return Decision(False, None, Outcome(ReplyStatus.THROTTLED, orjson.dumps(error.body())))
        return decision

    return evaluated
