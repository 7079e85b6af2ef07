"""Up to where its log is in what a replica answers (`core.places`), for those who want to know."""

from __future__ import annotations

from dataclasses import replace

from dynabus.core.places import Seen, told
from dynabus.core.replication.store import Outcome, Read
from dynabus.storage_node.replicas.hosted import Hosted


def placed(outcome: Outcome, hosted: Hosted) -> Outcome:
    """With the replica's place as it leaves: what was acknowledged lies before. A read has its own (`placing`)."""
    place = hosted.replica.place
    if outcome.place or place.group is None:
        return outcome
    seen = Seen(place.group.generation, place.next_offset)
    return replace(outcome, place=told(hosted.partition.number, seen))


def placing(read: Read, hosted: Hosted) -> Read:
    """With the place at which it was read, exactly: what lies behind it is not in there."""
    return lambda store: placed(read(store), hosted)
