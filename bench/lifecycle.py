"""What a cluster costs when nothing happens, and how long it takes to begin and to recover."""

from __future__ import annotations

import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.integration.cluster import RunningCluster, kill, wait_until

from bench.processes import cpu_percent, memory_mb, of_cluster, until_calm
from bench.wire import RefusedError, call
from bench.workload import create_table

TABLE = "bench-recovery"
ITEM = {"pk": {"S": "the one"}, "n": {"N": "1"}}
ASK_AGAIN_S = 0.02
GIVE_UP_S = 60.0


def start_up_s(count: int, *arguments: str) -> list[float]:
    """Seconds from `dynabus up` on an empty folder until it serves. Kafka's jars must be there."""
    took = []
    for _ in range(count):
        with tempfile.TemporaryDirectory(prefix="dynabus-bench-") as folder:
            cluster = RunningCluster(Path(folder), *arguments)
            try:
                took.append(round(cluster.up(), 2))
            finally:
                cluster.down()
    return took


def idle(cluster: RunningCluster, seconds: float) -> tuple[dict[str, float], dict[str, float]]:
    """By process: percent of a core, private memory in MB; once compactions and the JVM's collector are at rest."""
    pids = of_cluster(cluster.status())
    until_calm(pids, GIVE_UP_S)
    return cpu_percent(pids, seconds), memory_mb(pids)


def recovery_s(cluster: RunningCluster, count: int) -> dict[str, list[float]]:
    """Seconds from kill -9 of a partition's leader until the first put, and the first consistent get, that was sent
    to that partition afterwards is answered. The node is started again after each."""
    create_table(cluster.port, TABLE, "pk", one_partition=True)
    found: dict[str, list[float]] = {"put": [], "get": []}
    for _ in range(count):
        wait_until("three replicas up to date", lambda: _all_active(cluster), GIVE_UP_S)
        call(cluster.port, "PutItem", {"TableName": TABLE, "Item": ITEM})
        _kill_leader(cluster, found)
        cluster.up()
    return found


def _kill_leader(cluster: RunningCluster, found: dict[str, list[float]]) -> None:
    leader, _ = cluster.leader(TABLE)
    pid = cluster.pids("storage-node")[leader]
    get = {"TableName": TABLE, "Key": {"pk": ITEM["pk"]}, "ConsistentRead": True}
    with ThreadPoolExecutor(2) as pool:
        began = time.monotonic()
        kill(pid)
        put_end = pool.submit(_first_success, cluster.port, "PutItem", {"TableName": TABLE, "Item": ITEM})
        get_end = pool.submit(_first_success, cluster.port, "GetItem", get)
        found["put"].append(round(put_end.result() - began, 2))
        found["get"].append(round(get_end.result() - began, 2))


def _first_success(port: int, operation: str, body: dict[str, Any]) -> float:
    """The monotonic time of it."""
    deadline = time.monotonic() + GIVE_UP_S
    while True:
        try:
            call(port, operation, body)
        except (RefusedError, OSError):
            if time.monotonic() > deadline:
                raise
            time.sleep(ASK_AGAIN_S)
        else:
            return time.monotonic()


def _all_active(cluster: RunningCluster) -> bool:
    replicas = cluster.partition(TABLE).get("replicas", ())
    return len(replicas) == 3 and all(replica["state"] == "active" for replica in replicas)
