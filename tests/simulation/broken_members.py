"""Rules about members that are gone, one of them left out, each of which `three_regions` must catch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dynabus.core.global_tables import sending
from dynabus.core.global_tables.beginning import Begin, begin_anew
from dynabus.core.global_tables.committed import Found
from dynabus.core.global_tables.rep_out import RepOut, Shard
from dynabus.core.global_tables.versions import Stamp
from dynabus.core.propagation import decided
from dynabus.core.streams.consuming import Extent
from dynabus.rep_out import shards as shards_module
from tests.simulation.brains import Brains, Patches

BROKEN = Brains()


@BROKEN.broken("what a region that is gone wrote is copied, and what comes of it later is sent on by nobody")
def nothing_is_sent_on() -> Patches:
    def sends(self: RepOut, shard: Shard, offset: int, stamp: Stamp) -> bool:
        return stamp.region == self.region and offset >= self._own_behind.get(shard, 0)

    return [(RepOut, "sends", sends)]


@BROKEN.broken("what a region that is gone wrote is sent on from now on, and not copied")
def nothing_is_copied_again() -> Patches:
    def copying(link: Mapping[str, Any], _rows: Any, wall_ms: int) -> dict[str, Any]:
        since_ms = max(wall_ms, link["created_ms"] + 1)
        return {**link, "created_ms": since_ms, "again": True}

    return [(sending, "_copying", copying)]


@BROKEN.broken("a stream is read on from where it was: what was passed by until then is not read once more")
def what_was_passed_by_is_not_read_again() -> Patches:
    def anew(first: int, extent: Extent, known: Found | None, **about: bool) -> Begin | None:
        return begin_anew(first, extent, known, **{**about, "forwards": False})

    return [(shards_module, "begin_anew", anew)]


@BROKEN.broken("a write of a region that is gone, which changed no item where it came, is in no stream")
def writes_that_change_nothing_are_not_told() -> Patches:
    return [(decided, "unseen_of", lambda _mutation, _key_names: None)]
