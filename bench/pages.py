"""Large answers: a Query of 1,000 small items beside the peers, and a Scan of 100 MB with the memory that it takes.

    python -m bench.pages [--seconds 4] [--megabytes 100]

The Query is of one item collection, 1,000 items of 50 bytes, strongly consistent. The Scan runs in four segments at
once; the private memory of router and storage nodes is sampled meanwhile. Prints figures and ratios.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.integration.cluster import RunningCluster, running

from bench.figures import Measured, ratio
from bench.generator import Generator, choose
from bench.machine import busy_percent, commit
from bench.peers import UnavailableError, install, serving
from bench.processes import memory_mb, of_cluster
from bench.run import throttling_arguments
from bench.wire import RefusedError, call, request
from bench.workload import PADDING, create_table, write_all, write_many

COLLECTIONS, ITEMS = 10, 1_000
CONNECTIONS = (1, 8)
TABLE, SCANNED = "pages", "scanned"
PEERS = {"dynalite": 1.0, "ministack": 3.0}
"""How many times as fast the Query is to be."""

SEGMENTS = 4
SAMPLE_S = 0.2


def query(number: int) -> dict[str, Any]:
    condition = {"KeyConditionExpression": "pk = :pk", "ExpressionAttributeValues": {":pk": {"S": f"list{number}"}}}
    return {"TableName": TABLE, "ConsistentRead": True, **condition}


def fill(port: int) -> None:
    """The table to query; checks that one Query answers all of a collection."""
    create_table(port, TABLE, "pk", "sk")
    for collection in range(COLLECTIONS):
        items = ({"sk": {"S": f"entry{each:06d}"}, "n": {"N": str(each)}} for each in range(ITEMS))
        write_all(port, TABLE, [{"pk": {"S": f"list{collection}"}, **item} for item in items])
    answer = call(port, "Query", query(0))
    if answer["Count"] != ITEMS or "LastEvaluatedKey" in answer:
        raise RefusedError(f"Query answers {answer['Count']} items")


def measure(port: int, generator: Generator, seconds: int) -> dict[int, Measured]:
    """By connections."""
    fill(port)
    with tempfile.TemporaryDirectory(prefix="dynabus-bench-") as folder:
        path = Path(folder) / "queries"
        prepared = [request("Query", query(number)) for number in range(COLLECTIONS)]
        path.write_bytes(b"".join(b"%d\n" % len(each) + each for each in prepared))
        generator.run(port, path, CONNECTIONS[-1], 1)
        return {each: generator.run(port, path, each, seconds) for each in CONNECTIONS}


def peers(generator: Generator, seconds: int) -> dict[str, dict[int, Measured]]:
    """Those that can be installed."""
    found = {}
    for name in PEERS:
        try:
            install(name)
            with serving(name) as port:
                found[name] = measure(port, generator, seconds)
                show(name, found[name])
        except (UnavailableError, RefusedError, OSError) as error:
            print(f"{name} takes no part: {error}", flush=True)
    return found


def show(name: str, by_connections: dict[int, Measured]) -> None:
    figures = "   ".join(
        f"{each}: {m.ops_per_s:,.0f}/s p50 {m.p50_ms:.2f} p99 {m.p99_ms:.2f} ms" for each, m in by_connections.items()
    )
    print(f"{name:10} {figures}", flush=True)


# -- the Scan -----------------------------------------------------------------------------------------------------


def fill_for_scan(port: int, megabytes: int) -> int:
    """Items of 1 KB; how many."""
    count = megabytes * 1024
    create_table(port, SCANNED, "pk")
    write_many(port, SCANNED, count, _item)
    return count


def _item(number: int) -> dict[str, Any]:
    return {"pk": {"S": f"item{number:09d}"}, "pad": {"S": PADDING}, "n": {"N": str(number)}, "more": {"S": "y" * 80}}


def scan(port: int) -> tuple[int, float]:
    """How many items it finds, and how long it takes, in seconds."""
    started = time.monotonic()
    with ThreadPoolExecutor(SEGMENTS) as pool:
        counts = list(pool.map(lambda segment: sum(_pages(port, segment)), range(SEGMENTS)))
    return sum(counts), time.monotonic() - started


def _pages(port: int, segment: int) -> Iterator[int]:
    start: dict[str, Any] = {}
    while True:
        body = {"TableName": SCANNED, "Segment": segment, "TotalSegments": SEGMENTS, **start}
        page = call(port, "Scan", body)
        yield page["Count"]
        if "LastEvaluatedKey" not in page:
            return
        start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}


class Memory:
    """Samples private memory in MB until the block ends: `before`, and the most of each process in `most`."""

    def __init__(self, pids: dict[str, int]) -> None:
        self._pids, self._stop = pids, threading.Event()
        self._thread = threading.Thread(target=self._sample)
        self.before = memory_mb(pids)
        self.most = dict(self.before)

    def __enter__(self) -> Memory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._stop.wait(SAMPLE_S):
            for name, now in memory_mb(self._pids).items():
                self.most[name] = max(self.most[name], now)


def scan_with_memory(cluster: RunningCluster, megabytes: int) -> None:
    count = fill_for_scan(cluster.port, megabytes)
    with Memory(of_cluster(cluster.status())) as memory:
        found, took_s = scan(cluster.port)
    if found != count:
        raise RefusedError(f"Scan finds {found} of {count} items")
    print(f"scan of {megabytes} MB, {SEGMENTS} segments at once: {took_s:.1f} s, {found / took_s:,.0f} items/s")
    for name, most in sorted(memory.most.items()):
        print(f"  {name:10} private {memory.before[name]:.0f} MB before, {most:.0f} MB at most", flush=True)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m bench.pages", description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=int, default=4, metavar="N", help="for each figure (default: 4)")
    parser.add_argument("--megabytes", type=int, default=100, metavar="N", help="to scan (default: 100)")
    asked, generator = parser.parse_args(), choose()
    print(f"commit {commit()}; others use {busy_percent()} % of the cores; Query of {ITEMS} items, by connections")
    with (
        tempfile.TemporaryDirectory(prefix="dynabus-bench-") as folder,
        running(Path(folder), *throttling_arguments()) as cluster,
    ):
        ours = measure(cluster.port, generator, asked.seconds)
        show("dynabus", ours)
        scan_with_memory(cluster, asked.megabytes)
    for name, theirs in peers(generator, asked.seconds).items():
        for each in CONNECTIONS:
            times = ratio(ours[each].ops_per_s, theirs[each].ops_per_s)
            print(f"query of {ITEMS} / {name} at {each}: {times:.2f} (target {PEERS[name]:g})", flush=True)


if __name__ == "__main__":
    main()
