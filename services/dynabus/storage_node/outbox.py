"""What a node sends besides log records: replies, questions, answers, token leases, heartbeats.

Replies of one loop turn to one request leave as one message, unless that would exceed the message limit. What cannot
be sent is dropped and counted: routers send their requests again, and elections ask again.
"""

from __future__ import annotations

from dynabus.adapters.codec import encode
from dynabus.adapters.kafka.message_producer import MessageProducer
from dynabus.adapters.log_codec import encode_place
from dynabus.core.admission.messages import NodeHeat, TokenLease
from dynabus.core.global_indexes.messages import done_row
from dynabus.core.ids import NodeName, PartitionId, Writer
from dynabus.core.messages import (
    Answer,
    Heartbeat,
    Question,
    ReplyPart,
    ReplyStatus,
    SplitPoint,
)
from dynabus.core.pruning import DurablePlaces
from dynabus.core.replication.effects import Ask, Tell
from dynabus.core.replication.store import Outcome
from dynabus.core.replication.unresolved import Sender
from dynabus.core.streams.messages import PlaceReply, PlaceRequest
from dynabus.core.topic_settings import MESSAGE_LIMIT_BYTES
from dynabus.core.topics import Topics
from dynabus.storage_node.replicas.hosted import Hosted

REPLY_LIMIT_BYTES = MESSAGE_LIMIT_BYTES - 64 * 1024
"""Of the parts of one reply; the rest is for prefix, names and Kafka's framing."""

PART_BYTES = 64
"""An upper bound of what a part takes besides its body and its key."""

FLUSH_S = 1.0


class Outbox:
    """Collects a turn's replies, and sends."""

    def __init__(self, producer: MessageProducer, topics: Topics, node: NodeName) -> None:
        self.producer = producer
        self._topics, self._node = topics, node
        self._reply_topics: dict[str, str] = {}
        self._replies: dict[tuple[str, int, int], list[tuple[int, Outcome]]] = {}
        self._done: dict[tuple[str, int, int], bytearray] = {}

    def respond(self, sender: Sender, outcome: Outcome) -> None:
        """Answer one part of a request at the end of this turn; nobody, where nobody asked (`expiry.sweeping`)."""
        asker, incarnation, counter, part, _, is_brief = sender
        if not asker:
            return
        key = (asker, incarnation, counter)
        if is_brief and outcome.status == ReplyStatus.OK:
            self._done.setdefault(key, bytearray()).extend(done_row(part, outcome.count))
            return
        parts = self._replies.get(key)
        if parts is None:
            self._replies[key] = [(part, outcome)]
        else:
            parts.append((part, outcome))

    def send_replies(self) -> None:
        """Send what was collected."""
        if not self._replies and not self._done:
            return
        replies, self._replies = self._replies, {}
        done, self._done = self._done, {}
        encoded: dict[str, list[bytes]] = {}
        for (asker, incarnation, counter), rows in done.items():
            brief = {"incarnation": incarnation, "counter": counter, "node": self._node, "done": bytes(rows)}
            encoded.setdefault(self._reply_topic(asker), []).append(encode("index_reply", brief))
        for (asker, incarnation, counter), answers in replies.items():
            topic = self._reply_topic(asker)
            for parts in split(answers):
                message = {"incarnation": incarnation, "counter": counter, "node": self._node, "parts": parts}
                encoded.setdefault(topic, []).append(encode("reply", message))
        for topic, values in encoded.items():
            self.producer.send(topic, values)

    def _reply_topic(self, asker: str) -> str:
        topic = self._reply_topics.get(asker)
        if topic is None:
            topic = self._reply_topics[asker] = self._topics.replies(asker).name
        return topic

    def exchange(self, me: Writer, partition: PartitionId, effect: Ask | Tell) -> None:
        """Ask other nodes about a partition's leader, or answer one of them."""
        log, number = partition
        if isinstance(effect, Ask):
            question: Question = {
                "log": log,
                "partition": number,
                "node": me.node,
                "incarnation": me.incarnation,
                "term": effect.term,
                "nonce": effect.nonce,
            }
            for node in effect.nodes:
                self.producer.send_one(self._topics.requests(node).name, encode("question", question))
        else:
            answer: Answer = {
                "log": log,
                "partition": number,
                "node": me.node,
                "nonce": effect.nonce,
                "hears_leader": effect.hears_leader,
                "caught_up": effect.caught_up,
                "able": effect.able,
            }
            self.producer.send_one(self._topics.requests(effect.node).name, encode("answer", answer))

    def split_point(self, point: SplitPoint) -> None:
        """To auto-admin."""
        self.producer.send_one(self._topics.control().name, encode("split_point", point))

    def heat(self, heat: NodeHeat) -> None:
        """To auto-admin."""
        self.producer.send_one(self._topics.control().name, encode("heat", heat))

    def durable(self, places: DurablePlaces) -> None:
        """To auto-admin."""
        self.producer.send_one(self._topics.control().name, encode("durable_places", places))

    def grant(self, asker: str, lease: TokenLease) -> None:
        """Answer a router that asked for a share of a table's throughput."""
        self.producer.send_one(self._topics.replies(asker).name, encode("lease", lease))

    def tell_place(self, request: PlaceRequest, hosted: Hosted) -> None:
        """Where a replica stands: what it has folded, whether or not that is on its disk yet."""
        reply: PlaceReply = {
            "incarnation": request["incarnation"],
            "log": request["log"],
            "partition": request["partition"],
            "place": encode_place(hosted.replica.place),
        }
        self.producer.send_one(self._topics.replies(request["asker"]).name, encode("place_reply", reply))

    def beat(self, heartbeat: Heartbeat) -> None:
        """Tell everybody."""
        self.producer.send_one(self._topics.heartbeats().name, encode("heartbeat", heartbeat), self._node)

    def want_heartbeats(self) -> None:
        """Let every node name all its replicas."""
        self.producer.send_one(self._topics.heartbeats().name, encode("heartbeats_wanted", {"asker": self._node}))

    def send(self, topic: str, value: bytes) -> None:
        """One message that is composed elsewhere."""
        self.producer.send_one(topic, value)

    def serve(self) -> None:
        """Hear about failures; once per turn."""
        self.producer.serve()

    def flush(self) -> None:
        """Before the process ends."""
        self.producer.flush(FLUSH_S)


def split(answers: list[tuple[int, Outcome]]) -> list[list[ReplyPart]]:
    """The parts of one request's answers, in lists that each fit into a message."""
    messages: list[list[ReplyPart]] = [[]]
    room = REPLY_LIMIT_BYTES
    for index, outcome in answers:
        need = len(outcome.body) + len(outcome.last) + PART_BYTES
        if need > room and messages[-1]:
            messages.append([])
            room = REPLY_LIMIT_BYTES
        messages[-1].append(outcome.part(index))
        room -= need
    return messages
