"""The router's shell: runs an operation's steps over the bus and answers with the bytes for HTTP."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any

from dynabus.adapters.clock import monotonic_ms, new_incarnation, unix_ms
from dynabus.adapters.logs import logger
from dynabus.core.admission.admission import ADMITTED, REFUSED, UNCHARGED, Admission
from dynabus.core.admission.messages import LeaseRequest
from dynabus.core.cluster_view import ClusterView
from dynabus.core.errors import ApiError, internal_server_error
from dynabus.core.messages import ReplyPart
from dynabus.core.operations.calls import Call, Calls, Context, Control, Steps, Until
from dynabus.core.operations.items import is_unknown_table
from dynabus.core.operations.registry import routes
from dynabus.core.operations.stream_registry import stream_routes
from dynabus.core.places import Places
from dynabus.core.published_table import Table
from dynabus.core.topics import Topics
from dynabus.request_router.admission_metrics import families
from dynabus.request_router.asker import Asked, Asker, Asking, Send
from dynabus.request_router.asking_settings import AskingSettings
from dynabus.request_router.bus import Batch, Bus
from dynabus.request_router.ingest.service import Ingest
from dynabus.request_router.metrics import Metrics
from dynabus.request_router.sizes import bytes_most, grouped
from dynabus.request_router.streams import Streams
from dynabus.request_router.until import wait_until

TICK_S = 0.025
"""How exact re-sends are; a tick over an empty map costs nothing."""

BATCHES = 3
"""Requests are sent to Kafka when they are a third of all that are under way: a lone one at once, thirty-two in
groups of eleven. Kafka's work, and everybody's wake-ups, are per batch; three of them keep all processes busy."""

GATHER_S = 0.003
"""The longest that a request waits for company, if others do not come."""

HEARD_MS, HEARD_LOOK_S = 500.0, 0.025
"""Another router has answered that a table is ACTIVE, and this one has not read so yet: for so long it looks again
before it answers that there is none. Milliseconds are enough unless the machine is loaded."""

IS_ADMITTED = -1.0
"""In place of the time: the request was admitted with its first call, and goes on from partition to partition."""


class Router:
    """One request router. Everything but `Bus` runs in the event loop. `heard`: told of metadata and heartbeats."""

    def __init__(self, settings: AskingSettings, takes_commands: bool = False) -> None:
        self.settings, self._takes_commands = settings, takes_commands
        self.heard: Callable[[str, Any], None] = lambda _kind, _message: None
        self.topics = Topics(settings.namespace)
        self.view = ClusterView()
        self.incarnation = new_incarnation()
        self.asker = Asker(
            self.view, self._send, random.choice, settings.resend_ms, settings.in_flight_most, bytes_most()
        )
        self.admission = Admission(
            settings.throttling, settings.name, self.incarnation, self._ask_authority, unix_ms, self.view.index
        )
        self.metrics = Metrics(self._counts, self._gauges, lambda: families(self.admission))
        self._context = Context(self.view, settings.region, settings.account, unix_ms)
        self.streams = Streams(settings.kafka_settings, self.topics, self._context)
        self.ingest: Ingest | None = None
        self._bus: Bus | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ticker: asyncio.Task[None] | None = None
        self._sending = False
        self._gathering: asyncio.TimerHandle | None = None
        self.failed: Callable[[], None] = lambda: None
        """Called in the loop when a part of the router ended by a defect: the process must end too."""

    # -- life -------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Connect to the bus; returns at once, `readiness` says when the router can work."""
        self._loop = asyncio.get_running_loop()
        self._bus = Bus(
            self.settings.kafka_settings(), self.topics, self.settings.name, self._deliver, self._bus_failed
        )
        self._bus.start()
        if self._takes_commands:
            kafka = self.settings.kafka_settings()
            self.ingest = Ingest(kafka, self.topics, self._context, self.ask, monotonic_ms, self._fail)
        self._ticker = asyncio.create_task(self._tick())
        self._ticker.add_done_callback(self._ticker_ended)

    async def stop(self) -> None:
        if self._ticker is not None:
            self._ticker.cancel()
        self.streams.close()
        if self.ingest is not None:
            await self.ingest.close()
        if self._bus is not None:
            await asyncio.to_thread(self._bus.close)

    def _fail(self) -> None:
        self.failed()

    def _bus_failed(self) -> None:
        """In the bus thread."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self.failed)

    def _ticker_ended(self, ticker: asyncio.Task[None]) -> None:
        if not ticker.cancelled() and (error := ticker.exception()) is not None:
            logger().error("the ticker failed", exc_info=error)
            self.failed()

    def _is_loaded(self) -> bool:
        return self._bus is not None and self._bus.loaded.is_set()

    def readiness(self) -> str | None:
        """Why the router cannot work yet, or None."""
        now_ms = monotonic_ms()
        if self._bus is None or not self._is_loaded():
            return "reading metadata"
        if not any(self.view.alive(node, now_ms) for node in self.view.nodes):
            return "no storage node is heard"
        if not self._bus.producer.sends:
            return "requests do not reach Kafka"
        if not self.view.hears_admin(now_ms) and not self.view.tables:
            return "auto-admin is not heard"
        return None

    def _counts(self) -> dict[str, tuple[str, float]]:
        bus = self._bus
        return {
            "sent_again": ("Requests sent again, after silence or a redirect", self.asker.resent),
            "undecodable": ("Messages that were skipped", bus.undecodable if bus is not None else 0),
            **(self.ingest.counts() if self.ingest is not None else {}),
            "dropped": ("Messages that could not be handed to Kafka", bus.producer.dropped if bus is not None else 0),
            "clients_replaced": ("Kafka clients that did nothing", bus.replaced if bus is not None else 0),
        }

    def _gauges(self) -> dict[str, tuple[str, float]]:
        held = self.ingest.held if self.ingest is not None else 0
        return {
            "in_flight": ("Messages under way", len(self.asker)),
            "tables": ("Tables", len(self.view.tables)),
            "commands_held": ("Commands from Kafka that are not done", held),
        }

    # -- one request ------------------------------------------------------------------------------------------

    async def run(self, operation: str, body: Any, counter: int, places: Places | None = None) -> bytes:
        """The answer's JSON of one API request. Raises ApiError, or Refused with a storage node's error.

        `places`: what the client has seen, and what it sees now is added.
        """
        now_ms: float = monotonic_ms()
        asked = Asked(now_ms + self.settings.request_deadline_ms, counter, places)
        if not self._is_loaded() and not await wait_until(self._is_loaded, asked.deadline_ms):
            raise internal_server_error()  # to say that there is no such table would be no answer
        if operation in stream_routes:
            return await self.streams.run(operation, body)
        try:
            steps = routes[operation](body, self._context)
            try:
                calls = next(steps)
            except ApiError as error:
                if not is_unknown_table(error):
                    raise
                steps, calls = await self._once_heard(operation, body)
            while True:
                if isinstance(calls, list):
                    if len(calls) == 1:
                        replies = await self._ask_one(calls, now_ms, asked)
                        now_ms = IS_ADMITTED
                    else:
                        replies = await self._ask_some(calls, now_ms, asked)
                elif isinstance(calls, Control):
                    replies = await self._ask_together([], calls, asked)
                else:
                    replies = await self._wait(calls)
                calls = steps.send(replies)
                asked = asked._replace(counter=0)
        except StopIteration as done:
            answer: bytes = done.value
            return answer

    async def _once_heard(self, operation: str, body: Any) -> tuple[Steps, Calls]:
        """The operation's begin, when its table is heard of, or as it is after `HEARD_MS`."""
        end_ms = monotonic_ms() + HEARD_MS
        while True:
            await asyncio.sleep(HEARD_LOOK_S)
            steps = routes[operation](body, self._context)
            try:
                return steps, next(steps)
            except ApiError as error:
                if not is_unknown_table(error) or monotonic_ms() >= end_ms:
                    raise

    async def _ask_one(self, calls: list[Call], now_ms: float, asked: Asked) -> list[ReplyPart | None]:
        admission, call = self.admission, calls[0]
        paid = admission.take(call, now_ms) if now_ms != IS_ADMITTED else ADMITTED
        if paid <= REFUSED:
            return [admission.refused(call, paid)]
        try:
            replies = await self._ask_together(calls, None, asked)
        except ApiError:
            admission.give_back(call, paid)
            raise
        if paid != UNCHARGED:
            admission.settle(call, paid, replies[0])
        return replies

    async def ask(self, calls: list[Call]) -> list[ReplyPart | None]:
        """Writes that came through Kafka, admitted each by itself. Raises ApiError where too much is under way."""
        now_ms: float = monotonic_ms()
        asked = Asked(now_ms + self.settings.request_deadline_ms, places=Places())
        return await self._ask_some(calls, now_ms, asked)

    async def _ask_some(self, calls: list[Call], now_ms: float, asked: Asked) -> list[ReplyPart | None]:
        """A batch: what is refused of it is answered, and the rest is asked."""
        admission = self.admission
        paid = [admission.take(call, now_ms) for call in calls]
        sent = [place for place, units in enumerate(paid) if units > REFUSED]
        try:
            found = iter(await self._ask([calls[place] for place in sent], asked._replace(counter=0)))
        except ApiError:
            for place in sent:
                admission.give_back(calls[place], paid[place])
            raise
        replies = [
            admission.refused(call, units) if units <= REFUSED else next(found)
            for call, units in zip(calls, paid, strict=True)
        ]
        for place in sent:
            if paid[place] != UNCHARGED:
                admission.settle(calls[place], paid[place], replies[place])
        return replies

    async def _ask(self, calls: list[Call], asked: Asked) -> list[ReplyPart | None]:
        groups = grouped(calls)
        answers = await asyncio.gather(
            *(self._ask_together([calls[i] for i in group], None, asked) for group in groups)
        )
        replies: list[ReplyPart | None] = [None] * len(calls)
        for group, found in zip(groups, answers, strict=True):
            for index, reply in zip(group, found, strict=True):
                replies[index] = reply
        return replies

    def _ask_together(
        self, calls: list[Call], control: Control | None, asked: Asked
    ) -> Awaitable[list[ReplyPart | None]]:
        assert self._loop is not None
        future: asyncio.Future[list[ReplyPart | None]] = self._loop.create_future()
        count = len(calls) or 1
        number = asked.counter or self.asker.next_counter()
        asking = Asking(number, calls, control, [None] * count, count, asked.deadline_ms, future, asked.places)
        self.asker.ask(asking, monotonic_ms())
        return future

    async def _wait(self, until: Until) -> list[ReplyPart | None]:
        await wait_until(until.holds, monotonic_ms() + until.most_ms)
        return []

    # -- the bus ----------------------------------------------------------------------------------------------

    def _send(self, send: Send) -> None:
        bus = self._bus
        assert bus is not None
        common = {
            "asker": self.settings.name,
            "incarnation": self.incarnation,
            "counter": send.counter,
            "budget_ms": send.budget_ms,
            "repeat": send.repeat,
        }
        if send.control is not None:
            message = {**common, "operation": send.control.operation, "body": send.control.body}
            collected = bus.add(self.topics.control().name, "control_request", message)
        else:
            topic = f"{self.topics.namespace}.requests.{send.node}"
            kind = "ingest_request" if "token" in send.parts[0] else "request"
            collected = bus.add(topic, kind, {**common, "parts": send.parts})
        self._send_soon(collected)

    def _ask_authority(self, table: Table, request: LeaseRequest) -> None:
        """Where nobody leads nobody is asked: admission goes on alone, and asks again."""
        led = self.view.leader(table.id, request["partition"])
        if led is not None and self._bus is not None:
            self._send_soon(self._bus.add(f"{self.topics.namespace}.requests.{led[1]}", "lease_request", request))

    def _send_soon(self, collected: int) -> None:
        assert self._loop is not None
        if BATCHES * collected >= len(self.asker):
            if not self._sending:
                self._sending = True
                self._loop.call_soon(self._send_collected)
        elif self._gathering is None:
            self._gathering = self._loop.call_later(GATHER_S, self._send_collected)

    def _send_collected(self) -> None:
        self._sending = False
        if self._gathering is not None:
            self._gathering.cancel()
            self._gathering = None
        if self._bus is not None:
            self._bus.send()

    def _deliver(self, batch: Batch) -> None:
        """In the bus thread."""
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._take, batch)

    def _take(self, batch: Batch) -> None:
        now_ms = monotonic_ms()
        view_changed = False
        for kind, message in batch:
            if kind == "reply":
                if message["incarnation"] == self.incarnation:
                    self.asker.take(message, now_ms)
            elif kind == "lease":
                self.admission.answered(message, now_ms)
            else:
                if kind == "table_metadata" and message["status"] == "DELETED":
                    self.admission.forget(message["id"])
                if kind == "stream_metadata":
                    self.streams.view.take(message)
                elif kind == "table_topic_metadata":
                    self.streams.view.take_table_topic(message)
                self.view.take(kind, message, now_ms)
                self.heard(kind, message)
                view_changed = True
        if view_changed:
            self.asker.leaders_changed(now_ms)
            if self.ingest is not None and self._is_loaded():
                self.ingest.tables_changed()
        if self._bus is not None and self.view.wants_heartbeats(now_ms):
            self._bus.want_heartbeats(self.settings.name)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_S if self.asker else 4 * TICK_S)
            now_ms = monotonic_ms()
            self.asker.tick(now_ms)
            self.admission.tick(now_ms)
            if self.ingest is not None:
                self.ingest.tick()
            if self._bus is not None:
                self._bus.producer.serve()
