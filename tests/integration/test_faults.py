"""Faults on real processes over a real broker, under load: nothing lost, nothing stale, back by itself."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.cluster import RunningCluster, kill, paused, running, wait_until
from tests.integration.load import Load, Recorded, lost

pytestmark = [pytest.mark.broker, pytest.mark.alone, pytest.mark.slow, pytest.mark.timeout(240)]

ACKS_BEFORE, ACKS_AFTER = 1000, 100
PAUSE_S = 9.0
"""Longer than the lease (3 s) and the election together, so that the paused leader wakes up deposed."""

TABLE = "faults"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCluster]:
    with running(tmp_path_factory.mktemp("faults")) as started:
        yield started


@pytest.fixture
def table(cluster: RunningCluster, request: pytest.FixtureRequest) -> str:
    """Each fault gets a table of its own."""
    cluster.up()
    name = f"{TABLE}-{request.node.name.removeprefix('test_')}"
    cluster.create_table(name)
    return name


def under_load(cluster: RunningCluster, table: str, fault: Callable[[Load], None]) -> tuple[Recorded, float]:
    """Throw the fault after enough writes, wait for enough after it, check everything, print the figures."""
    with Load(cluster.port, table) as load:
        load.wait_for_acks(ACKS_BEFORE)
        began = time.monotonic()
        fault(load)
        load.wait_for_acks(ACKS_AFTER)
    figures = load.check()
    gap_s = load.recorded.longest_gap_s(began)
    print(f"\n{table}: {figures}, longest gap {gap_s:.2f} s")
    return load.recorded, gap_s


@pytest.mark.skipif(not hasattr(os, "SCHED_BATCH"), reason="this system has no batch scheduling")
def test_every_process_is_scheduled_as_batch(cluster: RunningCluster) -> None:
    status = cluster.status()
    pids = {each["name"]: each["pid"] for each in status["processes"]} | {"kafka": status["kafka"]["pid"]}
    nodes = {"node-1", "node-2", "node-3"}
    assert pids.keys() == {"admin-1", "router-1", "propagator-1", "kafka", *nodes}
    assert {os.sched_getscheduler(pid) for pid in pids.values()} == {os.SCHED_BATCH}


def test_kill_leader(cluster: RunningCluster, table: str) -> None:
    node, term = cluster.leader(table)
    recorded, gap_s = under_load(cluster, table, lambda _: kill(cluster.pids("storage-node")[node]))
    assert node not in cluster.pids("storage-node")
    assert cluster.leader(table)[1] > term
    assert gap_s <= 6.0
    assert len(recorded.errors) == 0


def test_pause_leader_past_its_lease(cluster: RunningCluster, table: str) -> None:
    node, term = cluster.leader(table)
    pid = cluster.pids("storage-node")[node]

    def fault(load: Load) -> None:
        with paused(pid):
            wait_until("another leader", lambda: cluster.leader(table)[0] != node, PAUSE_S + 10)
            load.wait_for_acks(ACKS_AFTER)
        load.wait_for_acks(ACKS_AFTER)

    under_load(cluster, table, fault)
    assert cluster.leader(table)[1] > term
    assert node in cluster.pids("storage-node")


def test_kill_router(cluster: RunningCluster, table: str) -> None:
    (name, pid), *_ = cluster.pids("request-router").items()

    def fault(load: Load) -> None:
        kill(pid)
        cluster.up()

    recorded, _ = under_load(cluster, table, fault)
    assert cluster.pids("request-router")[name] != pid
    assert recorded.errors, "clients of a dead router see errors"


def test_kill_broker_and_start_it_again(cluster: RunningCluster, table: str) -> None:
    pid = cluster.status()["kafka"]["pid"]

    def fault(load: Load) -> None:
        kill(pid)
        cluster.up()

    under_load(cluster, table, fault)
    assert cluster.status()["kafka"]["pid"] != pid


def test_kill_everything_and_start_again(cluster: RunningCluster, table: str) -> None:
    before = cluster.status()
    pids = [process["pid"] for process in before["processes"]] + [before["kafka"]["pid"]]

    def fault(load: Load) -> None:
        for pid in pids:
            kill(pid)
        cluster.up()

    under_load(cluster, table, fault)
    assert not set(pids) & {process["pid"] for process in cluster.status()["processes"]}


def test_kill_leader_while_auto_admin_is_dead(cluster: RunningCluster, table: str) -> None:
    node, term = cluster.leader(table)
    admins = cluster.pids("auto-admin")

    def fault(load: Load) -> None:
        for pid in admins.values():
            kill(pid)
        kill(cluster.pids("storage-node")[node])

    _, gap_s = under_load(cluster, table, fault)
    assert not cluster.pids("auto-admin")
    found, new_term = cluster.leader(table)
    assert found != node
    assert new_term > term
    assert gap_s <= 6.0


def test_planned_stop_hands_over(cluster: RunningCluster, table: str) -> None:
    node, term = cluster.leader(table)
    pid = cluster.pids("storage-node")[node]

    def fault(load: Load) -> None:
        os.kill(pid, signal.SIGTERM)
        wait_until("the node stopped", lambda: node not in cluster.pids("storage-node"))

    recorded, gap_s = under_load(cluster, table, fault)
    assert cluster.leader(table)[1] > term
    assert gap_s <= 0.5
    assert len(recorded.errors) == 0


def test_the_checker_sees_a_planted_loss(tmp_path: Path) -> None:
    recorded = Recorded(acked={"a": 5, "b": 3}, tried={"a": 6, "b": 3})
    assert not lost(recorded, {"a": 5, "b": 3})
    assert not lost(recorded, {"a": 6, "b": 3})
    assert lost(recorded, {"a": 4, "b": 3})
    assert lost(recorded, {"a": 5})
    assert lost(recorded, {"a": 7, "b": 3})
