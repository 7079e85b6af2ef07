"""When a deletion may be forgotten, and what can only be a repeat from then on.

A deleted item leaves a tombstone: its version, without an item. Without it a write that is older than the deletion,
and arrives later, would bring the item back in one region and not in the others. What a leader's log has of that:

    promised   no time at or below it is given any more by whoever leads this log
    raised     by region: of its writes all up to this time were decided here, and any that it makes now is later
    seen       by region: it has decided all that this region wrote up to this time
    forgotten  tombstones up to this time may be gone

All rise and never fall. Regions tell each other by *words* (`Word`). A word counts only if who says it knows no
region that this one does not know: that one could still get the item from it, and nothing of the deletion from here,
since it is sent what is there; and a write of that one may be older than a deletion of which the word tells.

| forgotten rises to the lowest of        | else, with the tombstone gone                                      |
|-----------------------------------------|--------------------------------------------------------------------|
| what was promised here                  | a later write of this region could lose against the deleted item   |
| what is raised, of every other region   | an older write of that region could arrive and count               |
| what was seen, by every other region    | that region could need it from here once more: its stream is lost  |

A region that has left counts as another one: its late writes may be on their way, and it may come back.

What arrives is compared with the row that is there, tombstones too. Only at or below `forgotten` that may be gone: so
what is stamped there is a repeat, whatever is known of its item, unless it is of a region that has not said that it
was sent: it has just come, say, and its clock is behind, or this log has not heard of it yet.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson

from dynabus.core.global_tables.versions import Stamp

NEVER = -1


class Word(NamedTuple):
    """What one region tells another one of a table, or of a shard of it.

    `time`: all that it wrote up to there was decided by the other one, and what it writes from now on is later.
    `seen`: it has decided all that the other one wrote up to there. `regions`: those that it knew then. `replica`: id
    of the other one's table; a table that was made anew since has nothing of what an earlier one was sent.
    """

    time: int
    seen: int
    regions: frozenset[str]
    replica: str = ""

    def told(self) -> dict[str, Any]:
        """As JSON and in Avro."""
        return {**self._asdict(), "regions": sorted(self.regions)}


def read_word(told: Any) -> Word:
    """Raises KeyError, TypeError for what `told` does not give."""
    return Word(int(told["time"]), int(told["seen"]), frozenset(map(str, told["regions"])), str(told["replica"]))


@dataclass(slots=True)
class Floors:
    """One region's, as the log of a partition has them; the docstring above."""

    region: str
    others: frozenset[str]
    raised: dict[str, int] = field(default_factory=dict)
    seen: dict[str, int] = field(default_factory=dict)
    promised: int = NEVER
    forgotten: int = NEVER

    def encode(self) -> bytes:
        """JSON, names of the members as above."""
        told = {"region": self.region, "others": sorted(self.others), "raised": self.raised, "seen": self.seen}
        return orjson.dumps({**told, "promised": self.promised, "forgotten": self.forgotten})

    @property
    def regions(self) -> frozenset[str]:
        """All that count: others that there are, and were."""
        return self.others | self.raised.keys()

    def knows(self, region: str) -> bool:
        """This one, or one that there is, or was."""
        return region == self.region or region in self.others or region in self.raised

    def with_regions(self, own: str, others: frozenset[str]) -> Floors:
        """With these as own and other regions; those that are none any more still count."""
        raised = {**dict.fromkeys(self.others - others, NEVER), **self.raised}
        return Floors(own, others, raised, {**self.seen}, self.promised, self.forgotten)

    def rise(self, region: str, time: int) -> None:
        """All that this region has written up to `time` was decided here."""
        self.raised[region] = max(self.raised.get(region, NEVER), time)

    def hear(self, region: str, word: Word) -> None:
        """Of one of the others; what anybody else says is nothing."""
        if region in self.others and all(map(self.knows, word.regions)):
            self.rise(region, word.time)
            self.seen[region] = max(self.seen.get(region, NEVER), word.seen)

    def promise(self, time: int) -> None:
        """No time at or below it is given from here on."""
        self.promised = max(self.promised, time)

    def forget(self, most: int) -> None:
        """Let `forgotten` rise as far as it may, and no further than `most`."""
        counted = [each.get(region, NEVER) for region in self.regions for each in (self.raised, self.seen)]
        self.forgotten = max(self.forgotten, min([self.promised, most, *counted])) if counted else self.forgotten

    def is_repeat(self, stamp: Stamp) -> bool:
        """Of a write that arrives: decided long ago, whether or not anything is left of it."""
        sent = self.forgotten if stamp.region == self.region else self.raised.get(stamp.region, NEVER)
        return stamp.time <= min(self.forgotten, sent)

    def may_forget(self, tombstone: Stamp) -> bool:
        """It may go."""
        return tombstone.time <= self.forgotten

    def word_for(self, region: str) -> Word:
        """What this log says to another region; `time` is true of what lies behind it."""
        return Word(self.promised, self.raised.get(region, NEVER), self.others | {self.region})


def decode_floors(raw: bytes) -> Floors:
    """What `encode` wrote."""
    told = orjson.loads(raw)
    names = ("raised", "seen", "promised", "forgotten")
    return Floors(told["region"], frozenset(told["others"]), *(told[name] for name in names))
