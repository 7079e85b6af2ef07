"""A modelled storage node: a shell of one loop around real brains, and what can happen to the process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, cast
from weakref import WeakSet

from dynabus.core.cluster_view import ClusterView
from dynabus.core.heartbeats import Saying
from dynabus.core.ids import Incarnation, LogId, NodeName, PartitionId, Writer
from dynabus.core.messages import Heartbeat, ReplicaState, ReplyStatus
from dynabus.core.replication import replica as brain
from dynabus.core.replication.effects import Append, Ask, Beat, Effect, Respond, Surroundings, Tell, Timing
from dynabus.core.replication.place import Place
from dynabus.core.replication.records import Genesis, Kind, decode_record
from dynabus.core.replication.standstill import is_fence
from dynabus.storage_node.replicas.heartbeats import acquaint, hear
from tests.simulation.audit import Violation
from tests.simulation.kafka import BODIES, LogProducer
from tests.simulation.part import Part
from tests.simulation.partitions import Partition

if TYPE_CHECKING:
    from tests.simulation.cluster import Cluster

TICK_MS = 120.0
LOG = LogId("simulated")


class View:
    """How much of a log has been fetched."""

    def __init__(self) -> None:
        self.visible = 0
        self.fetched_ms = 0.0


class Node:
    """One process and its disks. Everything reaches the brains in `_turn`, as in the real loop."""

    def __init__(self, cluster: Cluster, name: NodeName, timing: Timing) -> None:
        self.cluster, self.world, self.name = cluster, cluster.world, name
        self.timing = timing
        self.parts: dict[int, Part] = {}
        self.up = False
        self.incarnation = 0
        self._stopping_run = -1
        self.paused_until_ms = 0.0
        self.deaf_until_ms = 0.0
        self.log_deaf_until_ms = 0.0
        self.stall_chance = 0.0
        self.fetch_ms = 2.0
        self.wall_jump_ms = 0
        self.wall_tick_ms = 1
        self._rate = 1.0 + self.world.random.uniform(-0.02, 0.02)
        self._clock_start = self.world.random.uniform(0.0, 1e6)
        self._inbox: list[tuple[Any, ...]] = []
        self._turn_at_ms: float | None = None
        self._views: dict[int, View] = {}
        self._around: Surroundings
        self._strangers: set[int] = set()
        """Partitions of which it was no member when this turn began."""
        self._view, self._saying = ClusterView(), Saying()
        self._acquainted: WeakSet[brain.Replica] = WeakSet()
        self._commit_ms = self.world.random.choice([100.0, 500.0, 1000.0])

    def clock_ms(self) -> float:
        """This machine's own clock; it counts pauses and drifts by up to 2 %."""
        return self._clock_start + self.world.now_ms * self._rate

    def wall_ms(self, now_ms: float) -> int:
        """Its wall clock, which goes in steps, since `global_tables.WALL_MS`."""
        return int(now_ms) // self.wall_tick_ms * self.wall_tick_ms + self.wall_jump_ms

    @property
    def replicas(self) -> list[brain.Replica]:
        """Those that are no heirs any more."""
        return [part.replica for part in self.parts.values() if part.replica is not None]

    @property
    def stopping(self) -> bool:
        """Of this run; it may have no replica that could say so."""
        return self._stopping_run == self.incarnation

    def claim(self) -> None:
        """Without any reason."""
        for replica in self.replicas:
            replica.election.claim_at_once(self.clock_ms())

    def leads(self, number: int) -> bool:
        """It leads the partition, as far as it knows."""
        part = self.parts.get(number)
        leader = part.replica.leader if self.up and part is not None and part.replica is not None else None
        return leader is not None and leader.serving

    def follows(self, parent: Partition) -> bool:
        """Its heirs of the partition are ready for the seal."""
        return all(number in self.parts and self.parts[number].follows() for number in parent.children)

    def has_caught_up(self, number: int) -> bool:
        part = self.parts.get(number)
        return part is not None and part.has_caught_up()

    def committed(self, number: int) -> Place | None:
        """What its disk has folded of a log."""
        part = self.parts.get(number)
        commits = part.disk.commits if part is not None and part.partition.is_on(self.name) else []
        return commits[-1][3] if commits else None

    def visible(self, number: int) -> int:
        """Records of a log that have been fetched."""
        return self._views[number].visible

    # -- life -------------------------------------------------------------------------------------------------

    def start(self) -> None:
        if self.up:
            return
        self.incarnation += 1
        self.up = True
        me = Writer(self.name, Incarnation(self.incarnation))
        dice = self.world.random
        self._around = Surroundings(me, dice.random, lambda: dice.getrandbits(60), BODIES, self.timing)
        self._inbox.clear()
        self._view, self._saying = ClusterView(), Saying()
        self._turn_at_ms = None
        for number, view in self._views.items():
            view.visible, view.fetched_ms = len(self.cluster.logs[number].records), self.world.now_ms
        for part in self.parts.values():
            self._start(part)
        self._learn()
        run = self.incarnation
        self.world.after(dice.uniform(0.0, TICK_MS), self._tick, run)
        self.world.after(dice.uniform(0.0, 1500.0), self._beat_regularly, run)
        self.world.after(self._commit_ms, self._commit_regularly, run)
        self._wake(self.fetch_ms)

    def _learn(self) -> None:
        """Metadata: open what is new, close what was split or is on other nodes now."""
        for number, partition in [*self.cluster.partitions.items()]:
            if number not in self._views:
                view = self._views[number] = View()
                log = self.cluster.logs[number]
                view.visible, view.fetched_ms = len(log.records), self.world.now_ms
                log.watchers.append(lambda number=number: self._log_grew(number))  # type: ignore[misc]
            if partition.closed or not partition.is_on(self.name):
                if number in self.parts:
                    self.cluster.witnesses.pop(self.name, None)
                    self.parts.pop(number).producer.purge()
            elif number not in self.parts:
                part = self.parts[number] = Part(self, partition, self.cluster.logs[number])
                self._start(part)
            else:
                self.parts[number].learn(self.clock_ms())

    def _start(self, part: Part) -> None:
        line = part.partition.lineage
        copied = self.parts.get(line[-1]) if line and self.world.random.random() < 0.7 else None
        self._begin_part(part, copied)
        self._new_producer(part)

    def _begin_part(self, part: Part, copied: Part | None) -> None:
        """What was pruned cannot be replayed: then the parent's replica is waited for, if one is to come here."""
        parent = self.parts.get(part.partition.lineage[-1]) if part.lacks_history() else None
        part.start(self._around, parent or copied, self.clock_ms())

    def crash(self, commits_lost: int) -> None:
        """kill -9 (0 commits lost), or the host dies and the disks fall back further."""
        if commits_lost:
            self.cluster.witnesses.pop(self.name, None)
        if self.up:
            self.up = False
            for part in self.parts.values():
                part.crash(commits_lost)

    def wipe(self) -> None:
        """The host dies, and its disks are empty."""
        self.crash(0)
        self.cluster.witnesses.pop(self.name, None)
        for part in self.parts.values():
            part.wipe()

    def rebuild(self) -> None:
        """Its disk returned other bytes than were written: its replicas, and heirs, begin again without the process
        ending, as a scrub's repair does it. One that is frozen keeps what it has. The last that holds what was pruned
        stays: without it the partition is lost, unless it has a checkpoint from which the log leads on.
        """
        for part in self.parts.values():
            if self.up and part.is_repairable and not part.is_last():
                self.cluster.witnesses.pop(self.name, None)
                part.producer.purge()
                part.rebuild()
                self._start(part)

    def stop(self) -> None:
        """Planned: resign, wait a little, exit with a commit."""
        if self.up and not self.stopping:
            self._stopping_run = self.incarnation
            for replica in self.replicas:
                replica.stop(self.clock_ms())
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
        """A message arrives in the inbox (or on the heartbeats or metadata topic)."""
        if self.up:
            self.world.events += 1
            self._inbox.append(message)
            self._wake(0.0)

    def _log_grew(self, number: int) -> None:
        if self.up:
            view, delay_ms = self._views[number], self.world.random.uniform(0.3, self.fetch_ms)
            # One consumer fetches in order: nothing overtakes.
            view.fetched_ms = max(view.fetched_ms, self.world.now_ms + delay_ms)
            count = len(self.cluster.logs[number].records)
            self.world.after(view.fetched_ms - self.world.now_ms, self._fetched, number, count, self.incarnation)

    def _fetched(self, number: int, count: int, run: int) -> None:
        if run == self.incarnation and self.up:
            self._views[number].visible = max(self._views[number].visible, count)
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
        self._strangers = {number for number, part in self.parts.items() if part.is_stranger}
        if self.world.now_ms >= self.deaf_until_ms and not self.cluster.log.troubles.stalled:
            if self.world.now_ms >= self.log_deaf_until_ms:
                for part in self.parts.values():
                    part.read(now_ms)
            self._acquaint()
            inbox, self._inbox = self._inbox, []
            for message in inbox:
                self._take(message, now_ms)
        for part in self.parts.values():
            if part.replica is not None:
                part.replica.tick(now_ms)
                self.cluster.keep_up(self, part.replica, part.disk, now_ms)
                if part.replica is not None and part.replica.place.is_restoring:
                    self._restore(part, now_ms)
            elif part.incoming is not None:
                part.incoming.step(now_ms)
            elif part.heir is None:
                self._begin_part(part, None)
        self._flush()
        if self._saying.due(now_ms):
            self._beat()
        self._begin_children(now_ms)
        self.cluster.check(self)

    def _restore(self, part: Part, now_ms: float) -> None:
        """What the new log's genesis says, which the shell looks up."""
        first = part.log.records[0]
        body = BODIES.decode(first.schema_number, first.body)
        assert isinstance(body, Genesis)
        assert body.recovered is not None
        part.restore(self.parts.get(body.recovered.partition), body.recovered, now_ms)

    def _take(self, message: tuple[Any, ...], now_ms: float) -> None:
        kind, *rest = message
        if kind == "metadata":
            self._learn()
        elif kind == "heartbeat":
            hear(self._around.me, rest[0], self._view, cast("Any", self), now_ms)
            for part in self.parts.values():
                part.keep_loss()
        elif kind == "heartbeats_wanted":
            self._saying.ask()
        else:
            self._take_for_partition(kind, rest, now_ms)

    def _take_for_partition(self, kind: str, rest: list[Any], now_ms: float) -> None:
        number, *fields = rest
        part = self.parts.get(number)
        if part is not None:
            part.take(kind, tuple(fields), now_ms, self.wall_ms(now_ms))

    # -- effects ----------------------------------------------------------------------------------------------

    def _begin_children(self, now_ms: float) -> None:
        for part in [part for part in self.parts.values() if part.has_heirs()]:
            for begin in part.begins(now_ms):
                child = self.parts.get(begin.number)
                log, run = self.cluster.logs[begin.number], self.incarnation
                # Metadata may not have told of the child yet; its log is there all the same.
                failed = lambda run=run: self._append_failed(run)  # noqa: E731
                producer = child.producer if child is not None else LogProducer(log, failed, lambda *_: None)
                producer.produce(begin.genesis)

    def _flush(self) -> None:
        effects: list[tuple[Part, Effect]] = []
        for part in self.parts.values():
            if part.replica is not None and (taken := part.replica.take_effects()):
                effects += [(part, effect) for effect in taken]
        if not effects:
            return
        self._check_strangers(effects)
        if self.world.random.random() < self.stall_chance:
            # The process is stopped between deciding and doing.
            stall_ms = self.world.random.uniform(1.0, 6000.0)
            self.paused_until_ms = max(self.paused_until_ms, self.world.now_ms + stall_ms)
            self.world.after(stall_ms, self._perform, effects, self.incarnation)
        else:
            self._perform(effects, self.incarnation)

    def _check_strangers(self, effects: list[tuple[Part, Effect]]) -> None:
        """Who is no member, as far as it has read, neither claims nor answers.

        A leader that reads all at once that its writes were accepted, that it was succeeded and that it has left the
        group still acknowledges those writes: it was a member when the turn began.
        """
        for part, effect in effects:
            if not part.is_stranger:
                continue
            number = part.partition.number
            record = decode_record(0, 0, effect.value) if isinstance(effect, Append) else None
            if record is not None and record.kind == Kind.CLAIM and not is_fence(record):
                raise Violation(f"{self.name} claims {number} and is no member")
            settled = isinstance(effect, Respond) and effect.outcome.status in (ReplyStatus.OK, ReplyStatus.ERROR)
            if settled and number in self._strangers:
                raise Violation(f"{self.name} answers for {number} and is no member")

    def _perform(self, effects: list[tuple[Part, Effect]], run: int) -> None:
        if not self.up or run != self.incarnation:
            return
        for part, effect in effects:
            number = part.partition.number
            if isinstance(effect, Append):
                part.producer.produce(effect.value)
            elif isinstance(effect, Respond):
                self.cluster.answer(effect)
            elif isinstance(effect, Beat):
                self._beat()
            elif isinstance(effect, Ask):
                for node in effect.nodes:
                    question = number, self.name, self.incarnation, effect.term, effect.nonce
                    self.cluster.send(node, "question", *question)
            elif isinstance(effect, Tell):
                better = effect.caught_up and effect.able
                self.cluster.send(effect.node, "answer", number, effect.nonce, effect.hears_leader, better)

    def _new_producer(self, part: Part) -> None:
        run = self.incarnation
        part.producer = LogProducer(
            part.log,
            lambda: self._append_failed(run),
            lambda value, offset: self._delivered(part, value, offset, run),
        )

    def _append_failed(self, run: int) -> None:
        """One producer for all logs: an error re-sends for all partitions that this node leads (I4)."""
        if not self.up or run != self.incarnation:
            return
        if self.world.now_ms < self.paused_until_ms:
            self.world.after(self.paused_until_ms - self.world.now_ms + 0.1, self._append_failed, run)
            return
        for part in self.parts.values():
            part.producer.purge()
            self._new_producer(part)
            part.succession.append_failed(self.clock_ms())
            if part.replica is not None:
                part.replica.append_failed(self.clock_ms())
        self._flush()

    def _delivered(self, part: Part, value: bytes, offset: int, run: int) -> None:
        """Reports of success are ignored: acceptance is by reading back (I3). Broken brains listen to them."""
        hook = getattr(part.replica, "delivered", None)
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
        now_ms = self.clock_ms()
        states = [state_of(number, hosted.replica, now_ms) for (_, number), hosted in self.hosted.items()]
        said = self._saying.say(states, now_ms)
        heartbeat: Heartbeat = {
            "node": self.name,
            "service": "storage-node",
            "zone": "",
            "incarnation": self.incarnation,
            "stopping": self.stopping,
            "number": said.number,
            "whole": said.whole,
            "replicas": said.replicas,
        }
        self.cluster.beat(heartbeat)
        for state in states:
            self.cluster.hint(self.name, state)
        if self._view.wants_heartbeats(now_ms):
            self.cluster.want_heartbeats()

    @property
    def hosted(self) -> dict[tuple[str, int], Hosted]:
        """As much of `Hosting` as heartbeats need."""
        parts = self.parts.items()
        return {(LOG, n): Hosted(PartitionId(LOG, n), part.replica) for n, part in parts if part.replica is not None}

    def _acquaint(self) -> None:
        """Replicas that are new here know what was said before."""
        for number, part in self.parts.items():
            replica = part.replica
            if replica is not None and replica not in self._acquainted:
                self._acquainted.add(replica)
                each = Hosted(PartitionId(LOG, number), replica)
                acquaint(cast("Any", each), self._view, self.clock_ms())

    def _commit_regularly(self, run: int) -> None:
        if self.up and run == self.incarnation:
            self.world.after(self._commit_ms, self._commit_regularly, run)
            if self.world.now_ms >= self.paused_until_ms:
                self._commit()

    def _commit(self) -> None:
        for part in self.parts.values():
            part.commit()


class Hosted(NamedTuple):
    """As much of a hosted replica as heartbeats need."""

    partition: PartitionId
    replica: brain.Replica


def word_for(replica: brain.Replica) -> str:
    """Its state, as `storage_node.hosted` says it."""
    if replica.alarm is not None:
        return "frozen" if replica.lost else "stopped"
    if replica.standstill:
        return "doubtful" if replica.standstill.beyond else "held"
    return "active" if replica.caught_up else "opening"


def state_of(number: int, replica: brain.Replica, now_ms: float) -> ReplicaState:
    """What a heartbeat says of it, as far as others listen."""
    leading = replica.leading(now_ms)
    place = replica.place
    return {
        "log": LOG,
        "partition": number,
        "generation": place.group.generation if place.group is not None else 0,
        "state": word_for(replica),
        "leading": leading.leading,
        "appending": leading.appending,
        "term": leading.term,
        "sequence": place.next_sequence - 1,
        "next_offset": place.next_offset,
        "lag": replica.lag,
        "alarm": replica.alarm or "",
        "totals": [],
        "checked": [],
        "plan": place.group.plan if place.group is not None else 0,
    }
