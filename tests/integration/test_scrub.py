"""Bytes flipped on a disk, on a real Kafka and under load: found, told, repaired; nothing lost, nothing stale."""

from __future__ import annotations

import json
import os
import signal
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.cluster import RunningCluster, client, running, wait_until
from tests.integration.load import Load

pytestmark = pytest.mark.broker

PAGE_BYTES = 4096
LEAF = 0x02
"""LMDB's flag of a leaf page, in the two bytes behind page number and padding."""

DAMAGED_ROW = b'{"pk":{"S":"still-007"}'
"""The begin of an item that nobody changes, as it is stored."""

Flip = Callable[[Path], None]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCluster]:
    with running(tmp_path_factory.mktemp("scrub")) as made:
        yield made


def flip_a_row(data: Path) -> None:
    """One bit in the value of each copy of a row: LMDB leaves old pages in the file, and one of them is in use."""
    content = bytearray(data.read_bytes())
    found = -1
    while (found := content.find(DAMAGED_ROW, found + 1)) >= 0:
        content[found + 40] ^= 1
    write(data, bytes(content))


def flip_page_heads(data: Path) -> None:
    """The flags of every leaf page: LMDB finds pages of the wrong kind."""
    content = bytearray(data.read_bytes())
    for start in range(2 * PAGE_BYTES, len(content), PAGE_BYTES):
        (flags,) = struct.unpack_from("<H", content, start + 10)
        if flags & LEAF:
            content[start + 10] ^= LEAF
    write(data, bytes(content))


def write(data: Path, content: bytes) -> None:
    """In place, as a disk does it."""
    with data.open("r+b") as file:
        file.write(content)


def node_down(cluster: RunningCluster, node: str) -> None:
    pid = cluster.pids("storage-node")[node]
    os.kill(pid, signal.SIGTERM)
    wait_until(f"{node} down", lambda: node not in cluster.pids("storage-node"))


def alarms(cluster: RunningCluster, table: str) -> dict[str, str]:
    """By node; under "" that of the partition."""
    partition = cluster.partition(table)
    told = {each["node"]: each["alarm"] for each in partition["replicas"] if each.get("alarm")}
    return {**told, **({"": partition["alarm"]} if "alarm" in partition else {})}


def states(cluster: RunningCluster, table: str) -> list[str]:
    return [each["state"] for each in cluster.partition(table)["replicas"]]


def healthy(cluster: RunningCluster, table: str) -> bool:
    return states(cluster, table) == ["active"] * 3 and not alarms(cluster, table)


def scrub(cluster: RunningCluster, table: str) -> list[str]:
    """What it prints where all is well."""
    return cluster.command("admin", "scrub", table).splitlines()


def scrub_whatever_it_finds(cluster: RunningCluster, table: str) -> list[str]:
    """Its exit code is 1 where something was found."""
    try:
        return scrub(cluster, table)
    except AssertionError as error:
        return str(error).splitlines()


def scrub_until_aside(cluster: RunningCluster, table: str, store: Path) -> list[str]:
    """All that was said. Again and again: a replica that is still being opened cannot be read yet."""
    said: list[str] = []

    def is_aside() -> bool:
        said.extend(scrub_whatever_it_finds(cluster, table))
        return bool(list(store.parent.glob(f"{store.name}.damaged-*")))

    wait_until("the damaged store aside", is_aside, 60)
    return said


def checksums(lines: list[str]) -> set[str]:
    return {line.partition("checksum ")[2].partition(";")[0] for line in lines}


def told(cluster: RunningCluster, node: str, folder: Path, number: str) -> list[str]:
    """What the node wrote about the repair of a partition, once each."""
    lines = (cluster.data / f"{node}.log").read_text().splitlines()
    events = [json.loads(line) for line in lines if f"{folder.name}/{number}" in line]
    return [each["event"] for each in events if "rebuilt" in each["event"] or "repaired" in each["event"]]


def damage(cluster: RunningCluster, table: str, node: str, flip: Flip) -> Path:
    """Stop the node, flip bytes of its replica, start it again."""
    (found,) = (each for each in cluster.status()["tables"] if each["name"] == table)
    folder: Path = cluster.data / node / found["id"]
    node_down(cluster, node)
    flip(folder / "0" / "data.mdb")
    cluster.up()
    return folder


@pytest.mark.parametrize("flip", [flip_a_row, flip_page_heads], ids=["row", "page-heads"])
def test_what_was_flipped_on_disk_is_repaired_under_load(cluster: RunningCluster, flip: Flip) -> None:
    table = f"flipped-{flip.__name__}"
    cluster.create_table(table)
    put_still_items(cluster, table)
    with Load(cluster.port, table) as load:
        load.wait_for_acks(300)
        node = cluster.leader(table)[0]
        folder = damage(cluster, table, node, flip)
        load.wait_for_acks(50)
        # A damaged page may be read by the load before anybody asks.
        said = scrub_until_aside(cluster, table, folder / "0")
        wait_until("all is well", lambda: healthy(cluster, table), 60)
        load.wait_for_acks(100)
    print(load.check(), *said, sep="\n")
    assert not load.recorded.errors
    assert any("damaged" in line and node in line for line in said) or flip is flip_page_heads
    wait_until("equal places", lambda: len({each["lag"] for each in cluster.partition(table)["replicas"]}) == 1)
    whole = scrub(cluster, table)
    assert len(whole) == 3
    assert all("whole" in line for line in whole)
    assert len(checksums(whole)) == 1
    assert len(list(folder.glob("0.damaged-*"))) == 1
    assert told(cluster, node, folder, "0") == ["replica is rebuilt from its log", "replica repaired"]


def put_still_items(cluster: RunningCluster, table: str) -> None:
    """Items that nobody changes: what is flipped in them stays until it is read."""
    db: Any = client(cluster.port)
    for number in range(200):
        db.put_item(TableName=table, Item={"pk": {"S": f"still-{number:03d}"}, "pad": {"S": "still" * 20}})


def test_a_leader_that_reads_a_damaged_row_is_replaced_and_repaired(cluster: RunningCluster) -> None:
    """Bytes change under a running leader. Its clients get their items all the same, from the next one."""
    table = "read"
    cluster.create_table(table)
    put_still_items(cluster, table)
    node = cluster.leader(table)[0]
    (found,) = (each for each in cluster.status()["tables"] if each["name"] == table)
    folder, db = cluster.data / node / found["id"], client(cluster.port, total_max_attempts=1, mode="standard")
    # What was put must be in the file before it can be damaged there.
    wait_until("the row on disk", lambda: DAMAGED_ROW in (folder / "0" / "data.mdb").read_bytes())
    with Load(cluster.port, table) as load:
        load.wait_for_acks(100)
        read_until_damage(db, table, folder)
        wait_until("all is well", lambda: healthy(cluster, table), 60)
        load.wait_for_acks(100)
    print(load.check())
    assert not load.recorded.errors
    assert told(cluster, node, folder, "0") == ["replica is rebuilt from its log", "replica repaired"]


def read_until_damage(db: Any, table: str, folder: Path) -> None:
    """Each read is answered, and with the right item, whatever becomes of the page that it is in."""
    key, data = {"pk": {"S": "still-007"}}, folder / "0" / "data.mdb"

    def read() -> list[Path]:
        if data.exists():
            overwrite_rows(data)
        for consistent in (True, False):
            item = db.get_item(TableName=table, Key=key, ConsistentRead=consistent)["Item"]
            assert item["pad"]["S"] == "still" * 20
        return list(folder.glob("0.damaged-*"))

    wait_until("the damaged store aside", read, 60)


def overwrite_rows(data: Path) -> None:
    """One byte of each copy of a row in the file that a running node has mapped."""
    with data.open("r+b") as file:
        content, found = file.read(), -1
        while (found := content.find(DAMAGED_ROW, found + 1)) >= 0:
            os.pwrite(file.fileno(), b"X", found + 40)


def test_a_damaged_child_of_a_split_replays_its_lineage(cluster: RunningCluster) -> None:
    table = "child"
    cluster.create_table(table)
    put_still_items(cluster, table)
    with Load(cluster.port, table) as load:
        load.wait_for_acks(100)
        cluster.command("admin", "split", table, "0")
        load.wait_for_acks(100)
        (found,) = (each for each in cluster.status()["tables"] if each["name"] == table)
        node_down(cluster, "node-2")
        stores = (cluster.data / "node-2" / found["id"]).glob("[12]")
        (store,) = (each for each in stores if DAMAGED_ROW in (each / "data.mdb").read_bytes())
        flip_a_row(store / "data.mdb")
        cluster.up()
        said = scrub_until_aside(cluster, table, store)
        wait_until("all is well", lambda: all_healthy(cluster, table), 60)
        load.wait_for_acks(100)
    print(load.check(), *said, sep="\n")
    assert not load.recorded.errors
    assert all("whole" in line for line in scrub(cluster, table))
    log = told(cluster, "node-2", store.parent, store.name)
    assert log == ["replica is rebuilt from its log", "replica repaired"]


def all_healthy(cluster: RunningCluster, table: str) -> bool:
    (found,) = (each for each in cluster.status()["tables"] if each["name"] == table)
    replicas = [replica for each in found["partitions"] for replica in each["replicas"]]
    return all(each["state"] == "active" and "alarm" not in each for each in replicas)
