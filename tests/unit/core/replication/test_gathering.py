"""Writes without request ids: those of a turn are one record."""

from __future__ import annotations

from tests.unit.core.replication.test_replica import BODIES, Bench, answers, kinds, statuses

from dynabus.core.messages import ReplyStatus
from dynabus.core.replication.effects import Append, Effect, Query, Write
from dynabus.core.replication.gathering import BYTES_MOST, ROWS_MOST
from dynabus.core.replication.leader import RECORD_LIMIT_BYTES
from dynabus.core.replication.records import Kind, RowChange, RowChanges, decode_record
from dynabus.core.replication.store import Decision, Outcome
from dynabus.core.replication.unresolved import Sender


def raise_to(bench: Bench, row: bytes, key: bytes = b"k") -> None:
    """Put this row where there is a lower one, or none; the turn goes on."""

    def evaluate(old: bytes | None, _: int) -> Decision:
        return Decision(old is None or old < row, row, Outcome(body=old or b"-"))

    sender = Sender("propagator", 9, next(bench.counter), 0)
    bench.replica.write(Write(sender, b"", 1, key, evaluate, 10_000, gathered=True), bench.now_ms, 1_700_000_000_000)


def gathered(effects: list[Effect]) -> list[RowChanges]:
    records = [decode_record(0, 0, effect.value) for effect in effects if isinstance(effect, Append)]
    bodies = [BODIES.decode(each.schema_number, each.body) for each in records]
    return [body for body in bodies if isinstance(body, RowChanges)]


def test_writes_of_a_turn_are_one_record_and_are_answered_when_it_is_read_back() -> None:
    bench = Bench().lead()
    raise_to(bench, b"1", b"a")
    raise_to(bench, b"2", b"b")
    effects = bench.replica.take_effects()
    assert [body.rows for body in gathered(effects)] == [(RowChange(b"a", None, b"1"), RowChange(b"b", None, b"2"))]
    assert answers(bench.append(effects)) == []
    assert bench.disk.get(b"a") is None
    assert answers(bench.read()) == [b"-", b"-"]
    assert (bench.disk.get(b"a"), bench.disk.get(b"b")) == (b"1", b"2")
    assert bench.replica.leader is not None
    assert bench.replica.leader.idle


def test_what_is_gathered_is_seen_by_later_writes() -> None:
    bench = Bench().lead()
    raise_to(bench, b"2")
    raise_to(bench, b"3")
    raise_to(bench, b"1")
    assert bench.replica.leader is not None
    assert not bench.replica.leader.idle
    effects = bench.replica.take_effects()
    assert [body.rows for body in gathered(effects)] == [(RowChange(b"k", None, b"2"), RowChange(b"k", b"2", b"3"))]
    assert answers(bench.append(effects)) == [], "what changes nothing has looked at rows that are not accepted"
    assert sorted(answers(bench.read())) == [b"-", b"2", b"3"]
    raise_to(bench, b"4")
    assert gathered(bench.replica.take_effects())[0].rows == (RowChange(b"k", b"3", b"4"),)


def test_nothing_that_comes_later_is_appended_before() -> None:
    bench = Bench().lead()
    raise_to(bench, b"2")
    effects = bench.write(row=b"9")
    bench.append(effects)
    assert kinds(effects) == [Kind.MUTATION, Kind.MUTATION]
    assert gathered(effects[:1])[0].rows == (RowChange(b"k", None, b"2"),)
    assert answers(bench.read()) == [b"-", b"done"]
    assert bench.disk.get(b"k") == b"9"


def test_a_strong_read_does_not_see_them_before_they_are_accepted() -> None:
    bench = Bench().lead()
    raise_to(bench, b"2")
    bench.replica.query(
        Query(Sender("router", 9, 99, 0), 1, True, lambda store: Outcome(body=store.get(b"k") or b"none")),
        bench.now_ms,
    )
    assert answers(bench.replica.take_effects()) == [b"none"]


def test_who_waits_when_the_term_ends_is_told_to_ask_elsewhere() -> None:
    bench = Bench().lead()
    other = Bench("node-b", bench.log)
    other.read()
    other.replica.election.claim_at_once(other.now_ms)
    other.append(other.tick())
    raise_to(bench, b"2")
    effects = bench.read()
    assert gathered(effects) == []
    assert statuses(effects) == [ReplyStatus.NOT_LEADER]


def test_records_are_bounded() -> None:
    bench = Bench().lead()
    for number in range(ROWS_MOST + 1):
        raise_to(bench, b"1", b"%04d" % number)
    assert [len(body.rows) for body in gathered(bench.replica.take_effects())] == [ROWS_MOST, 1]
    for number in range(3):
        raise_to(bench, b"2" * (BYTES_MOST // 2), b"%04d" % number)
    assert [len(body.rows) for body in gathered(bench.replica.take_effects())] == [1, 1, 1]


def test_a_row_that_fits_into_no_record_is_refused() -> None:
    bench = Bench().lead()
    raise_to(bench, b"2" * RECORD_LIMIT_BYTES)
    raise_to(bench, b"1", b"small")
    effects = bench.replica.take_effects()
    assert statuses(effects) == [ReplyStatus.ERROR]
    bench.append(effects)
    assert answers(bench.read()) == [b"-"]


def test_after_a_delivery_error_the_same_bytes_go_out_again() -> None:
    bench = Bench().lead()
    raise_to(bench, b"1", b"a")
    raise_to(bench, b"2", b"b")
    first = bench.replica.take_effects()
    bench.replica.append_failed(bench.now_ms)
    assert bench.replica.take_effects() == first
