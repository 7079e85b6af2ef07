"""When a deletion may be forgotten, and what can only be a repeat from then on.

A deleted item leaves a tombstone: its version, without an item. Without it a write that is older than the deletion,
and arrives later, would bring the item back in one region and not in the others. A region's *floor* for another one
says: of that region's writes all up to this time were decided here, and any that it makes from now on has a higher
one. So a write that arrives at or below the floor is a repeat, whatever is known of its item; and a tombstone whose
stamp lies below all floors, and below the times that this region still gives, may go: nothing that could lose against
it is to come, and nothing that it could lose against is decided by it.

A floor rises only with what was acknowledged: RepOut tells what it has no older changes than, and only for a range of
keys of which all shards are read that far. It never falls; a leader that has forgotten anything by a floor, or whose
predecessor has, must know it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import orjson

from dynabus.core.global_tables.versions import TICKS_PER_MS, Stamp


@dataclass(slots=True)
class Floors:
    """One region's, for all others of a table. `raised`: times by region, of those that have one."""

    region: str
    others: frozenset[str]
    raised: dict[str, int] = field(default_factory=dict)

    def encode(self) -> bytes:
        """JSON: `{"region": name, "others": [names], "raised": {name: time}}`."""
        return orjson.dumps({"region": self.region, "others": sorted(self.others), "raised": self.raised})

    def rise(self, region: str, time: int) -> None:
        """All that this region has written up to `time` was decided here."""
        self.raised[region] = max(self.raised.get(region, -1), time)

    def is_repeat(self, stamp: Stamp) -> bool:
        """Of a write that arrives: decided long ago, whether or not anything is left of it."""
        return stamp.time <= self.raised.get(stamp.region, -1)

    def may_forget(self, tombstone: Stamp, log_time_ms: int) -> bool:
        """`log_time_ms`: this region gives no time before it any more, whoever leads."""
        below = all(tombstone.time <= self.raised.get(region, -1) for region in self.others)
        return below and tombstone.time < log_time_ms * TICKS_PER_MS


def decode_floors(raw: bytes) -> Floors:
    """What `encode` wrote."""
    told = orjson.loads(raw)
    return Floors(told["region"], frozenset(told["others"]), told["raised"])
