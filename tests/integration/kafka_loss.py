"""Kafka loses what it had acknowledged: records are taken out of the data folder of a broker that does not run."""

from __future__ import annotations

import os
import signal
import struct
from collections.abc import Iterator
from pathlib import Path

from tests.integration.cluster import RunningCluster, wait_until

_BATCH = struct.Struct(">qi")
"""Of a record batch's head: base offset, and the length of what follows these twelve bytes."""

_COUNT_AT, _LAST_DELTA_AT = 57, 23


def log_folder(cluster: RunningCluster, table: str, number: int) -> Path:
    """Where the broker keeps a partition's replication log."""
    return cluster.data / "kafka" / "data" / f"dynabus.log.{table_id(cluster, table)}-{number}"


def table_id(cluster: RunningCluster, table: str) -> str:
    (found,) = (each for each in cluster.status()["tables"] if each["name"] == table)
    return str(found["id"])


def lose_tail(folder: Path, next_offset: int) -> int:
    """The log ends before that offset from now on; where it ended until now. The broker must not run."""
    (segment,) = folder.glob("*.log")
    batches = [*_batches(segment.read_bytes())]
    kept = [end for end, _, last in batches if last < next_offset]
    assert kept
    assert len(kept) < len(batches), "nothing would be lost"
    with segment.open("r+b") as file:
        file.truncate(kept[-1])
    for path in [*folder.glob("*.index"), *folder.glob("*.timeindex"), *folder.glob("*.snapshot")]:
        path.unlink()
    # A broker that thinks that it was stopped in order believes its indexes.
    (folder.parent / ".kafka_cleanshutdown").unlink(missing_ok=True)
    return batches[-1][2] + 1


def end_of(folder: Path) -> int:
    """The offset that the next record of this log gets, as far as the broker has written."""
    (segment,) = folder.glob("*.log")
    return [*_batches(segment.read_bytes())][-1][2] + 1


def _batches(data: bytes) -> Iterator[tuple[int, int, int]]:
    """(where it ends in the file, first offset, last offset) of each record batch."""
    at = 0
    while at + _BATCH.size <= len(data):
        base, length = _BATCH.unpack_from(data, at)
        if not length:
            return  # a segment is allocated in advance
        (delta,) = struct.unpack_from(">i", data, at + _LAST_DELTA_AT)
        at += _BATCH.size + length
        yield at, base, base + delta


def stop_node(cluster: RunningCluster, node: str) -> None:
    """As its operator does: it hands over and commits."""
    os.kill(cluster.pids("storage-node")[node], signal.SIGTERM)
    wait_until(f"{node} down", lambda: node not in cluster.pids("storage-node"))
