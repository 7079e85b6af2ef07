"""A recovery's log: it begins with another's contents, keeps its term and time, and serves when it holds all."""

from __future__ import annotations

from tests.unit.core.replication.test_replica import BODIES, DEFERRAL_MS, Bench

from dynabus.core.global_tables.floors import Floors
from dynabus.core.global_tables.leading import note_of
from dynabus.core.ids import Incarnation, NodeName, Writer
from dynabus.core.messages import ReplyStatus
from dynabus.core.replication.effects import Append, Respond
from dynabus.core.replication.records import Envelope, Form, Genesis, Kind, Recovered, decode_record, encode_record
from dynabus.core.replication.request_ids import recall
from dynabus.core.replication.restoration import goes_on_from, is_ahead, restore_requests, restore_rows

CHAIN = bytes(range(16))
ME = NodeName("node-a")


def recovered(bench: Bench) -> Recovered:
    """The place of a replica, as a decision names it."""
    place = bench.replica.place
    return Recovered(
        0, 1, ME, place.reign.term, place.next_sequence, place.next_offset, place.chain, bench.disk.checksum
    )


def genesis(told: Recovered, generation: int = 1, log_time_ms: int = 77) -> bytes:
    number, body = BODIES.encode(Kind.GENESIS, Genesis(Form.RECOVERY, b"", None, (ME,), told.term, told))
    admin = Writer(NodeName("admin"), Incarnation(1))
    envelope = Envelope(generation, told.term, 0, told.chain, log_time_ms, admin, 0, Kind.GENESIS)
    return encode_record(envelope, number, body)


def old_replica() -> Bench:
    bench = Bench().lead()
    for number in range(3):
        bench.append(bench.write(b"k%d" % number, b"row %d" % number, counter=number + 1))
    bench.append(bench.write(b"k0", None, counter=9))
    bench.append(bench.read())
    return bench


def successor(old: Bench) -> Bench:
    bench = Bench(log=[genesis(recovered(old))])
    bench.replica.prefer(bench.now_ms)
    bench.append(bench.read())
    bench.append(bench.tick())
    bench.append(bench.read())
    assert bench.replica.leader is not None
    return bench


def restore(bench: Bench, old: Bench) -> None:
    leader = bench.replica.leader
    assert leader is not None
    restore_rows(old.disk.scan(b"", None), leader, bench.disk, bench.now_ms)
    restore_requests([*old.disk.requests.items()], leader, bench.disk, bench.now_ms)
    bench.append(bench.replica.take_effects())
    bench.append(bench.read())


def configure(bench: Bench) -> None:
    assert bench.replica.leader is not None
    bench.replica.leader.configure(1, (ME,), bench.now_ms)
    bench.append(bench.replica.take_effects())
    bench.append(bench.read())


def test_genesis_says_where_it_goes_on_from() -> None:
    told = Recovered(3, 4, ME, 5, 6, 7, CHAIN, b"\xff" * 8)
    record = decode_record(0, 0, genesis(told))
    assert BODIES.decode(record.schema_number, record.body) == Genesis(Form.RECOVERY, b"", None, (ME,), 5, told)
    assert (record.term, record.previous, record.log_time_ms) == (5, CHAIN, 77)
    plain = BODIES.encode(Kind.GENESIS, Genesis(Form.CHILD, b"a", None, (ME,), 0))
    assert plain[0] == 20, "children's genesis is the same bytes for every version that writes it"


def test_contents_and_request_ids_are_the_same_and_the_term_goes_on() -> None:
    old = old_replica()
    new = successor(old)
    restore(new, old)
    configure(new)
    assert dict(new.disk.scan(b"", None)) == dict(old.disk.scan(b"", None))
    assert new.disk.requests == old.disk.requests
    assert new.replica.place.reign.term == old.replica.place.reign.term + 1
    assert new.replica.place.log_time_ms >= 77
    for request in old.disk.requests:
        assert recall(new.disk, request) == recall(old.disk, request)


def test_nobody_is_served_before_all_is_there() -> None:
    old = old_replica()
    new = successor(old)
    new.now_ms += DEFERRAL_MS
    restore(new, old)
    for effects in (new.get(), new.get(consistent=False), new.write()):
        assert [each.outcome.status for each in effects if isinstance(each, Respond)] == [ReplyStatus.STALE_ROUTE]
    configure(new)
    effects = [*new.get(b"k1")]
    new.append(effects)
    answers = [each for each in (*effects, *new.read()) if isinstance(each, Respond)]
    assert [each.outcome.body for each in answers] == [b"row 1"]


def test_its_first_leader_waits_for_the_leases_of_before() -> None:
    new = successor(old_replica())
    configure(new)
    assert not [each for each in new.get() if isinstance(each, Respond)]
    new.now_ms += DEFERRAL_MS
    effects = new.tick()
    new.append(effects)
    assert [each for each in (*effects, *new.read()) if isinstance(each, Respond)]


def test_a_retry_of_before_is_answered_and_not_applied_again() -> None:
    old = old_replica()
    new = successor(old)
    restore(new, old)
    configure(new)
    new.now_ms += DEFERRAL_MS
    effects = new.write(b"k1", b"row 1", counter=2)
    assert not [each for each in effects if isinstance(each, Append) and _kind(each) == Kind.MUTATION]


def _kind(effect: Append) -> int:
    return decode_record(0, 0, effect.value).kind


def test_what_is_there_is_not_written_twice() -> None:
    old = old_replica()
    new = successor(old)
    restore(new, old)
    length = len(new.log)
    restore(new, old)
    assert len(new.log) == length


def test_only_the_chosen_place_is_gone_on_from() -> None:
    old = old_replica()
    told = recovered(old)
    assert goes_on_from(old.replica.place, told)
    assert not is_ahead(old.replica.place, told)
    for change in (
        {"next_sequence": told.next_sequence - 1},
        {"chain": CHAIN},
        {"next_offset": 0},
        {"generation": 2},
    ):
        assert not goes_on_from(old.replica.place, told._replace(**change))
    assert is_ahead(old.replica.place, told._replace(next_sequence=told.next_sequence - 1))
    assert not is_ahead(old.replica.place, told._replace(next_sequence=told.next_sequence - 1, partition=1))


def test_its_leader_knows_of_regions_once_it_has_appended_what_it_is_restored_from() -> None:
    old = old_replica()
    floors = Floors("us", frozenset({"eu"}), {"eu": 7})
    assert old.replica.leader is not None
    old.replica.leader.append_unasked(note_of(floors), old.now_ms)
    old.append(old.replica.take_effects())
    old.read()
    new = successor(old)
    assert new.replica.leader is not None
    assert new.replica.leader.floors is None
    restore(new, old)
    configure(new)
    assert new.replica.leader.floors == floors
