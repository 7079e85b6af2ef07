"""`dynabus.client` on a real Kafka: members of a group are killed, partitions split, and no change is left out."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from dynabus.client import stream
from tests.integration import stream_member
from tests.integration.cluster import RunningCluster, client, running, wait_until
from tests.integration.load import Load
from tests.integration.streams import create_streaming, items_of
from tests.integration.test_splits import numbers, split

pytestmark = pytest.mark.broker

TABLE, GROUP = "consumed", "archive"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCluster]:
    with running(tmp_path_factory.mktemp("client"), "--throttling", "report") as made:
        yield made


class Members:
    """Processes of one group that write into one file."""

    def __init__(self, kafka: str, path: Path) -> None:
        self._command = [sys.executable, stream_member.__file__, kafka, TABLE, GROUP, str(path)]
        self.path = path
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        self.processes.append(subprocess.Popen(self._command))

    def kill(self, dice: random.Random) -> None:
        """One of them, between any two lines of its code; another takes its place."""
        victim = self.processes.pop(dice.randrange(len(self.processes)))
        os.kill(victim.pid, signal.SIGKILL)
        victim.wait()
        self.start()

    def end(self) -> None:
        for each in self.processes:
            each.kill()
            each.wait()

    def lines(self) -> list[dict[str, Any]]:
        """What was processed, in that order; what came again counts once, when it came first."""
        seen: set[str] = set()
        found = []
        for line in self.path.read_text().splitlines() if self.path.exists() else []:
            change = json.loads(line)
            if change["id"] not in seen:
                seen.add(change["id"])
                found.append(change)
        return found


def test_a_group_processes_every_change_in_order_whoever_is_killed(cluster: RunningCluster, tmp_path: Path) -> None:
    create_streaming(cluster.port, TABLE)
    members, dice = Members(cluster.status()["kafka"]["bootstrap"], tmp_path / "changes"), random.Random(3)
    try:
        for _ in range(2):
            members.start()
        with Load(cluster.port, TABLE) as load:
            load.wait_for_acks(200, 240)
            for _ in range(2):
                split(cluster, TABLE, numbers(cluster, TABLE)[0])
                members.kill(dice)
                load.wait_for_acks(200, 240)
            members.kill(dice)
            load.wait_for_acks(100, 240)
        load.check()
        wait_until("all is processed", partial(_is_the_table, members, items_of(cluster.port, TABLE)), 120)
    finally:
        members.end()
    last: dict[str, str | None] = {}
    for change in members.lines():
        assert change["old"] == last.get(change["key"]), (change, last.get(change["key"]))
        last[change["key"]] = change["new"]
    by_member = Counter(change["pid"] for change in members.lines())
    print(len(members.lines()), "changes by", dict(by_member), "in", {each["shard"] for each in members.lines()})
    assert len({each["shard"] for each in members.lines()}) == 5


def _is_the_table(members: Members, items: dict[str, dict[str, Any]]) -> bool:
    newest = {change["key"]: change["new"] for change in members.lines()}
    return newest == {key: (item.get("v") or item["n"])["N"] for key, item in items.items()}


def test_applications_read_python_values_sync_and_async(cluster: RunningCluster) -> None:
    create_streaming(cluster.port, "typed")
    db, kafka = client(cluster.port), cluster.status()["kafka"]["bootstrap"]
    for number in range(3):
        db.put_item(TableName="typed", Item={"pk": {"S": f"k{number}"}, "n": {"N": "1.50"}, "b": {"B": b"\x00"}})
    db.delete_item(TableName="typed", Key={"pk": {"S": "k0"}})
    with stream("typed", group="sync", kafka=kafka) as changes:
        found = [next(changes) for _ in range(4)]
    assert {each.keys["pk"] for each in found} == {"k0", "k1", "k2"}
    [removed] = [each for each in found if each.event == "REMOVE"]
    assert (removed.new, removed.old) == (None, {"pk": "k0", "n": Decimal("1.5"), "b": b"\x00"})

    async def read() -> list[str]:
        async with stream("typed", group="async", kafka=kafka, parse=lambda item: str(item["pk"])) as changes:
            return [(await anext(changes)).event_id for _ in range(4)]

    assert sorted(asyncio.run(read())) == sorted(each.event_id for each in found)
    # Switched off: who reads it to its end is done.
    db.update_table(TableName="typed", StreamSpecification={"StreamEnabled": False})
    with stream("typed", group="late", kafka=kafka) as changes:
        assert len(list(changes)) == 4
    with stream("typed", group="sync", kafka=kafka) as changes:
        assert list(changes) == []
