"""How far a log may be pruned (I8). Pure; `auto_admin.pruning` asks and does.

A log is pruned behind the smallest offset that anybody still needs:

| who                              | needs the log from                                                             |
|----------------------------------|--------------------------------------------------------------------------------|
| a member                         | what it has on disk for certain, by its own word; from its start where it said |
|                                  | nothing in its present run and since it last became a member                   |
| a damaged one that is rebuilt    | what it said before: until it has read as far again all other members have it |
| a node that joins                | its start                                                                      |
| a partition that is being split  | its start: heirs may be copied anew, or replay                                 |
| the log of a closed ancestor     | its start, until each child is on the disks of all its members                 |
| the log propagators, where the   | the offset that their group committed; its start where it has none: the log    |
| table has a stream               | of a closed partition too, until they have read its seal                       |
| a named reader                   | the offset that its consumer group committed; its start where it has none      |
| anybody else, and repairs        | what is younger than the retention, and the last `RECORDS_LEAST`               |

A word says up to which plan of the group the replica on that disk has folded the log. A node that left, and joins
once more, begins with an empty disk; what it said before may still be on its way. But whatever it had then was folded
up to the plan by which it left at most, so only a plan as new as that by which it joined (`joined` in the partition's
row) shows that the word is about what it has now.

Why a deposed auto-admin does no harm. What it computed was true: at some moment every member of then had all records
below the offset on disk, and what is on a disk stays there. Deleting is monotonic and idempotent. Who became a member
since had read to within 256 records of the log's end, which lay `RECORDS_LEAST` beyond that offset at least: it holds
everything below too. So whenever it lands, whoever lacks what it deletes finds another node to clone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, TypedDict

from dynabus.core.replication.place import Place

RECORDS_LEAST = 1000
"""More than the 256 records by which one that joins may be behind when it becomes a member."""

PRUNE_LEAST = 1000
"""Records that a call to Kafka is worth."""


class Durable(NamedTuple):
    """What a replica has on disk for certain, whatever becomes of the host: its log before `offset`, -1 for nothing.

    `plan`: of its group, as folded up to there.
    """

    offset: int
    plan: int


NOTHING = Durable(-1, 0)


def durable_at(place: Place) -> Durable:
    """What a synced copy of a store has that has read up to this place."""
    return Durable(place.next_offset, place.group.plan if place.group is not None else 0)


class DurablePlace(TypedDict):
    """A replica has everything before this offset of its log on disk, folded up to this plan of its group."""

    log: str
    partition: int
    offset: int
    plan: int


class DurablePlaces(TypedDict):
    """A node's, those that changed, on the control topic."""

    node: str
    incarnation: int
    places: list[DurablePlace]


class Hold(NamedTuple):
    """Somebody needs a log from this offset on."""

    name: str
    offset: int


def lowest(holds: Iterable[Hold]) -> Hold:
    """Who needs most of it; ties by name, so that what is told does not jump about."""
    return min(holds, key=lambda hold: (hold.offset, hold.name))


def needed(nodes: Iterable[str], stated: Mapping[str, int]) -> list[Hold]:
    """By replicas: `stated` has the offsets that nodes said to have on disk."""
    return [Hold(node, stated.get(node, 0)) for node in nodes]


def counted(word: Durable | None, joined: int) -> int:
    """The offset that a node's word is good for if it became a member by this plan; 0: for nothing."""
    return max(0, word.offset) if word is not None and word.plan >= joined else 0


def is_inherited(number: int, children: Mapping[int, list[int]], taken: Mapping[int, bool]) -> bool:
    """Whether nobody needs the log of a closed partition any more, to build its children or theirs.

    `children`: of each closed partition. `taken`: of each open one, whether it is on the disks of all its members.
    """
    if number in taken:
        return taken[number]
    return number in children and all(is_inherited(child, children, taken) for child in children[number])


def lineage_of(ancestors: Iterable[Mapping[str, Any]]) -> dict[int, list[int]]:
    """Children by the number of the closed partition, as rows keep them."""
    return {int(each["number"]): [int(child) for child in each.get("children", ())] for each in ancestors}
