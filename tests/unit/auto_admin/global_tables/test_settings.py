"""Settings that regions keep alike, and those that they do not."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.auto_admin.global_tables.planet import AWAY, HOME, THIRD, Planet

from dynabus.auto_admin.global_tables import following
from dynabus.auto_admin.global_tables.stamping import definition_here
from dynabus.core.errors import validation_error
from dynabus.core.global_tables.definition import is_alike
from dynabus.core.global_tables.overrides import new_for

INDEX: dict[str, Any] = {
    "IndexName": "by-album",
    "KeySchema": [{"AttributeName": "album", "KeyType": "HASH"}],
    "Projection": {"ProjectionType": "ALL"},
}
ALBUM = [{"AttributeName": "album", "AttributeType": "S"}]
UNITS = {"ReadCapacityUnits": 5, "WriteCapacityUnits": 6}


@pytest.fixture
def planet() -> Planet:
    found = Planet()
    found.replicated()
    return found


def alike(planet: Planet) -> bool:
    home, away = planet.state(HOME), planet.state(AWAY)
    assert home is not None
    assert away is not None
    still = home.status == away.status == "ACTIVE" and not home.pending and not away.pending
    return still and is_alike(definition_here(home), definition_here(away))


def change(planet: Planet, at: str, **changes: Any) -> dict[str, Any]:
    """The other region's description, once both are alike and settled."""
    answer = planet.update(at, **changes)
    assert "TableDescription" in answer, answer
    planet.settle()
    planet.until("alike", lambda: alike(planet))
    return planet.described(AWAY if at == HOME else HOME)


def test_an_index_is_added_and_taken_away_from_either_side(planet: Planet) -> None:
    new = [{"Create": INDEX}]
    there = change(planet, HOME, AttributeDefinitions=ALBUM, GlobalSecondaryIndexUpdates=new)
    assert [each["IndexName"] for each in there["GlobalSecondaryIndexes"]] == ["by-album"]
    assert {each["AttributeName"] for each in there["AttributeDefinitions"]} == {"artist", "album"}
    here = change(planet, AWAY, GlobalSecondaryIndexUpdates=[{"Delete": {"IndexName": "by-album"}}])
    assert "GlobalSecondaryIndexes" not in here
    assert [each["AttributeName"] for each in here["AttributeDefinitions"]] == ["artist"]


def test_time_to_live(planet: Planet) -> None:
    asked = {"AttributeName": "end", "Enabled": True}
    planet.regions[AWAY].ask("UpdateTimeToLive", TableName="music", TimeToLiveSpecification=asked)
    planet.until("there", lambda: planet.state(HOME).time_to_live == "end")  # type: ignore[union-attr]


def test_billing_mode_and_write_units(planet: Planet) -> None:
    there = change(planet, HOME, BillingMode="PROVISIONED", ProvisionedThroughput=UNITS)
    assert there["BillingModeSummary"]["BillingMode"] == "PROVISIONED"
    assert there["ProvisionedThroughput"]["WriteCapacityUnits"] == 6
    more = {"ReadCapacityUnits": 50, "WriteCapacityUnits": 60}
    there = change(planet, HOME, ProvisionedThroughput=more)
    units = there["ProvisionedThroughput"]
    assert (units["WriteCapacityUnits"], units["ReadCapacityUnits"]) == (60, 5), "reads are each region's own"
    here = change(planet, AWAY, BillingMode="PAY_PER_REQUEST")
    assert here["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"


def test_auto_scaling_of_writes_and_not_of_reads(planet: Planet) -> None:
    change(planet, HOME, BillingMode="PROVISIONED", ProvisionedThroughput=UNITS)
    policy = {"TargetTrackingScalingPolicyConfiguration": {"TargetValue": 70.0}}
    settings = {"MinimumUnits": 7, "MaximumUnits": 70, "ScalingPolicyUpdate": policy}
    planet.regions[HOME].ask(
        "UpdateTableReplicaAutoScaling",
        TableName="music",
        ProvisionedWriteCapacityAutoScalingUpdate=settings,
        ReplicaUpdates=[{"RegionName": HOME, "ReplicaProvisionedReadCapacityAutoScalingUpdate": settings}],
    )
    planet.settle()
    away = planet.state(AWAY)
    assert away is not None
    assert {*away.scaling} == {"write"}
    assert away.scaling["write"]["MaximumUnits"] == 70


def test_what_stays_each_regions_own(planet: Planet) -> None:
    planet.update(HOME, DeletionProtectionEnabled=True)
    planet.settle()
    assert planet.described(HOME)["DeletionProtectionEnabled"]
    assert not planet.described(AWAY)["DeletionProtectionEnabled"]


def test_read_units_of_one_replica(planet: Planet) -> None:
    change(planet, HOME, BillingMode="PROVISIONED", ProvisionedThroughput=UNITS)
    override = {"RegionName": AWAY, "ProvisionedThroughputOverride": {"ReadCapacityUnits": 33}}
    planet.update(ReplicaUpdates=[{"Update": override}])
    planet.settle()
    planet.until("has", lambda: planet.described(AWAY)["ProvisionedThroughput"]["ReadCapacityUnits"] == 33)
    assert planet.described(HOME)["ProvisionedThroughput"]["ReadCapacityUnits"] == 5
    (shown,) = planet.described(HOME)["Replicas"]
    assert shown["ProvisionedThroughputOverride"] == {"ReadCapacityUnits": 33}
    planet.settle()
    planet.update(AWAY, ProvisionedThroughput={"ReadCapacityUnits": 40, "WriteCapacityUnits": 6})
    planet.settle()
    for _ in range(30):
        planet.turn()
    assert planet.described(AWAY)["ProvisionedThroughput"]["ReadCapacityUnits"] == 40, "it was given once"


def test_read_units_of_one_replicas_index(planet: Planet) -> None:
    change(planet, HOME, AttributeDefinitions=ALBUM, GlobalSecondaryIndexUpdates=[{"Create": INDEX}])
    name = INDEX["IndexName"]
    both = [{"Update": {"IndexName": name, "ProvisionedThroughput": UNITS}}]
    change(planet, HOME, BillingMode="PROVISIONED", ProvisionedThroughput=UNITS, GlobalSecondaryIndexUpdates=both)

    def reads(region: str) -> dict[str, int]:
        found = planet.described(region)
        units = {each["IndexName"]: each["ProvisionedThroughput"] for each in found["GlobalSecondaryIndexes"]}
        return {of: each["ReadCapacityUnits"] for of, each in {"": found["ProvisionedThroughput"], **units}.items()}

    def give(of_index: int, of_table: int | None = None) -> None:
        index = {"IndexName": name, "ProvisionedThroughputOverride": {"ReadCapacityUnits": of_index}}
        table = {} if of_table is None else {"ProvisionedThroughputOverride": {"ReadCapacityUnits": of_table}}
        answer = planet.update(
            ReplicaUpdates=[{"Update": {"RegionName": AWAY, "GlobalSecondaryIndexes": [index], **table}}]
        )
        assert "TableDescription" in answer, answer

    give(44, 33)
    planet.until("has", lambda: reads(AWAY) == {"": 33, name: 44})
    planet.settle()
    give(55)
    planet.until("has", lambda: reads(AWAY) == {"": 33, name: 55})
    planet.settle()
    assert reads(HOME) == {"": 5, name: 5}
    (shown,) = planet.described(HOME)["Replicas"]
    assert shown["ProvisionedThroughputOverride"] == {"ReadCapacityUnits": 33}
    assert shown["GlobalSecondaryIndexes"] == [
        {"IndexName": name, "ProvisionedThroughputOverride": {"ReadCapacityUnits": 55}}
    ]
    assert alike(planet), "writes stay"
    assert new_for(planet.state(AWAY).global_table) == {}  # type: ignore[union-attr]


def test_read_units_that_were_given_before_are_not_given_once_more(planet: Planet) -> None:
    change(planet, HOME, AttributeDefinitions=ALBUM, GlobalSecondaryIndexUpdates=[{"Create": INDEX}])
    name = INDEX["IndexName"]
    both = [{"Update": {"IndexName": name, "ProvisionedThroughput": UNITS}}]
    change(planet, HOME, BillingMode="PROVISIONED", ProvisionedThroughput=UNITS, GlobalSecondaryIndexUpdates=both)
    override = {"RegionName": AWAY, "ProvisionedThroughputOverride": {"ReadCapacityUnits": 33}}
    planet.update(ReplicaUpdates=[{"Update": override}])
    planet.until("has", lambda: planet.described(AWAY)["ProvisionedThroughput"]["ReadCapacityUnits"] == 33)
    planet.settle()
    planet.update(AWAY, ProvisionedThroughput={"ReadCapacityUnits": 40, "WriteCapacityUnits": 6})
    planet.settle()
    index = {"IndexName": name, "ProvisionedThroughputOverride": {"ReadCapacityUnits": 55}}
    planet.update(ReplicaUpdates=[{"Update": {"RegionName": AWAY, "GlobalSecondaryIndexes": [index]}}])

    def reads() -> list[int]:
        found = planet.described(AWAY)
        return [
            each["ProvisionedThroughput"]["ReadCapacityUnits"] for each in (found, *found["GlobalSecondaryIndexes"])
        ]

    planet.until("has", lambda: reads()[1] == 55)
    planet.settle()
    assert reads() == [40, 55]
    change(planet, HOME, GlobalSecondaryIndexUpdates=[{"Delete": {"IndexName": name}}])
    planet.update(ReplicaUpdates=[{"Update": override}])
    planet.settle()
    (shown,) = planet.described(HOME)["Replicas"]
    assert "GlobalSecondaryIndexes" not in shown, "it is gone"


def test_read_units_that_are_heard_of_with_what_they_are_for(planet: Planet) -> None:
    """The mode that has units, and an index, come in the same word: units are given once there is something to have
    them."""
    planet.cut = {AWAY}
    planet.update(HOME, BillingMode="PROVISIONED", ProvisionedThroughput=UNITS)
    planet.until("has", lambda: planet.status(HOME) == "ACTIVE")
    new = {"Create": {**INDEX, "ProvisionedThroughput": UNITS}}
    planet.update(HOME, AttributeDefinitions=ALBUM, GlobalSecondaryIndexUpdates=[new])
    planet.until("has", lambda: planet.status(HOME) == "ACTIVE")
    index = {"IndexName": INDEX["IndexName"], "ProvisionedThroughputOverride": {"ReadCapacityUnits": 55}}
    override = {"RegionName": AWAY, "ProvisionedThroughputOverride": {"ReadCapacityUnits": 33}}
    answer = planet.update(ReplicaUpdates=[{"Update": {**override, "GlobalSecondaryIndexes": [index]}}])
    assert "TableDescription" in answer, answer
    planet.cut = set()
    planet.settle()
    planet.until("alike", lambda: alike(planet))
    planet.settle()
    found = planet.described(AWAY)
    units = [each["ProvisionedThroughput"]["ReadCapacityUnits"] for each in (found, *found["GlobalSecondaryIndexes"])]
    assert units == [33, 55]


def test_auto_scaling_of_an_index_that_is_gone_does_not_come_back(planet: Planet) -> None:
    change(planet, HOME, BillingMode="PROVISIONED", ProvisionedThroughput=UNITS)
    new = {"Create": {**INDEX, "ProvisionedThroughput": UNITS}}
    change(planet, HOME, AttributeDefinitions=ALBUM, GlobalSecondaryIndexUpdates=[new])
    name = INDEX["IndexName"]
    policy = {"TargetTrackingScalingPolicyConfiguration": {"TargetValue": 70.0}}
    settings = {"MinimumUnits": 5, "MaximumUnits": 500, "ScalingPolicyUpdate": policy}
    of_index = [{"IndexName": name, "ProvisionedWriteCapacityAutoScalingUpdate": settings}]
    planet.regions[HOME].ask("UpdateTableReplicaAutoScaling", TableName="music", GlobalSecondaryIndexUpdates=of_index)
    planet.until("told", lambda: "write/by-album" in planet.state(AWAY).scaling)  # type: ignore[union-attr]
    planet.settle()
    change(planet, HOME, GlobalSecondaryIndexUpdates=[{"Delete": {"IndexName": name}}])
    change(planet, HOME, AttributeDefinitions=ALBUM, GlobalSecondaryIndexUpdates=[new])
    for _ in range(30):
        planet.turn()
    for region in (HOME, AWAY):
        state = planet.state(region)
        assert state is not None
        assert state.scaling == state.global_table["definition"]["WriteScaling"] == {}


def test_settings_that_no_table_can_have_stop_nothing_but_this_table(
    planet: Planet, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> Any:
        raise KeyError("MinimumUnits")

    with monkeypatch.context() as patched:
        patched.setattr(following, "next_change", fail)
        planet.update(HOME, BillingMode="PROVISIONED", ProvisionedThroughput=UNITS)
        planet.until("told", lambda: [each["table"] for each in planet.duties[AWAY].refused] == ["music"])
        planet.create(AWAY, "other")
    planet.until("alike", lambda: alike(planet))


def scale_writes(planet: Planet) -> None:
    """Without it a provisioned table gets no replica."""
    policy = {"TargetTrackingScalingPolicyConfiguration": {"TargetValue": 70.0}}
    settings = {"MinimumUnits": 6, "MaximumUnits": 70, "ScalingPolicyUpdate": policy}
    planet.regions[HOME].ask(
        "UpdateTableReplicaAutoScaling", TableName="music", ProvisionedWriteCapacityAutoScalingUpdate=settings
    )
    planet.settle()


def test_a_later_replica_begins_with_the_read_units_of_now() -> None:
    planet = Planet(HOME, AWAY, THIRD)
    planet.replicated()
    change(planet, HOME, BillingMode="PROVISIONED", ProvisionedThroughput=UNITS)
    scale_writes(planet)
    planet.update(ProvisionedThroughput={"ReadCapacityUnits": 500, "WriteCapacityUnits": 6})
    planet.settle()
    answer = planet.replicate(THIRD)
    assert "TableDescription" in answer, answer
    planet.until("made", lambda: planet.status(THIRD) == "ACTIVE")
    assert planet.described(THIRD)["ProvisionedThroughput"]["ReadCapacityUnits"] == 500
    planet.settle()
    assert planet.described(AWAY)["ProvisionedThroughput"]["ReadCapacityUnits"] == 5, "that is its own"


def test_a_replica_that_is_added_undoes_no_settings_of_a_region_that_is_apart() -> None:
    planet = Planet(HOME, AWAY, THIRD)
    planet.replicated()
    change(planet, HOME, BillingMode="PROVISIONED", ProvisionedThroughput=UNITS)
    scale_writes(planet)
    change(planet, AWAY, ProvisionedThroughput={**UNITS, "ReadCapacityUnits": 500})
    planet.cut = {HOME}
    throughput = {"ProvisionedThroughput": UNITS}
    planet.update(HOME, AttributeDefinitions=ALBUM, GlobalSecondaryIndexUpdates=[{"Create": {**INDEX, **throughput}}])
    for _ in range(10):
        planet.turn()
    answer = planet.replicate(THIRD, at=AWAY)
    assert "TableDescription" in answer, answer
    planet.until("made", lambda: planet.status(THIRD) == "ACTIVE")
    assert planet.described(THIRD)["ProvisionedThroughput"]["ReadCapacityUnits"] == 500
    planet.cut = set()
    planet.settle()
    planet.until("alike", lambda: alike(planet))
    for region in (HOME, AWAY, THIRD):
        shown = planet.described(region).get("GlobalSecondaryIndexes", [])
        assert [each["IndexName"] for each in shown] == ["by-album"], region
    assert planet.described(HOME)["ProvisionedThroughput"]["ReadCapacityUnits"] == 5


def test_changes_on_both_sides_while_they_are_apart_end_alike(planet: Planet) -> None:
    planet.cut = {AWAY}
    planet.update(HOME, AttributeDefinitions=ALBUM, GlobalSecondaryIndexUpdates=[{"Create": INDEX}])
    planet.update(AWAY, BillingMode="PROVISIONED", ProvisionedThroughput=UNITS)
    for _ in range(30):
        planet.turn()
    planet.cut = set()
    planet.settle()
    planet.until("alike", lambda: alike(planet))


def test_a_change_here_does_not_undo_one_that_is_under_way(planet: Planet) -> None:
    """The table is still filling an index when another region's word comes; then time to live is changed here."""
    planet.update(HOME, BillingMode="PROVISIONED", ProvisionedThroughput=UNITS)
    planet.until("told", lambda: planet.state(AWAY).global_table["definition"]["BillingMode"] == "PROVISIONED")  # type: ignore[union-attr]
    asked = {"AttributeName": "end", "Enabled": True}
    planet.regions[AWAY].ask("UpdateTimeToLive", TableName="music", TimeToLiveSpecification=asked)
    planet.settle()
    planet.until("alike", lambda: alike(planet))
    assert planet.state(HOME).time_to_live == "end"  # type: ignore[union-attr]
    assert planet.described(AWAY)["BillingModeSummary"]["BillingMode"] == "PROVISIONED"


def test_a_setting_that_a_table_cannot_have_is_told_with_the_reason(
    planet: Planet, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> Any:
        raise validation_error("once a day")

    told: list[dict[str, str]] = [{"table": "music", "why": "once a day"}]
    with monkeypatch.context() as patched:
        patched.setattr(following, "updated", refuse)
        planet.update(HOME, BillingMode="PROVISIONED", ProvisionedThroughput=UNITS)
        planet.until("told", lambda: planet.duties[AWAY].refused == told)
        assert planet.duties[HOME].refused == []
    planet.until("alike", lambda: alike(planet))
    planet.until("over", lambda: planet.duties[AWAY].refused == [])


def test_a_decrease_that_is_refused_for_now_is_told_and_not_asked_for_in_every_turn(planet: Planet) -> None:
    """Each region counts its own decreases. The wall clock of this world stands still."""

    def lower(at: str, read: int, write: int) -> dict[str, Any]:
        throughput = {"ReadCapacityUnits": read, "WriteCapacityUnits": write}
        index = {"IndexName": "by-album", "ProvisionedThroughput": throughput}
        return planet.update(at, GlobalSecondaryIndexUpdates=[{"Update": index}])

    change(planet, HOME, AttributeDefinitions=ALBUM, GlobalSecondaryIndexUpdates=[{"Create": INDEX}])
    units = {"IndexName": "by-album", "ProvisionedThroughput": {"ReadCapacityUnits": 9, "WriteCapacityUnits": 9}}
    change(
        planet,
        HOME,
        BillingMode="PROVISIONED",
        ProvisionedThroughput=UNITS,
        GlobalSecondaryIndexUpdates=[{"Update": units}],
    )
    reads = planet.described(AWAY)["GlobalSecondaryIndexes"][0]["ProvisionedThroughput"]["ReadCapacityUnits"]
    for less in range(1, 5):
        assert "TableDescription" in lower(AWAY, reads - less, 9)
        planet.settle()
    lower(HOME, 9, 8)
    planet.until("told", lambda: "decreases are limited" in str(planet.duties[AWAY].refused))
    before = {name: _log_end(planet, name) for name in (HOME, AWAY)}
    for _ in range(20):
        planet.turn()
    grown = {name: _log_end(planet, name) - end for name, end in before.items()}
    assert abs(grown[AWAY] - grown[HOME]) < 5, "it waits between two tries"


def _log_end(planet: Planet, region: str) -> int:
    return planet.regions[region].active()[0].replica.place.next_offset
