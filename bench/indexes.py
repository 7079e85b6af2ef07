"""What global secondary indexes give and cost.

    python -m bench.indexes [--changes 300] [--rounds 3] [--seconds 4] [--items 50000]

Put rate: from 32 connections to three tables of one cluster, taking turns, without an index, with one, and with
three; every put changes an item that is there. Behind them: how long the last round's rows took to come, and what
`dynabus status` says of write amplification. Lag: from the answer to a put until a Query of the index shows its row,
one put at a time with a random pause between them, at rest and while others put into the same table at half of the
rate that was measured just before, by a timetable. Backfill: an index is added to a table that has so many items of
1 KB, until it is ACTIVE; at rest, and with half as many items beside a quarter of those puts into another table.

    index   key                          projection   a put of an item that is there makes
    by-g    g, which stays               ALL          one log record: its row changes
    by-n    n, another one with each put KEYS_ONLY    two: its row moves
    by-h    h, which stays               KEYS_ONLY    none: its row stays as it is
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

from tests.integration.cluster import RunningCluster, running, wait_until

from bench.figures import Measured, percentile_ms
from bench.generator import Generator, choose
from bench.paced import paced
from bench.processes import cpu_s, of_cluster
from bench.wire import Connection, call, request
from bench.workload import KEYS, PADDING, write_many, write_requests

CONNECTIONS = 32
HALF, QUARTER = 0.5, 0.25
"""Of the most puts a second that the table with one index takes: beside lags, and beside a backfill."""

PUTS = 3 * KEYS
"""Prepared: an item is put with several values, so that a put changes it."""

PAUSE_S = (0.005, 0.035)
AGAIN_S = 0.001
"""Between two Queries for a row: at once, they would be a load of their own."""

ALONE_S = 5.0
WARM = 20
"""Changes that are not counted."""

SEEN_S, FILLED_S = 30.0, 300.0
"""How long a row is waited for, and an index."""

TABLES = {"none": (), "one": ("by-g",), "three": ("by-g", "by-n", "by-h")}


def _index(name: str) -> dict[str, Any]:
    return {
        "IndexName": name,
        "KeySchema": [{"AttributeName": name[-1], "KeyType": "HASH"}],
        "Projection": {"ProjectionType": "ALL" if name == "by-g" else "KEYS_ONLY"},
    }


def _definitions(names: tuple[str, ...]) -> list[dict[str, str]]:
    kinds = {"pk": "S", **{name[-1]: "N" if name == "by-n" else "S" for name in names}}
    return [{"AttributeName": name, "AttributeType": kind} for name, kind in kinds.items()]


def create(port: int, table: str, names: tuple[str, ...]) -> None:
    """A table with these indexes, when it is ready."""
    body: dict[str, Any] = {
        "TableName": table,
        "AttributeDefinitions": _definitions(names),
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
        "BillingMode": "PAY_PER_REQUEST",
    }
    if names:
        body["GlobalSecondaryIndexes"] = [_index(name) for name in names]
    call(port, "CreateTable", body)
    wait_until(f"{table} is ready", lambda: is_active(port, table), 120)


def is_active(port: int, table: str) -> bool:
    """Its indexes are, then, too."""
    return bool(call(port, "DescribeTable", {"TableName": table})["Table"]["TableStatus"] == "ACTIVE")


def item(number: int, group: str, n: int) -> dict[str, Any]:
    """1 KB."""
    key = {"pk": {"S": f"user{number:08d}"}, "g": {"S": group}, "h": {"S": f"h{number % 500}"}}
    return {**key, "n": {"N": str(n)}, "pad": {"S": PADDING}}


def puts(table: str) -> Iterator[bytes]:
    """Requests whose items come in three versions each."""
    for number in range(PUTS):
        of = number % KEYS
        yield request("PutItem", {"TableName": table, "Item": item(of, f"g{of % 500}", number)})


def rates(cluster: RunningCluster, generator: Generator, rounds: int, seconds: int) -> dict[str, list[float]]:
    """Puts a second by table, one figure a round; the order changes from round to round."""
    paths: dict[str, Path] = {}
    for table, names in TABLES.items():
        create(cluster.port, table, names)
        paths[table] = write_requests(puts(table), cluster.data / f"{table}.requests")
        generator.run(cluster.port, paths[table], CONNECTIONS, 2)
    found: dict[str, list[float]] = {table: [] for table in TABLES}
    for number in range(rounds):
        for table in TABLES if number % 2 else reversed(TABLES):
            settled(cluster)
            found[table].append(_checked(generator.run(cluster.port, paths[table], CONNECTIONS, seconds)).ops_per_s)
    return found


def _checked(ran: Measured) -> Measured:
    if ran.errors:
        raise RuntimeError(f"{ran.errors} errors of {ran.count} puts")
    return ran


def settled(cluster: RunningCluster) -> float:
    """Seconds until indexes are written as far as their tables: nothing that they are told changes any more."""
    begun = changed = time.monotonic()
    before: Any = None
    while time.monotonic() - changed < 1.5:
        now = [(each["changes"], each["records"]) for each in cluster.status().get("indexes", ())]
        if now != before:
            before, changed = now, time.monotonic()
        time.sleep(0.2)
    return changed - begun


def lags_s(port: int, table: str, changes: int) -> list[float]:
    """Seconds from each put's answer to its row. Raises TimeoutError where one does not come."""
    connection = Connection(port)
    found: list[float] = []
    for number in range(WARM + changes):
        group = f"probe-{number}-{random.randrange(1 << 30)}"
        query = {
            "TableName": table,
            "IndexName": "by-g",
            "KeyConditionExpression": "g = :g",
            "ExpressionAttributeValues": {":g": {"S": group}},
            "Select": "COUNT",
        }
        asked = request("Query", query)
        connection.ask(request("PutItem", {"TableName": table, "Item": item(number % 50 + KEYS, group, number)}))
        answered = time.monotonic()
        while connection.answer(asked)["Count"] == 0:
            if time.monotonic() - answered > SEEN_S:
                raise TimeoutError(f"a row did not come for {SEEN_S:.0f} s")
            time.sleep(AGAIN_S)
        found.append(time.monotonic() - answered)
        time.sleep(random.uniform(*PAUSE_S))
    return found[WARM:]


def lags_beside_s(cluster: RunningCluster, table: str, changes: int, rate: float) -> tuple[list[float], Measured]:
    """The same while others put into the table, so many a second; and how that went."""
    with paced(cluster.port, cluster.data / f"{table}.requests", rate) as load:
        found = lags_s(cluster.port, table, changes)
    assert load.measured is not None
    return found, load.measured


def fill_table(port: int, table: str, items: int) -> None:
    """A table without an index that has so many items of 1 KB."""
    create(port, table, ())
    write_many(port, table, items, lambda number: item(number, f"g{number % 500}", number))


def backfill_s(port: int, table: str) -> float:
    """Until an index that is added to this table is ACTIVE."""
    begun = time.monotonic()
    updates = [{"Create": _index("by-g")}]
    body = {
        "TableName": table,
        "AttributeDefinitions": _definitions(("by-g",)),
        "GlobalSecondaryIndexUpdates": updates,
    }
    call(port, "UpdateTable", body)
    wait_until("the index is filled", lambda: is_active(port, table), FILLED_S)
    return time.monotonic() - begun


def backfill(cluster: RunningCluster, items: int) -> None:
    """At rest: how fast, and what of it is whose."""
    fill_table(cluster.port, "filled", items)
    pids = of_cluster(cluster.status())
    before = {name: cpu_s(pid) for name, pid in pids.items()}
    took_s = backfill_s(cluster.port, "filled")
    spent = {name: 1e6 * (cpu_s(pid) - before[name]) / items for name, pid in pids.items()}
    print(f"backfill  {items / took_s:,.0f} items/s   ({items:,} in {took_s:.1f} s)")
    whose = "   ".join(f"{name} {us:.0f}" for name, us in spent.items())
    print(f"us of CPU for an item: {sum(spent.values()):.0f}   {whose}", flush=True)


def backfill_beside(cluster: RunningCluster, table: str, items: int, rate: float) -> None:
    """What a fill of one table and puts into another one, so many a second, are to each other."""
    path = cluster.data / f"{table}.requests"
    fill_table(cluster.port, "filled-beside", items)
    with paced(cluster.port, path, rate) as alone:
        time.sleep(ALONE_S)
    with paced(cluster.port, path, rate) as beside:
        took_s = backfill_s(cluster.port, "filled-beside")
    assert alone.measured is not None
    assert beside.measured is not None
    print(
        f"backfill beside {rate:,.0f} puts/s  {items / took_s:,.0f} items/s   "
        f"puts p50 {alone.measured.p50_ms:.1f} -> {beside.measured.p50_ms:.1f} ms   "
        f"p99 {alone.measured.p99_ms:.1f} -> {beside.measured.p99_ms:.1f} ms"
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.indexes", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--changes", type=int, default=300, metavar="N", help="that are timed (default: 300)")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="for each table (default: 3)")
    parser.add_argument("--seconds", type=int, default=4, metavar="S", help="of a round (default: 4)")
    parser.add_argument("--items", type=int, default=50_000, metavar="N", help="of the backfill (default: 50,000)")
    asked = parser.parse_args()
    generator = choose()
    with (
        tempfile.TemporaryDirectory(prefix="dynabus-bench-") as name,
        running(Path(name), "--throttling", "report") as cluster,
    ):
        found = rates(cluster, generator, asked.rounds, asked.seconds)
        _tell_rates(found, settled(cluster), cluster.status().get("indexes", ()))
        most = median(found["one"])
        _tell_lags("at rest", lags_s(cluster.port, "one", asked.changes))
        lags, ran = lags_beside_s(cluster, "one", asked.changes, most * HALF)
        told = f"{ran.ops_per_s:,.0f} puts/s (p50 {ran.p50_ms:.1f} ms, p99 {ran.p99_ms:.1f} ms)"
        _tell_lags(f"beside {told}, {ran.ops_per_s / most:.2f} of its most", lags)
        settled(cluster)
        backfill(cluster, asked.items)
        backfill_beside(cluster, "one", asked.items // 2, most * QUARTER)


def _tell_rates(found: dict[str, list[float]], behind_s: float, indexes: Any) -> None:
    for table, figures in found.items():
        ratios = [ours / without for ours, without in zip(figures, found["none"], strict=True)]
        rounds = [round(each) for each in figures]
        print(
            f"{table:6} {median(figures):7,.0f} puts/s at {CONNECTIONS}   {median(ratios):.2f} of none   "
            f"rounds: {rounds}"
        )
    print(f"the last round's rows came {behind_s:.1f} s behind it")
    for each in indexes:
        share = each["records"] / max(1, each["changes"])
        print(
            f"{each['table']}/{each['index']}: {share:.2f} log records for each of {each['changes']:,} changes, "
            f"{each['unchanged']:,} of them unchanged"
        )


def _tell_lags(what: str, found: list[float]) -> None:
    told = "   ".join(f"p{100 * share:.0f} {percentile_ms(found, share):6.2f} ms" for share in (0.5, 0.9, 0.99))
    print(f"lag {what}: {told}   ({len(found)} changes)")


if __name__ == "__main__":
    main()
