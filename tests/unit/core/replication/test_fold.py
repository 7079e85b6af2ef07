"""The fold table, row by row, over the real encoding."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dynabus.adapters.codec import UndecodableMessage
from dynabus.adapters.log_codec import AvroBodies, decode_place, encode_place
from dynabus.core.ids import Incarnation, LogId, NodeName, PartitionId, Writer
from dynabus.core.replication.fold import Verdict, fold
from dynabus.core.replication.place import Origin, Place, start_of_log
from dynabus.core.replication.records import (
    CHAIN_START,
    Body,
    Child,
    Configure,
    Empty,
    Envelope,
    Form,
    Genesis,
    Kind,
    Mutation,
    Record,
    Resign,
    Seal,
    decode_record,
    encode_record,
    next_chain,
)

BODIES = AvroBodies()
A, B, C, D = (Writer(NodeName(f"node-{x}"), Incarnation(1)) for x in "abcd")
ADMIN = Writer(NodeName("admin"), Incarnation(1))
MEMBERS = (A.node, B.node, C.node)
ORIGIN = Origin("cluster", "topic", PartitionId(LogId("f" * 32), 3))
WRITE = Mutation(b"k", None, b"row", 5, b"request", 9, 0, b"", 3, b"12345678")


class Reader:
    """Folds what it is given and makes records that fit where it stands."""

    def __init__(self) -> None:
        self.place = start_of_log(ORIGIN)

    def record(self, kind: Kind, body: Body, writer: Writer, **fields: object) -> Record:
        place = self.place
        told = {
            "generation": 1,
            "term": place.reign.term,
            "sequence": place.next_sequence,
            "previous": place.chain,
            "log_time_ms": place.log_time_ms,
            "writer": writer,
            "nonce": 0,
            "kind": kind,
            **fields,
        }
        number, encoded = BODIES.encode(kind, body)
        return decode_record(place.next_offset, 0, encode_record(Envelope(**told), number, encoded))  # type: ignore[arg-type]

    def read(self, record: Record) -> Verdict:
        self.place, verdict = fold(self.place, record, BODIES)
        return verdict

    def genesis(self, form: Form = Form.NEW, term: int = 0) -> Verdict:
        return self.read(self.record(Kind.GENESIS, Genesis(form, b"", None, MEMBERS, term), ADMIN))

    def claim(self, writer: Writer, term: int | None = None) -> Verdict:
        wanted = self.place.reign.term + 1 if term is None else term
        return self.read(self.record(Kind.CLAIM, Empty(), writer, term=wanted, sequence=0, nonce=7))

    def write(self, writer: Writer, **fields: object) -> Verdict:
        return self.read(self.record(Kind.MUTATION, WRITE, writer, **fields))


@pytest.fixture
def begun() -> Reader:
    reader = Reader()
    assert reader.genesis() == Verdict.ACCEPTED
    return reader


@pytest.fixture
def led(begun: Reader) -> Reader:
    assert begun.claim(A) == Verdict.ACCEPTED
    return begun


def test_before_genesis_everything_else_is_void() -> None:
    reader = Reader()
    assert reader.claim(A) == Verdict.VOID
    assert reader.write(A) == Verdict.VOID
    assert reader.place.chain == CHAIN_START
    assert reader.place.next_offset == 2
    assert reader.genesis() == Verdict.ACCEPTED
    assert reader.place.group is not None
    assert reader.place.group.members == MEMBERS


def test_the_first_genesis_wins(begun: Reader) -> None:
    before = begun.place
    assert begun.genesis() == Verdict.VOID
    assert begun.place == before._replace(next_offset=before.next_offset + 1, leader_epoch=0)


def test_damaged_records_are_void(led: Reader) -> None:
    value = bytearray(led.record(Kind.MUTATION, WRITE, A).value)
    value[-1] ^= 1
    assert led.read(decode_record(led.place.next_offset, 0, bytes(value))) == Verdict.VOID
    assert led.read(decode_record(led.place.next_offset, 0, b"")) == Verdict.VOID
    assert led.read(decode_record(led.place.next_offset, 0, None)) == Verdict.VOID
    assert led.write(A) == Verdict.ACCEPTED


def test_first_claim_of_a_term_wins(begun: Reader) -> None:
    assert begun.claim(A, 1) == Verdict.ACCEPTED
    assert begun.claim(B, 1) == Verdict.VOID
    assert begun.place.leads(A)
    assert begun.claim(B, 2) == Verdict.ACCEPTED
    assert begun.place.leads(B)
    assert not begun.place.leads(A)


def test_claims_by_strangers_are_void_and_claims_above_the_next_term_diverge(begun: Reader) -> None:
    assert begun.claim(D) == Verdict.VOID
    before = begun.place
    assert begun.claim(A, 2) == Verdict.DIVERGED
    assert begun.place == before


def test_the_claim_is_hashed_into_a_chain_that_never_restarts(begun: Reader) -> None:
    chain, record = begun.place.chain, begun.record(Kind.CLAIM, Empty(), A, term=1, sequence=0)
    begun.read(record)
    assert begun.place.chain == next_chain(chain, record.value)


@pytest.mark.parametrize("other", [B, Writer(A.node, Incarnation(2))])
def test_whoever_else_writes_in_a_term_won_it_in_another_log(led: Reader, other: Writer) -> None:
    before = led.place
    assert led.write(other, sequence=9) == Verdict.DIVERGED
    assert led.place == before
    assert led.write(A) == Verdict.ACCEPTED
    assert led.read(led.record(Kind.RESIGN, Resign(True, None), A)) == Verdict.ACCEPTED
    assert led.write(other) == Verdict.DIVERGED
    assert led.claim(B) == Verdict.ACCEPTED
    assert led.write(A, term=1) == Verdict.VOID, "late, of an older term"


def test_a_term_that_nobody_has_won_has_no_records(begun: Reader) -> None:
    assert begun.write(A) == Verdict.VOID


def test_other_terms(led: Reader) -> None:
    assert led.write(A, term=0) == Verdict.VOID
    assert led.write(A, term=2) == Verdict.DIVERGED


def test_sequence_and_previous_checksum(led: Reader) -> None:
    assert led.write(A, sequence=led.place.next_sequence + 1) == Verdict.VOID
    assert led.write(A, sequence=led.place.next_sequence - 1) == Verdict.VOID
    assert led.write(A, previous=bytes(16)) == Verdict.DIVERGED
    record = led.record(Kind.MUTATION, WRITE, A)
    assert led.read(record) == Verdict.ACCEPTED
    assert led.read(replace(record, offset=led.place.next_offset)) == Verdict.VOID


def test_another_generation_is_void(led: Reader) -> None:
    assert led.write(A, generation=2) == Verdict.VOID


def test_resign_ends_its_term(led: Reader) -> None:
    assert led.read(led.record(Kind.RESIGN, Resign(True, B.node), A)) == Verdict.ACCEPTED
    assert led.place.reign.clean
    assert led.place.reign.successor == B.node
    assert not led.place.leads(A)
    assert led.write(A) == Verdict.VOID
    assert led.claim(B) == Verdict.ACCEPTED
    assert not led.place.reign.resigned


def test_seal_ends_the_log_for_claims_too(led: Reader) -> None:
    children = (Child(4, 2, b"", b"m"), Child(5, 2, b"m", None))
    assert led.read(led.record(Kind.SEAL, Seal(children), A)) == Verdict.ACCEPTED
    assert led.place.children == children
    assert led.claim(B) == Verdict.VOID
    assert led.write(A) == Verdict.VOID


def test_configure_changes_who_may_claim(led: Reader) -> None:
    members = (B.node, C.node, D.node)
    assert led.read(led.record(Kind.CONFIGURE, Configure(members, 1), A)) == Verdict.ACCEPTED
    assert led.claim(A) == Verdict.VOID
    assert led.claim(D) == Verdict.ACCEPTED


def test_a_configure_that_is_not_newer_is_accepted_and_changes_nothing(led: Reader) -> None:
    newer, older = (B.node, C.node, D.node), (A.node, B.node, C.node)
    assert led.read(led.record(Kind.CONFIGURE, Configure(newer, 7), A)) == Verdict.ACCEPTED
    for plan in (6, 7):
        assert led.read(led.record(Kind.CONFIGURE, Configure(older, plan), A)) == Verdict.ACCEPTED
        assert led.place.group is not None
        assert (led.place.group.members, led.place.group.plan) == (newer, 7)
    assert led.write(A) == Verdict.ACCEPTED, "the chain goes on behind it"
    assert led.claim(A) == Verdict.VOID


def test_a_recovery_goes_on_from_its_term() -> None:
    reader = Reader()
    assert reader.genesis(Form.RECOVERY, term=41) == Verdict.ACCEPTED
    assert reader.claim(A, 1) == Verdict.VOID
    assert reader.claim(A, 42) == Verdict.ACCEPTED


def test_offsets_have_no_gaps(led: Reader) -> None:
    record = led.record(Kind.MUTATION, WRITE, A)
    assert led.read(replace(record, offset=led.place.next_offset + 1)) == Verdict.DIVERGED


@pytest.mark.parametrize("change", [{"version": 2}, {"kind": 99}, {"schema_number": 999}])
def test_what_is_unknown_stops_the_reader_only_if_it_would_count(led: Reader, change: dict[str, int]) -> None:
    record = replace(led.record(Kind.RESIGN, Resign(True, None), A), **change)  # type: ignore[arg-type]
    assert fold(led.place, record, BODIES) == (led.place, Verdict.UNREADABLE)
    assert fold(led.place, replace(record, sequence=9), BODIES)[1] == Verdict.VOID


@pytest.mark.parametrize("change", [{"version": 2}, {"kind": 99}])
def test_what_is_unknown_may_be_of_a_kind_that_anybody_writes(led: Reader, change: dict[str, int]) -> None:
    record = replace(led.record(Kind.RESIGN, Resign(True, None), B), **change)  # type: ignore[arg-type]
    assert fold(led.place, record, BODIES)[1] == Verdict.VOID


def test_log_time_follows_the_leader_and_not_a_claim(led: Reader) -> None:
    led.write(A, log_time_ms=500)
    assert led.place.log_time_ms == 500
    led.read(led.record(Kind.CLAIM, Empty(), B, term=2, sequence=0, log_time_ms=9_000_000))
    assert led.place.log_time_ms == 500


def _places() -> list[Place]:
    reader = Reader()
    places = [reader.place]
    reader.genesis()
    places.append(reader.place)
    reader.claim(A)
    reader.write(A, log_time_ms=77)
    places.append(reader.place)
    reader.read(reader.record(Kind.RESIGN, Resign(False, C.node), A))
    places.append(reader.place)
    reader.claim(C)
    reader.read(reader.record(Kind.CONFIGURE, Configure((B.node, C.node), 1 << 40), C))
    places.append(reader.place)
    reader.read(reader.record(Kind.SEAL, Seal((Child(1, 2, b"\x00", None),)), C))
    return [*places, reader.place]


@pytest.mark.parametrize("place", _places())
def test_a_place_is_whole(place: Place) -> None:
    assert decode_place(encode_place(place)) == place


@pytest.mark.parametrize("place", _places())
def test_a_place_of_before_plans_is_read(place: Place) -> None:
    """Its Avro value ends where the plan stands today; here that is one byte."""
    if place.group is None or place.group.plan == 0:
        assert decode_place(encode_place(place)[:-1]) == place
    with pytest.raises(UndecodableMessage):
        decode_place(encode_place(place)[:-10])
