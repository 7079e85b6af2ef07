"""What a propagator hears of the cluster: metadata, heartbeats, and answers: places of replicas, index writes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from dynabus.adapters.clock import exact_ms
from dynabus.adapters.codec import encode
from dynabus.adapters.kafka.hearing import Hearing
from dynabus.adapters.kafka.message_producer import MessageProducer
from dynabus.adapters.kafka.settings import KafkaSettings
from dynabus.adapters.log_codec import decode_place
from dynabus.adapters.row_codec import encode_index_request
from dynabus.core.cluster_view import ClusterView
from dynabus.core.global_indexes.messages import are_for_index, reply_of
from dynabus.core.ids import LogId, NodeName, PartitionId, Writer
from dynabus.core.messages import Reply
from dynabus.core.propagation.deliveries import Send
from dynabus.core.propagation.owned_log import Log
from dynabus.core.propagation.telling import OverCaps, Telling
from dynabus.core.propagation.view import DerivedView
from dynabus.core.replication.place import Place
from dynabus.core.tables.indexes import OF
from dynabus.core.topics import Topics


class News:
    """`told_place`, `replied`: storage nodes' answers. `is_loaded`: all metadata of before this process are known."""

    def __init__(
        self,
        kafka: KafkaSettings,
        topics: Topics,
        me: Writer,
        told_place: Callable[[PartitionId, Place], None],
        replied: Callable[[Reply, float], None],
    ) -> None:
        self.cluster, self.derived = ClusterView(), DerivedView()
        self._me, self._topics = me, topics
        self._told_place, self._replied = told_place, replied
        self._telling = Telling(me.node, self.cluster)
        self._producer = MessageProducer(kafka.request_producer())
        self._hearing = Hearing(kafka, topics, self._learn, me.node)

    @property
    def is_loaded(self) -> bool:
        return self._hearing.is_loaded

    @property
    def messages(self) -> int:
        """Heard so far."""
        return self._hearing.messages

    def take(self, timeout_s: float) -> None:
        """All that is there; waits for something so long at most."""
        self._hearing.take(timeout_s)
        self._producer.serve()

    def ask_place(self, partition: PartitionId) -> bool:
        """Ask a node that has a replica which is up to date; False where none is heard."""
        now_ms = exact_ms()
        nodes = [
            name
            for name, state in self.cluster.replicas_of(partition.log, partition.number, now_ms)
            if state["state"] in ("active", "sealed")
        ]
        if not nodes:
            self._want_heartbeats(now_ms)
            return False
        led = self.cluster.leader(partition.log, partition.number)
        node = led[1] if led is not None and led[1] in nodes else nodes[0]
        request = {
            "asker": self._me.node,
            "incarnation": self._me.incarnation,
            "log": partition.log,
            "partition": partition.number,
        }
        self._producer.send_one(self._topics.requests(NodeName(node)).name, encode("place_request", request))
        return True

    def _want_heartbeats(self, now_ms: float) -> None:
        if self.cluster.wants_heartbeats(now_ms):
            wanted = encode("heartbeats_wanted", {"asker": self._me.node})
            self._producer.send_one(self._topics.heartbeats().name, wanted)

    def send(self, sends: Iterable[Send], now_ms: float) -> None:
        """Index writes to their leaders; who leads is asked for if heartbeats were missed."""
        for node, counter, budget_ms, parts in sends:
            self._want_heartbeats(now_ms)
            name, incarnation = self._me
            if are_for_index(parts):
                request = encode_index_request(name, incarnation, counter, budget_ms, parts)
            else:
                asked = {"asker": name, "incarnation": incarnation, "counter": counter, "budget_ms": budget_ms}
                request = encode("request", {**asked, "parts": parts})
            self._producer.send_one(self._topics.requests(NodeName(node)).name, request)

    def tell_progress(self, logs: Mapping[PartitionId, Log], over: OverCaps, now_ms: float) -> None:
        """To leaders of tables' logs, if it is time: how far their indexes are."""
        for node, progress in self._telling.due(logs, over, now_ms).items():
            self._producer.send_one(self._topics.requests(NodeName(node)).name, encode("index_progress", progress))

    def index_names(self, log: LogId) -> dict[str, str] | None:
        """Of the index with these logs: its table's and its own; None where it is not known, or not any more."""
        index = self.cluster.table(log)
        of = index.description.get(OF) if index is not None else None
        return None if of is None else {"table": of["TableName"], "index": of["Name"]}

    def close(self) -> None:
        self._producer.flush(1)
        self._hearing.close()

    def _learn(self, _key: str, kind: str, body: Any) -> None:
        if kind == "stream_metadata":
            self.derived.take(body)
        elif kind == "index_metadata":
            self.derived.take_index(body)
        elif kind == "table_topic_metadata":
            self.derived.take_table_topic(body)
        elif kind in ("reply", "index_reply"):
            if body["incarnation"] == self._me.incarnation:
                self._replied(body if kind == "reply" else reply_of(body), exact_ms())
        elif kind == "place_reply":
            if body["incarnation"] == self._me.incarnation:
                place = decode_place(body["place"])
                self._told_place(PartitionId(LogId(body["log"]), body["partition"]), place)
        elif body is not None:
            self.cluster.take(kind, body, exact_ms())
