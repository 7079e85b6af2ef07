"""RepIn in the event loop.

    1. the reader's thread hands over batches          4. their acknowledgements go to the source's Kafka
    2. a topic partition's brain takes them apart      5. once these are there, offsets become committable
    3. its changes are driven to their leaders         6. the reader's thread commits them

A batch that cannot be read (damaged, or of a format that is newer) is parked as it is and passed by. It is *not*
acknowledged: its sender keeps it, sends it again, and goes on no further than a few batches. So a damaged copy heals
by the next one, one that is newer waits until this process is, and nothing is lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from dynabus.adapters.clock import exact_ms, unix_ms
from dynabus.adapters.codec import UndecodableMessage
from dynabus.adapters.kafka.topics import TopicError, reach_kafka
from dynabus.adapters.logs import logger
from dynabus.adapters.replication_codec import Arrived, decode_batch
from dynabus.core.global_tables.regions import KIND, Peer, Regions
from dynabus.core.global_tables.versions import Meeting
from dynabus.core.topics import Topic
from dynabus.rep_in.config import RepInSettings
from dynabus.rep_in.driving import Driving
from dynabus.rep_in.inlet import Inlet
from dynabus.rep_in.tasks import Tasks
from dynabus.rep_in.telling import UNREACHED, Telling
from dynabus.rep_in.words import Words
from dynabus.request_router.ingest.reader import Arrival, Batch, Reader
from dynabus.request_router.service import Router

TICK_S = 0.02

LOOK_S = 30.0
"""Between two looks at whether what was parked is still there."""

AGAIN_S = 2.0
"""Between two attempts to make what is needed in Kafka."""


class RepInService:
    """One process. `failed` is called in the loop when a part of it ended by a defect: the process must end too."""

    def __init__(self, settings: RepInSettings) -> None:
        self.settings = settings
        self.router = Router(settings)
        self.router.heard = self._heard
        self.router.failed = self._fail
        self.regions = Regions()
        self.failed: Callable[[], None] = lambda: None
        kafka, self._topics = settings.kafka_settings(), self.router.topics
        self.telling = Telling(kafka, self._topics, self.regions, settings.name, exact_ms)
        self.tasks = Tasks(self._fail)
        self.driving = Driving(
            self.router.view,
            self.router.ask,
            self.telling.park,
            self._settle,
            exact_ms,
            unix_ms,
            self.tasks,
            settings.catch_up_delay_ms,
        )
        self.words = Words(self.router.view, self.router.ask, self.telling.has_parked, self.tasks)
        self.reader = Reader(kafka, self._topics.rep_ins, self._deliver, self._reader_failed, Inlet)
        self._known: dict[str, Peer] = {}
        self._changed = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    # -- life -----------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Connect; `readiness` says when it can work."""
        self._loop = asyncio.get_running_loop()
        await self.router.start()
        self.tasks.begin(self._tick())
        self.tasks.begin(self._follow_regions())
        self.tasks.begin(self._look_at_parked())

    async def stop(self) -> None:
        self.tasks.cancel()
        await asyncio.to_thread(self.telling.close)
        await asyncio.to_thread(self.reader.close)
        await self.router.stop()

    def readiness(self) -> str | None:
        return self.router.readiness()

    def _fail(self) -> None:
        self.failed()

    def _reader_failed(self) -> None:
        """In the reader's thread."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._fail)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            self.telling.serve()
            self.go_on()

    async def _look_at_parked(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            with suppress(*UNREACHED):
                await self.telling.look_again()

    # -- regions --------------------------------------------------------------------------------------------------

    def _heard(self, kind: str, message: Any) -> None:
        if kind == KIND:
            self.regions.take(kind, f"region/{message['name']}", message)
            if self._known != (known := self.regions.others):
                self._known = known
                self._changed.set()

    async def _follow_regions(self) -> None:
        """Topics of all other regions are made, if they are not there, and read."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            topics = [self._topics.replication(name) for name in self._known]
            while topics and not self._changed.is_set():
                try:
                    await asyncio.to_thread(self._make, topics)
                    break
                except TopicError as error:
                    logger().warning("topics of regions are not there yet", reason=str(error))
                    await asyncio.sleep(AGAIN_S)
            self.reader.subscribe(topic.name for topic in topics)

    def _make(self, topics: list[Topic]) -> None:
        """In a thread."""
        reach_kafka(self.settings.kafka_settings()).ensure(topics)

    # -- batches --------------------------------------------------------------------------------------------------

    def _deliver(self, batch: Batch) -> None:
        """In the reader's thread."""
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._take_or_fail, batch)

    def _take_or_fail(self, batch: Batch) -> None:
        """A defect must not skip a batch: later ones would be committed over it."""
        try:
            self.take(batch)
        except Exception:
            logger().exception("replication failed")
            self._fail()

    def take(self, batch: Batch) -> None:
        """Messages, in the order of their topic partitions."""
        for share, arrivals in batch:
            assert isinstance(share, Inlet)
            for arrival in arrivals if not share.gone else ():
                self._take(share, arrival)
            self._settle(share)
        self.go_on()

    def _take(self, inlet: Inlet, arrival: Arrival) -> None:
        inlet.begin(arrival.offset)
        try:
            arrived = self._read(inlet, arrival)
        except UndecodableMessage as error:
            parked = inlet.brain.unreadable(inlet.of_brain, arrival.offset)
            self.tasks.begin(self._pass_by(inlet, arrival.value or b"", str(error), parked))
            return
        self.telling.has_read(inlet.region)
        if arrived.batch.word is not None:
            self.words.hear(inlet.region, arrived.table, arrived.batch.word)
        inlet.brain.read(inlet.of_brain, arrival.offset, arrived.sender, arrived.batch, arrived.replica)

    def _read(self, inlet: Inlet, arrival: Arrival) -> Arrived:
        arrived = decode_batch(arrival.value)
        if arrived.source != inlet.region:
            raise UndecodableMessage(f"a batch of {arrived.source} in the topic of {inlet.region}")
        return arrived

    async def _pass_by(self, inlet: Inlet, value: bytes, reason: str, parked: Callable[[], None]) -> None:
        """Committed once it is parked, and never before what stands before it."""
        while not inlet.gone:
            try:
                await self.telling.park_batch(inlet.region, value, reason)
            except UNREACHED as error:
                logger().warning("a batch is not parked yet", why=str(error))
                await asyncio.sleep(AGAIN_S)
            else:
                parked()
                self._settle(inlet)
                return

    def _settle(self, inlet: Inlet) -> None:
        """What is decided is acknowledged; what is acknowledged may be committed; what is wanted is asked for."""
        if inlet.gone:
            return
        for told in inlet.brain.acknowledgements():
            self.telling.acknowledge(told, partial(inlet.advance, told))
        inlet.advance()
        # Begun again only when half is done: a pause throws away what was fetched.
        inlet.full = inlet.brain.share >= (0.5 if inlet.full else 1.0)
        self.driving.take(inlet)

    def go_on(self) -> None:
        """What waited may go."""
        self.driving.go_on()

    # -- seen from outside ----------------------------------------------------------------------------------------

    def status(self) -> dict[str, Any]:
        """Of `dynabus status` and of alarms: what came, and what was parked and why."""
        parked, meetings = self.telling.parked, self.driving.meetings
        where = {key[:2] for key in meetings} | set(parked)
        return {
            "region": self.regions.own,
            "imports": [
                {
                    "source": source,
                    "table": table,
                    **{each.value: meetings[source, table, each] for each in Meeting},
                    "parked": parked[source, table],
                }
                for source, table in sorted(where)
            ],
            "unreadable": dict(self.telling.unreadable),
            "alarms": self.alarms(),
        }

    def alarms(self) -> list[dict[str, Any]]:
        """What somebody should look at."""
        parked = [
            {"source": source, "table": table, "alarm": reason}
            for (source, table), reason in sorted(self.telling.reasons.items(), key=str)
        ]
        waiting = [
            {"source": source, "table": table, "alarm": "its changes wait: there is no such global table here"}
            for source, table in self.driving.unknown
        ]
        ahead = [
            {"source": source, "table": table, "alarm": f"its changes wait: {reason}"}
            for source, table, reason in self.driving.ahead
        ]
        untold = [
            {"source": source, "table": None, "alarm": f"acknowledgements do not reach it: {why}"}
            for source, why in sorted(self.telling.unreached.items())
        ]
        return parked + waiting + ahead + untold
