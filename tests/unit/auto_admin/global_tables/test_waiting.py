"""What waits for another region, or for log propagators, until it is true: statuses, deletions, words."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import pytest
from tests.unit.auto_admin.global_tables.planet import AWAY, HOME, THIRD, Planet

from dynabus.auto_admin.global_tables import control
from dynabus.auto_admin.global_tables.link_records import LinkRecords
from dynabus.auto_admin.tables.progress import END_MOST_MS
from dynabus.core.global_tables.description import is_busy
from dynabus.core.global_tables.links import key_of

STREAM = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}


def turns(planet: Planet, count: int = 150) -> None:
    for _ in range(count):
        planet.turn()


def delete(planet: Planet, region: str) -> None:
    planet.regions[region].ask("DeleteTable", TableName="music")


def test_a_deleted_replica_waits_for_its_propagators_however_long_while_others_lack_its_writes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    planet = Planet()
    planet.replicated()
    with monkeypatch.context() as patched:
        patched.setattr(planet, "_propagate", lambda _life: None)
        delete(planet, HOME)
        planet.until("deleting", lambda: planet.status(HOME) == "DELETING")
        turns(planet)
        planet.regions[HOME].kafka.now_ms += END_MOST_MS
        turns(planet)
        assert (planet.status(HOME), planet.links(HOME)) == ("DELETING", {AWAY: "ACTIVE"})
    planet.until("gone", lambda: planet.status(HOME) is None)


def test_a_table_of_that_name_that_is_changing_is_no_replica_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    planet = Planet()
    planet.create()
    planet.create(AWAY)
    planet.regions[AWAY].nodes.items = 0
    with monkeypatch.context() as patched:
        propagate = planet._propagate
        patched.setattr(planet, "_propagate", lambda life: life is planet.regions[HOME] and propagate(life))
        planet.update(AWAY, StreamSpecification=STREAM)
        planet.replicate()
        turns(planet)
        assert (planet.status(AWAY), planet.replicas(HOME)) == ("UPDATING", {AWAY: "CREATING"})
        assert planet.links(HOME) == {}
    planet.until("adopted", lambda: planet.replicas(HOME) == {AWAY: "ACTIVE"} and planet.replicas(AWAY) != {})


def test_what_stays_knows_who_left_meanwhile() -> None:
    """It is protected, and has said so, when the other one goes: no later word of it may make that table anew."""
    planet = Planet()
    planet.replicated()
    planet.update(AWAY, DeletionProtectionEnabled=True)
    planet.settle()
    planet.update(ReplicaUpdates=[{"Delete": {"RegionName": AWAY}}])
    turns(planet, 20)
    delete(planet, HOME)
    planet.regions[AWAY].ask(
        "UpdateTimeToLive", TableName="music", TimeToLiveSpecification={"Enabled": True, "AttributeName": "until"}
    )
    planet.until("gone", lambda: planet.status(HOME) is None)
    turns(planet, 300)
    assert (planet.status(HOME), planet.status(AWAY), planet.replicas(AWAY)) == (None, "ACTIVE", {})


def test_the_newest_record_of_a_link_counts() -> None:
    planet = Planet()
    planet.replicated()
    state = planet.state(HOME)
    assert state is not None
    (known,) = planet.metadata(HOME, "link/").values()
    sent: dict[str, Any] = {}
    records = LinkRecords(cast("Any", _Recorder(sent)))
    for version, stream in ((3, "first"), (5, "second"), (4, "late")):
        records.saw(cast("Any", {**known, "version": version, "stream": stream}))
    records.publish(replace(state, streams=[]), 6)
    assert sent[key_of(state.id, AWAY)]["stream"] == "second"


class _Recorder:
    def __init__(self, sent: dict[str, Any]) -> None:
        self._sent = sent

    def metadata(self, key: str, _kind: str, message: Any, _delivered: Any) -> None:
        self._sent[key] = message


def test_words_that_are_refused_for_ever_hold_back_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "TOLD_MOST", 1)
    planet = Planet()
    for region, kind in ((HOME, "S"), (AWAY, "N")):
        planet.regions[region].ask(
            "CreateTable",
            TableName="another",
            AttributeDefinitions=[{"AttributeName": "artist", "AttributeType": kind}],
            KeySchema=[{"AttributeName": "artist", "KeyType": "HASH"}],
            BillingMode="PAY_PER_REQUEST",
        )
        planet.until("created", lambda region=region: planet.status(region, "another") == "ACTIVE")
    planet.create()
    change = [{"Create": {"RegionName": AWAY}}]
    planet.regions[HOME].ask("UpdateTable", TableName="another", ReplicaUpdates=change)
    planet.replicate()
    planet.until("active", lambda: planet.replicas(HOME) == {AWAY: "ACTIVE"})


def test_a_replica_is_active_for_all_once_it_has_what_its_origin_sends() -> None:
    planet = Planet(HOME, AWAY, THIRD)
    planet.replicated(AWAY)
    planet.held = {(HOME, THIRD)}
    planet.replicate(THIRD)
    planet.until("copied", lambda: planet.links(AWAY).get(THIRD) == planet.links(THIRD).get(HOME) == "ACTIVE")
    assert planet.replicas(AWAY)[THIRD] == planet.replicas(HOME)[THIRD] == "CREATING"
    state = planet.state(THIRD)
    assert state is not None
    assert is_busy(state.global_table), "it has not got all items: it is no origin for another one"
    planet.held.clear()
    planet.until("all", lambda: planet.replicas(AWAY)[THIRD] == "ACTIVE" == planet.replicas(THIRD)[HOME])
    planet.settle()
    state = planet.state(THIRD)
    assert state is not None
    assert not is_busy(state.global_table)
