"""A log that lost records: who stands still, who is frozen, and what a fence does to whoever reads it (I9)."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.core.replication.test_replica import BODIES, NODES, Bench

from dynabus.core.ids import Incarnation
from dynabus.core.messages import ReplyStatus
from dynabus.core.replication.effects import Append, Beat, Leading, Peer, Respond
from dynabus.core.replication.fold import Verdict, fold
from dynabus.core.replication.records import decode_record
from dynabus.core.replication.standstill import FENCE_TERM, encode_fence, is_fence


def said(bench: Bench, *, doubtful: bool | None = False, lost: str = "") -> list[Any]:
    """Another replica's heartbeat; the effects."""
    peer = Peer(Incarnation(1), 99, bench.now_ms, False, doubtful, lost)
    bench.replica.hear(NODES[2], Incarnation(1), Leading(False, False, 1), peer, bench.now_ms)
    return bench.replica.take_effects()


def heard_itself(bench: Bench) -> list[Any]:
    peer = Peer(Incarnation(1), 99, bench.now_ms, True)
    bench.replica.hear(bench.me.node, Incarnation(1), bench.replica.leading(bench.now_ms), peer, bench.now_ms)
    return bench.replica.take_effects()


def statuses(effects: list[Any]) -> list[int]:
    return [effect.outcome.status for effect in effects if isinstance(effect, Respond)]


def test_a_leader_whose_member_doubts_serves_nobody_and_goes_on_when_that_was_wrong() -> None:
    bench = Bench().lead()
    assert Beat() in said(bench, doubtful=True)
    assert not bench.replica.leading(bench.now_ms).leading
    assert statuses(bench.get()) == statuses(bench.write()) == [ReplyStatus.STALE_ROUTE]
    assert statuses(bench.get(consistent=False)) == [ReplyStatus.STALE_ROUTE]
    assert bench.replica.standstill.why.startswith("stands still: for node-c")
    said(bench, doubtful=None)
    assert bench.replica.standstill, "one that is being opened has not said that it was wrong"
    said(bench, doubtful=False)
    heard_itself(bench)
    bench.append(bench.tick())
    bench.append(bench.read())
    assert bench.replica.leading(bench.now_ms).leading


def is_due(bench: Bench) -> bool:
    return bench.replica.due_ms <= bench.now_ms


def test_who_stands_still_is_due_for_ticks() -> None:
    bench = Bench("node-b")
    bench.read()
    heard_itself(bench)
    assert not is_due(bench)
    said(bench, doubtful=True)
    assert is_due(bench)
    assert bench.replica.standstill.doubted
    said(bench, doubtful=False)
    assert not is_due(bench)
    bench.replica.doubt("Kafka is asked", bench.now_ms)
    assert is_due(bench)
    assert not bench.replica.standstill.doubted
    bench.replica.doubt("beyond the end", bench.now_ms, beyond=True)
    assert bench.replica.standstill.doubted


def test_a_follower_that_stands_still_does_not_claim() -> None:
    bench = Bench("node-b")
    bench.read()
    said(bench, doubtful=True)
    bench.replica.prefer(bench.now_ms)
    for _ in range(20):
        heard_itself(bench)
        assert bench.tick(1000.0) == []


def test_what_goes_by_while_it_stands_still_is_read_afterwards() -> None:
    leader = Bench().lead()
    leader.append(leader.write(b"a", b"1"))
    leader.append(leader.write(b"b", b"2"))
    follower = Bench("node-b", log=leader.log[:3])
    follower.read()
    at = follower.replica.place
    said(follower, doubtful=True)
    follower.log = leader.log
    follower.read()
    assert follower.replica.place == at
    assert follower.replica.standstill.missed
    said(follower, doubtful=False)
    # Its consumer is behind what went by: no gap is taken for another log.
    follower.replica.read_log([decode_record(len(leader.log), 0, b"later")], follower.now_ms)
    assert follower.replica.alarm is None
    follower.read()
    assert follower.disk.get(b"b") == b"2"


def test_who_is_beyond_the_end_says_so_once_and_fences_when_it_is_sure() -> None:
    bench = Bench().lead()
    bench.replica.doubt("place 9 may lie outside of its log", bench.now_ms)
    assert not bench.replica.standstill.beyond
    bench.replica.doubt("place 9 lies beyond the log's end 3", bench.now_ms, beyond=True)
    bench.replica.doubt("place 9 lies beyond the log's end 3", bench.now_ms, beyond=True)
    assert bench.replica.take_effects().count(Beat()) == 2, "of the leader that halts, and of the doubt"
    bench.replica.lose("place 9 lies beyond the log's end 3", bench.now_ms)
    (fence,) = [effect.value for effect in bench.replica.take_effects() if isinstance(effect, Append)]
    assert is_fence(decode_record(0, 0, fence))
    assert (bench.replica.lost, bench.replica.saw_loss) == (True, True)
    bench.replica.lose("again", bench.now_ms)
    assert bench.replica.take_effects() == []


def test_a_fence_stops_every_reader_at_any_place_and_nobody_fences_again() -> None:
    leader = Bench().lead()
    for number in range(5):
        leader.append(leader.write(b"k", b"%d" % number))
        leader.append(leader.read())
    fence = encode_fence(1, leader.me, BODIES)
    for upto in range(1, len(leader.log) + 1):
        reader = Bench("node-b", log=[*leader.log[:upto], fence, *leader.log[upto:]])
        effects = reader.read()
        assert "frozen at offset" in (reader.replica.alarm or "")
        assert reader.replica.place.next_offset == upto
        assert (reader.replica.lost, reader.replica.saw_loss) == (True, False)
        assert not [effect for effect in effects if isinstance(effect, Append)]


def test_a_fence_of_another_generation_is_void_and_one_behind_a_seal_too() -> None:
    bench = Bench().lead()
    record = decode_record(bench.replica.place.next_offset, 0, encode_fence(2, bench.me, BODIES))
    assert fold(bench.replica.place, record, BODIES)[1] == Verdict.VOID
    sealed = bench.replica.place._replace(children=())
    fence = decode_record(sealed.next_offset, 0, encode_fence(1, bench.me, BODIES))
    assert fold(sealed, fence, BODIES)[1] == Verdict.VOID
    assert fold(bench.replica.place, fence, BODIES)[1] == Verdict.DIVERGED
    assert bench.replica.place.reign.term < FENCE_TERM


@pytest.mark.parametrize("sealed", [False, True])
def test_who_hears_that_another_is_frozen_is_frozen_too_unless_its_log_is_sealed(sealed: bool) -> None:
    bench = Bench().lead()
    if sealed:
        bench.replica.place = bench.replica.place._replace(children=())
    effects = said(bench, lost="place 9 lies beyond the log's end 3")
    assert (bench.replica.alarm is None) is sealed
    assert not [effect for effect in effects if isinstance(effect, Append)], "whoever saw it has fenced"


def test_a_diverged_reader_freezes_the_partition() -> None:
    leader = Bench().lead()
    leader.append(leader.write(b"k", b"1"))
    leader.append(leader.read())
    other = Bench().lead()
    other.append(other.write(b"k", b"2"))
    other.append(other.write(b"k", b"3"))
    # It has read the one, and the log is the other now.
    follower = Bench("node-b", log=leader.log)
    follower.read()
    follower.log = other.log
    effects = follower.read()
    assert (follower.replica.alarm or "").startswith("diverged at offset 3")
    assert [is_fence(decode_record(0, 0, each.value)) for each in effects if isinstance(each, Append)] == [True]
