"""More throughput makes more partitions before it is there, whoever dies meanwhile."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.unit.auto_admin.splitting.test_splits import partitions, table
from tests.unit.auto_admin.tables.test_decisions import REQUEST
from tests.unit.auto_admin.test_service import Life

from dynabus.auto_admin.splitting import growth
from dynabus.auto_admin.splitting.splits import THROUGHPUT
from dynabus.core.tables.partition_needs import Policy

NAME = REQUEST["TableName"]
POLICY = Policy(1, 1, 100)


def units(read: int, write: int) -> dict[str, int]:
    return {"ReadCapacityUnits": read, "WriteCapacityUnits": write}


PROVISIONED: dict[str, Any] = {**REQUEST, "BillingMode": "PROVISIONED", "ProvisionedThroughput": units(1, 1)}


def made(*names: str, **more: Any) -> Life:
    """A cluster with a provisioned table of two partitions."""
    life = Life(*names)
    life.restarts = len(names) < 2
    life.ask("CreateTable", **{**PROVISIONED, **more})
    life.until("active", lambda: life.status() == "ACTIVE" and life.rows() == ["ACTIVE"])
    return life


def raise_units(life: Life, read: int, write: int) -> dict[str, Any]:
    return life.ask("UpdateTable", TableName=NAME, ProvisionedThroughput=units(read, write))


def described(life: Life) -> dict[str, Any]:
    (state,) = life.active()[0].tables.all().values()
    return {**state.description, "TableStatus": state.status}


def live_through(crash_after: int | None, names: tuple[str, ...] = ("admin-1",)) -> Life:
    """From two partitions to four."""
    life = made(*names)
    life.kafka.effects, life.kafka.crash_after = 0, crash_after
    raise_units(life, 3000, 3000)
    life.until("done", lambda: life.active() and described(life)["TableStatus"] == "ACTIVE")
    life.until("published", lambda: set(partitions(life).values()) == {"active"} and life.status() == "ACTIVE")
    assert len(partitions(life)) == 4
    assert described(life)["ProvisionedThroughput"]["WriteCapacityUnits"] == 3000
    return life


EFFECTS = live_through(None).kafka.effects


@pytest.mark.parametrize("crash_after", range(1, EFFECTS + 1))
def test_a_crash_after_any_effect_and_a_restart(crash_after: int) -> None:
    live_through(crash_after)


@pytest.mark.parametrize("crash_after", range(1, EFFECTS + 1, 3))
def test_a_crash_after_an_effect_and_a_standby_that_takes_over(crash_after: int) -> None:
    live_through(crash_after, ("admin-1", "admin-2"))


def test_the_old_throughput_is_described_until_the_partitions_are_there() -> None:
    life = made()
    life.nodes.deaf = {"node-2", "node-3"}
    life.kafka.now_ms += 10_000
    raise_units(life, 3000, 3000)
    for _ in range(100):
        life.turn()
    told = described(life)
    assert told["TableStatus"] == "UPDATING"
    assert told["ProvisionedThroughput"]["WriteCapacityUnits"] < 3000
    assert "being split into" in str(life.ask("DescribePlan")["Splits"])
    life.nodes.deaf = set()
    life.until("done", lambda: described(life)["TableStatus"] == "ACTIVE")
    assert described(life)["ProvisionedThroughput"]["WriteCapacityUnits"] == 3000
    assert len(partitions(life)) == 4


def test_less_throughput_and_what_fits_make_no_partitions() -> None:
    life = made()
    raise_units(life, 1000, 1000)
    life.until("done", lambda: described(life)["TableStatus"] == "ACTIVE")
    raise_units(life, 1, 1)
    life.until("done", lambda: described(life)["TableStatus"] == "ACTIVE")
    assert set(partitions(life)) == {0, 1}


def test_warm_throughput_makes_partitions_while_the_table_is_active() -> None:
    life = made()
    life.ask("UpdateTable", TableName=NAME, WarmThroughput={"WriteUnitsPerSecond": 3000})
    statuses = set()

    def warm() -> bool:
        statuses.add(described(life)["TableStatus"])
        return bool(described(life)["WarmThroughput"]["Status"] == "ACTIVE")

    life.until("warm", warm)
    assert statuses == {"ACTIVE"}
    assert len(partitions(life)) == 3


def test_warm_throughput_of_a_new_table_makes_them_at_once() -> None:
    life = made(WarmThroughput={"WriteUnitsPerSecond": 4000, "ReadUnitsPerSecond": 12})
    assert set(partitions(life)) == {0, 1, 2, 3}


def test_on_demand_tables_have_a_setting_and_get_it_when_they_become_one() -> None:
    life = Life(on_demand_partitions=3)
    life.create()
    assert set(partitions(life)) == {0, 1, 2}
    life = Life(on_demand_partitions=3)
    life.ask("CreateTable", **PROVISIONED)
    life.until("active", lambda: life.status() == "ACTIVE" and life.rows() == ["ACTIVE"])
    assert set(partitions(life)) == {0, 1}
    life.ask("UpdateTable", TableName=NAME, BillingMode="PAY_PER_REQUEST")
    life.until("on demand", lambda: described(life)["TableStatus"] == "ACTIVE")
    assert len(partitions(life)) == 3


def test_kafkas_last_number_is_not_waited_for() -> None:
    life = made()
    raise_units(life, 1, 4000)
    life.until("done", lambda: described(life)["TableStatus"] == "ACTIVE")
    state = next(iter(life.active()[0].tables.all().values()))
    assert len(state.partitions) == 4
    assert growth.wishes(state, POLICY, 5) == []
    pending = replace(state, pending={"WarmThroughput": {"WriteUnitsPerSecond": 9000}}, status="UPDATING")
    assert not growth.short(pending, POLICY, 5)
    assert growth.short(pending, POLICY, 100)


def test_a_frozen_one_does_not_keep_others_from_being_halved() -> None:
    state = table(**PROVISIONED)
    frozen, other = ({**each} for each in state.partitions)
    frozen["frozen"] = "its log lost records"
    pending = {"WarmThroughput": {"WriteUnitsPerSecond": 3000}}
    state = replace(state, status="UPDATING", pending=pending, partitions=[frozen, other])
    assert [wish.number for wish in growth.wishes(state, POLICY, 1000)] == [other["number"]]
    assert growth.short(replace(state, partitions=[frozen]), POLICY, 1000)


def test_the_widest_are_halved_first_and_not_all_at_once() -> None:
    state = table(**PROVISIONED)
    state = replace(state, status="UPDATING", pending={"WarmThroughput": {"WriteUnitsPerSecond": 40_000}})
    first, second = growth.wishes(state, POLICY, 1000)
    assert (first.number, first.at, first.cause) == (0, b"\x40" + bytes(7), THROUGHPUT)
    assert (second.number, second.at) == (1, b"\xc0" + bytes(7))
    many = [{**state.partitions[0], "number": n, "lower": f"{n:02x}", "upper": f"{n + 1:02x}"} for n in range(9)]
    assert len(growth.wishes(replace(state, partitions=many), POLICY, 1000)) == growth.AT_ONCE


def test_what_cannot_be_halved_is_not_waited_for_and_what_moves_is() -> None:
    state = table(**PROVISIONED)
    pending = {"WarmThroughput": {"WriteUnitsPerSecond": 3000}}
    hash_ = "11" * 8
    inside = {**state.partitions[0], "lower": hash_, "upper": hash_ + "22"}
    narrow = replace(state, status="UPDATING", pending=pending, partitions=[inside])
    assert not growth.short(narrow, POLICY, 100)
    moving = replace(
        state, status="UPDATING", pending=pending, partitions=[{**each, "move": {}} for each in state.partitions]
    )
    assert growth.short(moving, POLICY, 100)
    assert growth.wishes(moving, POLICY, 100) == []
