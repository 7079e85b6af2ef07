"""Log propagators that are away: what puts cost meanwhile, and how fast streams and indexes catch up.

    python -m bench.catch_up [--minutes 10] [--rate 300] [--seconds 20]

Puts of items of 1 KB by a timetable, to a table with a stream and an index whose rows each put changes: with log
propagators, then without any for so many minutes, then with them again, until what they have committed is behind the
puts by no more than before. How fast: the records that they read in that time, new ones included, in a second,
counted from their start by `dynabus up`. `backlog`: records of the table's logs behind the committed checkpoints.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tests.integration.cluster import RunningCluster, client, kill, running, wait_until

from bench.figures import Measured
from bench.groups import Backlog, Group
from bench.indexes import create, puts
from bench.paced import paced
from bench.workload import write_requests
from dynabus.core.topics import Topics

TABLE, INDEX = "behind", "by-n"
CAUGHT_UP_S = 600.0
STREAM = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}


@dataclass(frozen=True, slots=True)
class Round:
    """`measured`: puts; `backlog`: at its end."""

    measured: Measured
    backlog: Backlog


def _load(cluster: RunningCluster, group: Group, path: Path, rate: float, seconds: float) -> Round:
    with paced(cluster.port, path, rate) as load:
        time.sleep(seconds)
        backlog = group.backlog()
    assert load.measured is not None
    return Round(load.measured, backlog)


@dataclass(frozen=True, slots=True)
class Recovery:
    """`measured`: puts meanwhile."""

    seconds: float
    records: int
    measured: Measured

    @property
    def per_s(self) -> float:
        return self.records / self.seconds


def _catch_up(cluster: RunningCluster, group: Group, path: Path, rate: float, kept_up: int) -> Recovery:
    with paced(cluster.port, path, rate) as load:
        before = group.backlog()
        begun = time.monotonic()
        cluster.up()
        wait_until("all is read", lambda: group.backlog().missing <= kept_up, CAUGHT_UP_S)
        seconds, after = time.monotonic() - begun, group.backlog()
    assert load.measured is not None
    return Recovery(seconds, before.missing + after.records - before.records - after.missing, load.measured)


def prepared(cluster: RunningCluster) -> Path:
    """The table with all its items, and requests that change them."""
    create(cluster.port, TABLE, (INDEX,))
    client(cluster.port).update_table(TableName=TABLE, StreamSpecification=STREAM)
    client(cluster.port).get_waiter("table_exists").wait(TableName=TABLE, WaiterConfig={"Delay": 1})
    return write_requests(puts(TABLE), cluster.data / "puts.requests")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.catch_up", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--minutes", type=float, default=10.0, metavar="N", help="without propagators (default: 10)")
    parser.add_argument("--rate", type=float, default=300.0, metavar="N", help="puts a second (default: 300)")
    parser.add_argument("--seconds", type=float, default=20.0, metavar="S", help="with propagators (default: 20)")
    asked = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="dynabus-bench-") as name,
        running(Path(name), "--throttling", "report") as cluster,
    ):
        path, group = prepared(cluster), Group(cluster.status()["kafka"]["bootstrap"], Topics("dynabus").propagators)
        _load(cluster, group, path, asked.rate, asked.seconds)
        with_them = _load(cluster, group, path, asked.rate, asked.seconds)
        for pid in cluster.pids("log-propagator").values():
            kill(pid)
        without = _load(cluster, group, path, asked.rate, 60 * asked.minutes)
        # A second of puts is always between a record and its checkpoint.
        kept_up = max(with_them.backlog.missing, round(asked.rate))
        recovery = _catch_up(cluster, group, path, asked.rate, kept_up)
        group.close()
    for what, found in (("with", with_them), ("without", without)):
        _told(f"{what} propagators", found.measured)
        print(f"{'':20} backlog {found.backlog.missing:,} records")
    _told("while they catch up", recovery.measured)
    print(f"{'':20} {recovery.records:,} records in {recovery.seconds:.1f} s, start included:", end=" ")
    print(f"{recovery.per_s:,.0f}/s, {recovery.per_s / asked.rate:.1f} times the rate   target >= 5")
    print(f"p99 without / with   {without.measured.p99_ms / with_them.measured.p99_ms:.2f}")


def _told(what: str, ran: Measured) -> None:
    print(f"{what:20} {ran.ops_per_s:,.0f} puts/s   p50 {ran.p50_ms:.2f} ms   p99 {ran.p99_ms:.2f} ms")


if __name__ == "__main__":
    main()
