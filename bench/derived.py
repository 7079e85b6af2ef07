"""What is derived from a table while everything around it fails: five minutes of load, kills and splits.

    python -m bench.derived [--minutes 5] [--seed 1]

A table with a stream and an index. Clients put, count, delete, and move items into the index and out of it. At
random: log propagators are killed, all of them or one, or sleep and wake up as zombies; leaders of the index are
killed; table and index are split; and a second index is added. Then everything is started and left alone. Fails
(exit 1) when anything acknowledged was lost or any read stale, when an index is not the projection of its table
exactly, or when the stream, read as DynamoDB documents it, is not the history: each record's old image is the new one
of the record before it of its item, none comes twice, and the last ones are the table.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from tests.integration.cluster import RunningCluster, client, kill, paused, running, wait_until
from tests.integration.indexes import Churn, create, rows, settles
from tests.integration.load import Load
from tests.integration.streams import Poller
from tests.integration.test_splits import numbers, split

TABLE = "hurt"
OWN = f"{TABLE}/index/by-v"
LATE = {
    "IndexName": "by-pad",
    "KeySchema": [{"AttributeName": "pad", "KeyType": "HASH"}],
    "Projection": {"ProjectionType": "ALL"},
}
PARTITIONS_MOST = 5
"""Of the table, and of its index: each split leaves topics, replicas and leaders behind, on two cores."""

SETTLED_S, ACKS_S = 300.0, 240.0


class Faults:
    """What is done to the cluster, and how often it was."""

    def __init__(self, cluster: RunningCluster, load: Load, dice: random.Random) -> None:
        self._cluster, self._load, self._dice = cluster, load, dice
        self.done: Counter[str] = Counter()

    def one(self) -> None:
        """Whichever; then what is gone is started again, and the load goes on for a while."""
        what = self._dice.choice([self.a_propagator, self.a_propagator, self.all_propagators, self.a_zombie])
        self.do(self._dice.choice([what, what, self.a_leader]))

    def do(self, what: Callable[[], None]) -> None:
        """This one."""
        what()
        self.done[(what.__doc__ or "").strip(".").lower()] += 1
        self._load.wait_for_acks(self._dice.randrange(40, 160), ACKS_S)
        self._cluster.up()

    def a_propagator(self) -> None:
        """Propagators killed."""
        kill(self._dice.choice([*self._cluster.pids("log-propagator").values()]))

    def all_propagators(self) -> None:
        """All propagators killed at once."""
        for pid in self._cluster.pids("log-propagator").values():
            kill(pid)

    def a_zombie(self) -> None:
        """Propagators that slept and woke up."""
        with paused(self._dice.choice([*self._cluster.pids("log-propagator").values()])):
            self._load.wait_for_acks(150, ACKS_S)

    def a_leader(self) -> None:
        """Leaders of the index killed."""
        number = self._dice.choice(numbers(self._cluster, OWN))
        leader = self._cluster.partition(OWN, number).get("leader") or ""
        pids = self._cluster.pids("storage-node")
        kill(pids.get(leader) or self._dice.choice([*pids.values()]))

    def split_table(self) -> None:
        """Splits of the table."""
        self._split(TABLE)

    def split_index(self) -> None:
        """Splits of the index."""
        self._split(OWN)

    def _split(self, table: str) -> None:
        found = numbers(self._cluster, table)
        if len(found) < PARTITIONS_MOST:
            split(self._cluster, table, self._dice.choice(found))

    def add_index(self) -> None:
        """Indexes added."""
        client(self._cluster.port).update_table(
            TableName=TABLE,
            AttributeDefinitions=[
                {"AttributeName": "pk", "AttributeType": "S"},
                {"AttributeName": "pad", "AttributeType": "S"},
            ],
            GlobalSecondaryIndexUpdates=[{"Create": LATE}],
        )


def hurt(cluster: RunningCluster, seconds: float, dice: random.Random) -> dict[str, Any]:
    """Everything but the last look. Figures of the load, and what was done."""
    begun = time.monotonic()
    with Load(cluster.port, TABLE) as load, Churn(cluster.port, TABLE) as churn:
        load.wait_for_acks(100, ACKS_S)
        faults = Faults(cluster, load, dice)
        # Splits and the new index come in the first half, so that they are hurt, too.
        planned = [faults.split_table, faults.split_index, faults.add_index, faults.split_table, faults.split_index]
        at = [begun + seconds * (1 + place) / (2 * len(planned)) for place in range(len(planned))]
        while time.monotonic() - begun < seconds:
            if planned and time.monotonic() > at[-len(planned)]:
                _wait_active(cluster)
                faults.do(planned.pop(0))
            faults.one()
            told = ", ".join(f"{count} {what}" for what, count in faults.done.items())
            print(f"{time.monotonic() - begun:6.0f} s  {len(load.recorded.ends):,} puts; {told}", flush=True)
    return {**load.check(), "changes beside them": churn.changes, **faults.done}


def _wait_active(cluster: RunningCluster) -> None:
    """The table is changed one way at a time."""
    db = client(cluster.port)
    status = partial(db.describe_table, TableName=TABLE)
    wait_until("the table is ACTIVE", lambda: status()["Table"]["TableStatus"] == "ACTIVE", SETTLED_S)


def judge(cluster: RunningCluster, arn: str) -> dict[str, Any]:
    """Raises AssertionError where an index or the stream is wrong."""
    begun = time.monotonic()
    _wait_active(cluster)
    settles(cluster, TABLE)
    wanted = rows(cluster, TABLE, None, "pad")
    wait_until("by-pad is the projection", lambda: rows(cluster, TABLE, "by-pad", "pad") == wanted, SETTLED_S)
    settled_s = time.monotonic() - begun
    poller = Poller(cluster.port, arn)
    poller.read_until_equal(TABLE, SETTLED_S)
    poller.check()
    return {
        "rows of by-v": len(rows(cluster, TABLE, "by-v")),
        "rows of by-pad": len(wanted),
        "equal after": f"{settled_s:.1f} s",
        "stream records": len(poller.records),
        "shards": len(poller.shards),
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.derived", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--minutes", type=float, default=5.0, metavar="N", help="of load and faults (default: 5)")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of the faults' dice (default: 1)")
    asked = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="dynabus-bench-") as name,
        running(Path(name), "--propagators", "3", "--throttling", "report") as cluster,
    ):
        create(cluster, TABLE)
        specification = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
        client(cluster.port).update_table(TableName=TABLE, StreamSpecification=specification)
        _wait_active(cluster)
        arn = client(cluster.port).describe_table(TableName=TABLE)["Table"]["LatestStreamArn"]
        try:
            found = hurt(cluster, 60 * asked.minutes, random.Random(asked.seed)) | judge(cluster, arn)
        except AssertionError as error:
            sys.exit(f"wrong: {error}")
    for what, figure in found.items():
        print(f"{what:36} {figure}")


if __name__ == "__main__":
    main()
