"""Whoever dies, and whenever, in whichever region: replicas come and go all the same."""

from __future__ import annotations

import pytest
from tests.unit.auto_admin.global_tables.planet import AWAY, HOME, Planet


def lived(at: str = HOME, crash_after: int | None = None) -> int:
    """A replica's life; each auto-admin of the region that comes to that effect dies right after it. All effects."""
    planet = Planet()
    planet.create()
    kafka = planet.regions[at].kafka
    before = kafka.effects
    if crash_after is not None:
        kafka.crash_after = before + crash_after
    planet.replicate()
    planet.until("active here", lambda: planet.replicas(HOME) == {AWAY: "ACTIVE"})
    planet.until("active there", lambda: planet.replicas(AWAY) == {HOME: "ACTIVE"})
    asked = {"AttributeName": "end", "Enabled": True}
    planet.regions[AWAY].ask("UpdateTimeToLive", TableName="music", TimeToLiveSpecification=asked)
    planet.until("settings", lambda: planet.metadata(HOME, "table/").popitem()[1]["time_to_live"] == "end")
    planet.settle()
    planet.update(ReplicaUpdates=[{"Delete": {"RegionName": AWAY}}])
    planet.until("gone there", lambda: planet.status(AWAY) is None and not planet.metadata(AWAY, "table/"))
    planet.until("gone here", lambda: "Replicas" not in planet.described(HOME))
    assert planet.metadata(HOME, "link/") == planet.metadata(AWAY, "link/") == {}
    return kafka.effects - before


EFFECTS = {at: lived(at) for at in (HOME, AWAY)}


@pytest.mark.parametrize(("at", "effect"), [(at, effect) for at in EFFECTS for effect in range(1, EFFECTS[at] + 1)])
def test_a_crash_after_any_effect(at: str, effect: int) -> None:
    lived(at, effect)
