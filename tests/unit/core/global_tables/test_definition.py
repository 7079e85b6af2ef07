"""Settings that regions keep alike: how they are merged, and the steps from one to the other."""

from __future__ import annotations

from typing import Any

import pytest

from dynabus.core.global_tables.definition import (
    ON_DEMAND,
    Definition,
    creation_request,
    is_alike,
    merged,
    next_change,
    same_keys,
)

HASH = [{"AttributeName": "pk", "KeyType": "HASH"}]
PK = {"AttributeName": "pk", "AttributeType": "S"}


def index(name: str, attribute: str = "a", writes: int | None = 0) -> dict[str, Any]:
    return {
        "IndexName": name,
        "KeySchema": [{"AttributeName": attribute, "KeyType": "HASH"}],
        "Projection": {"ProjectionType": "ALL"},
        "WriteCapacityUnits": writes,
    }


def definition(*indexes: dict[str, Any], writes: int | None = None, **more: Any) -> Definition:
    """On demand; provisioned with `writes`."""
    attributes = sorted({key["AttributeName"] for each in indexes for key in each["KeySchema"]})
    return {
        "KeySchema": HASH,
        "LocalSecondaryIndexes": [],
        "GlobalSecondaryIndexes": {each["IndexName"]: each for each in indexes},
        "BillingMode": ON_DEMAND if writes is None else "PROVISIONED",
        "WriteCapacityUnits": writes or 0,
        "WriteScaling": {},
        "TimeToLive": "",
        "ReadUnits": {"": 5, **{each["IndexName"]: 3 for each in indexes}},
        "AttributeDefinitions": [*({"AttributeName": each, "AttributeType": "N"} for each in attributes), PK],
        **more,
    }


def test_what_a_request_changed_and_nothing_else() -> None:
    """The table has neither the index nor the mode that are wanted of it yet, when its time to live is changed."""
    wanted = definition(index("new"), writes=7)
    before, after = definition(index("old", "b")), definition(index("old", "b"), TimeToLive="end")
    assert merged(wanted, before, after) == {**wanted, "TimeToLive": "end"}


def test_an_index_that_is_added_and_one_that_is_taken_away() -> None:
    wanted = definition(index("new", "c"), index("old", "b"))
    before, after = definition(index("old", "b")), definition(index("mine"))
    found = merged(wanted, before, after)
    assert {*found["GlobalSecondaryIndexes"]} == {"new", "mine"}
    assert [each["AttributeName"] for each in found["AttributeDefinitions"]] == ["a", "c", "pk"]


def test_auto_scaling_that_is_changed_here_leaves_what_another_region_has_said_of_an_index() -> None:
    """The index has write units of its own here: its scaling is still to be taken over."""
    wanted = definition(index("x", writes=None), writes=7, WriteScaling=scaled())
    before = definition(index("x", writes=5), writes=7, WriteScaling={"write": scaled()["write/x"]})
    after = {**before, "WriteScaling": {"write": {**scaled()["write/x"], "MaximumUnits": 99}}}
    found = merged(wanted, before, after)
    assert found["WriteScaling"] == {**after["WriteScaling"], **scaled()}
    assert found["WriteCapacityUnits"] is None
    assert found["GlobalSecondaryIndexes"]["x"]["WriteCapacityUnits"] is None
    assert next_change(found, before, {}, {"": 7, "x": 5}) is None, "scaled units are nobody's to set"


def test_auto_scaling_goes_with_its_index() -> None:
    wanted = definition(index("x", writes=None), writes=7, WriteScaling=scaled())
    found = merged(wanted, wanted, definition(writes=7, WriteScaling=scaled()))
    assert found["GlobalSecondaryIndexes"] == found["WriteScaling"] == {}


def test_a_change_of_an_index_that_is_to_go_does_not_bring_it_back() -> None:
    before, after = definition(index("x", writes=5), writes=7), definition(index("x", writes=6), writes=7)
    assert merged(definition(writes=7), before, after)["GlobalSecondaryIndexes"] == {}


def test_an_index_that_is_made_again_with_another_type() -> None:
    wanted = definition(index("x"), AttributeDefinitions=[{"AttributeName": "a", "AttributeType": "S"}, PK])
    have = definition(index("x"))
    assert next_change(wanted, have, {}, {"": 0, "x": 0}) == {
        "GlobalSecondaryIndexUpdates": [{"Delete": {"IndexName": "x"}}]
    }
    step = next_change(wanted, definition(), {}, {"": 0})
    assert step is not None
    assert step["AttributeDefinitions"] == wanted["AttributeDefinitions"]
    found = merged(wanted, have, {**have, "TimeToLive": "end"})
    assert found == {**wanted, "TimeToLive": "end"}, "what the table has yet is not said of the new one"


def test_read_units_of_an_index_that_is_to_come_stay() -> None:
    wanted = definition(index("x", writes=5), writes=7, ReadUnits={"": 5, "x": 20, "gone": 3})
    before, after = definition(writes=7), definition(writes=8, ReadUnits={"": 9})
    assert merged(wanted, before, after)["ReadUnits"] == {"": 9, "x": 20}


def test_an_index_without_write_units_is_given_one_and_then_left_alone() -> None:
    """It was made while its table was on demand, in a region that had heard of the other mode."""
    wanted, have = definition(index("x", writes=0), writes=7), definition(index("x", writes=1), writes=7)
    assert next_change(wanted, have, {}, {"": 7, "x": 1}) is None


def test_in_which_order_indexes_and_attributes_are_named_means_nothing() -> None:
    def local(name: str, *attributes: str) -> dict[str, Any]:
        projection = {"ProjectionType": "INCLUDE", "NonKeyAttributes": [*attributes]}
        schema = [*HASH, {"AttributeName": name, "KeyType": "RANGE"}]
        return {"IndexName": name, "KeySchema": schema, "Projection": projection}

    one = definition(LocalSecondaryIndexes=[local("l", "u", "v"), local("m", "w")])
    other = definition(LocalSecondaryIndexes=[local("m", "w"), local("l", "v", "u")])
    assert same_keys(one, other)
    assert not same_keys(one, definition(LocalSecondaryIndexes=[local("m", "w"), local("l", "v")]))
    include = [{"ProjectionType": "INCLUDE", "NonKeyAttributes": names} for names in (["u", "v"], ["v", "u"])]
    these, those = (definition({**index("x"), "Projection": each}) for each in include)
    assert next_change(these, those, {}, {"": 0, "x": 0}) is None


def test_read_units_are_nobodys_news() -> None:
    one, other = definition(writes=7), definition(writes=7, ReadUnits={"": 50})
    assert is_alike(one, other)
    assert not is_alike(one, definition(writes=8))


def test_other_keys() -> None:
    assert same_keys(definition(index("new")), definition(writes=7))
    assert not same_keys(definition(), definition(AttributeDefinitions=[{**PK, "AttributeType": "N"}]))
    local = {"IndexName": "l", "KeySchema": [*HASH, {"AttributeName": "a", "KeyType": "RANGE"}], "Projection": {}}
    assert not same_keys(definition(), definition(LocalSecondaryIndexes=[local]))


UNITS = {"ReadCapacityUnits": 5, "WriteCapacityUnits": 7}


@pytest.mark.parametrize(
    ("wanted", "have", "change"),
    [
        (definition(), definition(), None),
        (definition(writes=7), definition(writes=7, ReadUnits={"": 50}), None),
        (definition(), definition(writes=7), {"BillingMode": ON_DEMAND}),
        (definition(writes=7), definition(), {"BillingMode": "PROVISIONED", "ProvisionedThroughput": UNITS}),
        (
            definition(writes=7),
            definition(writes=6, ReadUnits={"": 50}),
            {"ProvisionedThroughput": {"ReadCapacityUnits": 50, "WriteCapacityUnits": 7}},
        ),
        (definition(writes=7, WriteCapacityUnits=None), definition(writes=6), None),
        (
            definition(),
            definition(index("old")),
            {"GlobalSecondaryIndexUpdates": [{"Delete": {"IndexName": "old"}}]},
        ),
        (
            definition(index("x", "b")),
            definition(index("x", "a")),
            {"GlobalSecondaryIndexUpdates": [{"Delete": {"IndexName": "x"}}]},
        ),
        (
            definition(index("x", writes=9), writes=7),
            definition(index("x", writes=8), writes=7),
            {
                "GlobalSecondaryIndexUpdates": [
                    {
                        "Update": {
                            "IndexName": "x",
                            "ProvisionedThroughput": {"ReadCapacityUnits": 3, "WriteCapacityUnits": 9},
                        }
                    }
                ]
            },
        ),
    ],
)
def test_the_next_step(wanted: Definition, have: Definition, change: dict[str, Any] | None) -> None:
    assert next_change(wanted, have, {}, {"": 6}) == change


def test_an_index_is_made_with_its_attributes() -> None:
    step = next_change(definition(index("x")), definition(), {}, {"": 0})
    assert step is not None
    (create,) = step["GlobalSecondaryIndexUpdates"]
    assert {*create["Create"]} == {"IndexName", "KeySchema", "Projection"}
    assert [each["AttributeName"] for each in step["AttributeDefinitions"]] == ["a", "pk"]


def test_read_units_that_were_given() -> None:
    step = next_change(definition(writes=7), definition(writes=7), {"": 33}, {"": 7})
    assert step == {"ProvisionedThroughput": {"ReadCapacityUnits": 33, "WriteCapacityUnits": 7}}
    assert next_change(definition(), definition(), {"": 33}, {"": 0}) is None


def test_read_units_that_an_index_was_given() -> None:
    have = definition(index("x", writes=None), writes=7, WriteScaling=scaled())
    step = next_change(have, have, {"x": 33, "gone": 5}, {"": 7, "x": 40})
    throughput = {"ReadCapacityUnits": 33, "WriteCapacityUnits": 40}
    assert step == {
        "GlobalSecondaryIndexUpdates": [{"Update": {"IndexName": "x", "ProvisionedThroughput": throughput}}]
    }
    assert next_change(have, have, {"x": 3}, {"": 7, "x": 40}) is None
    on_demand = definition(index("x"))
    assert next_change(on_demand, on_demand, {"x": 33}, {"": 0, "x": 0}) is None


def test_write_units_that_were_scaled_stay_when_read_units_are_given() -> None:
    wanted = definition(writes=7, WriteCapacityUnits=None, WriteScaling={"write": scaled()["write/x"]})
    step = next_change(wanted, wanted, {"": 33}, {"": 60})
    assert step == {"ProvisionedThroughput": {"ReadCapacityUnits": 33, "WriteCapacityUnits": 60}}


def test_a_replica_begins_with_all_of_it() -> None:
    request = creation_request(
        "music", definition(index("x", writes=None), writes=7, WriteScaling=scaled()), {"": 33}
    )
    assert request["ProvisionedThroughput"] == {"ReadCapacityUnits": 33, "WriteCapacityUnits": 7}
    (made,) = request["GlobalSecondaryIndexes"]
    assert made["ProvisionedThroughput"] == {"ReadCapacityUnits": 3, "WriteCapacityUnits": 2}, "scaled from its least"
    assert request["StreamSpecification"]["StreamViewType"] == "NEW_AND_OLD_IMAGES"
    assert "ProvisionedThroughput" not in creation_request("music", definition(), {})


def scaled() -> dict[str, Any]:
    return {"write/x": {"MinimumUnits": 2, "MaximumUnits": 9, "PolicyName": "p", "Target": {}}}
