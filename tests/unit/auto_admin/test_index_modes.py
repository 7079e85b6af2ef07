"""The billing mode of a table with global secondary indexes: theirs is the same, a provisioned one says its units."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.auto_admin.test_indexing import NAME, WITH_INDEX, states
from tests.unit.auto_admin.test_service import Life

from dynabus.core.global_indexes import index_name
from dynabus.core.tables.capacity_changes import billing_mode

OWN = index_name(NAME, "by-year")
UNITS = {"ReadCapacityUnits": 7, "WriteCapacityUnits": 9}
TABLE_UNITS = {"ReadCapacityUnits": 5, "WriteCapacityUnits": 5}
UPDATE = [{"Update": {"IndexName": "by-year", "ProvisionedThroughput": UNITS}}]


@pytest.fixture
def life() -> Life:
    made = Life("admin-1")
    made.ask("CreateTable", **WITH_INDEX)
    made.until("made", lambda: _statuses(made) == {"ACTIVE"})
    return made


def _statuses(life: Life) -> set[str]:
    found = {state.status for state in states(life).values()}
    return found if len(states(life)) == 2 else set()


def _index(life: Life) -> dict[str, Any]:
    found: dict[str, Any] = states(life)[NAME].description["GlobalSecondaryIndexes"][0]
    return found


def _own(life: Life) -> dict[str, Any]:
    return states(life)[OWN].description


def change(life: Life, **members: Any) -> dict[str, Any]:
    answer = life.ask("UpdateTable", TableName=NAME, **members)
    life.until("changed", lambda: _statuses(life) == {"ACTIVE"} and _index(life)["IndexStatus"] == "ACTIVE")
    return answer


def test_to_provisioned_and_back(life: Life) -> None:
    assert billing_mode(_own(life)) == "PAY_PER_REQUEST"
    answer = change(
        life, BillingMode="PROVISIONED", ProvisionedThroughput=TABLE_UNITS, GlobalSecondaryIndexUpdates=UPDATE
    )
    shown = answer["TableDescription"]["GlobalSecondaryIndexes"][0]
    assert shown["IndexStatus"] == "UPDATING"
    assert shown["ProvisionedThroughput"]["WriteCapacityUnits"] == 9
    assert billing_mode(_own(life)) == "PROVISIONED"
    assert {**_own(life)["ProvisionedThroughput"], **UNITS} == _own(life)["ProvisionedThroughput"]
    change(life, BillingMode="PAY_PER_REQUEST")
    assert billing_mode(_own(life)) == "PAY_PER_REQUEST"
    assert _index(life)["ProvisionedThroughput"]["WriteCapacityUnits"] == 0
    assert _own(life)["ProvisionedThroughput"]["WriteCapacityUnits"] == 0


def test_units_of_the_index_are_missing(life: Life) -> None:
    answer = life.ask("UpdateTable", TableName=NAME, BillingMode="PROVISIONED", ProvisionedThroughput=TABLE_UNITS)
    assert answer["message"] == (
        "One or more parameter values were invalid: ProvisionedThroughput must be specified for index: by-year"
    )
    assert _statuses(life) == {"ACTIVE"}
    assert billing_mode(states(life)[NAME].description) == "PAY_PER_REQUEST"


def test_an_indexs_units_alone(life: Life) -> None:
    change(life, BillingMode="PROVISIONED", ProvisionedThroughput=TABLE_UNITS, GlobalSecondaryIndexUpdates=UPDATE)
    more = {"ReadCapacityUnits": 8, "WriteCapacityUnits": 10}
    change(life, GlobalSecondaryIndexUpdates=[{"Update": {"IndexName": "by-year", "ProvisionedThroughput": more}}])
    assert _own(life)["ProvisionedThroughput"]["WriteCapacityUnits"] == 10
