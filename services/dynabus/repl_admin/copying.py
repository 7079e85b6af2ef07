"""Initial copies: of each link that is COPYING the table's rows go to its destination, by a thread for each; a few to
each region at once, the oldest first. All have one allowance.

A duty of ReplAdmin's active process. Pages of rows are asked of the leaders of whatever partitions hold the keys, so
that splits in between do not matter; batches go the way that RepOut's go. Nothing is kept: whoever comes next begins
anew, and what was sent before is a repeat. When all is acknowledged auto-admin is told, until it says that the link
is ACTIVE.
"""

from __future__ import annotations

import threading
from typing import Any, NamedTuple

import orjson
from confluent_kafka import KafkaException

from dynabus.adapters.allowance import Allowance
from dynabus.adapters.clock import exact_ms, new_incarnation
from dynabus.adapters.codec import encode
from dynabus.adapters.kafka.hearing import Hearing
from dynabus.adapters.kafka.message_producer import MessageProducer
from dynabus.adapters.kafka.settings import KafkaSettings
from dynabus.adapters.kafka.topic_rules import UnsafeKafka
from dynabus.adapters.kafka.topics import TopicError, reach_kafka
from dynabus.adapters.logs import logger
from dynabus.core.cluster_view import ClusterView
from dynabus.core.global_tables.copying import Copy
from dynabus.core.global_tables.links import COPYING, Link, Links
from dynabus.core.global_tables.pages import rows_of, rows_part
from dynabus.core.global_tables.regions import Peer, Regions
from dynabus.core.ids import NodeName
from dynabus.core.messages import SEALED, PartitionMetadata, ReplyPart, ReplyStatus
from dynabus.core.topics import Topics
from dynabus.rep_out.line import Line

ASK_MS, ASK_MOST_MS, AGAIN_MS = 2_000.0, 30_000.0, 200.0
"""Until a page is asked for again, after silence (doubled each time, since answers may take longer), and after a
refusal."""

STILL_MS = 60_000.0
"""Nothing was read or acknowledged for so long: somebody should look."""

TELL_MS = 1_000.0
"""Between two messages to auto-admin that a copy is done."""

POLL_S, IDLE_S = 0.005, 0.1
REACH_S = 5.0

FAILED_S = 60.0
"""Until one that ended by a defect, a damaged row say, is begun anew: from the first row on."""


class _Asked(NamedTuple):
    """A page that is under way."""

    counter: int
    partition: PartitionMetadata
    again_ms: float


class Job:
    """The copy of one link, in a thread of its own. `turn` is what it does again and again."""

    def __init__(
        self, kafka: KafkaSettings, name: str, link: Link, peer: Peer, own: str, allowance: Allowance
    ) -> None:
        self.link, self.peer = link, peer
        self.copy = Copy(link.name, own, None if link.whole else frozenset(link.rows))
        self.problem: str | None = None
        self._kafka, self._own, self._allowance = kafka, own, allowance
        self._topics = Topics(kafka.namespace)
        self._slot, self._incarnation = f"{name}-copy", new_incarnation()
        self._sender = f"{self._slot}/{self._incarnation:x}/{link.table}"
        self._view = ClusterView()
        self._counter, self._asked = 0, _Asked(0, _NOWHERE, 0.0)
        self._node: str | None = None
        """Who is said to lead."""
        self._ask_ms, self._refused = ASK_MS, ""
        self._moved: tuple[int, bytes | None] = (-1, None)
        """Items that were acknowledged, and where the next page begins, since `_moved_ms`."""
        self._moved_ms = 0.0
        self._told_ms = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"copy to {peer.name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Give it up."""
        self._stop.set()

    @property
    def has_failed(self) -> bool:
        """It ended by a defect, and is to be begun anew."""
        return self._thread.ident is not None and not self._thread.is_alive() and not self._stop.is_set()

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                try:
                    self._work()
                except (TopicError, UnsafeKafka, KafkaException) as error:
                    self.problem = str(error)
                    logger().warning("initial copy waits", table=self.link.name, to=self.peer.name, why=str(error))
                    self._stop.wait(REACH_S)
        except Exception as defect:
            logger().exception("initial copy failed", table=self.link.name, to=self.peer.name)
            self.problem = f"it failed, and is begun anew: {defect}"
            self._stop.wait(FAILED_S)

    def _work(self) -> None:
        reach_kafka(self._kafka).ensure([self._topics.replies(self._slot)])
        line = Line(self._kafka, self.peer, self._own, exact_ms)
        producer = MessageProducer(self._kafka.request_producer())
        hearing = Hearing(self._kafka, self._topics, self._learn, self._slot)
        rows = "all" if self.link.whole else self.link.rows
        logger().info("initial copy", table=self.link.name, to=self.peer.name, rows=rows)
        try:
            while not self._stop.is_set():
                hearing.take(IDLE_S if self.copy.is_done else POLL_S)
                if hearing.is_loaded:
                    self.turn(line, producer, exact_ms())
                producer.serve()
        finally:
            hearing.close()
            line.close()
            producer.flush(1)

    def turn(self, line: Line, producer: MessageProducer, now_ms: float) -> None:
        """Hear, ask, send; or say that it is done."""
        for sender, number in line.acknowledged(0):
            if sender == self._sender:
                self.copy.acknowledged(number)
        self.problem = line.problem or self._stillness(now_ms)
        if self.copy.is_done:
            self._tell(producer, now_ms)
            return
        position = self.copy.wants
        if position is not None and now_ms >= self._asked.again_ms:
            self._ask(producer, position, now_ms)
        allowed = self._allowance.take(now_ms)
        for batch in self.copy.batches(now_ms, allowed):
            line.send(self._sender, self.link, batch)
            allowed -= len(batch.exports)
        self._allowance.give_back(allowed)

    def _stillness(self, now_ms: float) -> str | None:
        """What it waits for, if it does not go on."""
        copy, moved = self.copy, (self.copy.sent, self.copy.position)
        if moved != self._moved:
            self._moved, self._moved_ms = moved, now_ms
        still_ms = now_ms - self._moved_ms
        if still_ms < STILL_MS or copy.is_done:
            return None
        since = f"for {still_ms / 1000:.0f} s"
        if copy.window.sent:
            return f"{self.peer.name} has decided nothing of it {since}: does rep-in run there?"
        return None if copy.wants is None else f"no rows were read {since}: {self._refused or 'no answer'}"

    # -- pages ----------------------------------------------------------------------------------------------------

    def _ask(self, producer: MessageProducer, position: bytes, now_ms: float) -> None:
        table = self._view.table(self.link.table)
        if table is None or not table.partitions:
            return
        partition = table.partition_of(position)
        led = self._view.leader(table.id, partition["number"])
        node = self._node or (led[1] if led is not None else partition["preferred"])
        self._node = None
        self._counter += 1
        self._ask_ms = min(2 * self._ask_ms, ASK_MOST_MS) if self._asked.counter else ASK_MS
        self._asked = _Asked(self._counter, partition, now_ms + self._ask_ms)
        generation, destination = partition["generation"], self.link.destination
        part = rows_part(table.id, partition["number"], generation, position, destination)
        asker = {"asker": self._slot, "incarnation": self._incarnation, "counter": self._counter}
        request = {**asker, "budget_ms": int(self._ask_ms), "repeat": False, "parts": [part]}
        producer.send_one(self._topics.requests(NodeName(node)).name, encode("request", request))

    def _replied(self, reply: Any) -> None:
        if reply["incarnation"] != self._incarnation or reply["counter"] != self._asked.counter:
            return
        part: ReplyPart = reply["parts"][0]
        partition, self._refused = self._asked.partition, ""
        if part["status"] == ReplyStatus.OK:
            page = rows_of(part)
            self.copy.took(page.rows, partition["upper"] if page.behind is None else page.behind)
            self._asked = _Asked(0, _NOWHERE, 0.0)
            return
        self._refused = f"partition {partition['number']} says {ReplyStatus(part['status']).name}"
        if part["status"] == ReplyStatus.STALE_ROUTE and part["body"] == SEALED:
            self._view.sealed(self.link.table, partition["number"])
        elif part["status"] == ReplyStatus.NOT_LEADER:
            self._node = part["body"].decode() or None
        self._asked = _Asked(0, _NOWHERE, exact_ms() + AGAIN_MS)

    def _learn(self, _key: str, kind: str, body: Any) -> None:
        if kind == "reply":
            self._replied(body)
        elif body is not None:
            self._view.take(kind, body, exact_ms())

    # -- the end --------------------------------------------------------------------------------------------------

    def _tell(self, producer: MessageProducer, now_ms: float) -> None:
        if now_ms - self._told_ms < TELL_MS:
            return
        if not self._told_ms:
            logger().info("initial copy done", table=self.link.name, to=self.peer.name, items=self.copy.sent)
        self._told_ms = now_ms
        self._counter += 1
        link = {"TableId": self.link.table, "Destination": self.link.destination, "CreatedMs": self.link.created_ms}
        asker = {"asker": self._slot, "incarnation": self._incarnation, "counter": self._counter}
        request = {**asker, "budget_ms": int(TELL_MS), "repeat": False}
        request |= {"operation": "ReplicaCopied", "body": orjson.dumps(link)}
        producer.send_one(self._topics.control().name, encode("control_request", request))


def _life(link: Link) -> tuple[int, bool, str]:
    return link.created_ms, link.whole, link.stream


_NOWHERE: PartitionMetadata = {
    "number": -1,
    "generation": 0,
    "lower": b"",
    "upper": None,
    "members": [],
    "preferred": "",
    "state": "",
    "lineage": [],
    "joining": [],
}


class Copies:
    """The copies that are under way. `turn` now and then while this process is the active one; `close` otherwise."""

    def __init__(self, kafka: KafkaSettings, name: str, items_per_s: int, at_once: int) -> None:
        self._kafka, self._name, self._at_once = kafka, name, at_once
        self._allowance = Allowance(items_per_s, exact_ms())
        self._regions, self._links = Regions(), Links()
        self._hearing: Hearing | None = None
        self.jobs: dict[tuple[str, str], Job] = {}
        """By table id and destination."""
        self._waiting: list[Link] = []

    def turn(self, now_ms: float) -> None:
        """Begin what is to be copied, give up what is not any more. Returns at once."""
        if self._hearing is None:
            self._hearing = Hearing(self._kafka, Topics(self._kafka.namespace), self.learn)
        self._hearing.take(0)
        if self._hearing.is_loaded:
            self.follow()

    def learn(self, key: str, kind: str, body: Any) -> None:
        """A record of metadata."""
        self._regions.take(kind, key, body)
        self._links.take(kind, key, body)

    def follow(self) -> None:
        """What metadata want."""
        peers, own = self._regions.others, self._regions.own
        wanted = {
            where: (link, peers[link.destination])
            for where, link in self._links.all.items()
            if link.status == COPYING and link.destination in peers
        }
        for where, job in [*self.jobs.items()]:
            link, peer = wanted.get(where, (None, None))
            if link is None or peer != job.peer or _life(link) != _life(job.link) or job.has_failed:
                self.jobs.pop(where).stop()
        waiting = []
        for where, (link, peer) in sorted(wanted.items(), key=lambda each: each[1][0].created_ms):
            if where not in self.jobs and self._is_full(peer):
                waiting.append(link)
            elif where not in self.jobs:
                self.jobs[where] = Job(self._kafka, self._name, link, peer, own, self._allowance)
                self.jobs[where].start()
        self._waiting = waiting

    def _is_full(self, peer: Peer) -> bool:
        """A region that takes nothing, for whatever reason, holds back its own copies alone."""
        return sum(job.peer.name == peer.name for job in self.jobs.values()) >= self._at_once

    def status(self) -> list[dict[str, Any]]:
        """Copies that are under way, and those that wait for their turn. Another thread may ask."""
        return [
            *(
                {
                    "table": job.link.name,
                    "region": job.peer.name,
                    "state": "copying",
                    "items": job.copy.sent,
                    **({"alarm": job.problem} if job.problem else {}),
                }
                for job in [*self.jobs.values()]
            ),
            *(
                {"table": link.name, "region": link.destination, "state": "waiting", "items": 0}
                for link in self._waiting
            ),
        ]

    @property
    def limits(self) -> dict[str, int]:
        """Of copies to one region, and of all together."""
        return {"at_once": self._at_once, "items_per_s": self._allowance.items_per_s}

    def close(self) -> None:
        """Give up all; whoever is active next begins anew."""
        for job in self.jobs.values():
            job.stop()
        self.jobs.clear()
        self._waiting = []
        # What goes meanwhile has no record any more when metadata are read again.
        self._links.all.clear()
        if self._hearing is not None:
            self._hearing.close()
            self._hearing = None
