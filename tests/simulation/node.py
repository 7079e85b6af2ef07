"""A modelled storage node: a shell of one loop around the real `Replica`, and what can happen to the process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dynabus.core.ids import Incarnation, NodeName, Writer
from dynabus.core.replication import replica as brain
from dynabus.core.replication.effects import (
    Append,
    Ask,
    Beat,
    Effect,
    Leading,
    Peer,
    Query,
    Respond,
    Surroundings,
    Tell,
    Timing,
    Write,
)
from dynabus.core.replication.place import start_of_log
from tests.simulation.disk import Disk
from tests.simulation.kafka import BODIES, ORIGIN, Log, LogProducer

if TYPE_CHECKING:
    from tests.simulation.cluster import Cluster

TICK_MS = 120.0
BEYOND_END_MS = 10_000.0


class Node:
    """One process and its disk. Everything reaches the brain in `_turn`, as in the real loop."""

    def __init__(self, cluster: Cluster, name: NodeName, log: Log, timing: Timing) -> None:
        self.cluster, self.world, self.log, self.name = cluster, cluster.world, log, name
        self.timing = timing
        self.disk = Disk()
        self.up = False
        self.replica: brain.Replica
        self.incarnation = 0
        self.paused_until_ms = 0.0
        self.deaf_until_ms = 0.0
        self.log_deaf_until_ms = 0.0
        self.stall_chance = 0.0
        self.fetch_ms = 2.0
        self.wall_jump_ms = 0
        self._rate = 1.0 + self.world.random.uniform(-0.02, 0.02)
        self._clock_start = self.world.random.uniform(0.0, 1e6)
        self._inbox: list[tuple[Any, ...]] = []
        self._turn_at_ms: float | None = None
        self._beyond_since_ms: float | None = None
        self._watching = False
        self._visible = 0
        self._fetched_ms = 0.0
        self._commit_ms = self.world.random.choice([100.0, 500.0, 1000.0])

    def clock_ms(self) -> float:
        """This machine's own clock; it counts pauses and drifts by up to 2 %."""
        return self._clock_start + self.world.now_ms * self._rate

    # -- life -------------------------------------------------------------------------------------------------

    def start(self) -> None:
        if self.up:
            return
        self.incarnation += 1
        self.up = True
        me = Writer(self.name, Incarnation(self.incarnation))
        place = self.disk.commits[-1][3] if self.disk.commits else start_of_log(ORIGIN)
        dice = self.world.random
        around = Surroundings(me, dice.random, lambda: dice.getrandbits(60), BODIES, self.timing)
        self._inbox.clear()
        self._turn_at_ms = None
        self._beyond_since_ms = None
        self._visible = len(self.log.records)
        self._fetched_ms = self.world.now_ms
        self.replica = brain.Replica(around, self.disk, place, self.clock_ms())
        self._new_producer()
        if self.name == self.cluster.preferred:
            self.replica.prefer(self.clock_ms())
        run = self.incarnation
        if not self._watching:
            self.log.watchers.append(self._log_grew)
            self._watching = True
        self.world.after(self.world.random.uniform(0.0, TICK_MS), self._tick, run)
        self.world.after(self.world.random.uniform(0.0, 1500.0), self._beat_regularly, run)
        self.world.after(self._commit_ms, self._commit_regularly, run)
        self._wake(self.fetch_ms)

    def crash(self, commits_lost: int) -> None:
        """kill -9 (0 commits lost), or the host dies and the disk falls back further."""
        if self.up:
            self.up = False
            self.producer.purge()
            self.disk.crash(commits_lost)
            if not self.disk.commits:
                self.disk = Disk()

    def stop(self) -> None:
        """Planned: resign, wait a little, exit with a commit."""
        if self.up and not self.replica.stopping:
            self.replica.stop(self.clock_ms())
            self._flush()
            self._beat()
            # The real shell waits for its resign to be read back, with a limit.
            self.world.after(self.world.random.choice([500.0, 3000.0]), self._exit, self.incarnation)

    def _exit(self, run: int) -> None:
        if self.up and run == self.incarnation:
            self._commit()
            self.crash(0)

    # -- inputs -----------------------------------------------------------------------------------------------

    def deliver(self, *message: Any) -> None:
        """A message arrives in the inbox (or on the heartbeats topic)."""
        if self.up:
            self.world.events += 1
            self._inbox.append(message)
            self._wake(0.0)

    def _log_grew(self) -> None:
        if self.up:
            delay_ms = self.world.random.uniform(0.3, self.fetch_ms)
            # One consumer fetches in order: nothing overtakes.
            self._fetched_ms = max(self._fetched_ms, self.world.now_ms + delay_ms)
            count = len(self.log.records)
            self.world.after(self._fetched_ms - self.world.now_ms, self._fetched, count, self.incarnation)

    def _fetched(self, count: int, run: int) -> None:
        if run == self.incarnation and self.up:
            self._visible = max(self._visible, count)
            self._wake(0.0)

    def _wake(self, delay_ms: float) -> None:
        at_ms = max(self.world.now_ms + delay_ms, self.paused_until_ms)
        if self._turn_at_ms is None or at_ms < self._turn_at_ms:
            self._turn_at_ms = at_ms
            self.world.after(at_ms - self.world.now_ms, self._turn, self.incarnation, at_ms)

    def _tick(self, run: int) -> None:
        if self.up and run == self.incarnation:
            self.world.after(TICK_MS, self._tick, run)
            self._wake(0.0)

    def _turn(self, run: int, at_ms: float) -> None:
        if not self.up or run != self.incarnation or at_ms != self._turn_at_ms:
            return
        self._turn_at_ms = None
        if self.world.now_ms < self.paused_until_ms:
            self._wake(0.0)
            return
        now_ms = self.clock_ms()
        if self.world.now_ms >= self.deaf_until_ms and not self.log.troubles.stalled:
            self._read(now_ms)
            inbox, self._inbox = self._inbox, []
            for message in inbox:
                self._take(message, now_ms)
        self.replica.tick(now_ms)
        self._flush()
        self.cluster.check(self)

    def _read(self, now_ms: float) -> None:
        if self.world.now_ms < self.log_deaf_until_ms:
            return
        replica, records = self.replica, self.log.records
        position = replica.place.next_offset
        if position > len(records):
            if self._beyond_since_ms is None:
                self._beyond_since_ms = now_ms
            if now_ms - self._beyond_since_ms > BEYOND_END_MS:
                replica.freeze("the place lies beyond the log's end", now_ms)
            return
        self._beyond_since_ms = None
        visible = min(self._visible, len(records))
        replica.end_offset = visible
        if position < visible:
            replica.read_log(records[position:visible], now_ms)

    def _take(self, message: tuple[Any, ...], now_ms: float) -> None:
        kind, *fields = message
        if kind == "write":
            write: Write = fields[0]
            if self.world.now_ms < fields[1]:
                self.replica.write(write, now_ms, int(now_ms) + self.wall_jump_ms)
        elif kind == "query":
            query: Query = fields[0]
            if self.world.now_ms < fields[1]:
                self.replica.query(query, now_ms)
        elif kind == "beat":
            node, incarnation, said, next_offset, able = fields
            self.replica.hear(node, incarnation, said, Peer(incarnation, next_offset, now_ms, able), now_ms)
        elif kind == "question":
            node, incarnation, term, nonce = fields
            self.replica.question(node, incarnation, term, nonce, now_ms)
        else:
            nonce, hears_leader, better = fields
            self.replica.answer(nonce, hears_leader, better, now_ms)

    # -- effects ----------------------------------------------------------------------------------------------

    def _flush(self) -> None:
        effects = self.replica.take_effects()
        if not effects:
            return
        if self.world.random.random() < self.stall_chance:
            # The process is stopped between deciding and doing.
            stall_ms = self.world.random.uniform(1.0, 6000.0)
            self.paused_until_ms = max(self.paused_until_ms, self.world.now_ms + stall_ms)
            self.world.after(stall_ms, self._perform, effects, self.incarnation)
        else:
            self._perform(effects, self.incarnation)

    def _perform(self, effects: list[Effect], run: int) -> None:
        if not self.up or run != self.incarnation:
            return
        for effect in effects:
            if isinstance(effect, Append):
                self.producer.produce(effect.value)
            elif isinstance(effect, Respond):
                self.cluster.answer(effect)
            elif isinstance(effect, Beat):
                self._beat()
            elif isinstance(effect, Ask):
                for node in effect.nodes:
                    self.cluster.send(node, "question", self.name, self.incarnation, effect.term, effect.nonce)
            elif isinstance(effect, Tell):
                better = effect.caught_up and effect.able
                self.cluster.send(effect.node, "answer", effect.nonce, effect.hears_leader, better)

    def _new_producer(self) -> None:
        run = self.incarnation
        self.producer = LogProducer(
            self.log,
            lambda: self._append_failed(run),
            lambda value, offset: self._delivered(value, offset, run),
        )

    def _append_failed(self, run: int) -> None:
        if not self.up or run != self.incarnation:
            return
        if self.world.now_ms < self.paused_until_ms:
            self.world.after(self.paused_until_ms - self.world.now_ms + 0.1, self._append_failed, run)
            return
        self.producer.purge()
        self._new_producer()
        self.replica.append_failed(self.clock_ms())
        self._flush()

    def _delivered(self, value: bytes, offset: int, run: int) -> None:
        """Reports of success are ignored: acceptance is by reading back (I3). Broken brains listen to them."""
        hook = getattr(self.replica, "delivered", None)
        if hook is not None and self.up and run == self.incarnation and self.world.now_ms >= self.paused_until_ms:
            hook(value, offset, self.clock_ms())
            self._flush()

    # -- heartbeats and commits -------------------------------------------------------------------------------

    def _beat_regularly(self, run: int) -> None:
        if self.up and run == self.incarnation:
            self.world.after(self.timing.election.heartbeat_ms, self._beat_regularly, run)
            if self.world.now_ms >= self.paused_until_ms:
                self._beat()

    def _beat(self) -> None:
        replica = self.replica
        said: Leading = replica.leading(self.clock_ms())
        able = replica.caught_up and not replica.stopping and replica.alarm is None
        self.cluster.beat(self.name, self.incarnation, said, replica.place.next_offset, able)

    def _commit_regularly(self, run: int) -> None:
        if self.up and run == self.incarnation:
            self.world.after(self._commit_ms, self._commit_regularly, run)
            if self.world.now_ms >= self.paused_until_ms:
                self._commit()

    def _commit(self) -> None:
        self.disk.commit_place(self.replica.place)
