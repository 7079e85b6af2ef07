"""A cluster in containers that looks after itself, under load: splits, a wiped disk, flipped bytes, a node more and
a node less, with auto-admin killed in between. Nothing lost, nothing stale, checksums of replicas equal."""

from __future__ import annotations

import io
import tarfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.containers.conftest import Note
from tests.containers.stack import Stack
from tests.containers.under_load import ACKS_AFTER, Result, under_load
from tests.integration.cluster import client, wait_until
from tests.integration.load import Load

pytestmark = [pytest.mark.containers, pytest.mark.slow, pytest.mark.timeout(600)]

DATA = "/var/lib/dynabus"
SPLITS = 5
HEALTHY_S = 120.0

STILL = b'{"pk":{"S":"still"}'
"""The begin of an item that nobody changes, as it is stored."""


@pytest.fixture
def looked_after(stack: Stack, table: str, note: Note) -> Callable[..., Result]:
    """Run something under load, then check that all replicas have the same contents."""

    def run(fault: Callable[[Load], None]) -> Result:
        def until_healthy(load: Load) -> None:
            began_s = time.monotonic()
            fault(load)
            wait_until("all replicas active", lambda: healthy(stack), HEALTHY_S)
            print(f"{fault.__name__}: healthy {time.monotonic() - began_s:.1f} s after it began")
            load.wait_for_acks(ACKS_AFTER)

        result = note(under_load(stack, table, until_healthy))
        assert not result.recorded.errors
        check_checksums(stack)
        return result

    return run


def partitions(stack: Stack) -> list[dict[str, Any]]:
    return [each for table in stack.status()["tables"] for each in table["partitions"]]


def replicas(stack: Stack, node: str) -> int:
    return sum(each["node"] == node for partition in partitions(stack) for each in partition["replicas"])


def healthy(stack: Stack) -> bool:
    return all(
        partition["leader"] and [each["state"] for each in partition["replicas"]] == ["active"] * 3
        for partition in partitions(stack)
    )


def has_its_share(stack: Stack) -> bool:
    return abs(replicas(stack, "node-a") - replicas(stack, "node-d")) <= 1


def is_split(stack: Stack, count: int) -> bool:
    return len(partitions(stack)) == count and healthy(stack)


def alarms(stack: Stack) -> list[str]:
    return [each["alarm"] for partition in partitions(stack) for each in partition["replicas"] if each.get("alarm")]


def check_checksums(stack: Stack) -> None:
    """Three replicas of each partition, read as a whole, with equal checksums wherever their offsets are equal."""

    def equal() -> bool:
        code, said = stack.dynabus("admin", "scrub")
        assert code == 0, said
        found: dict[str, set[str]] = {}
        for line in said.splitlines():
            if " checksum " in line:
                where, figures = line.split(" on ")[0], line.split(" checksum ")[1].split(";")[0]
                found.setdefault(where, set()).add(figures)
        return len(found) == len(partitions(stack)) and all(len(each) == 1 for each in found.values())

    wait_until("equal checksums", equal)


def kill_auto_admin(stack: Stack) -> None:
    """And start it again: an explicit kill is not undone by the restart policy."""
    stack.container("auto-admin").kill()
    wait_until("auto-admin killed", lambda: stack.state("auto-admin")["Status"] == "exited")
    stack.container("auto-admin").start()


def test_five_splits_in_a_row(stack: Stack, table: str, looked_after: Callable[..., Result]) -> None:
    """Auto-admin dies in the middle of one of them."""

    def splits(load: Load) -> None:
        for number in range(SPLITS):
            chosen = max(each["id"] for each in partitions(stack))  # the only table so far
            code, said = stack.dynabus("admin", "split", table, str(chosen), "--no-wait")
            assert code == 0, said
            if number == SPLITS // 2:
                kill_auto_admin(stack)
            wait_until("split", partial(is_split, stack, number + 2), 60)
            load.wait_for_acks(ACKS_AFTER)

    looked_after(splits)
    assert len(partitions(stack)) == SPLITS + 1


def test_wiped_disk(stack: Stack, looked_after: Callable[..., Result]) -> None:
    def wipe(load: Load) -> None:
        node = stack.container("storage-node-b")
        assert node.exec_run(["sh", "-c", f"rm -rf {DATA}/*"], user="root").exit_code == 0
        node.kill()
        wait_until("node-b killed", lambda: stack.state("storage-node-b")["Status"] == "exited")
        load.wait_for_acks(ACKS_AFTER)
        stack.container("storage-node-b").start()
        stack.wait_healthy("storage-node-b")

    looked_after(wipe)


def test_flipped_bytes(stack: Stack, table: str, looked_after: Callable[..., Result]) -> None:
    client(stack.port).put_item(TableName=table, Item={"pk": {"S": "still"}, "pad": {"S": "x" * 100}})

    def flip(load: Load) -> None:
        flipped = wait_until("the row on disk", lambda: flip_on_disk(stack, "storage-node-c"))
        assert flipped
        code, said = stack.dynabus("admin", "scrub")
        assert code == 1, said
        assert "damaged" in said
        assert "on node-c" in said
        wait_until("repaired", lambda: stack.dynabus("admin", "scrub")[0] == 0 and not alarms(stack), 60)

    looked_after(flip)
    key = {"pk": {"S": "still"}}
    item = client(stack.port).get_item(TableName=table, Key=key, ConsistentRead=True)["Item"]
    assert item["pad"]["S"] == "x" * 100


def flip_on_disk(stack: Stack, service: str) -> bool:
    """Stop the node, flip one bit in each copy of a row in its stores, start it. Whether there was one."""
    node = stack.container(service)
    node.stop(timeout=30)
    found = False
    try:
        chunks, _ = node.get_archive(DATA)
        with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as archive:
            for member in archive.getmembers():
                file = archive.extractfile(member) if member.name.endswith("/data.mdb") else None
                content = bytearray(file.read()) if file is not None else bytearray()
                if flip_all(content):
                    found = True
                    put_back(node, member, bytes(content))
    finally:
        node.start()
        stack.wait_healthy(service)
    return found


def flip_all(content: bytearray) -> bool:
    place = content.find(STILL)
    while place >= 0:
        content[place + 40] ^= 1
        place = content.find(STILL, place + 1)
    return STILL in content


def put_back(node: Any, member: tarfile.TarInfo, content: bytes) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        archive.addfile(member, io.BytesIO(content))
    assert node.put_archive(str(Path(DATA).parent), packed.getvalue())


def test_fourth_node_and_drain(stack: Stack, looked_after: Callable[..., Result]) -> None:
    """Auto-admin dies while replicas are being cloned to the new node."""

    def come_and_go(load: Load) -> None:
        stack.up("spare", "storage-node-d")
        wait_until("replicas on their way", lambda: replicas(stack, "node-d"), 60)
        kill_auto_admin(stack)
        wait_until("its share", lambda: healthy(stack) and has_its_share(stack), HEALTHY_S)
        load.wait_for_acks(ACKS_AFTER)
        code, said = stack.dynabus("admin", "drain", "node-d")
        assert code == 0, said
        assert replicas(stack, "node-d") == 0
        code, said = stack.dynabus("admin", "remove", "node-d")
        assert code == 0, said
        stack.container("storage-node-d").stop(timeout=30)

    looked_after(come_and_go)
    code, said = stack.dynabus("status")
    assert code == 0
    assert "node-a" in said
    code, said = stack.dynabus("admin", "events")
    assert "node-d: draining -> removed" in said, said
