"""The loop of a storage node: poll, decode, brain, perform effects.

A turn, in this order:

1. poll once, drain, read the clock
2. hand the messages to the brains (`intake`)
3. go on with replicas that are being opened or caught up (`hosting`)
4. tick the replicas that were touched, or for which time alone may matter
5. perform effects, in order: each replica's appends in one go, replies collected
6. replace a log producer that failed, and send everything unresolved again (I4)
7. send replies, a heartbeat if it is due; commit what is due

The clock is read after the poll and before anything is done (I7): leases count from before a send, deferrals from
after a receipt.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from math import ceil
from queue import SimpleQueue

from dynabus.adapters.clock import exact_ms, unix_ms
from dynabus.adapters.data_folder import DataFolder
from dynabus.adapters.kafka.log_producer import LogProducer
from dynabus.adapters.logs import logger
from dynabus.core.admission import Mode
from dynabus.core.cloning.messages import CloneRequest
from dynabus.core.heartbeats import Saying
from dynabus.core.ids import Writer
from dynabus.core.replication.effects import Append, Beat, Effect, Respond
from dynabus.core.topics import Topics
from dynabus.storage_node.capacity.admission import NodeAdmission, node_admission
from dynabus.storage_node.capacity.heat import HeatTeller
from dynabus.storage_node.cloning.sending import CloneSending
from dynabus.storage_node.config import StorageNodeSettings
from dynabus.storage_node.expiry.sweeping import Sweeps
from dynabus.storage_node.inbox import Operations
from dynabus.storage_node.intake import Intake
from dynabus.storage_node.outbox import Outbox
from dynabus.storage_node.places import placed
from dynabus.storage_node.replicas.due import LOOK_MS, DueReplicas
from dynabus.storage_node.replicas.heartbeats import acquaint, compose
from dynabus.storage_node.replicas.hosted import Hosted
from dynabus.storage_node.replicas.hosting import Hosting
from dynabus.storage_node.replicas.readers import Readers
from dynabus.storage_node.upkeep.checkpoints import Checkpoints
from dynabus.storage_node.upkeep.clearing import Clearing
from dynabus.storage_node.upkeep.durable import DurableStatements
from dynabus.storage_node.upkeep.scrubbing import Scrubs

ENDS_MS = 1000.0
"""Between two looks at where logs end that are being written."""

TICK_RESTLESS_MS = 20.0
"""Replicas in an election, or with answers that wait for a lease or the end of a deferral."""

ASKING_POLL_MS = 5.0
"""While lookups are under way in their threads."""

BEAT_LEAST_MS = 50.0
"""Between heartbeats that changes of leaders ask for: a restart changes hundreds of leaders in a moment."""

COMMITS_PER_TURN = 4
"""A commit takes 1 ms or more: those that are due together are spread over turns."""

COMPARE_MS = 2000.0
"""Between two looks at whether other replicas said another checksum; heartbeats come every 1.5 s."""

HAND_OVER_MS = 1000.0
"""How long a planned stop waits until its resigns are read back."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What the loop drives."""

    settings: StorageNodeSettings
    me: Writer
    topics: Topics
    readers: Readers
    hosting: Hosting
    log: LogProducer
    outbox: Outbox
    operations: Operations
    sending: CloneSending
    folder: DataFolder


def _heat_teller(parts: Parts, admission: NodeAdmission) -> HeatTeller:
    """Only caps that are enforced make a partition hot: where nothing is refused a split would make no room."""
    settings = parts.settings
    caps = (settings.partition_read_units, settings.partition_write_units)
    enforced = caps if settings.throttling is Mode.ON else None
    return HeatTeller(parts.me.node, enforced, admission.view, parts.outbox.heat)


class StorageNode:
    """One storage node. `run` returns after `stop`, when leadership was handed over and all is committed."""

    def __init__(self, parts: Parts) -> None:
        self.hosting, self.outbox = parts.hosting, parts.outbox
        self.admission = node_admission(parts.settings, parts.me, parts.outbox.grant)
        self.heat = _heat_teller(parts, self.admission)
        period_s, mb_per_s = parts.settings.scrub_period_s, parts.settings.scrub_mb_per_s
        self.scrubs = Scrubs(parts.me.node, period_s, mb_per_s, parts.outbox.respond)
        self.clearing = Clearing(parts.settings.tombstone_rows_per_s)
        self.intake = Intake(
            parts.me,
            parts.topics,
            parts.hosting,
            parts.operations,
            parts.outbox,
            parts.readers.hurry,
            parts.readers.read_on,
            self.admission,
            self.scrubs.ask,
            self.clearing.answer,
            self._clone,
        )
        self.sweeps = Sweeps(parts.me, parts.settings.expire_per_s)
        self.sending = parts.sending
        settings = parts.settings
        bytes_per_s = settings.checkpoint_mb_per_s * 1e6
        self.checkpoints = Checkpoints(parts.folder, settings.checkpoint_records, bytes_per_s, settings.sync)
        self._durable = DurableStatements(parts.me)
        parts.hosting.clones.said = self.intake.view.replicas_of
        self.stopping = False
        self.turns = self.messages = self.commits = self.replacements = 0
        self.turn_ended_ms = exact_ms()
        self._settings, self._me = parts.settings, parts.me
        self._readers, self._log = parts.readers, parts.log
        self._stop_asked = False
        self._errands: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._due = DueReplicas()
        self._restless: set[Hosted] = set()
        self._beat_asked = False
        self._beaten_ms = self._beat_due_ms = 0.0
        self._look_due_ms = self._restless_due_ms = self._ends_due_ms = 0.0
        self._saying = Saying()
        self._compare_due_ms = 0.0

    # -- life -------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Turn until `stop`, then hand over."""
        while not self._stop_asked:
            self.turn()
        self._hand_over()

    def stop(self) -> None:
        """Ask for the planned stop; may be called from a signal handler."""
        self._stop_asked = True

    def run_in_loop(self, errand: Callable[[], None]) -> None:
        """Have something done between two turns; may be called from another thread."""
        self._errands.put(errand)

    def _hand_over(self) -> None:
        """Resign everywhere, and go on turning until that is read back or has taken too long."""
        now_ms = exact_ms()
        self.stopping = True
        logger().info("stopping")
        for hosted in self.hosting.hosted.values():
            hosted.replica.stop(now_ms)
            self.intake.touched[hosted] = None
        self._perform_all()
        self._beat(now_ms)
        self._send(now_ms)
        deadline_ms = now_ms + HAND_OVER_MS
        while self._leads() and exact_ms() < deadline_ms:
            self.turn()
        self.scrubs.close()
        self.sending.close()
        self.checkpoints.close()
        self.hosting.close()
        self.outbox.flush()

    def _leads(self) -> bool:
        return any(hosted.replica.leader is not None for hosted in self.hosting.hosted.values())

    # -- a turn -----------------------------------------------------------------------------------------------

    def turn(self) -> None:
        """One turn of the loop."""
        resting = any(hosted.rest.now for hosted in self._restless)
        arrived, logs = self._readers.poll(self._wait_s(), read_back=resting)
        now_ms = exact_ms()
        self.turns += 1
        if arrived or logs:
            self.messages += len(arrived) + len(logs)
            self.intake.take(arrived, logs, now_ms)
        if self.hosting.unsettled or self._readers.catching_up:
            for hosted in self.hosting.step(now_ms):
                acquaint(hosted, self.intake.view, now_ms)
                self.intake.touched[hosted] = None
            self._beat_asked = self._beat_asked or self.hosting.take_news()
        self._tick(now_ms)
        self._perform_all()
        self._send(now_ms)
        if self.intake.dirty:
            self._commit(now_ms)
        while not self._errands.empty():
            self._errands.get()()
        self.turn_ended_ms = now_ms

    def _wait_s(self) -> float:
        """Until something is due by time alone."""
        now_ms = exact_ms()
        due_ms = min(self._look_due_ms, self._beat_due_ms, self.sweeps.due_ms)
        if self._restless:
            due_ms = min(due_ms, self._restless_due_ms)
        if self._beat_asked:
            due_ms = min(due_ms, self._beaten_ms + BEAT_LEAST_MS)
        if self.hosting.unsettled and self.hosting.asking:
            due_ms = min(due_ms, now_ms + ASKING_POLL_MS)
        # librdkafka counts whole milliseconds: a fraction would be no wait at all, and the loop would spin.
        return max(0, ceil(due_ms - now_ms)) / 1000

    def _tick(self, now_ms: float) -> None:
        """Everybody now and then, those that are due soon after, the restless often, the touched at once."""
        touched = self.intake.touched
        if now_ms >= self._look_due_ms:
            self._look_due_ms = now_ms + LOOK_MS
            due = self._due.take(self.hosting.by_log, now_ms)
            self.hosting.look_at_ends(due)
            if now_ms >= self._ends_due_ms:
                self._ends_due_ms = now_ms + ENDS_MS
                self.hosting.look_at_ends(self.intake.dirty)
            self._scrub(now_ms)
            self.heat.step(self.hosting.hosted.values(), now_ms)
            self._checkpoint(now_ms)
            touched.update(dict.fromkeys([*due, *self.admission.step(self.hosting.hosted.values(), now_ms)]))
        if self._settings.expire_per_s:
            swept = self.sweeps.step(self.hosting.hosted, self.intake.view.expiring, now_ms, unix_ms())
            touched.update(dict.fromkeys(swept))
        touched.update(dict.fromkeys(self.clearing.step(self.hosting.hosted, now_ms, unix_ms())))
        if now_ms >= self._restless_due_ms:
            self._restless_due_ms = now_ms + TICK_RESTLESS_MS
            touched.update(dict.fromkeys(self._restless))
        for hosted in touched:
            hosted.tick(now_ms)
            self.hosting.settle(hosted)
            self._due.ticked(hosted)
            if hosted.restless:
                self._restless.add(hosted)
            else:
                self._restless.discard(hosted)

    def _scrub(self, now_ms: float) -> None:
        replicas = self.hosting.hosted.values()
        self.scrubs.step(replicas, now_ms)
        if now_ms >= self._compare_due_ms:
            self._compare_due_ms = now_ms + COMPARE_MS
            agreement = self.intake.view.agreement
            for key in agreement.take_news():
                if (hosted := self.hosting.hosted.get(key)) is not None:
                    self.scrubs.compare(hosted, agreement.difference(*key))

    def _checkpoint(self, now_ms: float) -> None:
        """Of replicas that were read on for long, and what they come to."""
        replicas = self.hosting.hosted.values()
        self.checkpoints.step(replicas, now_ms)
        if (places := self._durable.due(replicas, now_ms)) is not None:
            self.outbox.durable(places)

    def _commit(self, now_ms: float) -> None:
        settings, dirty = self._settings, self.intake.dirty
        for hosted in list(islice(dirty, COMMITS_PER_TURN)):
            if hosted.dirty_since_ms is None:
                del dirty[hosted]  # a scrub committed it
            elif hosted.due_to_commit(now_ms, settings.commit_interval_ms, settings.commit_records):
                del dirty[hosted]
                hosted.commit(now_ms)
                self.commits += 1

    def _clone(self, request: CloneRequest, hosted: Hosted | None, now_ms: float) -> None:
        """Another node wants a copy of a replica."""
        why = self.sending.ask(request, hosted, now_ms)
        if why is not None:
            self.outbox.send(*self.sending.refusal(request, why))

    # -- effects ----------------------------------------------------------------------------------------------

    def _perform_all(self) -> None:
        touched = self.intake.touched
        for hosted in touched:
            self._perform(hosted)
        touched.clear()

    def _perform(self, hosted: Hosted) -> None:
        records: list[bytes] = []
        for effect in hosted.replica.take_effects():
            if type(effect) is Append:
                records.append(effect.value)
            elif type(effect) is Respond:
                outcome = effect.outcome
                self.outbox.respond(effect.sender, placed(outcome, hosted) if effect.sender.wants_place else outcome)
            else:
                self._perform_rare(hosted, effect)
        if records:
            self._log.append(*hosted.log, records)
            rested = hosted.rest.now
            if not hosted.rest.appended(exact_ms(), fetched=self._readers.fetches(hosted.log)) and rested:
                self.hosting.settle(hosted)
        if hosted.replica.place.sealed:
            for number, genesis in hosted.begins(exact_ms()):
                self._log.append(hosted.log.topic, number, [genesis])

    def _perform_rare(self, hosted: Hosted, effect: Effect) -> None:
        if isinstance(effect, Beat):
            self._beat_asked = True
        elif not isinstance(effect, Append | Respond):
            self.outbox.exchange(self._me, hosted.partition, effect)

    def _send(self, now_ms: float) -> None:
        if self.intake.inbox.orders:
            self.intake.inbox.orders.step()
        self._log.serve()
        if self._log.failed is not None:
            self._send_again(now_ms)
        self.outbox.send_replies()
        if self.intake.heartbeats_wanted:
            self.intake.heartbeats_wanted = False
            self._saying.ask()
        if self._saying.due(now_ms):
            self._beat_asked = True
        if now_ms >= self._beat_due_ms or (self._beat_asked and now_ms >= self._beaten_ms + BEAT_LEAST_MS):
            self._beat(now_ms)
        self.outbox.serve()

    def _send_again(self, now_ms: float) -> None:
        """The log producer failed: a new one, and everything unresolved through it, identical and in order (I4)."""
        logger().warning("log producer replaced", reason=self._log.failed)
        self._log.replace()
        self.replacements += 1
        for hosted in self.hosting.hosted.values():
            hosted.replica.append_failed(now_ms)
            hosted.succession.append_failed(now_ms)
            self._perform(hosted)

    def _beat(self, now_ms: float) -> None:
        if now_ms >= self._beat_due_ms:
            self._beat_due_ms = now_ms + self._settings.heartbeat_ms
        self._beat_asked, self._beaten_ms = False, now_ms
        self.outbox.beat(compose(self._me, self._settings.zone, self.hosting, self.stopping, self._saying, now_ms))
        if self.intake.view.wants_heartbeats(now_ms):
            self.outbox.want_heartbeats()
