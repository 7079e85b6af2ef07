"""A third region for a table that holds many items, while clients write to the other two.

    python -m bench.third_region [--items 1000000] [--rate 50] [--minutes 30]

Three regions on this machine, with a Kafka each. The table is filled in the first one, and gets a replica in the
second at rest; then both have `--rate` puts a second, and the third is added. How long each copy took until the
replica was ACTIVE everywhere, and the puts' p99 before and meanwhile. Then the load ends, and once nothing waits for
any region: exit 1 unless all three hold the same items.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from itertools import permutations
from pathlib import Path
from typing import Any

import orjson
from tests.integration.cluster import RunningCluster, client, wait_until
from tests.integration.global_load import EAST, TOPICS, WEST, bootstrap, replicas_active, whole_regions

from bench.figures import percentile_ms
from bench.groups import Group
from bench.indexes import create, puts
from bench.paced import paced
from bench.wire import call
from bench.workload import write_many, write_requests

TABLE, THIRD = "everywhere", "ap-south-1"
READERS = 4
BEFORE_S, QUIET_S = 30.0, 600.0
HASH_MASK = (1 << 64) - 1


def fill(port: int, items: int) -> float:
    """Seconds."""
    begun = time.monotonic()
    write_many(port, TABLE, items, lambda number: {"pk": {"S": f"item{number:09d}"}, "n": {"N": str(number)}})
    return time.monotonic() - begun


def add(regions: dict[str, RunningCluster], names: tuple[str, ...], region: str, most_s: float) -> float:
    """Seconds until all of them show the new replica as ACTIVE."""
    begun = time.monotonic()
    client(regions[EAST].port).update_table(TableName=TABLE, ReplicaUpdates=[{"Create": {"RegionName": region}}])
    for name in names:
        wait_until(f"the replicas are ACTIVE in {name}", partial(replicas_active, regions[name], TABLE), most_s)
    return time.monotonic() - begun


def digest(port: int) -> tuple[int, int]:
    """How many items a region holds, and a sum that does not depend on their order."""

    def segment(number: int) -> tuple[int, int]:
        count, total = 0, 0
        start: dict[str, Any] = {}
        while True:
            body: dict[str, Any] = {"TableName": TABLE, "Segment": number, "TotalSegments": READERS, **start}
            page = call(port, "Scan", {**body, "ConsistentRead": True})
            for item in page["Items"]:
                raw = orjson.dumps(item, option=orjson.OPT_SORT_KEYS)
                total += int.from_bytes(hashlib.blake2b(raw, digest_size=8).digest())
            count += page["Count"]
            if "LastEvaluatedKey" not in page:
                return count, total
            start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}

    with ThreadPoolExecutor(READERS) as pool:
        found = [*pool.map(segment, range(READERS))]
    return sum(count for count, _ in found), sum(total for _, total in found) & HASH_MASK


def is_quiet(groups: list[Group]) -> bool:
    return not any(group.backlog().missing for group in groups)


def run(folder: Path, asked: argparse.Namespace) -> bool:
    most_s = 60 * asked.minutes
    with whole_regions(folder, (EAST, WEST, THIRD), "--throttling", "report") as regions:
        create(regions[EAST].port, TABLE, ())
        took_s = fill(regions[EAST].port, asked.items)
        print(f"{asked.items:,} items filled in {took_s:.1f} s", flush=True)
        took_s = add(regions, (EAST, WEST), WEST, most_s)
        print(f"second region ACTIVE after {took_s:.1f} s, {asked.items / took_s:,.0f} items/s, at rest", flush=True)
        with ExitStack() as stack:
            loads = {}
            for region in (EAST, WEST):
                path = write_requests(puts(TABLE), regions[region].data / f"{TABLE}.requests")
                loads[region] = stack.enter_context(paced(regions[region].port, path, asked.rate))
            time.sleep(BEFORE_S)
            begun = time.time()
            took_s = add(regions, (EAST, WEST, THIRD), THIRD, most_s)
            print(
                f"third region ACTIVE after {took_s:.1f} s, {asked.items / took_s:,.0f} items/s, under load",
                flush=True,
            )
        for region, load in loads.items():
            before = percentile_ms([took for due, took in load.answers if due < begun], 0.99)
            meanwhile = percentile_ms([took for due, took in load.answers if due >= begun], 0.99)
            print(
                f"{region}: puts' p99 {before:.1f} ms before, {meanwhile:.1f} ms while the third is filled",
                flush=True,
            )
        groups = [Group(bootstrap(regions[one]), TOPICS.rep_outs(other)) for one, other in permutations(regions, 2)]
        wait_until("nothing waits for any region", partial(is_quiet, groups), QUIET_S)
        for group in groups:
            group.close()
        found = {region: digest(cluster.port) for region, cluster in regions.items()}
        print(
            "; ".join(f"{region} {count:,} items, {total:016x}" for region, (count, total) in found.items()),
            flush=True,
        )
        return len(set(found.values())) == 1


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.third_region", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--items", type=int, default=1_000_000, metavar="N", help="default: 1000000")
    parser.add_argument("--rate", type=float, default=50.0, metavar="N", help="puts/s in two regions (default: 50)")
    parser.add_argument("--minutes", type=float, default=30.0, metavar="N", help="a copy may take (default: 30)")
    with tempfile.TemporaryDirectory(prefix="dynabus-bench-") as name:
        if not run(Path(name), parser.parse_args()):
            sys.exit("wrong: the regions differ")


if __name__ == "__main__":
    main()
