"""Auto-admin's loop: admin log, control requests, heartbeats in; decisions, metadata, steps out.

Order within a turn: log records are folded and applied first, then heartbeats and requests, then time; effects go out
in the order in which the brain gave them; only then are tables looked at, so that nothing is done for a decision that
is not accepted yet. A standby does all but the last: it follows the log and answers nobody.
"""

from __future__ import annotations

import random
from functools import partial
from typing import Any

import orjson

from dynabus.adapters.clock import monotonic_ns, unix_ms
from dynabus.adapters.kafka.topics import TopicAdmin
from dynabus.adapters.log_codec import AvroBodies
from dynabus.adapters.logs import logger
from dynabus.adapters.memory_store import MemoryStore
from dynabus.auto_admin import decisions
from dynabus.auto_admin.config import AutoAdminSettings
from dynabus.auto_admin.decisions import table_key
from dynabus.auto_admin.executor import Executor, genesis
from dynabus.auto_admin.links import Links
from dynabus.auto_admin.planner import Candidate, Placement, plan
from dynabus.auto_admin.tables import Tables
from dynabus.core.cluster_view import ClusterView
from dynabus.core.ids import Incarnation, LogId, NodeName, PartitionId, RequestId, Writer
from dynabus.core.messages import ControlRequest, Heartbeat, ReplyStatus
from dynabus.core.replication.effects import Append, Beat, Leading, Peer, Respond, Surroundings, Timing, Write
from dynabus.core.replication.place import Origin, start_of_log
from dynabus.core.replication.replica import Replica
from dynabus.core.replication.request_ids import encode_request_id
from dynabus.core.replication.store import Evaluate
from dynabus.core.replication.unresolved import Sender
from dynabus.core.tables import partition_count
from dynabus.core.topics import Topics

SERVICE = "auto-admin"
ADMIN_LOG = LogId("admin")
OWN_BUDGET_MS = 60_000
STOP_MS = 1000.0
"""How long a planned stop waits until its resign is read back."""

BUSY_POLL_S, IDLE_POLL_S = 0.01, 0.15
MOCK_PARTITIONS_MOST, PARTITIONS_MOST = 4, 1000
"""librdkafka's mock broker makes every topic with four; Kafka itself could take more than a thousand a table."""


class AutoAdmin:
    """One auto-admin, active or standby."""

    def __init__(self, settings: AutoAdminSettings, me: Writer) -> None:
        """Connects. Raises TopicError while Kafka does not answer."""
        kafka, topics = settings.kafka_settings(), Topics(settings.namespace)
        self.settings, self.me = settings, me
        self.stopping = False
        self.view = ClusterView()
        admin = TopicAdmin(kafka)
        self._mock = admin.cluster().is_mock
        identity = admin.identity(topics.admin_log().name)
        self._links = Links(kafka, topics)
        self._executor = Executor(kafka, topics, me)
        store, dice = MemoryStore(), random.SystemRandom()
        around = Surroundings(me, dice.random, partial(dice.getrandbits, 62), AvroBodies(), Timing.without_leases())
        origin = Origin(identity.cluster_id, identity.topic_id, PartitionId(ADMIN_LOG, 0))
        self.replica = Replica(around, store, start_of_log(origin), self._now_ms())
        self.replica.prefer(self._now_ms())
        self._tables = Tables(self.replica, store, self.view, self._links, self._executor)
        self._own = 0
        self._genesis_sent = self._was_active = False
        self._next_beat_ms = self._stop_by_ms = 0.0
        self._first_node_ms: float | None = None

    @staticmethod
    def _now_ms() -> float:
        return monotonic_ns() / 1e6

    @property
    def active(self) -> bool:
        """Leads the admin log; what it decides counts once it is accepted."""
        leader = self.replica.leader
        return leader is not None and leader.serving

    # -- the loop ---------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Until `stopping` and the resign is read back."""
        while not self._finished():
            self._turn()
        self._executor.close()
        self._links.close()

    def _finished(self) -> bool:
        if not self.stopping:
            return False
        now_ms = self._now_ms()
        if not self._stop_by_ms:
            self._stop_by_ms = now_ms + STOP_MS
            self.replica.stop(now_ms)
            self._perform(now_ms)
        return self.replica.leader is None or now_ms > self._stop_by_ms

    def _turn(self) -> None:
        busy = self._tables.busy or self.replica.restless
        turn = self._links.poll(BUSY_POLL_S if busy else IDLE_POLL_S)
        now_ms = self._now_ms()
        if turn.records:
            self.replica.end_offset = max(self.replica.end_offset or 0, turn.records[-1].offset + 1)
            self.replica.read_log(turn.records, now_ms)
        if turn.end_offset is not None:
            self._reached_end(turn.end_offset)
        if turn.out_of_range:
            self.replica.freeze("the place lies beyond the admin log's end", now_ms)
        for kind, message in turn.messages:
            if kind == "heartbeat":
                self._heard(message, now_ms)
            elif kind == "control_request" and self.active:
                # Only the active one answers; others stay silent, and the router asks again.
                self._control(message, now_ms)
        self.replica.tick(now_ms)
        if now_ms >= self._next_beat_ms:
            self._beat(now_ms)
        self._perform(now_ms)
        self._look_at_tables(now_ms)
        self._perform(now_ms)

    def _reached_end(self, offset: int) -> None:
        self.replica.end_offset = offset
        if offset == 0 and not self._genesis_sent:
            # A new cluster. Two that find this at once both write one; the first counts.
            self._genesis_sent = True
            self._links.append(genesis(self.me, None))

    def _look_at_tables(self, now_ms: float) -> None:
        if self.active != self._was_active:
            self._was_active = self.active
            self._tables.forget()
            logger().info("active" if self.active else "standby", term=self.replica.place.reign.term)
        if self.active:
            self._tables.step(now_ms, lambda name, evaluate: self._decide_myself(name, evaluate, now_ms))

    # -- messages ---------------------------------------------------------------------------------------------

    def _heard(self, heartbeat: Heartbeat, now_ms: float) -> None:
        if heartbeat["service"] == SERVICE:
            self._heard_admin(heartbeat, now_ms)
            return
        self.view.take("heartbeat", heartbeat, now_ms)
        if self._first_node_ms is None:
            self._first_node_ms = now_ms
        if self.active:
            self._tables.publish_leaders(heartbeat)

    def _heard_admin(self, heartbeat: Heartbeat, now_ms: float) -> None:
        node, incarnation = NodeName(heartbeat["node"]), Incarnation(heartbeat["incarnation"])
        for state in heartbeat["replicas"]:
            said = Leading(state["leading"], state["appending"], state["term"])
            peer = Peer(incarnation, state["next_offset"], now_ms, not heartbeat["stopping"])
            self.replica.hear(node, incarnation, said, peer, now_ms)

    def _control(self, request: ControlRequest, now_ms: float) -> None:
        """Decide what a router asks for."""
        sender = Sender(request["asker"], request["incarnation"], request["counter"], 0)
        request_id = encode_request_id(RequestId(Incarnation(sender.incarnation), sender.counter, 0))
        try:
            body = orjson.loads(request["body"])
            name = body["TableName"]
        except (ValueError, KeyError, TypeError) as error:
            logger().warning("control request skipped", asker=sender.asker, reason=repr(error))
            return
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
        known = self.view.nodes.values()
        nodes = [Candidate(node.name, node.zone) for node in known if self.view.alive(node.name, now_ms)]
        waited_ms = now_ms - (self._first_node_ms or now_ms)
        if not nodes or (len(nodes) < self.settings.replicas and waited_ms < self.settings.placement_wait_ms):
            return []
        most = MOCK_PARTITIONS_MOST if self._mock else PARTITIONS_MOST
        count = partition_count(request, self.settings.initial_partitions, most)
        return plan(count, nodes, self._tables.load(), self.settings.replicas)

    def _decide(self, write: Write, now_ms: float) -> None:
        self.replica.write(write, now_ms, unix_ms())

    def _decide_myself(self, name: str, evaluate: Evaluate, now_ms: float) -> None:
        self._own += 1
        request_id = encode_request_id(RequestId(self.me.incarnation, self._own, 0))
        sender = Sender("", self.me.incarnation, self._own, 0)
        self._decide(Write(sender, request_id, 1, table_key(name), evaluate, OWN_BUDGET_MS), now_ms)

    # -- out --------------------------------------------------------------------------------------------------

    def _perform(self, now_ms: float) -> None:
        for effect in self.replica.take_effects():
            if isinstance(effect, Append):
                self._links.append(effect.value)
            elif isinstance(effect, Respond):
                self._answer(effect)
            elif isinstance(effect, Beat):
                self._beat(now_ms)
        self._links.serve()
        log = self._links.log
        if log.failed is not None:
            logger().warning("log producer replaced", reason=log.failed)
            log.replace()
            self._genesis_sent = False
            self.replica.append_failed(now_ms)

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
        self._links.reply(sender.asker, reply)

    def _beat(self, now_ms: float) -> None:
        self._next_beat_ms = now_ms + self.settings.heartbeat_ms
        replica, leading = self.replica, self.replica.leading(now_ms)
        state = {
            "log": ADMIN_LOG,
            "partition": 0,
            "generation": 1,
            "state": "active" if replica.alarm is None else "frozen",
            "leading": leading.leading,
            "appending": leading.appending,
            "term": leading.term,
            "sequence": replica.place.next_sequence - 1,
            "next_offset": replica.place.next_offset,
            "lag": replica.lag,
            "alarm": replica.alarm or "",
        }
        self._links.beat(
            {
                "node": self.me.node,
                "service": SERVICE,
                "zone": self.settings.zone,
                "incarnation": self.me.incarnation,
                "stopping": self.stopping,
                "replicas": [state],
            }
        )
