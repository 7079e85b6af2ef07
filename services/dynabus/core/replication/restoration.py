"""Restoration: what a recovery's first leader appends, so that its log holds what the chosen replica held.

A log that lost records cannot tell its replicas' contents any more, and no other log can be made to go on from them:
whoever replays one begins with nothing. So the new log begins with the contents themselves: one mutation per row,
from nothing to the row, one per remembered request id (I10), and at the end a `configure` of plan 1. Until `fold`
has read that, the log `is_restoring`: nobody is served. It may stop at any record and be begun again, by the same
node in a later term: what the log holds already is not written twice.

Later readers of the log (streams) take no mutation before that `configure` for a change.
"""

from __future__ import annotations

from collections.abc import Iterable

from dynabus.core.replication.leader import Leader
from dynabus.core.replication.place import Place
from dynabus.core.replication.records import Mutation, Recovered
from dynabus.core.replication.request_ids import carried_over
from dynabus.core.replication.store import Store

RESTORED_PLAN = 1
"""Of the `configure` that ends it; plans of moves go on from there."""


def restore_rows(rows: Iterable[tuple[bytes, bytes]], leader: Leader, store: Store, now_ms: float) -> None:
    """Append those that the new log does not hold. Rows are opaque, their CRC goes along."""
    for key, row in rows:
        old = store.get(key)
        if old != row:
            leader.append_unasked(Mutation(key, old, row, 0, b"", 0, 0, b"", 0, b""), now_ms)


def restore_requests(requests: Iterable[tuple[bytes, bytes]], leader: Leader, store: Store, now_ms: float) -> None:
    """The same for remembered request ids."""
    for request_id, value in requests:
        if store.remembered(request_id) is None:
            leader.append_unasked(carried_over(request_id, value), now_ms)


def goes_on_from(place: Place, recovered: Recovered) -> bool:
    """The place is the very one that the recovery was decided for."""
    group = place.group
    if group is None or (place.origin.partition.number, group.generation) != (
        recovered.partition,
        recovered.generation,
    ):
        return False
    return (place.reign.term, place.next_sequence, place.next_offset, place.chain) == recovered[3:7]


def is_ahead(place: Place, recovered: Recovered) -> bool:
    """The place is of the recovered partition and has seen what the recovery has not: writes that are kept aside."""
    group = place.group
    if group is None or (place.origin.partition.number, group.generation) != (
        recovered.partition,
        recovered.generation,
    ):
        return False
    return (place.reign.term, place.next_sequence) > (recovered.term, recovered.next_sequence)
