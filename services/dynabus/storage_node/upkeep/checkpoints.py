"""What a replica has on disk for certain, whatever becomes of the host (I8).

With `sync` each commit but the last is that. Without it a store is discarded after a crash of the host, so now and
then the last commit is copied beside it: verified, synced, and then left alone. That copy is the checkpoint; after a
crash of the host the replica is opened from it and reads the log on. Logs are pruned behind checkpoints only.

    DATA/<log>/<partition>.checkpoint/        the copy, clean
    DATA/<log>/<partition>.checkpoint/place   up to where it has read, for whoever does not want to open it

| a checkpoint is due                                       | because                                      |
|-----------------------------------------------------------|----------------------------------------------|
| `checkpoint_records` were read since the last one, and    | copies then cost less than what was written  |
| half as many as it has items                              |                                              |
| there is none, and it is the child of a split             | its ancestors' logs wait for it              |

Of those that are no members of their group yet none is due: nobody counts on what they have (`core.pruning`).
Of those that are due, children without one come first, then whoever has read most since its last: a partition that
is due again as soon as its copy is made never keeps the others from theirs.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from dynabus.adapters.clock import exact_ms
from dynabus.adapters.codec import UndecodableMessage
from dynabus.adapters.data_folder import DataFolder
from dynabus.adapters.lmdb import (
    LmdbStore,
    Snapshot,
    SnapshotClosed,
    StoreError,
    discard,
    exchange,
    install,
    settled,
)
from dynabus.adapters.log_codec import decode_place
from dynabus.adapters.logs import logger
from dynabus.adapters.synced_file import write_synced
from dynabus.core.cloning.contents import NotWhole, Received
from dynabus.core.cloning.messages import CloneManifest
from dynabus.core.cloning.pace import Pace
from dynabus.core.cloning.position import CHUNK_BYTES, CHUNK_PAIRS, Position, Section
from dynabus.core.ids import PartitionId
from dynabus.core.pruning import NOTHING, Durable, durable_at
from dynabus.core.replication.place import Origin
from dynabus.core.replication.records import Form
from dynabus.storage_node.cloning.copies import write
from dynabus.storage_node.replicas.hosted import Hosted

COMMIT_BYTES = 32 << 20
"""LMDB keeps changed pages in memory until the commit."""

LOOK_MS = 5000.0
"""Between two looks at who has read on for long enough, which takes minutes."""

RETRY_MS = 60_000.0
"""After one that failed: a full disk is not free in a second."""

REST_S = 0.002
"""After each chunk, whatever the pace: the loop gets the interpreter."""

PLACE = "place"


class Checkpoints:
    """`step` in the loop; one copy at a time, in a thread. `made` and `failed` count."""

    def __init__(self, folder: DataFolder, records: int, bytes_per_s: float, sync: bool) -> None:
        self.made = self.failed = 0
        self._folder, self._records, self._bytes_per_s, self._sync = folder, records, bytes_per_s, sync
        self._due_ms = 0.0
        self._retry_ms: dict[PartitionId, float] = {}
        self._pool: ThreadPoolExecutor | None = None
        self._job: tuple[Hosted, Future[Durable], int] | None = None
        """With the number of changes that the copy will have."""

    def step(self, replicas: Iterable[Hosted], now_ms: float) -> None:
        """Collect what is done, begin what is due."""
        if now_ms < self._due_ms or self._sync:
            return
        self._due_ms = now_ms + LOOK_MS
        if self._job is not None:
            if not self._job[1].done():
                return
            self._collect(*self._job, now_ms)
            self._job = None
        due = [hosted for hosted in replicas if self._is_due(hosted, now_ms)]
        if due:
            first = max(due, key=_urgency)
            self._begin(first, self._folder.replica(first.partition), now_ms)

    def _is_due(self, hosted: Hosted, now_ms: float) -> bool:
        replica, retry_ms = hosted.replica, self._retry_ms.get(hosted.partition, 0.0)
        is_member = replica.place.admits(replica.around.me.node)
        if not is_member or hosted.failed or hosted.fault or now_ms < retry_ms:
            return False
        least = max(self._records, hosted.contents.totals[0][0] // 2)
        return _is_new_child(hosted) or _read_since(hosted) >= least

    def _begin(self, hosted: Hosted, path: Path, now_ms: float) -> None:
        hosted.commit(now_ms)
        if hosted.failed:
            return
        if self._pool is None:
            self._pool = ThreadPoolExecutor(1, thread_name_prefix="checkpoints")
        indexes = len(hosted.contents.indexes.all)
        snapshot, pace = hosted.store.snapshot(), Pace(self._bytes_per_s)
        future = self._pool.submit(copy, snapshot, indexes, checkpoint_of(path), pace)
        self._job = (hosted, future, hosted.contents.changes)

    def _collect(self, hosted: Hosted, future: Future[Durable], changes: int, now_ms: float) -> None:
        partition = hosted.partition
        try:
            hosted.durable = future.result()
        except (StoreError, NotWhole, SnapshotClosed, UndecodableMessage, OSError) as error:
            self.failed += 1
            self._retry_ms[partition] = now_ms + RETRY_MS
            if not isinstance(error, SnapshotClosed):
                logger().warning("no checkpoint", partition=str(partition), reason=str(error))
        else:
            self.made += 1
            hosted.copied_changes = changes
            logger().info("checkpoint", partition=str(partition), offset=hosted.durable.offset)

    def close(self) -> None:
        """Do not wait: what is not whole is thrown away by the next one."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)


def _is_new_child(hosted: Hosted) -> bool:
    group = hosted.replica.place.group
    return hosted.durable.offset < 0 and group is not None and group.form is Form.CHILD


def _read_since(hosted: Hosted) -> int:
    """Records since the last checkpoint; each row counts of those that were gathered into one."""
    read = hosted.committed.offset - max(0, hosted.durable.offset)
    return max(read, hosted.committed_changes - hosted.copied_changes)


def _urgency(hosted: Hosted) -> tuple[bool, int]:
    return _is_new_child(hosted), _read_since(hosted)


def checkpoint_of(path: Path) -> Path:
    """Where a replica's checkpoint lies."""
    return path.with_name(path.name + ".checkpoint")


def copy(snapshot: Snapshot, indexes: int, path: Path, pace: Pace) -> Durable:
    """Make the checkpoint; what it has. Raises StoreError, NotWhole, SnapshotClosed, OSError."""
    made = path.with_name(path.name + ".new")
    store: LmdbStore | None = None
    try:
        discard(made)
        store = LmdbStore(made)
        place, totals = snapshot.place or b"", _written(snapshot, store, Received(indexes), pace)
        store.close(place, totals)
        store = None
        write_synced(made / PLACE, place)
        exchange(made, path)
    except BaseException:
        if store is not None:
            store.abandon()
        discard(made)  # it may be what has filled the disk
        raise
    finally:
        snapshot.close()
    return durable_at(decode_place(place))


def _written(snapshot: Snapshot, store: LmdbStore, received: Received, pace: Pace) -> bytes:
    """All pairs; what is to be stored beside the place. Each row's CRC and the contents checksum are proved."""
    position, uncommitted = Position(), 0
    while position.section is not Section.END:
        section, after = position
        pairs, last = snapshot.bounded(section.name.lower(), after, CHUNK_PAIRS, CHUNK_BYTES)
        received.add(section, pairs)
        write(store, section, pairs)
        size = sum(len(key) + len(value) for key, value in pairs)
        pace.spend(size, exact_ms())
        time.sleep(max(REST_S, pace.wait_ms(exact_ms()) / 1000))
        uncommitted += size
        if uncommitted > COMMIT_BYTES:
            store.commit(b"")
            uncommitted = 0
        position = position.behind([key for key, _ in pairs], last=last)
    return received.check(_manifest(snapshot))


def _manifest(snapshot: Snapshot) -> CloneManifest:
    return {
        "clone": 0,
        "node": "",
        "place": snapshot.place or b"",
        "totals": snapshot.totals or b"",
        "requests": snapshot.request_count,
        "chunks": -1,
    }


def durable_of(path: Path, origin: Origin) -> Durable:
    """What the checkpoint of a replica has of this very log; nothing where there is none."""
    try:
        file = settled(checkpoint_of(path)) / PLACE
        if not file.exists():
            return NOTHING
        place = decode_place(file.read_bytes())
    except (UndecodableMessage, StoreError, OSError) as error:
        logger().warning("checkpoint is unreadable", path=str(path), reason=str(error))
        return NOTHING
    return durable_at(place) if place.origin == origin else NOTHING


def begin_with(made: Path, path: Path, place: bytes) -> None:
    """A store that was made beside it, and closed with that place, becomes a replica's checkpoint, and the replica's
    own is a copy of it. Raises StoreError, OSError."""
    write_synced(made / PLACE, place)
    exchange(made, settled(checkpoint_of(path)))
    restore(path)


def restore(path: Path) -> bool:
    """Put a copy of the checkpoint in place of a store that cannot be trusted; False where there is none.

    A copy, since the checkpoint is what the log may be pruned behind, after a second crash as after the first.
    Raises StoreError.
    """
    checkpoint, made = settled(checkpoint_of(path)), path.with_name(path.name + ".restored")
    if not (checkpoint / PLACE).exists():
        return False
    discard(made)
    try:
        shutil.copytree(checkpoint, made)
        (made / PLACE).unlink()
        install(made, path)
    except OSError as error:
        discard(made)
        raise StoreError(f"{checkpoint} cannot be copied: {error}") from error
    return True
