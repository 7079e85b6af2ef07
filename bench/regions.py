"""Two regions of a global table while everything around it fails, and while they are cut off from each other.

    python -m bench.regions [--minutes 10] [--cut 10] [--rate 100] [--seed 1]

Clients of both regions put and delete the same items, so many a second in each. First, for so many minutes,
processes are killed at random in both regions: RepOut, RepIn, ReplAdmin, routers, log propagators and leaders.
Then, for as long as `--cut` says, no RepOut runs in either of them, and the table is split in both. Then everything
is started, and once it is quiet: fails (exit 1) when regions differ, when an item is not the last writer's, when an
acknowledged write is missing, or when a change came back over a link. Prints what crossed links, what was repeated,
conflicts, and how long it took until all was equal.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from tests.integration.cluster import RunningCluster, kill
from tests.integration.global_load import (
    EAST,
    TOPICS,
    WEST,
    Writers,
    bootstrap,
    check,
    messages,
    replicate,
    two_regions,
)
from tests.integration.test_splits import numbers, split

TABLE = "everywhere"
SERVICES = ("rep-out", "rep-in", "repl-admin", "request-router", "log-propagator", "leader")
ACKS_S = 240.0


class Faults:
    """What is done to one region, and how often it was."""

    def __init__(self, cluster: RunningCluster, writers: Writers, dice: random.Random) -> None:
        self._cluster, self._writers, self._dice = cluster, writers, dice
        self.done: Counter[str] = Counter()

    def one(self) -> None:
        """Somebody is killed; when clients have gone on for a while it is started again."""
        what = self._dice.choice(SERVICES)
        kill(self._leader() if what == "leader" else self._dice.choice([*self._cluster.pids(what).values()]))
        self.done[what] += 1
        if what != "request-router":  # the only one
            self._writers.wait_for(self._dice.randrange(100, 600), ACKS_S)
        self._cluster.up()
        self._writers.wait_for(50, ACKS_S)

    def cut(self) -> None:
        """Nothing leaves this region any more."""
        for pid in self._cluster.pids("rep-out").values():
            kill(pid)

    def split(self) -> None:
        """Any partition of the table."""
        split(self._cluster, TABLE, self._dice.choice(numbers(self._cluster, TABLE)))
        self.done["splits"] += 1

    def _leader(self) -> int:
        number = self._dice.choice(numbers(self._cluster, TABLE))
        pids = self._cluster.pids("storage-node")
        return pids.get(self._cluster.partition(TABLE, number).get("leader") or "") or self._dice.choice(
            [*pids.values()]
        )


def hurt(faults: list[Faults], seconds: float, dice: random.Random) -> None:
    """Kills in one region after another."""
    begun = time.monotonic()
    while time.monotonic() - begun < seconds:
        dice.choice(faults).one()
        told = "; ".join(", ".join(f"{count} {what}" for what, count in each.done.items()) for each in faults)
        print(f"{time.monotonic() - begun:6.0f} s  killed: {told}", flush=True)


def cut_off(faults: list[Faults], writers: list[Writers], seconds: float) -> None:
    """With a split in the middle."""
    begun = time.monotonic()
    for each in faults:
        each.cut()
    for each in faults:
        each.split()
    while time.monotonic() - begun < seconds:
        writers[0].wait_for(50, ACKS_S)
    print(f"{time.monotonic() - begun:6.0f} s  cut off", flush=True)


def conflicts(cluster: RunningCluster) -> int:
    """That this region was told of, in its topic."""
    return len(messages(bootstrap(cluster), f"{TOPICS.namespace}.conflicts.{TABLE}"))


def run(folder: Path, asked: argparse.Namespace) -> dict[str, Any]:
    """All of it. Raises AssertionError."""
    dice = random.Random(asked.seed)
    with two_regions(folder, "--throttling", "report") as regions:
        regions[EAST].create_table(TABLE)
        replicate(regions[EAST], TABLE, WEST, regions.values())
        writers = [Writers(cluster, TABLE, name, asked.rate) for name, cluster in regions.items()]
        with writers[0], writers[1]:
            faults = [Faults(*each, dice) for each in zip(regions.values(), writers, strict=True)]
            hurt(faults, 60 * asked.minutes, dice)
            cut_off(faults, writers, 60 * asked.cut)
        for cluster in regions.values():
            cluster.up()
        found = check(regions, TABLE, writers)
        return {
            **found,
            **{f"acknowledged in {name}": len(each.ended) for name, each in zip(regions, writers, strict=True)},
            "errors of clients": sum(each.errors for each in writers),
            **{f"conflicts told in {name}": conflicts(cluster) for name, cluster in regions.items()},
        }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.regions", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--minutes", type=float, default=10.0, metavar="N", help="of faults (default: 10)")
    parser.add_argument("--cut", type=float, default=10.0, metavar="N", help="minutes without a link (default: 10)")
    parser.add_argument("--rate", type=float, default=100.0, metavar="N", help="writes/s in each (default: 100)")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of the faults' dice (default: 1)")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="dynabus-bench-") as name:
        try:
            found = run(Path(name), asked)
        except AssertionError as error:
            sys.exit(f"wrong: {error}")
    for what, figure in found.items():
        print(f"{what:36} {figure}")


if __name__ == "__main__":
    main()
