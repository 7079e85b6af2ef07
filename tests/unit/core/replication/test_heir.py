"""Heirs fold their ancestors' logs up to the seal of each, and keep every request id."""

from __future__ import annotations

from dynabus.adapters.log_codec import AvroBodies
from dynabus.adapters.memory_store import MemoryStore
from dynabus.core.ids import Incarnation, LogId, NodeName, PartitionId, Writer
from dynabus.core.replication.fold import Verdict, fold
from dynabus.core.replication.heir import Heir, Inheritance
from dynabus.core.replication.place import Origin, Place, encode_claim, start_of_log
from dynabus.core.replication.records import (
    CHAIN_START,
    Body,
    Child,
    Envelope,
    Form,
    Genesis,
    Kind,
    Mutation,
    Record,
    RowChange,
    RowChanges,
    Seal,
    decode_record,
    encode_record,
)
from dynabus.core.replication.request_ids import recall
from dynabus.core.replication.store import no_more
from dynabus.core.replication.succession import AGAIN_MS, OTHERS_WAIT_MS, Succession, child_genesis

BODIES = AvroBodies()
LOG = LogId("a" * 32)
ME, OTHER = Writer(NodeName("node-1"), Incarnation(7)), Writer(NodeName("node-2"), Incarnation(3))
MEMBERS = (NodeName("node-1"), NodeName("node-2"))
LOWER, UPPER = Child(1, 2, b"", b"m"), Child(2, 2, b"m", None)


class Log:
    """A log that only its leader writes to; `place` is behind its last record."""

    def __init__(self, number: int, genesis: bytes | None = None) -> None:
        self.place: Place = start_of_log(Origin("cluster", "topic", PartitionId(LOG, number)))
        self.records: list[Record] = []
        if genesis is None:
            number_of_schema, body = BODIES.encode(Kind.GENESIS, Genesis(Form.NEW, b"", None, MEMBERS, 0))
            envelope = Envelope(1, 0, 0, CHAIN_START, 0, ME, 0, Kind.GENESIS)
            genesis = encode_record(envelope, number_of_schema, body)
        assert self.append(genesis) == Verdict.ACCEPTED
        assert self.append(encode_claim(self.place, ME, 11, BODIES)) == Verdict.ACCEPTED

    def append(self, value: bytes) -> Verdict:
        record = decode_record(len(self.records), 0, value)
        self.records.append(record)
        self.place, verdict = fold(self.place, record, BODIES)
        return verdict

    def write(self, kind: Kind, body: Body, log_time_ms: int = 5) -> None:
        assert self.place.group is not None
        number, encoded = BODIES.encode(kind, body)
        place = self.place
        generation, term, chain = self.place.group.generation, place.reign.term, place.chain
        envelope = Envelope(generation, term, place.next_sequence, chain, log_time_ms, ME, 0, kind)
        assert self.append(encode_record(envelope, number, encoded)) == Verdict.ACCEPTED

    def gather(self, *rows: tuple[bytes, bytes]) -> None:
        self.write(Kind.MUTATION, RowChanges(1, tuple(RowChange(key, None, row) for key, row in rows)))

    def put(self, key: bytes, row: bytes | None, request: bytes = b"", log_time_ms: int = 5) -> None:
        mutation = Mutation(key, None, row, 1, request, 90_000, 0, b"answer", 3, b"12345678")
        self.write(Kind.MUTATION, mutation, log_time_ms)


def heir(child: Child, lineage: tuple[int, ...] = (0,)) -> Heir:
    to = Inheritance(PartitionId(LOG, child.number), child.lower, child.upper, lineage)
    return Heir(to, MemoryStore(), to.root("cluster", "topic"), BODIES, no_more)


def split(log: Log, *children: Child) -> None:
    log.write(Kind.SEAL, Seal(children), log_time_ms=40)


def test_an_heir_has_the_rows_of_its_range_and_all_request_ids() -> None:
    log = Log(0)
    log.put(b"a", b"left", b"request-1")
    log.put(b"x", b"right", b"request-2")
    left, right = heir(LOWER), heir(UPPER)
    for each in (left, right):
        each.read_log(log.records)
        assert recall(each.store, b"request-1") is not None
        assert recall(each.store, b"request-2") is not None
    assert (left.store.get(b"a"), left.store.get(b"x")) == (b"left", None)
    assert (right.store.get(b"a"), right.store.get(b"x")) == (None, b"right")


def test_an_heir_has_the_rows_of_its_range_out_of_those_that_were_gathered() -> None:
    log = Log(0)
    log.gather((b"a", b"left"), (b"x", b"right"), (b"b", b"left too"))
    left, right = heir(LOWER), heir(UPPER)
    for each in (left, right):
        each.read_log(log.records)
    assert [*left.store.scan(b"", None)] == [(b"a", b"left"), (b"b", b"left too")]
    assert [*right.store.scan(b"", None)] == [(b"x", b"right")]


def test_an_heir_goes_over_at_the_seal_and_not_before() -> None:
    log = Log(0)
    left = heir(LOWER)
    left.read_log(log.records)
    assert (left.go_over(), left.finished) == (False, False)
    split(log, LOWER, UPPER)
    left.read_log(log.records)
    assert (left.go_over(), left.finished) == (True, True)
    assert left.place == start_of_log(Origin("cluster", "topic", PartitionId(LOG, 1)))
    assert not left.go_over()


def test_what_lies_behind_the_seal_is_not_applied() -> None:
    log = Log(0)
    split(log, LOWER, UPPER)
    assert log.append(encode_claim(log.place, OTHER, 12, BODIES)) == Verdict.VOID
    left = heir(LOWER)
    left.read_log(log.records)
    assert left.place.next_offset == len(log.records) - 1


def test_records_may_come_again_and_too_early() -> None:
    log = Log(0)
    for number in range(6):
        log.put(b"a", b"%d" % number)
    left = heir(LOWER)
    left.read_log(log.records[:4])
    left.read_log(log.records[2:5])
    left.read_log(log.records[7:])
    assert left.place.next_offset == 5
    left.read_log(log.records)
    assert left.place.next_offset == len(log.records)
    assert left.store.get(b"a") == b"5"


def test_generations_are_replayed_from_the_root() -> None:
    root = Log(0)
    root.put(b"a", b"1", b"request-1")
    root.put(b"c", b"1")
    split(root, LOWER, UPPER)
    child = Log(1, child_genesis(root.place, LOWER, BODIES))
    child.put(b"a", b"2")
    child.put(b"c", b"2")
    low, high = Child(3, 3, b"", b"b"), Child(4, 3, b"b", b"m")
    split(child, low, high)
    grandchild = heir(low, (0, 1))
    grandchild.read_log(root.records)
    assert grandchild.go_over()
    assert (grandchild.ancestor, grandchild.finished) == (1, False)
    grandchild.read_log(child.records)
    assert grandchild.go_over()
    assert grandchild.finished
    assert (grandchild.store.get(b"a"), grandchild.store.get(b"c")) == (b"2", None)
    assert recall(grandchild.store, b"request-1") is not None


def test_a_seal_that_names_others_is_an_alarm() -> None:
    for wrong in (Child(7, 2, b"", b"m"), Child(1, 2, b"", b"n")):
        log = Log(0)
        split(log, wrong, UPPER)
        left = heir(LOWER)
        left.read_log(log.records)
        assert not left.go_over()
        assert left.alarm is not None
        assert not left.finished


def test_a_log_that_is_another_one_is_an_alarm() -> None:
    log = Log(0)
    left = heir(LOWER)
    left.read_log(log.records)
    foreign = Log(0)
    foreign.put(b"a", b"1")
    foreign.put(b"a", b"2")
    left.read_log(foreign.records[:2])
    assert not left.alarm
    left.place = left.place._replace(chain=b"0" * 16)
    left.read_log(foreign.records)
    assert "diverged" in str(left.alarm)
    assert left.store.get(b"a") is None


# -- succession ---------------------------------------------------------------------------------------------------


def sealed() -> Place:
    log = Log(0)
    split(log, LOWER, UPPER)
    return log.place


def test_all_who_write_a_genesis_write_the_same() -> None:
    place = sealed()
    mine, others = Succession(ME, BODIES), Succession(OTHER, BODIES)
    first = mine.tick(place, 0.0)
    assert others.tick(place, 0.0) == []
    assert others.tick(place, OTHERS_WAIT_MS - 1) == []
    assert others.tick(place, OTHERS_WAIT_MS) == first
    assert [begin.number for begin in first] == [1, 2]


def test_a_genesis_says_what_the_seal_says() -> None:
    place = sealed()
    record = decode_record(0, 0, child_genesis(place, UPPER, BODIES))
    origin = Origin("cluster", "topic", PartitionId(LOG, 2))
    child, verdict = fold(start_of_log(origin), record, BODIES)
    assert verdict == Verdict.ACCEPTED
    assert child.group is not None
    assert (child.group.generation, child.group.lower, child.group.upper) == (2, b"m", None)
    assert (child.group.members, child.group.form) == (MEMBERS, Form.CHILD)
    assert (child.reign.term, child.reign.leader) == (0, None)
    assert child.log_time_ms == place.log_time_ms == 40
    assert record.previous == place.chain


def test_it_is_written_again_until_the_child_has_begun() -> None:
    place, succession = sealed(), Succession(ME, BODIES)
    assert len(succession.tick(place, 0.0)) == 2
    assert succession.tick(place, AGAIN_MS - 1) == []
    succession.began.add(1)
    assert [begin.number for begin in succession.tick(place, AGAIN_MS)] == [2]
    succession.append_failed(AGAIN_MS + 1)
    assert [begin.number for begin in succession.tick(place, AGAIN_MS + 1)] == [2]
    succession.began.add(2)
    assert succession.tick(place, 9 * AGAIN_MS) == []
    assert not succession.pending(place)


def test_a_log_that_is_not_sealed_leaves_nothing() -> None:
    assert Succession(ME, BODIES).tick(Log(0).place, 0.0) == []
