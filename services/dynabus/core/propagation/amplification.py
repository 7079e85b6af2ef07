"""Write amplification: how many log records of an index one change of its table's items makes, and how many of them
left readers where they were. Counted by each log propagator since it began; sums over all of them are the cluster's.

| what a change does                    | records of the index                                            |
|---------------------------------------|-----------------------------------------------------------------|
| leaves the row as it is               | none: the projection sees that both images project the same     |
| puts, changes or deletes the row      | one                                                             |
| changes the key of the row            | two, in as many partitions                                      |
| is known by the index already         | none: a repeat                                                  |
| is newer, and says what the row says  | one that is `unchanged`: the row's source place must advance    |

The last line is a row of a backfill that the log has told too, a deletion of what was not there, or a propagator that
reads anew what another one wrote.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from dynabus.core.global_indexes.arrivals import REPEAT, UNCHANGED
from dynabus.core.ids import LogId


@dataclass(slots=True)
class Tally:
    """Of one index. `changes`: of items of its table, read by this process, again after failures."""

    changes: int = 0
    records: int = 0
    unchanged: int = 0
    repeats: int = 0

    def answered(self, count: int) -> None:
        """The index's leader said what became of a write (`global_indexes.arrivals`)."""
        self.records += count != REPEAT
        self.unchanged += count == UNCHANGED
        self.repeats += count == REPEAT

    def shown(self) -> dict[str, Any]:
        """Members of `status`."""
        return {
            "changes": self.changes,
            "records": self.records,
            "unchanged": self.unchanged,
            "repeats": self.repeats,
        }


@dataclass(slots=True)
class Tallies:
    """By the id of an index's logs. Written by one thread, read by others."""

    by_log: dict[LogId, Tally] = field(default_factory=dict)

    def of(self, log: LogId) -> Tally:
        """Begins with nothing."""
        return self.by_log.setdefault(log, Tally())

    def keep_only(self, logs: set[LogId]) -> None:
        """All other indexes are gone."""
        for log in [each for each in self.by_log if each not in logs]:
            del self.by_log[log]
