"""What time to live gives and costs: how fast expired items go, and what foreground clients notice of it.

    python -m bench.expiry [--items 20000] [--rounds 3] [--seconds 5] [--per-s 1000]

One table without time to live has the foreground: puts from few connections, at no given rate. In turns alone, and
while another table's items, which were all over before, are deleted. Deletions are counted by the nodes, from the
first to the last second in which the foreground ran.
"""

from __future__ import annotations

import argparse
import os
import re
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from tests.integration.cluster import RunningCluster, client, running, wait_until

from bench.figures import Measured
from bench.generator import Generator, choose
from bench.workload import KEYS, create_table, put, write_all, write_requests

CONNECTIONS = 4
"""Far from what the cluster can do: at its limit the p99 says how long the queue is, and nothing of the sweep."""

FOREGROUND = "foreground"
PAST_S = 3600
TIME_TO_LIVE = {"AttributeName": "expires", "Enabled": True}
_DELETED = re.compile(r"^dynabus_node_time_to_live_deletions_total (\S+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Round:
    """The foreground alone and beside deletions, and how many of these went in a second."""

    alone: Measured
    beside: Measured
    deleted_per_s: float

    @property
    def p99_ratio(self) -> float:
        return self.beside.p99_ms / self.alone.p99_ms


def deleted(cluster: RunningCluster) -> float:
    """Deletions that all nodes have asked for since they started."""
    found = (_DELETED.search(cluster.metrics(node)) for node in cluster.pids("storage-node"))
    return sum(float(each[1]) for each in found if each is not None)


def expired_table(cluster: RunningCluster, table: str, items: int) -> None:
    """Items of 1 KB that are over; nothing looks at that yet."""
    create_table(cluster.port, table, "pk")
    past = {"expires": {"N": str(int(time.time()) - PAST_S)}, "pad": {"S": "x" * 900}}
    write_all(cluster.port, table, [{"pk": {"S": f"old{number:08d}"}, **past} for number in range(items)])


def one_round(
    cluster: RunningCluster, generator: Generator, path: Path, table: str, asked: argparse.Namespace
) -> Round:
    """Raises RuntimeError where a foreground put fails, or the items are too few for so many seconds."""
    expired_table(cluster, table, asked.items)
    alone = generator.run(cluster.port, path, CONNECTIONS, asked.seconds)
    before = deleted(cluster)
    client(cluster.port).update_time_to_live(TableName=table, TimeToLiveSpecification=TIME_TO_LIVE)
    wait_until("deletions", lambda: deleted(cluster) > before, 30)
    first, since = deleted(cluster), time.monotonic()
    beside = generator.run(cluster.port, path, CONNECTIONS, asked.seconds)
    last, took_s = deleted(cluster), time.monotonic() - since
    if alone.errors or beside.errors:
        raise RuntimeError(f"{alone.errors + beside.errors} errors of the foreground")
    if last - before >= asked.items:
        raise RuntimeError(f"{asked.items} items were gone before the round was over: ask for more")
    db = client(cluster.port)
    wait_until("all gone", lambda: db.scan(TableName=table, Select="COUNT")["Count"] == 0, 120)
    return Round(alone, beside, (last - first) / took_s)


def _round(cluster: RunningCluster, generator: Generator, path: Path, table: str, asked: argparse.Namespace) -> Round:
    """Told at once: a round takes half a minute."""
    ran = one_round(cluster, generator, path, table, asked)
    alone, beside = ran.alone, ran.beside
    print(
        f"deletions {ran.deleted_per_s:6,.0f}/s   puts p50 {alone.p50_ms:.2f} -> {beside.p50_ms:.2f} ms   "
        f"p99 {alone.p99_ms:.2f} -> {beside.p99_ms:.2f} ms   {alone.ops_per_s:,.0f} -> {beside.ops_per_s:,.0f}/s",
        flush=True,
    )
    return ran


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.expiry", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--items", type=int, default=20_000, metavar="N", help="that expire a round (default: 20000)")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="(default: 3)")
    parser.add_argument("--seconds", type=int, default=5, metavar="S", help="of each half of one (default: 5)")
    parser.add_argument("--per-s", type=int, default=1000, metavar="N", help="expire_per_s of nodes (default: 1000)")
    asked = parser.parse_args()
    os.environ["DYNABUS_EXPIRE_PER_S"] = str(asked.per_s)
    with (
        tempfile.TemporaryDirectory(prefix="dynabus-bench-") as name,
        running(Path(name), "--throttling", "report") as cluster,
    ):
        create_table(cluster.port, FOREGROUND, "pk")
        path = write_requests((put(number, FOREGROUND) for number in range(KEYS)), cluster.data / "puts.requests")
        generator = choose()
        generator.run(cluster.port, path, CONNECTIONS, 2)
        rounds = [_round(cluster, generator, path, f"expired-{number}", asked) for number in range(asked.rounds)]
    print(f"deletions/s {median(each.deleted_per_s for each in rounds):,.0f}   target >= 1,000")
    print(f"p99 ratio   {median(each.p99_ratio for each in rounds):.2f}    target <= 1.5")


if __name__ == "__main__":
    main()
