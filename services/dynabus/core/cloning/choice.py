"""Whom to clone from, and whether to clone at all.

| what there is of the logs that are to be read    | then                                                     |
|--------------------------------------------------|----------------------------------------------------------|
| all of them, `records_most` records or less      | replay: it needs nobody else                             |
| all of them, more records                        | clone; replay if there is no source for `PATIENCE_MS`    |
| some were pruned                                 | clone; without a source wait, with an alarm              |

The source is a follower rather than the leader, which has its clients to serve, and the most advanced of them, which
leaves the least to read afterwards. One that is frozen, failed, still being opened or no member yet is none: what it
holds may be of another history, or not whole.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import NamedTuple

from dynabus.core.cloning.messages import CloneManifest
from dynabus.core.messages import ReplicaState
from dynabus.core.replication.place import FOLD_VERSION, Origin, Place

PATIENCE_MS = 5000.0
"""Three heartbeats: whoever could be cloned was heard by then."""

SOURCES = frozenset({"active", "sealed"})
"""States of a replica that has what its log says, to its end or nearly."""


class Extent(NamedTuple):
    """What exists of a log: offsets low <= offset < high."""

    low: int
    high: int


def replay_is_possible(logs: Iterable[Extent]) -> bool:
    """Nothing of them was pruned."""
    return all(log.low == 0 for log in logs)


def replay_is_short(logs: Collection[Extent], records_most: int) -> bool:
    """Possible, and done in a moment."""
    return replay_is_possible(logs) and sum(log.high - log.low for log in logs) <= records_most


def choose(said: Iterable[tuple[str, ReplicaState]], refused: Collection[str]) -> str | None:
    """The node to ask, from what living nodes say of their replicas; `refused`: those that were asked in vain."""
    able = [(node, state) for node, state in said if state["state"] in SOURCES and not state["alarm"]]

    def rank(candidate: tuple[str, ReplicaState]) -> tuple[bool, bool, int, str]:
        node, state = candidate
        return node in refused, state["leading"], -state["next_offset"], node

    return min(able, key=rank)[0] if able else None


def refusal(place: Place, origin: Origin, log: Extent, at_least: int) -> str | None:
    """Why a snapshot with this place may not be installed; None where it may (I6, I9)."""
    if place.group is None:
        return "its log has not begun there"
    if place.fold_version != FOLD_VERSION:
        return f"it was folded by rules {place.fold_version}, these are {FOLD_VERSION}"
    if place.origin != origin:
        return f"it is of {place.origin}, the log is {origin}"
    if place.next_offset < at_least:
        return f"it has read up to {place.next_offset}, the replica that it would replace up to {at_least}"
    if place.next_offset < log.low:
        return f"the log begins at {log.low}, behind its place {place.next_offset}"
    return None


def chunkless(manifest: CloneManifest) -> bool:
    """It begins a clone, rather than to end it."""
    return manifest["chunks"] < 0
