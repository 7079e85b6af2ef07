"""The processes of a region that make a table global, each the product's own shell: log propagators, RepOut, RepIn,
ReplAdmin's copies. What they know of metadata they hear each at its own pace.

A process dies in any call to Kafka, or sleeps for seconds and goes on as if nothing had happened. What it had under
way when it died may arrive later: batches and acknowledgements (`region_kafka`), writes on their way to leaders
(`region_cluster`), records of streams.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

import orjson
from confluent_kafka import KafkaException

from dynabus.adapters.codec import decode
from dynabus.adapters.kafka.message_producer import MessageProducer
from dynabus.adapters.kafka.settings import KafkaSettings
from dynabus.adapters.kafka.topics import TopicError
from dynabus.adapters.stream_codec import encode_output
from dynabus.core.global_tables.rep_out import Export
from dynabus.core.propagation.outputs import Output
from dynabus.core.replication.records import Record
from dynabus.core.replication.store import Outcome
from dynabus.core.topics import Topics
from dynabus.rep_in.config import RepInSettings
from dynabus.rep_in.service import RepInService
from dynabus.rep_out.config import RepOutSettings
from dynabus.rep_out.line import Line
from dynabus.rep_out.service import RepOutService
from dynabus.repl_admin.copying import Copies, Job
from dynabus.repl_admin.retention import Retention
from tests.simulation import propagation
from tests.simulation.global_tables import WALL_MS
from tests.simulation.region_clients import Stored
from tests.simulation.region_cluster import WALL_BASE_MS, Answers, PageAsker, Router
from tests.simulation.region_kafka import Admin, Killed
from tests.simulation.violation import Violation

if TYPE_CHECKING:
    from tests.simulation.region import Region

TOPICS = Topics("dynabus")
TURN_MS = 90.0
COPIED_PER_S, COPIES_AT_ONCE = 20_000, 4
WORDS_EVERY_S = 0.3
"""Between words of RepOut; less than its setting may be."""

PIECES = 10
"""Of a propagator's turn."""


@lru_cache
def rep_out_settings(region: str, name: str) -> RepOutSettings:
    settings = RepOutSettings(name=name, kafka=region, commit_every_ms=100)
    return settings.model_copy(update={"floors_every_s": WORDS_EVERY_S})


@lru_cache
def rep_in_settings(region: str, name: str) -> RepInSettings:
    return RepInSettings(name=name, kafka=region)


class Host:
    """A process in its successive runs. `begin` and `turn` are its own."""

    def __init__(self, region: Region, name: str) -> None:
        self.of, self.region, self.name = region, region.name, name
        self.world, self.wires = region.world, region.wires
        self.skew_ms = WALL_BASE_MS + region.cluster.skew_ms
        self.is_up = self.is_gone = False
        self.asleep_until_ms = 0.0
        self.run = 0
        self.inbox: list[Callable[[], None]] = []
        self._fuse: int | None = None
        self._heard = 0

    def start(self) -> None:
        """A run begins."""
        if self.is_up or self.is_gone:
            return
        self.run, self.is_up, self._fuse, self._heard = self.run + 1, True, None, 0
        self.inbox.clear()
        self._within(self.begin)
        self.world.after(self.world.random.uniform(0.0, TURN_MS), self._turn, self.run)

    def begin(self) -> None:
        """Of the process."""
        raise NotImplementedError

    def turn(self) -> None:
        """Of its loop."""
        raise NotImplementedError

    def kill(self) -> None:
        """In one of the next calls to Kafka."""
        self._fuse = self.world.random.randint(0, 12)

    def step(self) -> None:
        if self._fuse is not None:
            self._fuse -= 1
            if self._fuse < 0:
                raise Killed

    def end(self) -> None:
        """What a dead process leaves is let go."""

    def die(self) -> None:
        """Now."""
        self.is_up = False
        self.inbox.clear()
        self.end()
        self.world.note(f"{self.region}: {self.name} is dead")
        self.world.after(self.world.random.uniform(100.0, 4000.0), self.start)

    def later(self, action: Callable[[], None]) -> None:
        """Something arrives for this run."""
        run = self.run

        def arrive() -> None:
            if self.is_up and self.run == run:
                action()

        self.inbox.append(arrive)

    def _turn(self, run: int) -> None:
        if not self.is_up or run != self.run:
            return
        self.world.after(self.world.random.uniform(0.5, 1.5) * TURN_MS, self._turn, run)
        if self.world.now_ms >= self.asleep_until_ms:
            self._within(self._whole_turn)

    def _whole_turn(self) -> None:
        self._arrived()
        self.turn()
        self._arrived()

    def _arrived(self) -> None:
        while self.inbox:
            inbox, self.inbox = self.inbox, []
            for action in inbox:
                action()

    def _within(self, action: Callable[[], None]) -> None:
        with self.wires.run(self):
            try:
                action()
            except Killed:
                self.die()
            except KafkaException:
                """As the loops of the shells do it: the next turn tries again."""

    def hear(self, learn: Callable[[str, str, Any], None]) -> bool:
        """Metadata, by (key, kind, message): some of what is new. Whether there was any."""
        news = self.of.metadata
        heard = self.world.random.randint(self._heard, len(news)) if self.world.random.random() < 0.5 else self._heard
        for key, kind, message in news[self._heard : heard]:
            learn(key, kind, message)
        found, self._heard = heard > self._heard, heard
        return found


class RepOutHost(Host):
    """All its destinations, each in its own thread."""

    def begin(self) -> None:
        self.service = RepOutService(rep_out_settings(self.region, self.name), cast("Any", None))

    def turn(self) -> None:
        if self.hear(self.service.take):
            self.service.learn()
        for each in self.service.destinations.values():
            if each._line is None:
                each._reach()
            else:
                self._turn_of(each.turn)

    def _turn_of(self, turn: Callable[[], None]) -> None:
        try:
            turn()
        except KafkaException:
            """That of the others goes on."""


class Steps:
    """In place of `Tasks`: coroutines that go on as what they wait for comes."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._under_way: set[Coroutine[Any, Any, None]] = set()

    def begin(self, work: Coroutine[Any, Any, None]) -> None:
        """Not at once, as in an event loop."""
        self._under_way.add(work)
        self._host.later(lambda: self._step(work, None))

    def end(self) -> None:
        """The process is dead."""
        for work in self._under_way:
            work.close()
        self._under_way.clear()

    def _step(self, work: Coroutine[Any, Any, None], value: Any) -> None:
        try:
            waits: Answers = work.send(value)
        except StopIteration:
            self._under_way.discard(work)
            return
        waits.done = lambda found: self._host.later(lambda: self._step(work, found))


class RepInHost(Host):
    """The reader's thread and the loop in turns."""

    def begin(self) -> None:
        service = self.service = RepInService(rep_in_settings(self.region, self.name))
        self._steps = Steps(self)
        service.tasks = service.driving._tasks = service.words._tasks = cast("Any", self._steps)
        self.router = Router(self.of.cluster)
        service.driving._ask, service.driving._park = self.router.ask, self._park
        service.words._ask, service.words._has_parked = self.router.ask, _nothing_is_parked
        service.failed = self._failed
        service.reader._deliver = service.take
        self._consumer = self.wires.consumer(service.reader._properties())
        service.reader._consumer = cast("Any", self._consumer)

    def turn(self) -> None:
        service = self.service
        self.hear(self._learn)
        names = {TOPICS.replication(name).name for name in service.regions.others}
        there = names & self.of.kafka.counts.keys()
        service.reader._wanted = tuple(sorted(there))
        service.reader._turn(cast("Any", self._consumer))
        service.telling.serve()
        service.go_on()

    def end(self) -> None:
        self.router.is_gone = True
        self._steps.end()

    def _learn(self, _key: str, kind: str, message: Any) -> None:
        self.service._heard(kind, message)
        self.service.router.view.take(kind, message, self.world.now_ms)

    async def _park(self, source: str, export: Export, reason: str) -> None:
        if self.of.is_parked(export):
            return
        raise Violation(f"a change of {source} is parked in {self.region}: {reason}, {export}")

    def _failed(self) -> None:
        raise Violation(f"RepIn of {self.region} failed")


async def _nothing_is_parked(_source: str, _table: str) -> bool:
    return False


class CopiesHost(Host):
    """ReplAdmin's active process, as far as it copies."""

    def begin(self) -> None:
        self.copies = Copies(KafkaSettings(self.region), self.name, COPIED_PER_S, COPIES_AT_ONCE)
        self._lines: dict[Job, Line] = {}
        self._fed: dict[Job, int] = {}
        self._pages = PageAsker(self.of.cluster, self._answered)
        self._job: Job | None = None
        self._asks: dict[int, tuple[Job, dict[str, Any]]] = {}
        self._count = 0
        admin = cast("Any", Admin(self.of.kafka))
        self._retention = Retention(cast("Any", self._told_own), admin, TOPICS, self.copies._links)

    def turn(self) -> None:
        self.hear(self.copies.learn)
        self._retention.turn(self.world.now_ms)
        self.copies.follow()
        for job in self.copies.jobs.values():
            if not self._reaches(job):
                continue
            news = self.of.metadata
            for key, kind, message in news[self._fed.get(job, 0) : self._heard]:
                job._learn(key, kind, message)
            self._fed[job] = self._heard
            self._job = job
            job.turn(self._lines[job], cast("MessageProducer", self), self.world.now_ms)

    def _told_own(self, _region: str, operation: str, body: dict[str, Any]) -> None:
        self.of.admin(operation, body)

    def _reaches(self, job: Job) -> bool:
        if job not in self._lines:
            try:
                self._lines[job] = Line(KafkaSettings(self.region), job.peer, self.region, self.wires.exact_ms)
            except TopicError:
                return False
        return True

    def send_one(self, topic: str, value: bytes) -> None:
        """In place of the producer of requests."""
        self.step()
        kind, request = decode(value)
        if kind == "control_request":
            self.of.admin(request["operation"], orjson.loads(request["body"]))
            return
        assert self._job is not None
        self._count += 1
        self._asks[self._count] = (self._job, request)
        deadline_ms = self.world.now_ms + request["budget_ms"]
        self._pages.ask(topic.rpartition(".")[2], self._count, request["parts"][0], deadline_ms)

    def _answered(self, counter: int, outcome: Outcome) -> None:
        found = self._asks.pop(counter, None)
        if found is not None:
            job, request = found
            reply = {"incarnation": request["incarnation"], "counter": request["counter"]}
            self.later(lambda: job._learn("", "reply", {**reply, "parts": [outcome.part(0)]}))


# -- log propagators ------------------------------------------------------------------------------------------


class Logs:
    """A region's logs, as propagators read them."""

    def __init__(self, region: Region) -> None:
        self._region = region

    @property
    def logs(self) -> dict[int, list[Record]]:
        return {number: log.records for number, log in self._region.cluster.logs.items()}


class StreamWorld(propagation.World):
    """Of a region: what propagators write is in its Kafka."""

    def __init__(self, region: Region) -> None:
        super().__init__(region.world.random, cast("Any", Logs(region)))
        self.region = region
        self.conflicts: set[tuple[int, str]] = set()

    def land(self, output: Output) -> None:
        if output.conflict is not None:
            self.conflicts.add((output.number, str(output.sequence)))
            return
        super().land(output)
        wall_ms = WALL_MS + WALL_BASE_MS + int(self.region.world.now_ms)
        message = encode_output(output, wall_ms)
        where = TOPICS.stream_name(output.stream.name, output.stream.label), output.number
        headers = [(name, value.encode() if isinstance(value, str) else value) for name, value in message.headers]
        self.region.kafka.land(where, Stored(message.value, message.key, headers, message.timestamp_ms))
        self.region.drop_late(where)


class PropagatorHost(Host):
    """One of those of `propagation`, whose turn is cut into pieces."""

    def __init__(self, region: Region, member: int) -> None:
        super().__init__(region, f"propagator-{member}")
        self.process = propagation.Process(region.streams, member)

    def begin(self) -> None:
        """It has begun."""

    def turn(self) -> None:
        self.process.awake = True
        for _ in range(self.world.random.randint(1, PIECES)):
            if not self.of.kafka.is_away():
                self.process.piece()

    def kill(self) -> None:
        self.process.crash()

    @property
    def is_asleep(self) -> bool:
        return self.world.now_ms < self.asleep_until_ms
