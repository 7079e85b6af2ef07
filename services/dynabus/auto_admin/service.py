"""Auto-admin's loop: admin log, control requests, heartbeats, metadata in; decisions, metadata, steps out.

Order within a turn: log records are folded and applied first, then other messages, then time; then tables are looked
at, as far as decisions are accepted, and the brain's effects go out in the order in which it gave them. So a router
can see a table in metadata when it gets the answer to CreateTable. A standby looks at no
tables: it follows the log and answers nobody.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from dynabus.adapters.logs import logger
from dynabus.adapters.memory_store import MemoryStore
from dynabus.auto_admin.config import heat_rule, partition_policy
from dynabus.auto_admin.control import GENERATION, Control
from dynabus.auto_admin.executor import admin_genesis
from dynabus.auto_admin.global_tables.control import GlobalControl
from dynabus.auto_admin.global_tables.rules import GlobalRules
from dynabus.auto_admin.journal import Journal
from dynabus.auto_admin.outside import Turn, World
from dynabus.auto_admin.placement.differences import Differences
from dynabus.auto_admin.placement.inventory import Inventory, policy_of
from dynabus.auto_admin.placement.moving import Moving
from dynabus.auto_admin.placement.rounds import Rounds
from dynabus.auto_admin.pruning.holds import Pruning
from dynabus.auto_admin.recovery.freezing import Freezing
from dynabus.auto_admin.scaling.consumption import Consumption
from dynabus.auto_admin.scaling.scaler import Scaler
from dynabus.auto_admin.splitting.heat import HeatBook
from dynabus.auto_admin.splitting.sealing import Sealing
from dynabus.auto_admin.splitting.splits import split
from dynabus.auto_admin.splitting.splitter import Splitter
from dynabus.auto_admin.streaming import Streaming
from dynabus.auto_admin.tables import indexing
from dynabus.auto_admin.tables.cache import Cache
from dynabus.auto_admin.tables.decisions import table_key
from dynabus.auto_admin.tables.kept import drop, kept_key
from dynabus.auto_admin.tables.progress import Tables
from dynabus.auto_admin.tables.stream_endings import drop_streams
from dynabus.core.cluster_view import ClusterView
from dynabus.core.ids import Incarnation, LogId, NodeName, RequestId
from dynabus.core.messages import Heartbeat, ReplyStatus
from dynabus.core.replication.effects import Append, Beat, Leading, Peer, Respond, Write
from dynabus.core.replication.place import start_of_log
from dynabus.core.replication.replica import Replica
from dynabus.core.replication.request_ids import encode_request_id
from dynabus.core.replication.store import Evaluate
from dynabus.core.replication.unresolved import Sender

SERVICE = "auto-admin"
ADMIN_LOG = LogId("admin")
OWN_BUDGET_MS = 60_000
"""How long the ids of own decisions are kept at least; they are never asked for again, each says what it expects."""

STOP_MS = 1000.0
"""How long a planned stop waits until its resign is read back."""

BUSY_POLL_S, IDLE_POLL_S = 0.01, 0.25
"""A message ends either at once. Idle: elections are due to a quarter of a second."""


class AutoAdmin:
    """One auto-admin, active or standby."""

    def __init__(self, world: World) -> None:
        self.me, self.stopping = world.me, False
        self.messages = self.turns = 0
        self._world, self._bus, self._now_ms = world, world.bus, world.now_ms
        now_ms, store = world.now_ms(), MemoryStore()
        self.view = ClusterView()
        journal = Journal()
        self.replica = Replica(world.around, store, start_of_log(world.origin), now_ms, journal.follow)
        self.replica.prefer(now_ms)
        self._cache = Cache(world.bus, self.replica)
        sealing = Sealing(self.view, world.bus.tell)
        self.heat = HeatBook(heat_rule(world.settings))
        self.splits: Counter[str] = Counter()
        """Splits that rules have decided since this process started, by their cause."""
        self.scaler = Scaler(Consumption(now_ms), world.wall_ms)
        needs = partition_policy(world.settings, world.partitions_most)
        self._splitter = Splitter(
            self.view, world.bus.tell, world.settings.split_bytes, world.numbers_most, self.heat, needs
        )
        self._differences = Differences(self.view, world.bus.tell)
        moving = Moving(self.view, world.bus.tell, world.settings.repair_after_ms)
        self.streaming = Streaming(world.steps, world.settings.stream_retention_ms)
        self._freezing = Freezing(self.view)
        self.tables = Tables(
            self.replica,
            store,
            self.view,
            self._cache,
            world.steps,
            sealing,
            moving,
            self._freezing,
            self._splitter.short,
            self.streaming,
        )
        inventory, policy = Inventory(self.view, store), policy_of(world.settings)
        settings = world.settings
        retention_ms = 1000 * settings.log_retention_s
        self.pruning = Pruning(
            self.view, world.steps, settings.prune_every_ms, settings.log_lag_records, retention_ms
        )
        self._rounds = Rounds(inventory, self.tables, moving, policy)
        globally = GlobalControl(settings, self.tables, self.view, store, world.wall_ms)
        self._globally = GlobalRules(settings, world.bus, store, world.wall_ms)
        self._control = Control(
            settings, self.tables, self.view, needs, self._splitter, self._rounds, journal, self.scaler, globally
        )
        self._own = 0
        self._genesis_sent = self._alarmed = False
        self._active_term: int | None = None
        self._next_beat_ms = self._stop_by_ms = 0.0

    @property
    def active_term(self) -> int | None:
        """The term in which this one leads the admin log; what it decides counts once it is accepted."""
        leader = self.replica.leader
        return leader.seat.term if leader is not None and leader.serving else None

    @property
    def has_leader(self) -> bool:
        """Somebody leads the admin log: this one, or another that is heard. Another thread may ask."""
        if self.active_term is not None:
            return True
        return not self.replica.place.reign.resigned and self.replica.election.hears_leader(self._now_ms())

    # -- the loop ---------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Until `stopping` and the resign is read back."""
        while not self._finished():
            self.turn()
        self._bus.close()

    def _finished(self) -> bool:
        if not self.stopping:
            return False
        now_ms = self._now_ms()
        if not self._stop_by_ms:
            self._stop_by_ms = now_ms + STOP_MS
            self.replica.stop(now_ms)
            self._perform(now_ms)
        return self.replica.leader is None or now_ms > self._stop_by_ms

    def turn(self) -> None:
        """Wait for messages, then do all that there is to do."""
        busy = self.tables.busy or self.replica.restless
        turn = self._bus.poll(BUSY_POLL_S if busy else IDLE_POLL_S)
        now_ms = self._now_ms()
        self.turns += 1
        self.messages += len(turn.records) + len(turn.messages)
        self._read_log(turn, now_ms)
        for kind, message in turn.messages:
            self._take(kind, message, now_ms)
        self.replica.tick(now_ms)
        if now_ms >= self._next_beat_ms:
            self._beat(now_ms)
        self._look_at_tables(now_ms)
        self._perform(now_ms)

    def _read_log(self, turn: Turn, now_ms: float) -> None:
        replica = self.replica
        if turn.records:
            replica.end_offset = max(replica.end_offset or 0, turn.records[-1].offset + 1)
            replica.read_log(turn.records, now_ms)
            # Nothing is ever rolled back, and each start reads the log from its begin: no place to keep.
            replica.store.commit(b"")
        if turn.end_offset is not None:
            replica.end_offset = turn.end_offset
        if turn.out_of_range:
            replica.freeze("the place lies outside of the admin log: Kafka lost acknowledged records", now_ms)
        if replica.end_offset == 0 and not self._genesis_sent:
            # A new cluster. Two that find this at once both write one; the first counts.
            self._genesis_sent = True
            self._bus.append(admin_genesis(self.me))
        if replica.alarm is not None and not self._alarmed:
            # It stays, and health checks and heartbeats show why it does nothing: that is for people to solve (I9).
            self._alarmed = True
            logger().error("frozen", reason=replica.alarm)

    def _look_at_tables(self, now_ms: float) -> None:
        term = self.active_term
        if term != self._active_term:
            self._active_term = term
            self.tables.forget()
            self._cache.forget()
            self._freezing.forget()
            logger().info("standby" if term is None else "active", term=self.replica.place.reign.term)
        if term is None or self.stopping:
            return
        if self.replica.leader is not None and self.replica.leader.idle:
            self._control.settled()
        self.streaming.step(self.tables.all(), now_ms)
        self.tables.step(now_ms, lambda key, evaluate: self._decide(key, evaluate, now_ms))
        for loss in self._freezing.due(self.tables.all(), now_ms):
            self._decide(table_key(loss.state.name), loss.evaluate, now_ms)
        self._differences.step(self.tables.all(), now_ms)
        self.pruning.step(self.tables.all(), now_ms)
        if self.replica.leader is not None and self.replica.leader.idle:
            self._follow_rules(now_ms)

    def _follow_rules(self, now_ms: float) -> None:
        """What nobody asked for. Only while no decision is under way: each rule sees what was decided before."""

        def decide(key: bytes, evaluate: Evaluate) -> None:
            self._decide(key, evaluate, now_ms)

        indexing.follow(self.tables.all(), self._control.place, now_ms, decide)
        self._globally.step(self.tables.all(), now_ms, decide)
        for wish in self._splitter.due(self.tables.all(), now_ms):
            logger().info("split", table=wish.name, partition=wish.number, why=wish.why)
            self.splits[wish.cause] += 1
            evaluate = split(wish, self.tables.load(), self._splitter.numbers_most)
            self._decide(table_key(wish.name), evaluate, now_ms)
        self._rounds.look(now_ms, decide)
        if self.streaming.looks_for_expired(now_ms):
            self._drop_streams(now_ms)
        self.scaler.look(self.tables.all(), now_ms, lambda name, evaluate: decide(table_key(name), evaluate))

    def _drop_streams(self, now_ms: float) -> None:
        """Those whose retention is over, of tables that are there and of deleted ones."""
        wall_ms = self._world.wall_ms()
        for state in self.tables.all().values():
            if labels := self.streaming.expired(state, wall_ms):
                self._decide(table_key(state.name), drop_streams(state.id, labels), now_ms)
        for state in self.tables.kept().values():
            if labels := self.streaming.expired(state, wall_ms):
                self._decide(kept_key(state.id), drop(labels), now_ms)

    # -- messages ---------------------------------------------------------------------------------------------

    def _take(self, kind: str, message: Any, now_ms: float) -> None:
        if kind == "heartbeat" and message["service"] == SERVICE:
            self._heard_admin(message, now_ms)
        elif kind == "heartbeat":
            self.view.take(kind, message, now_ms)
            self._control.heard_node(now_ms)
            if self.view.wants_heartbeats(now_ms):
                self._bus.want_heartbeats(self.me.node)
            if self.active_term is not None:
                self._cache.publish_leaders(self.view.nodes[message["node"]], self.tables.all())
        elif kind == "table_metadata":
            self._cache.saw(message)
        elif kind in ("stream_metadata", "index_metadata", "table_topic_metadata"):
            self._cache.saw_stream(message)
        elif kind == "link_metadata":
            self._cache.saw_link(message)
        elif kind == "region_metadata":
            self._globally.saw(message)
        elif kind == "durable_places":
            # Standbys too: what they know they can use at once.
            self.pruning.told(message)
        elif kind == "split_point":
            self._splitter.told(message, now_ms)
        elif kind == "heat":
            self.heat.told(message, now_ms)
            self.scaler.consumption.told(message, now_ms)
        elif kind == "control_request" and self.active_term is not None:
            # Only the active one answers; others stay silent, and the router asks again.
            write = self._control.write(message, now_ms)
            if write is not None:
                self.replica.write(write, now_ms, self._world.wall_ms())

    def _heard_admin(self, heartbeat: Heartbeat, now_ms: float) -> None:
        node, incarnation = NodeName(heartbeat["node"]), Incarnation(heartbeat["incarnation"])
        for state in heartbeat["replicas"]:
            said = Leading(state["leading"], state["appending"], state["term"])
            peer = Peer(incarnation, state["next_offset"], now_ms, not heartbeat["stopping"])
            self.replica.hear(node, incarnation, said, peer, now_ms)

    def _decide(self, key: bytes, evaluate: Evaluate, now_ms: float) -> None:
        """A decision of our own."""
        self._own += 1
        request_id = encode_request_id(RequestId(self.me.incarnation, self._own, 0))
        sender = Sender("", self.me.incarnation, self._own, 0)
        write = Write(sender, request_id, GENERATION, key, evaluate, OWN_BUDGET_MS)
        self.replica.write(write, now_ms, self._world.wall_ms())

    # -- out --------------------------------------------------------------------------------------------------

    def _perform(self, now_ms: float) -> None:
        for effect in self.replica.take_effects():
            if isinstance(effect, Append):
                self._bus.append(effect.value)
            elif isinstance(effect, Respond):
                self._answer(effect)
            elif isinstance(effect, Beat):
                self._beat(now_ms)
        failed = self._bus.serve()
        if failed is not None:
            logger().warning("log producer replaced", reason=failed)
            self._genesis_sent = False
            self.replica.append_failed(now_ms)

    def _answer(self, effect: Respond) -> None:
        sender, outcome = effect.sender, effect.outcome
        final = outcome.status in (ReplyStatus.OK, ReplyStatus.ERROR)
        if not sender.asker and not final:
            # A decision of our own was not taken: look at all tables again.
            self.tables.forget()
        if not sender.asker or not final:
            return
        self._bus.reply(
            sender.asker,
            {
                "incarnation": sender.incarnation,
                "counter": sender.counter,
                "node": self.me.node,
                "parts": [outcome.part(0)],
            },
        )

    def _beat(self, now_ms: float) -> None:
        settings, replica = self._world.settings, self.replica
        self._next_beat_ms = now_ms + settings.heartbeat_ms
        leading = replica.leading(now_ms)
        self._bus.beat(
            {
                "node": self.me.node,
                "service": SERVICE,
                "zone": settings.zone,
                "incarnation": self.me.incarnation,
                "stopping": self.stopping,
                "number": 0,
                "whole": True,
                "replicas": [
                    {
                        "log": ADMIN_LOG,
                        "partition": 0,
                        "generation": GENERATION,
                        "state": "active" if replica.alarm is None else "frozen",
                        "leading": leading.leading,
                        "appending": leading.appending,
                        "term": leading.term,
                        "sequence": replica.place.next_sequence - 1,
                        "next_offset": replica.place.next_offset,
                        "lag": replica.lag,
                        "alarm": replica.alarm or "",
                        "totals": [],
                        "checked": [],
                        "plan": 0,
                    }
                ],
            }
        )
