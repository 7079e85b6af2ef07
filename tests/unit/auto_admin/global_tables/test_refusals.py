"""What is refused: by the region that is asked, and by the one that shall have the replica. Nothing changes then."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.auto_admin.global_tables.planet import AWAY, HOME, THIRD, Planet

from dynabus.core.global_tables.register import message_of, with_members

TABLE: dict[str, Any] = {
    "TableName": "music",
    "AttributeDefinitions": [{"AttributeName": "artist", "AttributeType": "S"}],
    "KeySchema": [{"AttributeName": "artist", "KeyType": "HASH"}],
    "BillingMode": "PAY_PER_REQUEST",
}


def created(region: str) -> list[dict[str, Any]]:
    return [{"Create": {"RegionName": region}}]


def refusal(planet: Planet, **changes: Any) -> str:
    before = planet.state(HOME)
    answer = planet.update(**changes)
    assert "__type" in answer, answer
    assert planet.state(HOME) == before
    return str(answer["message"])


def test_a_region_that_is_not_known() -> None:
    planet = Planet()
    planet.create()
    assert refusal(planet, ReplicaUpdates=created("mars-1")) == (
        "Region mars-1 is not supported. The latest version of global tables are only supported in the following "
        "regions: [us-east-1]"
    )


def test_a_replica_that_is_there_and_one_that_is_none() -> None:
    planet = Planet(HOME, AWAY, THIRD)
    planet.replicated()
    assert refusal(planet, ReplicaUpdates=created(AWAY)) == (
        "Failed to create a the new replica of table with name: ‘music’ because one or more replicas already existed "
        "as tables."
    )
    none = (
        "Update global table operation failed because one or more replicas were not part of the global table. Please "
        "retry the request without these replicas: [us-west-2]."
    )
    override = {"RegionName": THIRD, "ProvisionedThroughputOverride": {"ReadCapacityUnits": 5}}
    assert refusal(planet, ReplicaUpdates=[{"Delete": {"RegionName": THIRD}}]) == none
    assert refusal(planet, ReplicaUpdates=[{"Update": override}]) == none


def test_one_after_the_other() -> None:
    planet = Planet(HOME, AWAY, THIRD)
    planet.create()
    planet.cut = {AWAY}
    planet.replicate()
    in_use = "The resource which you are attempting to change is in use."
    assert refusal(planet, ReplicaUpdates=created(THIRD)) == in_use
    planet.until("stream", lambda: planet.status(HOME) == "ACTIVE")
    assert refusal(planet, ReplicaUpdates=created(THIRD)) == in_use
    assert "Replicas" in planet.update(ReplicaUpdates=[{"Delete": {"RegionName": AWAY}}])["TableDescription"]


def test_write_units_that_nobody_scales() -> None:
    planet = Planet()
    units = {"ReadCapacityUnits": 5, "WriteCapacityUnits": 6}
    planet.create(BillingMode="PROVISIONED", ProvisionedThroughput=units)
    text = "Table write capacity should either be Pay-Per-Request or AutoScaled."
    assert refusal(planet, ReplicaUpdates=created(AWAY)) == text


def test_a_stream_without_images() -> None:
    planet = Planet()
    planet.create(StreamSpecification={"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"})
    assert "need NEW_AND_OLD_IMAGES" in refusal(planet, ReplicaUpdates=created(AWAY))


def test_the_stream_of_a_replica_stays() -> None:
    planet = Planet()
    planet.replicated()
    text = "One or more parameter values were invalid: Disabling Stream is not allowed for a Global Table replica."
    assert refusal(planet, StreamSpecification={"StreamEnabled": False}) == text


def test_a_cluster_without_a_region_has_no_peers() -> None:
    planet = Planet(HOME)
    life = planet.regions[HOME]
    address = {"Kafka": "k:9092", "Namespace": "dynabus", "Endpoint": "http://127.0.0.1:8000", "Settings": {}}
    assert life.ask("AddRegion", Name=HOME, **address)["message"] == "eu-west-1 is this cluster's own region"
    nowhere = type(life)()
    nowhere.until("nodes heard", lambda: nowhere.active() and len(nowhere.active()[0].view.nodes) == 3)
    assert "start it with `dynabus up --region NAME`" in nowhere.ask("AddRegion", Name=HOME, **address)["message"]
    assert not [key for key in nowhere.kafka.metadata if key.startswith("region/")]


# -- by the region that shall have it -----------------------------------------------------------------------------


@pytest.fixture
def planet() -> Planet:
    found = Planet()
    found.create()
    return found


def failed(planet: Planet, part: str) -> None:
    planet.until("refused", lambda: planet.replicas(HOME) == {AWAY: "CREATION_FAILED"})
    (shown,) = planet.described(HOME)["Replicas"]
    assert part in shown["ReplicaStatusDescription"]
    assert planet.links(HOME) == {}
    state = planet.state(AWAY)
    assert state is None or not state.global_table


def test_a_table_of_another_key(planet: Planet) -> None:
    other = [{"AttributeName": "artist", "AttributeType": "N"}]
    planet.regions[AWAY].ask("CreateTable", **{**TABLE, "AttributeDefinitions": other})
    planet.until("there", lambda: planet.status(AWAY) == "ACTIVE")
    planet.regions[AWAY].nodes.items = 0
    planet.replicate()
    failed(planet, "the table in region us-east-1 has another key schema")


def test_a_table_that_holds_items(planet: Planet) -> None:
    planet.regions[AWAY].ask("CreateTable", **TABLE)
    planet.until("there", lambda: planet.status(AWAY) == "ACTIVE")
    planet.replicate()
    failed(planet, "one or more replicas already existed as tables")
    planet.update(ReplicaUpdates=[{"Delete": {"RegionName": AWAY}}])
    planet.until("given up", lambda: "Replicas" not in planet.described(HOME))
    assert planet.status(AWAY) == "ACTIVE", "it is nobody's replica, and stays"


def test_a_global_table_of_this_region_alone(planet: Planet) -> None:
    """Of the older API: it would say ACTIVE, and there would be none."""
    before = planet.state(HOME)
    answer = planet.regions[HOME].ask("CreateGlobalTable", TableName="music", Regions=[HOME])
    assert answer["__type"].endswith("ValidationException")
    assert answer["message"].startswith(f"A replication group of {HOME} alone is no global table")
    assert planet.state(HOME) == before


def test_an_empty_table_of_the_same_key_becomes_the_replica(planet: Planet) -> None:
    planet.regions[AWAY].ask("CreateTable", **TABLE)
    planet.until("there", lambda: planet.status(AWAY) == "ACTIVE")
    planet.regions[AWAY].nodes.items = 0
    planet.replicate()
    planet.until("active", lambda: planet.replicas(HOME) == {AWAY: "ACTIVE"})
    planet.until("active", lambda: planet.replicas(AWAY) == {HOME: "ACTIVE"})


def test_a_table_that_was_a_replica_of_another_global_table_is_none_of_this_one() -> None:
    """However empty it is: its tombstones would win against items of the others."""
    planet = Planet(HOME, AWAY, THIRD)
    planet.replicated()
    planet.update(ReplicaUpdates=[{"Delete": {"RegionName": AWAY}}])
    planet.until("gone", lambda: planet.status(AWAY) is None)
    planet.settle()
    planet.create(THIRD)
    planet.regions[HOME].nodes.items = 0
    planet.replicate(HOME, at=THIRD)
    planet.until("refused", lambda: planet.replicas(THIRD) == {HOME: "CREATION_FAILED"})
    (shown,) = planet.described(THIRD)["Replicas"]
    assert shown["ReplicaStatusDescription"].endswith("was a replica of another global table: delete it first")


def test_a_region_that_does_not_know_us_back() -> None:
    planet = Planet(HOME, AWAY)
    planet.regions[AWAY].ask("RemoveRegion", Name=HOME, Force=False)
    planet.create()
    planet.replicate()
    failed(planet, "region us-east-1 does not know region eu-west-1")
    planet.know(AWAY, HOME)
    planet.until("mended", lambda: planet.replicas(HOME) == {AWAY: "ACTIVE"})


def test_another_global_table_of_the_same_name() -> None:
    planet = Planet(HOME, AWAY, THIRD)
    planet.create(HOME)
    planet.create(AWAY)
    planet.update(AWAY, ReplicaUpdates=created(THIRD))
    planet.settle()
    planet.replicate(THIRD)
    planet.until("refused", lambda: planet.replicas(HOME) == {THIRD: "CREATION_FAILED"})
    assert planet.replicas(AWAY) == {THIRD: "ACTIVE"}
    planet.update(HOME, ReplicaUpdates=[{"Delete": {"RegionName": THIRD}}])
    planet.until("given up", lambda: "Replicas" not in planet.described(HOME))
    assert (planet.status(THIRD), planet.replicas(THIRD)) == ("ACTIVE", {AWAY: "ACTIVE"})


def test_a_replica_that_is_protected_stays_until_it_is_not() -> None:
    planet = Planet()
    planet.replicated()
    planet.update(AWAY, DeletionProtectionEnabled=True)
    planet.update(ReplicaUpdates=[{"Delete": {"RegionName": AWAY}}])
    planet.until("told", lambda: "ReplicaStatusDescription" in planet.described(HOME)["Replicas"][0])
    (shown,) = planet.described(HOME)["Replicas"]
    assert shown["ReplicaStatusDescription"] == "the table in region us-east-1 is protected against deletion"
    assert planet.status(AWAY) == "ACTIVE"
    planet.update(AWAY, DeletionProtectionEnabled=False)
    planet.until("gone", lambda: planet.status(AWAY) is None)


@pytest.mark.parametrize(
    "body",
    [
        {"TableName": "music"},
        {"TableName": "music", "Definition": {}},
        {"TableName": "music", "Definition": {"format": 1, "definition_stamp": [1, "a"], "membership": 5}},
        {
            "TableName": "other",
            "Definition": {
                "format": 1,
                "definition_stamp": [1, AWAY],
                "membership": {each: {"member": True, "stamp": [1, AWAY]} for each in (HOME, AWAY)},
                "by": AWAY,
                "group": "g",
                "origins": {},
                "overrides": {},
                "definition": {},
            },
        },
    ],
)
def test_what_no_region_says_is_skipped(planet: Planet, body: dict[str, Any]) -> None:
    life = planet.regions[HOME]
    with pytest.raises(AssertionError, match="no answer"):
        life.ask("GlobalDefinition", **body)
    assert planet.status(HOME) == "ACTIVE"
    assert life.runs == 1


def word(planet: Planet, **definition: Any) -> dict[str, Any]:
    """As the other region would say it, a little later, with other settings."""
    state = planet.state(AWAY)
    assert state is not None
    message = message_of(state.global_table)
    stamp = [message["definition_stamp"][0] + 10**6, AWAY]
    return {**message, "definition": {**message["definition"], **definition}, "definition_stamp": stamp}


INDEX: dict[str, Any] = {"IndexName": "x", "KeySchema": [], "Projection": {"ProjectionType": "ALL"}}
KEY = [{"AttributeName": "nobody-knows", "KeyType": "HASH"}]
SCALED = {"MinimumUnits": 1, "MaximumUnits": 5, "PolicyName": "p", "Target": {}}


@pytest.mark.parametrize(
    "wrong",
    [
        {"TimeToLive": None, "BillingMode": 5, "KeySchema": 7},
        {"BillingMode": "PROVISIONED", "WriteCapacityUnits": None},
        {"WriteCapacityUnits": "many"},
        {"GlobalSecondaryIndexes": {"x": {**INDEX}}},
        {"GlobalSecondaryIndexes": {"x": {**INDEX, "KeySchema": KEY, "WriteCapacityUnits": 1}}},
        {"GlobalSecondaryIndexes": {"y": {**INDEX, "WriteCapacityUnits": 1}}},
        {"WriteScaling": {"write": SCALED}},
        {"WriteScaling": {"read": {**SCALED, "Target": {"TargetValue": 70}}}},
        {"ReadUnits": []},
    ],
)
def test_a_word_with_settings_that_are_none_is_skipped_as_a_whole(planet: Planet, wrong: dict[str, Any]) -> None:
    planet.replicate()
    planet.settle()
    life, before = planet.regions[HOME], planet.state(HOME)
    with pytest.raises(AssertionError, match="no answer"):
        life.ask("GlobalDefinition", TableName="music", Definition=word(planet, **wrong))
    for _ in range(5):
        planet.turn()
    assert planet.state(HOME) == before
    assert life.runs == 1


def test_a_word_in_another_format_is_refused_and_says_why(planet: Planet) -> None:
    planet.replicate()
    planet.settle()
    before = planet.state(HOME)
    newer = {"format": 2, "what": "nobody knows"}
    said = planet.regions[HOME].ask("GlobalDefinition", TableName="music", Definition=newer)
    assert said["Status"] == "REFUSED"
    assert said["Why"] == "region eu-west-1 does not know format 2 of what it is told: upgrade it"
    assert planet.state(HOME) == before


def test_a_table_that_nobody_else_has_is_not_made(planet: Planet) -> None:
    """A late word of a region that was deleted since."""
    planet.replicate()
    planet.settle()
    state = planet.state(HOME)
    assert state is not None
    message = message_of(with_members(state.global_table, [AWAY], 0))
    assert planet.regions[AWAY].ask("GlobalDefinition", TableName="other", Definition=message)["Status"] == "GONE"
    assert planet.status(AWAY, "other") is None
