"""Target tracking on real processes: a table whose load is above its target gets more units within minutes."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from tests.integration.cluster import RunningCluster, client, running, wait_until
from tests.integration.flood import provisioned_table

pytestmark = [pytest.mark.broker, pytest.mark.slow, pytest.mark.timeout(420)]

UNITS, RATE = 5, 15.0
"""Offered are thrice the units, out of the burst of 1,500 that a new table has."""

WITHIN_S = 240
"""Two whole minutes above the target, the begun one before, one period of a node, and a busy machine."""


def test_load_above_the_target_is_followed(tmp_path_factory: pytest.TempPathFactory) -> None:
    with running(tmp_path_factory.mktemp("scaling")) as cluster:
        provisioned_table(cluster, "scaled", UNITS)
        db = client(cluster.port)
        target = {"TargetTrackingScalingPolicyConfiguration": {"TargetValue": 50.0}}
        settings = {"MinimumUnits": UNITS, "MaximumUnits": 100, "ScalingPolicyUpdate": target}
        db.update_table_replica_auto_scaling(TableName="scaled", ProvisionedWriteCapacityAutoScalingUpdate=settings)
        stop = threading.Event()
        writer = threading.Thread(target=_write, args=(cluster.port, stop), daemon=True)
        began = time.monotonic()
        writer.start()
        wait_until("more units", lambda: _units(db) > UNITS, WITHIN_S)
        took_s = time.monotonic() - began
        units = _units(db)
        stop.set()
        writer.join(30)
        print(f"\n{UNITS} -> {units} write units after {took_s:.0f} s of {RATE:.0f} writes a second, target 50 %")
        assert took_s > 2 * 60, "two whole minutes"
        assert 2 * RATE * 0.5 <= units <= 2 * RATE * 1.2
        assert "above 50 % for 2 minutes" in cluster.command("admin", "events")
        plan = cluster.command("admin", "plan")
        assert f"scaled: {units} write units (5 to 100)" in plan
        _survives(cluster, units)


def _write(port: int, stop: threading.Event) -> None:
    """A write at a time, RATE a second at most: what a busy machine delays is not made up for in the next minute."""
    db: Any = client(port)
    due_s = time.monotonic()
    while not stop.is_set():
        db.put_item(TableName="scaled", Item={"pk": {"S": f"{due_s}"}})
        due_s = max(due_s + 1 / RATE, time.monotonic())
        stop.wait(max(0.0, due_s - time.monotonic()))


def _units(db: Any) -> int:
    table = db.describe_table(TableName="scaled")["Table"]
    return int(table["ProvisionedThroughput"]["WriteCapacityUnits"])


def _survives(cluster: RunningCluster, units: int) -> None:
    """Settings and units are there after a restart of everything."""
    cluster.down()
    cluster.up()
    db = client(cluster.port)
    told = db.describe_table_replica_auto_scaling(TableName="scaled")["TableAutoScalingDescription"]
    shown = told["Replicas"][0]["ReplicaProvisionedWriteCapacityAutoScalingSettings"]
    assert (shown["MinimumUnits"], shown["MaximumUnits"]) == (UNITS, 100)
    assert _units(db) == units
