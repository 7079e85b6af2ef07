"""Auto-admin's loop: admin log, control requests, heartbeats in; decisions, metadata, steps out.

Order within a turn: log records are folded and applied first, then heartbeats and requests, then time; effects go out
in the order in which the brain gave them; only then are tables looked at, so that nothing is done for a decision that
is not accepted yet. A standby does all but the last: it follows the log and answers nobody.
"""

from __future__ import annotations

import random
from concurrent.futures import Future
from functools import partial
from typing import Any

import orjson
from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, Consumer, KafkaError, Message, Producer, TopicPartition

from dynabus.adapters.clock import monotonic_ns, unix_ms
from dynabus.adapters.codec import UndecodableMessage, decode, encode
from dynabus.adapters.kafka.log_producer import LogProducer
from dynabus.adapters.kafka.topics import TopicAdmin
from dynabus.adapters.log_codec import AvroBodies
from dynabus.adapters.logs import kafka_logger, logger
from dynabus.adapters.memory_store import MemoryStore
from dynabus.auto_admin import decisions
from dynabus.auto_admin.config import AutoAdminSettings
from dynabus.auto_admin.decisions import TableState, read_row, table_key
from dynabus.auto_admin.executor import Executor, StepFailed, genesis
from dynabus.auto_admin.planner import Candidate, Load, Placement, plan
from dynabus.auto_admin.workflow import Progress, Step, metadata_version, next_step
from dynabus.core.cluster_view import ClusterView
from dynabus.core.ids import Incarnation, LogId, NodeName, PartitionId, RequestId, Writer
from dynabus.core.messages import ControlRequest, Heartbeat, ReplyStatus
from dynabus.core.replication.effects import (
    Append,
    Beat,
    Effect,
    Leading,
    Peer,
    Respond,
    Surroundings,
    Timing,
    Write,
)
from dynabus.core.replication.place import Origin, start_of_log
from dynabus.core.replication.records import Record, decode_record
from dynabus.core.replication.replica import Replica
from dynabus.core.replication.request_ids import encode_request_id
from dynabus.core.replication.store import Evaluate
from dynabus.core.replication.unresolved import Sender
from dynabus.core.tables import partition_count
from dynabus.core.topics import Topics

SERVICE = "auto-admin"
ADMIN_LOG = LogId("admin")
OWN_BUDGET_MS = 60_000
HELD_MOST_MS = 6000.0
"""A node that has not let go of a deleted table by then is dead or deaf; it finds the topic gone."""

DRAIN_MOST = 1000
BUSY_POLL_S, IDLE_POLL_S = 0.01, 0.15
MOCK_PARTITIONS_MOST, PARTITIONS_MOST = 4, 1000


class AutoAdmin:
    """One auto-admin, active or standby."""

    def __init__(self, settings: AutoAdminSettings, me: Writer) -> None:
        kafka = settings.kafka_settings()
        self.settings, self.me = settings, me
        self.topics = Topics(settings.namespace)
        self.stopping = False
        self.view = ClusterView()
        admin = TopicAdmin(kafka)
        self._mock = admin.cluster().is_mock
        identity = admin.identity(self.topics.admin_log().name)
        self._consumer = Consumer(kafka.loop_consumer(partition_eof=True), logger=kafka_logger())
        self._bus = Producer(kafka.request_producer(), logger=kafka_logger())
        self._log = LogProducer(kafka.log_producer(), list.clear)
        self._executor = Executor(kafka, self.topics, me)
        self._store = MemoryStore()
        dice = random.SystemRandom()
        around = Surroundings(me, dice.random, partial(dice.getrandbits, 62), AvroBodies(), Timing.without_leases())
        origin = Origin(identity.cluster_id, identity.topic_id, PartitionId(ADMIN_LOG, 0))
        self.replica = Replica(around, self._store, start_of_log(origin), self._now_ms())
        self.replica.prefer(self._now_ms())
        self._progress: dict[str, Progress] = {}
        self._jobs: list[tuple[TableState, Step, Future[None]]] = []
        self._own = 0
        self._genesis_sent = self._was_active = False
        self._next_beat_ms = self._stop_by_ms = 0.0
        self._first_node_ms: float | None = None
        self._published_leaders: dict[tuple[str, int], tuple[int, str]] = {}

    @staticmethod
    def _now_ms() -> float:
        return monotonic_ns() / 1e6

    # -- the loop ---------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Until `stopping` and the resign is read back."""
        names = self.topics
        self._consumer.assign(
            [
                TopicPartition(names.admin_log().name, 0, OFFSET_BEGINNING),
                TopicPartition(names.control().name, 0, OFFSET_END),
                TopicPartition(names.heartbeats().name, 0, OFFSET_END),
            ]
        )
        while not self._finished():
            self._turn()
        self._executor.close()
        self._bus.flush(1)
        self._consumer.close()

    def _finished(self) -> bool:
        if not self.stopping:
            return False
        now_ms = self._now_ms()
        if not self._stop_by_ms:
            self._stop_by_ms = now_ms + 1000
            self.replica.stop(now_ms)
            self._perform(now_ms)
        return self.replica.leader is None or now_ms > self._stop_by_ms

    def _turn(self) -> None:
        busy = self._jobs or self.replica.restless
        first = self._consumer.poll(BUSY_POLL_S if busy else IDLE_POLL_S)
        messages = [] if first is None else [first, *self._consumer.consume(DRAIN_MOST, timeout=0)]
        now_ms = self._now_ms()
        records, others = self._sort(messages)
        if records:
            self.replica.read_log(records, now_ms)
        for message in others:
            self._take(message, now_ms)
        self.replica.tick(now_ms)
        if now_ms >= self._next_beat_ms:
            self._beat(now_ms)
        self._perform(now_ms)
        self._collect()
        self._look_at_tables(now_ms)
        self._perform(now_ms)
        self._bus.poll(0)

    def _sort(self, messages: list[Message]) -> tuple[list[Record], list[Message]]:
        log = self.topics.admin_log().name
        records: list[Record] = []
        others: list[Message] = []
        for message in messages:
            error = message.error()
            if error is None:
                if message.topic() == log:
                    records.append(
                        decode_record(message.offset() or 0, message.leader_epoch() or -1, message.value())
                    )
                else:
                    others.append(message)
            elif error.code() == KafkaError._PARTITION_EOF:
                if message.topic() == log:
                    self._reached_end(message.offset() or 0)
            elif error.code() == KafkaError._AUTO_OFFSET_RESET:
                self._out_of_range(message)
        if records:
            self.replica.end_offset = max(self.replica.end_offset or 0, records[-1].offset + 1)
        return records, others

    def _reached_end(self, offset: int) -> None:
        self.replica.end_offset = offset
        if offset == 0 and not self._genesis_sent:
            # A new cluster. Two that find this at once both write one; the first counts.
            self._genesis_sent = True
            self._append(genesis(self.me, None))

    def _out_of_range(self, message: Message) -> None:
        if message.topic() == self.topics.admin_log().name:
            self.replica.freeze("the place lies beyond the admin log's end", self._now_ms())
        else:
            self._consumer.seek(TopicPartition(message.topic() or "", 0, OFFSET_END))

    # -- messages ---------------------------------------------------------------------------------------------

    def _take(self, message: Message, now_ms: float) -> None:
        try:
            kind, body = decode(message.value())
        except UndecodableMessage as error:
            logger().warning("message skipped", topic=message.topic(), offset=message.offset(), reason=str(error))
            return
        if kind == "heartbeat":
            self._heard(body, now_ms)
        elif kind == "control_request":
            self._control(body, now_ms)

    def _heard(self, heartbeat: Heartbeat, now_ms: float) -> None:
        if heartbeat["service"] == SERVICE:
            self._heard_admin(heartbeat, now_ms)
            return
        self.view.take("heartbeat", heartbeat, now_ms)
        if self._first_node_ms is None:
            self._first_node_ms = now_ms
        if self.active:
            self._publish_leaders(heartbeat)

    def _heard_admin(self, heartbeat: Heartbeat, now_ms: float) -> None:
        for state in heartbeat["replicas"]:
            said = Leading(state["leading"], state["appending"], state["term"])
            peer = Peer(heartbeat["incarnation"], state["next_offset"], now_ms, not heartbeat["stopping"])
            self.replica.hear(NodeName(heartbeat["node"]), Incarnation(heartbeat["incarnation"]), said, peer, now_ms)

    def _control(self, request: ControlRequest, now_ms: float) -> None:
        """Only the active one answers; others stay silent, and the router asks again."""
        if not self.active:
            return
        sender = Sender(request["asker"], request["incarnation"], request["counter"], 0)
        request_id = encode_request_id(RequestId(Incarnation(sender.incarnation), sender.counter, 0))
        body = orjson.loads(request["body"])
        name = body["TableName"]
        if request["operation"] == "DeleteTable":
            evaluate = decisions.delete(name)
        elif request["operation"] == "CreateTable":
            placements = self._place(body, now_ms)
            if not placements:
                return
            evaluate = decisions.create(body, request_id, placements, self.settings.region, self.settings.account)
        else:
            return
        self._decide(Write(sender, request_id, 1, table_key(name), evaluate, request["budget_ms"]), now_ms)

    def _place(self, request: dict[str, Any], now_ms: float) -> list[Placement]:
        """Where the new table's replicas go; empty while too few nodes are heard."""
        nodes = [
            Candidate(node.name, node.zone) for node in self.view.nodes.values() if self.view.alive(node.name, now_ms)
        ]
        waited_ms = now_ms - (self._first_node_ms or now_ms)
        if not nodes or (len(nodes) < self.settings.replicas and waited_ms < self.settings.placement_wait_ms):
            return []
        load = Load()
        for state in self._tables():
            for each in state.partitions:
                load.add(Placement(tuple(each["members"]), each["preferred"]))
        most = MOCK_PARTITIONS_MOST if self._mock else PARTITIONS_MOST
        count = partition_count(request, self.settings.initial_partitions, most)
        return plan(count, nodes, load, self.settings.replicas)

    def _decide(self, write: Write, now_ms: float) -> None:
        self.replica.write(write, now_ms, unix_ms())

    def _decide_myself(self, name: str, evaluate: Evaluate, now_ms: float) -> None:
        self._own += 1
        request_id = encode_request_id(RequestId(self.me.incarnation, self._own, 0))
        sender = Sender("", self.me.incarnation, self._own, 0)
        self._decide(Write(sender, request_id, 1, table_key(name), evaluate, OWN_BUDGET_MS), now_ms)

    # -- tables -----------------------------------------------------------------------------------------------

    @property
    def active(self) -> bool:
        """Leads the admin log; what it decides counts once it is accepted."""
        leader = self.replica.leader
        return leader is not None and leader.serving

    def _tables(self) -> list[TableState]:
        return [read_row(row) for _, row in self._store.scan(decisions.PREFIX, None)]

    def _look_at_tables(self, now_ms: float) -> None:
        if self.active != self._was_active:
            self._was_active = self.active
            self._progress.clear()
            self._published_leaders.clear()
            logger().info("active" if self.active else "standby", term=self.replica.place.reign.term)
        if not self.active:
            return
        tables = self._tables()
        for state in tables:
            progress = self._progress.setdefault(state.id, Progress())
            step = next_step(state.status, progress, led=self._led(state), held=self._held(state, progress, now_ms))
            if step is not None:
                self._do(step, state, progress, now_ms)
        gone = self._progress.keys() - {state.id for state in tables}
        for table_id in gone:
            del self._progress[table_id]

    def _do(self, step: Step, state: TableState, progress: Progress, now_ms: float) -> None:
        if step is Step.PUBLISH:
            self._publish(state)
            progress.published, progress.published_ms = state.status, now_ms
        elif step is Step.ACTIVATE:
            self._decide_once(progress, state, decisions.activate(state.id), now_ms)
        elif step is Step.REMOVE:
            self._publish_gone(state)
            self._decide_once(progress, state, decisions.remove(state.id), now_ms)
        else:
            progress.busy = True
            job = self._executor.build(state) if step is Step.BUILD else self._executor.destroy(state)
            self._jobs.append((state, step, job))
            logger().info(step.value, table=state.name, id=state.id)

    def _decide_once(self, progress: Progress, state: TableState, evaluate: Evaluate, now_ms: float) -> None:
        """Once per term: the decision is accepted, or this term ends and the next active one starts over."""
        if progress.decided != state.status:
            progress.decided = state.status
            self._decide_myself(state.name, evaluate, now_ms)

    def _collect(self) -> None:
        """Steps that are done."""
        for job in [each for each in self._jobs if each[2].done()]:
            self._jobs.remove(job)
            state, step, future = job
            progress = self._progress.get(state.id)
            if progress is None:
                continue
            progress.busy = False
            error = future.exception()
            if isinstance(error, StepFailed):
                logger().warning(
                    "step failed, will be tried again", step=step.value, table=state.name, reason=str(error)
                )
            elif error is not None:
                raise error
            elif step is Step.BUILD:
                progress.built = True
            else:
                progress.destroyed = True

    def _led(self, state: TableState) -> bool:
        return all(self.view.leader(state.id, each["number"]) is not None for each in state.partitions)

    def _held(self, state: TableState, progress: Progress, now_ms: float) -> bool:
        """Some living node still has a replica, or was not heard since it was told."""
        if now_ms - progress.published_ms > HELD_MOST_MS:
            return False
        for node in self.view.nodes.values():
            if self.view.alive(node.name, now_ms):
                mentions = any(log == state.id for log, _ in node.replicas)
                if mentions or node.heard_ms <= progress.published_ms:
                    return True
        return False

    # -- out --------------------------------------------------------------------------------------------------

    def _publish(self, state: TableState) -> None:
        self._metadata(f"table/{state.id}", "table_metadata", self._message(state, state.status))

    def _publish_gone(self, state: TableState) -> None:
        self._metadata(f"table/{state.id}", "table_metadata", self._message(state, "DELETED"))

    def _message(self, state: TableState, status: str) -> dict[str, Any]:
        return {
            "id": state.id,
            "name": state.name,
            "version": metadata_version(self.replica.place.next_offset, status),
            "status": status,
            "description": orjson.dumps(state.description),
            "partitions": state.metadata_partitions(),
        }

    def _publish_leaders(self, heartbeat: Heartbeat) -> None:
        for state in heartbeat["replicas"]:
            key, led = (state["log"], state["partition"]), (state["term"], heartbeat["node"])
            if state["leading"] and self._published_leaders.get(key, (-1, "")) < led:
                self._published_leaders[key] = led
                message = {
                    "log": state["log"],
                    "partition": state["partition"],
                    "term": state["term"],
                    "node": heartbeat["node"],
                    "incarnation": heartbeat["incarnation"],
                }
                self._metadata(f"leader/{state['log']}/{state['partition']}", "leader_metadata", message)

    def _metadata(self, key: str, kind: str, message: dict[str, Any]) -> None:
        self._produce(self.topics.metadata().name, encode(kind, message), key.encode())

    def _perform(self, now_ms: float) -> None:
        for effect in self.replica.take_effects():
            self._effect(effect, now_ms)
        self._log.serve()
        if self._log.failed is not None:
            logger().warning("log producer replaced", reason=self._log.failed)
            self._log.replace()
            self._genesis_sent = False
            self.replica.append_failed(now_ms)

    def _effect(self, effect: Effect, now_ms: float) -> None:
        if isinstance(effect, Append):
            self._append(effect.value)
        elif isinstance(effect, Respond):
            self._answer(effect)
        elif isinstance(effect, Beat):
            self._beat(now_ms)

    def _append(self, value: bytes) -> None:
        self._log.append(self.topics.admin_log().name, 0, value)

    def _answer(self, effect: Respond) -> None:
        sender, outcome = effect.sender, effect.outcome
        if not sender.asker or outcome.status not in (ReplyStatus.OK, ReplyStatus.ERROR):
            return
        part = {
            "index": 0,
            "status": int(outcome.status),
            "body": outcome.body,
            "size": 0,
            "count": 0,
            "scanned": 0,
            "last": b"",
        }
        reply = {
            "incarnation": sender.incarnation,
            "counter": sender.counter,
            "node": self.me.node,
            "parts": [part],
        }
        self._produce(self.topics.replies(sender.asker).name, encode("reply", reply))

    def _beat(self, now_ms: float) -> None:
        self._next_beat_ms = now_ms + self.settings.heartbeat_ms
        place, leading = self.replica.place, self.replica.leading(now_ms)
        state = {
            "log": ADMIN_LOG,
            "partition": 0,
            "generation": 1,
            "state": "active" if self.replica.alarm is None else "frozen",
            "leading": leading.leading,
            "appending": leading.appending,
            "term": leading.term,
            "sequence": place.next_sequence - 1,
            "next_offset": place.next_offset,
            "lag": self.replica.lag,
            "alarm": self.replica.alarm or "",
        }
        heartbeat = {
            "node": self.me.node,
            "service": SERVICE,
            "zone": self.settings.zone,
            "incarnation": self.me.incarnation,
            "stopping": self.stopping,
            "replicas": [state],
        }
        self._produce(self.topics.heartbeats().name, encode("heartbeat", heartbeat), self.me.node.encode())

    def _produce(self, topic: str, value: bytes, key: bytes | None = None) -> None:
        """A full queue drops the message: routers ask again, heartbeats and metadata come again."""
        try:
            self._bus.produce(topic, value, key)
        except BufferError:
            logger().warning("bus queue is full", topic=topic)
