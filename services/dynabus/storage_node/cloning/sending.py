"""The source's side of clones: snapshots that other nodes were given, read and sent in a thread of its own.

The loop only opens a snapshot, behind a commit, so that it is as fresh as the replica; that takes a millisecond or
two. The thread reads a chunk, sends it, and turns to the next clone, one chunk each, so that none waits for another.
"""

from __future__ import annotations

from collections.abc import Callable
from queue import Empty, SimpleQueue
from threading import Thread
from typing import NamedTuple

from dynabus.adapters.clock import exact_ms
from dynabus.adapters.codec import encode
from dynabus.adapters.kafka.message_producer import MessageProducer
from dynabus.adapters.lmdb import Snapshot, SnapshotClosed, StoreError
from dynabus.adapters.logs import logger
from dynabus.core.cloning.choice import SOURCES
from dynabus.core.cloning.messages import CloneManifest, CloneRequest
from dynabus.core.cloning.pace import Pace
from dynabus.core.cloning.position import CHUNK_BYTES, CHUNK_PAIRS
from dynabus.core.cloning.sender import Sender
from dynabus.core.ids import NodeName
from dynabus.core.topics import Topics
from dynabus.storage_node.replicas.hosted import Hosted

IDLE_POLL_S = 1.0
"""Between two looks at snapshots that nobody asks for any more."""

FLUSH_S = 1.0
END_S = 2.0
"""For the thread to end: it is at one chunk."""

SNAPSHOTS_MOST = 8
"""Open at once. Receivers take one clone at a time, so more means that many nodes are being filled from this one."""


class _Asked(NamedTuple):
    request: CloneRequest
    snapshot: Snapshot | None = None


class _Stream(NamedTuple):
    """One clone. `topic`: of the node that asks."""

    sender: Sender
    snapshot: Snapshot
    manifest: CloneManifest
    topic: str


class CloneSending:
    """`ask` is called by the loop. `sent`: chunks, `bytes_sent`: of them, since the start."""

    def __init__(
        self, make: Callable[[], MessageProducer], topics: Topics, node: NodeName, bytes_per_s: float
    ) -> None:
        self.sent = self.bytes_sent = self.snapshots = 0
        self._make, self._topics, self._node = make, topics, node
        self._pace = Pace(bytes_per_s)
        self._asked: SimpleQueue[_Asked | None] = SimpleQueue()
        self._given: dict[int, Snapshot] = {}
        self._thread: Thread | None = None

    # -- in the loop ------------------------------------------------------------------------------------------

    def ask(self, request: CloneRequest, hosted: Hosted | None, now_ms: float) -> str | None:
        """A request of another node. Why it was refused, which is told to that node; None where it was not."""
        known = self._given.get(request["clone"])
        snapshot = None
        if known is None or known.closed:
            if request["done"]:
                return None
            why = self._refuse(request, hosted, now_ms)
            if why is not None or hosted is None:
                return why
            try:
                snapshot = hosted.store.snapshot()
            except StoreError as error:
                return str(error)
            self._given = {clone: each for clone, each in self._given.items() if not each.closed}
            self._given[request["clone"]] = snapshot
            self.snapshots += 1
        self._start()
        self._asked.put(_Asked(request, snapshot))
        return None

    def _refuse(self, request: CloneRequest, hosted: Hosted | None, now_ms: float) -> str | None:
        if hosted is None:
            return "there is no replica here"
        if request["number"] > 0:
            return "the snapshot is gone"
        if hosted.state not in SOURCES or hosted.alarm:
            return f"its replica is {hosted.state} {hosted.alarm}".strip()
        if sum(not each.closed for each in self._given.values()) >= SNAPSHOTS_MOST:
            return "too many clones at once"
        hosted.commit(now_ms)
        if hosted.failed:
            return "its store failed"
        if hosted.committed.offset < request["at_least"]:
            return f"it has read up to {hosted.committed.offset}, not up to {request['at_least']}"
        return None

    def refusal(self, request: CloneRequest, why: str) -> tuple[str, bytes]:
        """(topic, message) that tells it."""
        logger().info("clone refused", node=request["node"], reason=why)
        return self._topics.clone(NodeName(request["node"])).name, self._refusal(request["clone"], why)

    def _refusal(self, clone: int, why: str) -> bytes:
        return encode("clone_refusal", {"clone": clone, "node": self._node, "why": why})

    def _start(self) -> None:
        if self._thread is None:
            self._thread = Thread(target=self._run, name="clone-sending", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """End the thread."""
        if self._thread is not None:
            self._asked.put(None)
            self._thread.join(END_S)

    # -- in the thread ----------------------------------------------------------------------------------------

    def _run(self) -> None:
        producer, streams = self._make(), dict[int, _Stream]()
        while self._take(streams, self._wait_s(streams)):
            for clone, stream in [*streams.items()]:
                if not self._go_on(producer, stream):
                    stream.snapshot.close()
                    del streams[clone]
            producer.serve()
        for stream in streams.values():
            stream.snapshot.close()
        producer.flush(FLUSH_S)

    def _wait_s(self, streams: dict[int, _Stream]) -> float:
        if not any(each.sender.wants_chunk or each.sender.wants_end for each in streams.values()):
            return IDLE_POLL_S
        return self._pace.wait_ms(exact_ms()) / 1000

    def _take(self, streams: dict[int, _Stream], timeout_s: float) -> bool:
        """All that was asked, after waiting for it; False at the end."""
        try:
            asked = self._asked.get(timeout=timeout_s) if timeout_s > 0 else self._asked.get_nowait()
            while asked is not None:
                self._asked_one(streams, asked)
                asked = self._asked.get_nowait()
        except Empty:
            return True
        return False

    def _asked_one(self, streams: dict[int, _Stream], asked: _Asked) -> None:
        request, now_ms = asked.request, exact_ms()
        stream = streams.get(request["clone"])
        if asked.snapshot is not None:
            stream = self._open(request, asked.snapshot, now_ms)
            if stream is not None:
                streams[request["clone"]] = stream
        if stream is not None:
            stream.sender.asked(request, now_ms)

    def _open(self, request: CloneRequest, snapshot: Snapshot, now_ms: float) -> _Stream | None:
        try:
            requests = snapshot.request_count
        except (SnapshotClosed, StoreError):
            return None
        manifest: CloneManifest = {
            "clone": request["clone"],
            "node": self._node,
            "place": snapshot.place or b"",
            "totals": snapshot.totals or b"",
            "requests": requests,
            "chunks": -1,
        }
        where = f"{request['log']}/{request['partition']}"
        logger().info("clone is sent", partition=where, node=request["node"])
        topic = self._topics.clone(NodeName(request["node"])).name
        return _Stream(Sender(request["clone"], now_ms), snapshot, manifest, topic)

    def _go_on(self, producer: MessageProducer, stream: _Stream) -> bool:
        """One chunk at most; False where its snapshot is to be closed."""
        sender, now_ms = stream.sender, exact_ms()
        try:
            if not sender.begun:
                sender.begun = True
                producer.send_one(stream.topic, encode("clone_manifest", stream.manifest))
            elif sender.wants_chunk and self._pace.wait_ms(now_ms) == 0.0:
                self._chunk(producer, stream, now_ms)
            if sender.wants_end:
                sender.ended = True
                ending = {**stream.manifest, "chunks": sender.number}
                producer.send_one(stream.topic, encode("clone_manifest", ending))
        except (SnapshotClosed, StoreError) as error:
            why = str(error) or "its replica was closed"
            producer.send_one(stream.topic, self._refusal(sender.clone, why))
            return False
        return not sender.is_over(now_ms)

    def _chunk(self, producer: MessageProducer, stream: _Stream, now_ms: float) -> None:
        sender = stream.sender
        section, after = sender.position
        pairs, last = stream.snapshot.bounded(section.name.lower(), after, CHUNK_PAIRS, CHUNK_BYTES)
        keys = [key for key, _ in pairs]
        chunk = {
            "clone": sender.clone,
            "number": sender.number,
            "section": int(section),
            "after": after,
            "keys": keys,
            "values": [value for _, value in pairs],
            "last": last,
        }
        value = encode("clone_chunk", chunk)
        producer.send_one(stream.topic, value)
        self._pace.spend(len(value), now_ms)
        self.sent += 1
        self.bytes_sent += len(value)
        sender.sent(keys, last=last)
