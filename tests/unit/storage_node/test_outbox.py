"""Replies stay below the message limit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from dynabus.adapters.codec import decode, encode
from dynabus.core.global_indexes.messages import reply_of
from dynabus.core.ids import NodeName
from dynabus.core.messages import ReplyStatus
from dynabus.core.replication.store import Outcome
from dynabus.core.replication.unresolved import Sender
from dynabus.core.topic_settings import MESSAGE_LIMIT_BYTES
from dynabus.core.topics import Topics
from dynabus.storage_node.outbox import REPLY_LIMIT_BYTES, Outbox, split

if TYPE_CHECKING:
    from dynabus.adapters.kafka.message_producer import MessageProducer


def test_one_message_where_it_fits() -> None:
    (parts,) = split([(0, Outcome(0, b"x")), (1, Outcome(1, b"y", 1, 2, 3, b"z"))])
    assert [part["index"] for part in parts] == [0, 1]
    assert parts[1] == {
        "index": 1,
        "status": 1,
        "body": b"y",
        "size": 1,
        "count": 2,
        "scanned": 3,
        "last": b"z",
        "provisional": False,
        "place": b"",
    }


def test_large_parts_are_spread_in_order() -> None:
    messages = split([(index, Outcome(0, b"x" * 6_000_000)) for index in range(5)])
    assert [[part["index"] for part in parts] for parts in messages] == [[0, 1], [2, 3], [4]]
    for parts in messages:
        value = encode("reply", {"incarnation": 1 << 62, "counter": 1 << 62, "node": "n" * 48, "parts": parts})
        assert len(value) < MESSAGE_LIMIT_BYTES


def test_a_message_is_filled_up_to_the_limit() -> None:
    messages = split([(0, Outcome()), (1, Outcome(0, b"x" * (REPLY_LIMIT_BYTES - 200))), (2, Outcome(0, b"x" * 200))])
    assert [len(parts) for parts in messages] == [2, 1]


def test_nobody_is_answered() -> None:
    """Who deletes items that have expired waits for no answer."""
    outbox = Outbox(cast("MessageProducer", None), Topics("t"), NodeName("node-1"))
    outbox.respond(Sender("", 0, 0, 0), Outcome())
    outbox.send_replies()


class Sent:
    """A producer that keeps what it is given."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, Any]] = []

    def send(self, topic: str, values: list[bytes]) -> None:
        self.messages += [(topic, decode(value)) for value in values]


def test_rows_of_an_index_are_answered_briefly() -> None:
    sent = Sent()
    outbox = Outbox(cast("MessageProducer", sent), Topics("t"), NodeName("node-1"))
    for part, outcome in enumerate((Outcome(count=1), Outcome(ReplyStatus.THROTTLED, b"why"), Outcome(count=2))):
        outbox.respond(Sender("propagator-1", 5, 9, part, is_brief=True), outcome)
    outbox.send_replies()
    outbox.send_replies()
    [(topic, (kind, brief)), (other, (rest, reply))] = sent.messages
    assert topic == other == Topics("t").replies("propagator-1").name
    assert (kind, rest) == ("index_reply", "reply")
    assert (brief["incarnation"], brief["counter"], brief["node"]) == (5, 9, "node-1")
    told = [(part["index"], part["status"], part["count"]) for part in reply_of(brief)["parts"]]
    assert told == [(0, ReplyStatus.OK, 1), (2, ReplyStatus.OK, 2)]
    assert [(part["index"], part["status"]) for part in reply["parts"]] == [(1, ReplyStatus.THROTTLED)]
