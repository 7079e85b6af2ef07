"""What the inbox makes of messages."""

from __future__ import annotations

from typing import Any, ClassVar, cast
from unittest.mock import Mock

import orjson
import pytest
from confluent_kafka import TIMESTAMP_CREATE_TIME, TIMESTAMP_LOG_APPEND_TIME
from tests.unit.storage_node.stand_ins import ME, PARTITION, leading, regions

from dynabus.adapters.codec import UndecodableMessage, decode, encode
from dynabus.adapters.log_codec import AvroBodies
from dynabus.adapters.row_codec import encode_index_request
from dynabus.core.admission import Mode
from dynabus.core.admission.messages import TokenLease
from dynabus.core.errors import validation_error
from dynabus.core.global_indexes import Arrival as Arrived
from dynabus.core.global_indexes import IndexWrite, arrival_part
from dynabus.core.global_tables.floors import Floors
from dynabus.core.global_tables.leading import note_of
from dynabus.core.global_tables.pages import rows_part
from dynabus.core.ids import LogId, NodeName
from dynabus.core.messages import ReplyStatus, SplitPoint
from dynabus.core.replication.effects import Append, Respond, Tell
from dynabus.core.replication.records import Mutation, RowChanges, decode_record
from dynabus.core.replication.request_ids import apply_mutation
from dynabus.core.replication.store import Decision, Evaluate, Outcome, no_more
from dynabus.core.replication.tokens import token_ids, token_of
from dynabus.core.replication.unresolved import Sender
from dynabus.core.rows import Source, decode_row
from dynabus.storage_node.capacity.admission import NodeAdmission
from dynabus.storage_node.inbox import Inbox
from dynabus.storage_node.orders import Orders
from dynabus.storage_node.places import placed
from dynabus.storage_node.replicas.readers import Arrival
from dynabus.storage_node.upkeep.scrubbing import Scrubs

PUT, GET, REFUSED, IDLE = 1, 2, 3, 4


class Operations:
    """A write, a read, a write that is refused while its request is parsed, and one that changes nothing."""

    @staticmethod
    def put(part: Any) -> Evaluate:
        return lambda _old, _now: Decision(True, part["value"], Outcome())

    @staticmethod
    def refuse(_part: Any) -> Evaluate:
        raise validation_error("no")

    @staticmethod
    def idle(_part: Any) -> Evaluate:
        return lambda _old, _now: Decision(False, None, Outcome())

    writes: ClassVar[Any] = {PUT: put, REFUSED: refuse, IDLE: idle}
    reads: ClassVar[Any] = {GET: lambda part: lambda store: Outcome(body=store.get(part["key"]) or b"")}


class Message:
    """As much of a Kafka message as the inbox looks at."""

    def __init__(self, value: bytes, appended_ms: int = 0, kind: int = TIMESTAMP_LOG_APPEND_TIME) -> None:
        self._value, self._stamp = value, (kind, appended_ms)

    def value(self) -> bytes:
        return self._value

    def timestamp(self) -> tuple[int, int]:
        return self._stamp

    def leader_epoch(self) -> int:
        return 1


class Desk:
    """An inbox, the replica behind it, and what was answered without asking it."""

    def __init__(self) -> None:
        self.replica = leading()
        self.replica.replica.take_effects()
        self.answers: list[tuple[Sender, Outcome]] = []
        self.points: list[SplitPoint] = []
        self.leases: list[tuple[str, TokenLease]] = []
        self.admission = NodeAdmission(
            Mode.ON, (3000, 1000), NodeName("node-1"), lambda *lease: self.leases.append(lease), regions()
        )
        self.scrubs = Scrubs(ME.node, 0, 1.0, self._answer)
        self.places: list[Any] = []
        orders = Orders(self.points.append)
        self.inbox = Inbox(
            cast("Any", Operations),
            self._find,
            self._answer,
            orders,
            self.admission,
            self.scrubs.ask,
            Mock(),
            Mock(),
            lambda *asked: self.places.append(asked),
        )

    def _answer(self, sender: Sender, outcome: Outcome) -> None:
        self.answers.append((sender, outcome))

    def _find(self, log: str, partition: int) -> Any:
        return self.replica if (log, partition) == PARTITION else None

    def take(
        self, value: bytes, now_ms: float = 2.0, appended_ms: int = 0, kind: int = TIMESTAMP_LOG_APPEND_TIME
    ) -> None:
        self.inbox.take(cast("Arrival", Message(value, appended_ms, kind)), now_ms, 0)

    def effects(self) -> list[Any]:
        return self.replica.replica.take_effects()


def request(
    *operations: int,
    log: str = PARTITION.log,
    budget_ms: int = 1000,
    counter: int = 1,
    consistent: bool = True,
    at_least: int = -1,
    repeat: bool = False,
) -> bytes:
    parts = [
        {
            "operation": operation,
            "log": log,
            "partition": 0,
            "generation": 1,
            "consistent": consistent,
            "key": b"k",
            "value": b"row",
            "size": 3,
            "detail": b"",
            "at_least": at_least,
        }
        for operation in operations
    ]
    common = {"asker": "r", "incarnation": 5, "counter": counter, "budget_ms": budget_ms, "repeat": repeat}
    return encode("request", {**common, "parts": parts})


def test_writes_and_reads_reach_the_brain_in_order() -> None:
    desk = Desk()
    desk.take(request(PUT, GET))
    appended, read = desk.effects()
    assert isinstance(appended, Append)
    assert isinstance(read, Respond)
    assert read.sender == Sender("r", 5, 1, 1)
    assert read.outcome.body == b""


def test_a_reader_is_told_exactly_how_far_the_replica_had_read() -> None:
    desk = Desk()
    place = desk.replica.replica.place.next_offset
    desk.take(request(PUT, GET, at_least=0))
    _, read = desk.effects()
    assert read.outcome.place == b"0.1.%d" % place
    desk.take(request(GET, counter=2))
    (untold,) = desk.effects()
    assert untold.outcome.place == b""


def test_a_replica_that_is_behind_what_was_seen_says_so() -> None:
    desk = Desk()
    place = desk.replica.replica.place.next_offset
    desk.take(request(GET, consistent=False, at_least=place + 1))
    assert [outcome.status for _, outcome in desk.answers] == [ReplyStatus.BEHIND]
    desk.take(request(GET, consistent=False, at_least=place, counter=2))
    (read,) = desk.effects()
    assert read.outcome.status == ReplyStatus.OK


def test_the_place_of_a_write_is_told_when_it_is_acknowledged() -> None:
    desk = Desk()
    desk.take(request(PUT, at_least=0))
    (appended,) = desk.effects()
    assert isinstance(appended, Append)
    before = Outcome(place=b"0.1.7")
    assert placed(before, desk.replica) is before
    assert placed(Outcome(), desk.replica).place == b"0.1.%d" % desk.replica.replica.place.next_offset


def test_what_a_repeat_comes_to_gets_a_record() -> None:
    desk = Desk()
    desk.take(request(IDLE, repeat=True))
    assert [type(effect) for effect in desk.effects()] == [Append]
    desk.take(request(IDLE, counter=2))
    (answer,) = desk.effects()
    assert answer.outcome.provisional


def test_what_is_not_here_is_a_stale_route() -> None:
    desk = Desk()
    desk.take(request(GET, log="f" * 32))
    ((sender, outcome),) = desk.answers
    assert (sender, outcome.status) == (Sender("r", 5, 1, 0), ReplyStatus.STALE_ROUTE)
    assert desk.inbox.strays == 1


def test_a_refusal_is_answered_and_the_other_parts_go_on() -> None:
    desk = Desk()
    desk.take(request(REFUSED, 99, PUT))
    assert [outcome.status for _, outcome in desk.answers] == [ReplyStatus.ERROR, ReplyStatus.ERROR]
    assert orjson.loads(desk.answers[0][1].body)["message"] == "no"
    assert "UnknownOperation" in orjson.loads(desk.answers[1][1].body)["__type"]
    assert len(desk.effects()) == 1


def test_expired_requests_are_dropped() -> None:
    desk = Desk()
    desk.take(request(GET), now_ms=10_000.0, appended_ms=5000)
    desk.take(request(PUT, GET, counter=2), now_ms=12_000.0, appended_ms=5500)
    assert desk.inbox.expired == 2
    assert desk.inbox.requests == 1


def test_times_of_creation_say_nothing() -> None:
    desk = Desk()
    desk.take(request(GET), now_ms=10_000.0, appended_ms=5000)
    desk.take(request(GET, counter=2), now_ms=99_000.0, appended_ms=5500, kind=TIMESTAMP_CREATE_TIME)
    assert desk.inbox.requests == 2


def test_a_command_is_known_by_its_token_whoever_brings_it() -> None:
    desk = Desk()
    token = token_of(b"t", b"put")
    desk.take(command(PUT, token.encode()))
    (appended,) = desk.effects()
    record = decode_record(0, 0, appended.value)
    mutation = AvroBodies().decode(record.schema_number, record.body)
    assert isinstance(mutation, Mutation)
    assert (mutation.request, mutation.outcome) == (token_ids(token, 0)[0], token.digest)
    desk.take(command(PUT, token.encode(), asker="another", counter=77))
    assert desk.effects() == []


def test_a_token_that_is_none_is_skipped() -> None:
    desk = Desk()
    with pytest.raises(ValueError, match="a token of 3 bytes"):
        desk.take(command(PUT, b"abc"))
    assert desk.effects() == []


def command(operation: int, token: bytes, asker: str = "r", counter: int = 1) -> bytes:
    _, message = decode(request(operation, counter=counter))
    message["parts"][0]["token"] = token
    return encode("ingest_request", {**message, "asker": asker})


def test_rows_of_an_index_are_gathered_and_answered_briefly() -> None:
    desk = Desk()
    to = Arrived(LogId(PARTITION.log), PARTITION.number, 1)
    rows = [IndexWrite(b"%d" % number, b"{}", 2, Source(0, 1, number)) for number in range(3)]
    desk.take(encode_index_request("propagator-1", 5, 9, 1000, [arrival_part(to, row) for row in rows]))
    [appended] = desk.effects()
    assert isinstance(appended, Append)
    record = decode_record(0, 0, appended.value)
    changes = AvroBodies().decode(record.schema_number, record.body)
    assert isinstance(changes, RowChanges)
    found = [(row.key, decode_row(row.new or b"").item_json) for row in changes.rows]
    assert found == [(b"0", b"{}"), (b"1", b"{}"), (b"2", b"{}")]
    assert desk.inbox.requests == 3
    elsewhere = to._replace(partition=9)
    desk.take(encode_index_request("propagator-1", 5, 10, 1000, [arrival_part(elsewhere, row) for row in rows[:1]]))
    [(sender, outcome)] = desk.answers
    assert (sender, outcome.status) == (Sender("propagator-1", 5, 10, 0, is_brief=True), ReplyStatus.STALE_ROUTE)


def test_an_initial_copy_waits_until_the_log_says_that_the_table_is_global() -> None:
    desk = Desk()
    page = encode("request", {**decode(request(PUT))[1], "parts": [rows_part(PARTITION.log, 0, 1, b"", "eu")]})
    desk.take(page)
    (answer,) = desk.effects()
    assert answer.outcome.status == ReplyStatus.BUSY
    apply_mutation(desk.replica.store, note_of(Floors("us", frozenset({"eu"}))), 1, 0, no_more)
    desk.take(page)
    (answer,) = desk.effects()
    assert (answer.outcome.status, answer.outcome.body) == (ReplyStatus.OK, b"")


def test_questions_are_answered() -> None:
    desk = Desk()
    question = {"log": PARTITION.log, "partition": 0, "node": "node-2", "incarnation": 1, "term": 1, "nonce": 9}
    desk.take(encode("question", question))
    (tell,) = desk.effects()
    assert tell == Tell("node-2", 9, True, True, False)  # type: ignore[arg-type]
    desk.take(encode("question", {**question, "log": "f" * 32}))
    assert desk.effects() == []


def test_other_messages_do_not_belong_here() -> None:
    desk = Desk()
    with pytest.raises(UndecodableMessage):
        desk.take(b"rubbish")
    leader = {"log": "", "partition": 0, "term": 1, "node": "n", "incarnation": 1}
    with pytest.raises(UndecodableMessage):
        desk.take(encode("leader_metadata", leader))


def test_a_log_propagator_is_told_of_a_replica_that_is_well_and_of_no_other() -> None:
    desk = Desk()
    asked = {"asker": "propagator-1", "incarnation": 7, "log": PARTITION.log, "partition": 0}
    desk.take(encode("place_request", asked))
    desk.take(encode("place_request", {**asked, "log": "f" * 32}))
    assert desk.replica.state == "active"
    assert desk.places == [(asked, desk.replica)]
    # What is sealed before a propagator has begun is the place behind which only children are read.
    place = desk.replica.replica.place
    desk.replica.replica.place = place._replace(children=())
    assert desk.replica.state == "sealed"
    desk.take(encode("place_request", asked))
    assert len(desk.places) == 2
    desk.replica.failed = True
    desk.take(encode("place_request", asked))
    assert len(desk.places) == 2
