"""Throttling on real processes over a real broker: the formula, through the death of the authority; reports."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.cluster import RunningCluster, client, kill, running
from tests.integration.flood import Flood, admits, provisioned_table

pytestmark = [pytest.mark.broker, pytest.mark.alone, pytest.mark.slow, pytest.mark.timeout(240)]

RATE = 5
ROUTERS = 2
RUN_S = 40.0
"""The burst of 1,500 is used in some seconds; the rest of the time the rate alone counts."""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCluster]:
    with running(tmp_path_factory.mktemp("throttling"), "--routers", str(ROUTERS)) as started:
        yield started


def test_admitted_is_burst_and_refill(cluster: RunningCluster) -> None:
    provisioned_table(cluster, "formula", RATE)
    flood = Flood(cluster, "formula", ROUTERS)
    took_s = flood.run(RUN_S)
    formula = admits(RATE, took_s)
    print(f"\nadmitted {flood.admitted}, formula {formula:.0f}, ratio {flood.admitted / formula:.3f}, {flood.errors}")
    assert set(flood.errors) == {"ProvisionedThroughputExceededException"}
    assert flood.admitted == pytest.approx(formula, rel=0.05)


def test_the_authoritys_death_fills_no_bucket(cluster: RunningCluster) -> None:
    provisioned_table(cluster, "authority", RATE)
    node, term = cluster.leader("authority")
    pid = cluster.pids("storage-node")[node]
    flood = Flood(cluster, "authority", ROUTERS)
    killer = threading.Timer(RUN_S / 2, lambda: kill(pid))
    killer.start()
    took_s = flood.run(RUN_S)
    killer.join()
    assert cluster.leader("authority")[1] > term
    formula = admits(RATE, took_s)
    print(f"\nadmitted {flood.admitted}, formula {formula:.0f}, ratio {flood.admitted / formula:.3f}, {flood.errors}")
    assert set(flood.errors) == {"ProvisionedThroughputExceededException"}
    assert flood.admitted == pytest.approx(formula, rel=0.05)
    cluster.up()


def test_a_report_lists_what_passes(tmp_path: Path) -> None:
    with running(tmp_path, "--throttling", "report") as cluster:
        provisioned_table(cluster, "reported", 1)
        db = client(cluster.port, total_max_attempts=1)
        for number in range(500):
            db.put_item(TableName="reported", Item={"pk": {"S": f"k{number % 7}"}})
        told = json.loads(cluster.command("admin", "throttled", "--json"))
        (count,) = told["counts"]
        assert (count["process"], count["table"]) == ("router-1", "reported")
        assert count["reason"] == "TableWriteProvisionedThroughputExceeded"
        assert 100 <= count["count"] < 200
        assert {event["key"] for event in told["events"]} == {f"k{number}" for number in range(7)}
        assert "these requests passed" in cluster.command("admin", "throttled")
        reason = "TableWriteProvisionedThroughputExceeded"
        assert f'dynabus_throttled_requests_total{{reason="{reason}"' in cluster.metrics("router-1")
