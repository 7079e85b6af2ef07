"""How far links are. Where a region fell behind the retention of a stream, what this region wrote last is copied
again; a table that is being deleted waits until all that is left of its stream was sent."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, NamedTuple

from confluent_kafka import KafkaException

from dynabus.adapters.clock import unix_ms
from dynabus.adapters.kafka.topics import TopicAdmin, TopicError
from dynabus.adapters.logs import logger
from dynabus.adapters.worker import Worker
from dynabus.core.global_tables.backlog import LOST, Backlog, backlog_of, shard
from dynabus.core.global_tables.links import ACTIVE, DRAINING, Link, Links, Where
from dynabus.core.topic_settings import STREAM_RETENTION_MS
from dynabus.core.topics import Topics
from dynabus.repl_admin.definitions import OWN, Ask

LOOK_MS = 10_000.0
"""Between two looks: retention is hours."""

DRAIN_MS = 1_000.0
"""The same of links that are drained, for which somebody waits."""


class Seen(NamedTuple):
    """A link and how far it is."""

    link: Link
    backlog: Backlog


Look = Callable[[list[Link]], "Future[list[Seen]]"]


class Retention:
    """A duty of ReplAdmin."""

    def __init__(self, ask: Ask, admin: TopicAdmin, topics: Topics, links: Links) -> None:
        self._ask, self._admin, self._topics, self._links = ask, admin, topics, links
        self._worker = Worker("retention")
        self._job: Future[list[Seen]] | None = None
        self._due_ms = self._drain_due_ms = 0.0
        self._lines: dict[Where, dict[str, Any]] = {}

    @property
    def lines(self) -> list[dict[str, Any]]:
        """How far links are, for status; another thread may ask."""
        return [each for where, each in [*self._lines.items()] if where in self._links.all]

    def turn(self, now_ms: float) -> None:
        """Look, if it is time, and tell the own auto-admin of links that are lost."""
        if self._job is not None and self._job.done():
            self._seen(self._job)
            self._job = None
        if self._job is None and (links := self._due(now_ms)):
            self._job = self._worker.submit(lambda: look(self._admin, self._topics, links, unix_ms()))

    def _due(self, now_ms: float) -> list[Link]:
        """Those that are looked at now."""
        links = list(self._links.all.values())
        if links and now_ms >= self._due_ms:
            self._due_ms, self._drain_due_ms = now_ms + LOOK_MS, now_ms + DRAIN_MS
            return links
        if now_ms < self._drain_due_ms:
            return []
        self._drain_due_ms = now_ms + DRAIN_MS
        return [each for each in links if each.status == DRAINING]

    def _seen(self, job: Future[list[Seen]]) -> None:
        try:
            seen = job.result()
        except (KafkaException, TopicError) as error:
            logger().warning("how far links are is not known, looked again", reason=str(error))
            return
        now = {(each.link.table, each.link.destination): line(each) for each in seen}
        known = {**self._lines, **now}
        self._lines = {where: each for where, each in known.items() if where in self._links.all}
        for link, backlog in seen:
            if backlog.alarm:
                logger().warning("a link is behind", table=link.name, region=link.destination, alarm=backlog.alarm)
            # If nobody answers, the next look asks again.
            if backlog.alarm == LOST and link.status == ACTIVE:
                self._ask(OWN, "LinkLost", _about(link))
            elif link.status == DRAINING and not backlog.records:
                self._ask(OWN, "LinkDrained", _about(link))


def _about(link: Link) -> dict[str, Any]:
    return {"TableId": link.table, "Destination": link.destination, "CreatedMs": link.created_ms}


def look(admin: TopicAdmin, topics: Topics, links: list[Link], wall_ms: int) -> list[Seen]:
    """Blocks. Raises TopicError, KafkaException."""
    found: list[Seen] = []
    for link in links:
        name = topics.stream_name(link.name, link.stream)
        extents = admin.extents(name)
        commits = admin.group_commits(topics.rep_outs(link.destination), [(name, number) for number in extents])
        shards = [shard(extent, commits.get((name, number))) for number, extent in extents.items()]
        kept_ms = admin.retention_ms(name) if shards else STREAM_RETENTION_MS
        found.append(Seen(link, backlog_of(shards, wall_ms, kept_ms, link.created_ms)))
    return found


def line(seen: Seen) -> dict[str, Any]:
    """For status."""
    link, backlog = seen
    return {
        "table": link.name,
        "region": link.destination,
        "status": link.status,
        "backlog": backlog.records,
        "latency_ms": backlog.latency_ms,
        "alarm": backlog.alarm,
    }
