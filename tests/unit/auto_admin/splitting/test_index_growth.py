"""More throughput of an index makes more partitions of it before it is there, as a table's does, whoever dies."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.auto_admin.splitting.test_growth import units
from tests.unit.auto_admin.test_index_modes import OWN
from tests.unit.auto_admin.test_indexing import NAME, WITH_INDEX, states
from tests.unit.auto_admin.test_service import Life

INDEX = {**WITH_INDEX["GlobalSecondaryIndexes"][0], "ProvisionedThroughput": units(1, 1)}
PROVISIONED = {
    **WITH_INDEX,
    "BillingMode": "PROVISIONED",
    "ProvisionedThroughput": units(1, 1),
    "GlobalSecondaryIndexes": [INDEX],
}


def made(*names: str) -> Life:
    """A provisioned table and its index, of two partitions each."""
    life = Life(*names)
    life.restarts = len(names) < 2
    life.ask("CreateTable", **PROVISIONED)
    life.until("made", lambda: _settled(life) and len(states(life)) == 2)
    return life


def _settled(life: Life) -> bool:
    return {state.status for state in states(life).values()} == {"ACTIVE"}


def _index(life: Life) -> dict[str, Any]:
    """As DescribeTable shows it."""
    found: dict[str, Any] = states(life)[NAME].description["GlobalSecondaryIndexes"][0]
    return found


def _own_units(life: Life) -> int:
    """Of the index's own row: what its buckets are filled by."""
    return int(states(life)[OWN].description["ProvisionedThroughput"]["WriteCapacityUnits"])


def raise_units(life: Life, write: int) -> None:
    update = {"IndexName": "by-year", "ProvisionedThroughput": units(1, write)}
    life.ask("UpdateTable", TableName=NAME, GlobalSecondaryIndexUpdates=[{"Update": update}])


def live_through(crash_after: int | None, names: tuple[str, ...] = ("admin-1",)) -> Life:
    life = made(*names)
    life.kafka.effects, life.kafka.crash_after = 0, crash_after
    raise_units(life, 3500)

    def done() -> bool:
        if not life.active() or len(states(life)) < 2:
            return False
        own = states(life)[OWN]
        few = sum("children" not in each and each.get("state", "active") == "active" for each in own.partitions) < 4
        assert not (few and _own_units(life) == 3500), "its throughput is there before its partitions are"
        return _settled(life) and _index(life)["IndexStatus"] == "ACTIVE"

    life.until("done", done)
    assert len(states(life)[OWN].partitions) == 4
    assert len(states(life)[NAME].partitions) == 2
    assert (_own_units(life), _index(life)["ProvisionedThroughput"]["WriteCapacityUnits"]) == (3500, 3500)
    return life


EFFECTS = live_through(None).kafka.effects


@pytest.mark.parametrize("crash_after", range(1, EFFECTS + 1))
def test_a_crash_after_any_effect_and_a_restart(crash_after: int) -> None:
    live_through(crash_after)


@pytest.mark.parametrize("crash_after", range(1, EFFECTS + 1, 3))
def test_a_crash_after_an_effect_and_a_standby_that_takes_over(crash_after: int) -> None:
    live_through(crash_after, ("admin-1", "admin-2"))


def test_the_table_is_updating_and_the_index_has_its_old_throughput_until_the_partitions_are_there() -> None:
    life = made("admin-1")
    life.nodes.deaf = {"node-2", "node-3"}
    life.kafka.now_ms += 10_000
    raise_units(life, 3500)
    for _ in range(100):
        life.turn()
    assert (states(life)[NAME].status, _index(life)["IndexStatus"], _own_units(life)) == ("UPDATING", "UPDATING", 1)
    assert "its table's throughput needs 4 partitions" in str(life.ask("DescribePlan")["Splits"])
    life.nodes.deaf = set()
    life.until("done", lambda: _settled(life) and _own_units(life) == 3500)


def test_less_throughput_makes_no_partitions() -> None:
    life = made("admin-1")
    for write in (900, 1, 900):
        raise_units(life, write)
        life.until("done", lambda wanted=write: _settled(life) and _own_units(life) == wanted)
    assert len(states(life)[OWN].partitions) == 2
