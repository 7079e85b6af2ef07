"""What clients feel while a node that lost its disk clones a replica: `python -m bench.repair [--mb 200]`.

One cluster of three nodes. Puts of 1 KB over a fixed number of connections, in short rounds: before, while the node
clones at its pace (`--clone-mb-per-s`), and after. The node is wiped and started again between two rounds, and rounds
count as "while" only if the clone was under way from their begin to their end.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from tests.integration.cluster import RunningCluster, kill, running, wait_until

from bench import workload
from bench.figures import Measured
from bench.generator import Generator, choose
from bench.profile import WARM_UP_CONNECTIONS, WARM_UP_S
from bench.run import throttling_arguments

TABLE = "repair"
ITEM_BYTES = 100_000
ITEMS_AT_ONCE = 25
ROUNDS, SECONDS, CONNECTIONS = 6, 3, 8
TARGET = 2.0
"""The most that p99 may grow to, as a multiple."""


def fill(port: int, megabytes: int) -> None:
    """A table of one partition with so much in it."""
    workload.create_table(port, TABLE, "pk", one_partition=True)
    pad = {"S": "r" * ITEM_BYTES}
    items: list[dict[str, Any]] = [{"pk": {"S": f"{n:06d}"}, "pad": pad} for n in range(megabytes * 10)]
    for first in range(0, len(items), ITEMS_AT_ONCE):
        workload.write_all(port, TABLE, items[first : first + ITEMS_AT_ONCE])


def replica(cluster: RunningCluster, node: str) -> dict[str, Any]:
    """The node's replica of the table, as status shows it."""
    replicas = cluster.partition(TABLE).get("replicas", ())
    found: dict[str, Any] = next((each for each in replicas if each["node"] == node), {})
    return found


def wipe_a_follower(cluster: RunningCluster) -> str:
    """Kill it, remove its disk, start it; its name."""
    leader, _ = cluster.leader(TABLE)
    node, pid = next((name, pid) for name, pid in cluster.pids("storage-node").items() if name != leader)
    kill(pid)
    shutil.rmtree(cluster.data / node)
    cluster.up()
    return node


class Load:
    """Rounds of puts to the small table beside the large one."""

    def __init__(self, generator: Generator, port: int, requests: Path, asked: argparse.Namespace) -> None:
        self._generator, self._port, self._requests, self._asked = generator, port, requests, asked

    def _round(self) -> Measured:
        return self._generator.run(self._port, self._requests, self._asked.connections, self._asked.seconds)

    def rounds(self, count: int) -> list[Measured]:
        return [self._round() for _ in range(count)]

    def rounds_while(self, condition: Callable[[], bool]) -> list[Measured]:
        """As many as end while it holds."""
        found: list[Measured] = []
        while condition():
            found.append(self._round())
        if len(found) < 2:
            sys.exit("the clone was over before a round was: give it more with --mb")
        return found[:-1]


def line(name: str, rounds: list[Measured]) -> str:
    """Medians over rounds."""
    p50, p99, speed = (median(getattr(each, field) for each in rounds) for field in ("p50_ms", "p99_ms", "ops_per_s"))
    return f"{name:13} p50 {p50:6.1f} ms   p99 {p99:6.1f} ms   {speed:6,.0f}/s   {len(rounds)} rounds"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mb", type=int, default=200, help="size of the replica")
    parser.add_argument("--connections", type=int, default=CONNECTIONS)
    parser.add_argument("--seconds", type=int, default=SECONDS, help="of each round")
    asked = parser.parse_args()
    os.environ["DYNABUS_CLONE_AFTER_RECORDS"] = "100"
    generator = choose()
    with (
        tempfile.TemporaryDirectory(prefix="dynabus-bench-") as name,
        running(Path(name) / "cluster", *throttling_arguments()) as cluster,
    ):
        workload.fill(cluster.port)
        fill(cluster.port, asked.mb)
        requests = workload.write_prepared("put", Path(name))
        generator.run(cluster.port, requests, WARM_UP_CONNECTIONS, WARM_UP_S)
        load = Load(generator, cluster.port, requests, asked)
        before = load.rounds(ROUNDS)
        node = wipe_a_follower(cluster)
        # Until its new run is heard, the old one's word stands.
        wait_until("its loss shows", lambda: replica(cluster, node).get("state") != "active")
        during = load.rounds_while(lambda: replica(cluster, node).get("state") != "active")
        after = load.rounds(ROUNDS)
    for name, rounds in (("before", before), ("while cloning", during), ("after", after)):
        print(line(name, rounds))
    p99 = [median(each.p99_ms for each in rounds) for rounds in (during, before + after)]
    print(f"p99 while cloning / otherwise: {p99[0] / p99[1]:.2f} (target: {TARGET:.0f} at most)")


if __name__ == "__main__":
    main()
