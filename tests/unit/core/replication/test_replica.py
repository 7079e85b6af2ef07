"""The composed brain, message by message: each rule of a leader's life in the smallest setting that shows it."""

from __future__ import annotations

from itertools import count

import pytest
from tests.simulation.disk import Disk

from dynabus.adapters.log_codec import AvroBodies
from dynabus.core.ids import Incarnation, LogId, NodeName, PartitionId, RequestId, Writer
from dynabus.core.messages import ReplyStatus
from dynabus.core.replication.effects import (
    Append,
    Ask,
    Effect,
    Leading,
    Peer,
    Query,
    Respond,
    Surroundings,
    Tell,
    Timing,
    Write,
)
from dynabus.core.replication.place import Origin, start_of_log
from dynabus.core.replication.records import (
    CHAIN_START,
    Envelope,
    Form,
    Genesis,
    Kind,
    Record,
    decode_record,
    encode_record,
)
from dynabus.core.replication.replica import Replica
from dynabus.core.replication.request_ids import encode_request_id
from dynabus.core.replication.store import Decision, Outcome
from dynabus.core.replication.unresolved import Sender

BODIES = AvroBodies()
NODES = tuple(NodeName(f"node-{zone}") for zone in "abc")
ORIGIN = Origin("cluster", "topic", PartitionId(LogId("f" * 32), 0))
DEFERRAL_MS = Timing().lease.deferral_ms


class Bench:
    """One replica, a log that the test writes by hand, and a clock that it turns."""

    def __init__(self, name: str = "node-a", log: list[bytes] | None = None, disk: Disk | None = None) -> None:
        self.me = Writer(NodeName(name), Incarnation(1))
        nonces = count(1)
        around = Surroundings(self.me, lambda: 0.5, lambda: next(nonces), BODIES, Timing())
        self.now_ms = 1_000_000.0
        self.log: list[bytes] = [genesis()] if log is None else log
        self.disk = disk or Disk()
        self.replica = Replica(around, self.disk, start_of_log(ORIGIN), self.now_ms)
        self.counter = count(1)

    def read(self, upto: int | None = None) -> list[Effect]:
        """Read the log to its end, or to an offset."""
        start = self.replica.place.next_offset
        records: list[Record] = [
            decode_record(offset, 0, value) for offset, value in enumerate(self.log) if offset >= start
        ]
        self.replica.end_offset = len(self.log)
        self.replica.read_log(records if upto is None else records[: upto - start], self.now_ms)
        return self.replica.take_effects()

    def append(self, effects: list[Effect]) -> list[Effect]:
        """Put the appends into the log; the other effects."""
        self.log.extend(effect.value for effect in effects if isinstance(effect, Append))
        return [effect for effect in effects if not isinstance(effect, Append)]

    def tick(self, after_ms: float = 0.0) -> list[Effect]:
        self.now_ms += after_ms
        self.replica.tick(self.now_ms)
        return self.replica.take_effects()

    def lead(self) -> Bench:
        """Become the first leader of a new log."""
        self.replica.prefer(self.now_ms)
        self.append(self.read())
        self.append(self.tick())
        self.append(self.read())
        assert self.replica.leading(self.now_ms).leading
        return self

    def write(
        self,
        key: bytes = b"k",
        row: bytes | None = b"row",
        *,
        expected: bytes | None = None,
        counter: int = 0,
        repeat: bool = False,
    ) -> list[Effect]:
        """`counter` negative: without a request id."""
        number = counter or next(self.counter)

        def evaluate(old: bytes | None, _: int) -> Decision:
            if expected is not None and old != expected:
                return Decision(False, None, Outcome(ReplyStatus.ERROR, old or b"-"))
            return Decision(True, row, Outcome(body=b"done"))

        request = encode_request_id(RequestId(Incarnation(9), number, 0)) if number > 0 else b""
        write = Write(Sender("router", 9, number, 0), request, 1, key, evaluate, 10_000, repeat=repeat)
        self.replica.write(write, self.now_ms, 1_700_000_000_000)
        return self.replica.take_effects()

    def get(self, key: bytes = b"k", consistent: bool = True) -> list[Effect]:
        sender = Sender("router", 9, next(self.counter), 0)
        self.replica.query(
            Query(sender, 1, consistent, lambda store: Outcome(body=store.get(key) or b"-")), self.now_ms
        )
        return self.replica.take_effects()


def genesis(form: Form = Form.NEW, term: int = 0) -> bytes:
    number, body = BODIES.encode(Kind.GENESIS, Genesis(form, b"", None, NODES, term))
    admin = Writer(NodeName("admin"), Incarnation(1))
    return encode_record(Envelope(1, term, 0, CHAIN_START, 0, admin, 0, Kind.GENESIS), number, body)


def answers(effects: list[Effect]) -> list[bytes]:
    return [effect.outcome.body for effect in effects if isinstance(effect, Respond)]


def statuses(effects: list[Effect]) -> list[int]:
    return [effect.outcome.status for effect in effects if isinstance(effect, Respond)]


def kinds(effects: list[Effect]) -> list[int]:
    return [decode_record(0, 0, effect.value).kind for effect in effects if isinstance(effect, Append)]


def test_the_first_leader_of_a_new_log_serves_at_once() -> None:
    bench = Bench().lead()
    assert answers(bench.get()) == [b"-"]


def test_a_write_is_answered_when_read_back_and_is_visible_then() -> None:
    bench = Bench().lead()
    effects = bench.write()
    assert kinds(effects) == [Kind.MUTATION]
    assert answers(effects) == []
    assert answers(bench.get()) == [b"-"]
    bench.append(effects)
    assert answers(bench.read()) == [b"done"]
    assert answers(bench.get()) == [b"row"]


def test_writes_are_evaluated_over_unaccepted_ones() -> None:
    bench = Bench().lead()
    bench.append(bench.write(row=b"one"))
    effects = bench.write(row=b"two", expected=b"one")
    assert kinds(effects) == [Kind.MUTATION]


def test_a_failed_condition_waits_for_what_it_looked_at() -> None:
    bench = Bench().lead()
    first = bench.write(row=b"one")
    failed = bench.write(row=b"two", expected=b"other")
    assert failed == []
    bench.append(first)
    assert sorted(answers(bench.read())) == [b"done", b"one"]


def test_an_expired_lease_is_renewed_by_a_barrier() -> None:
    bench = Bench().lead()
    bench.now_ms += 3500.0
    effects = bench.get()
    assert kinds(effects) == [Kind.BARRIER]
    assert answers(effects) == []
    bench.append(effects)
    assert answers(bench.read()) == [b"-"]


def _successor(bench: Bench, name: str = "node-b") -> Bench:
    """Another node wins the next term over the same log."""
    other = Bench(name, bench.log)
    other.read()
    other.replica.election.claim_at_once(other.now_ms)
    other.append(other.tick())
    other.read()
    assert other.replica.leading(other.now_ms).leading
    return other


def test_a_new_leader_defers_until_the_old_lease_is_over() -> None:
    bench = Bench().lead()
    other = _successor(bench)
    effects = other.write(row=b"two")
    other.append(effects)
    assert answers(other.read()) == []
    assert answers(other.get()) == []
    assert answers(other.tick(DEFERRAL_MS - 1)) == []
    late = other.tick(2)
    assert answers(late) == [b"done"]
    other.append(late)
    assert answers(other.read()) == [b"two"]


def test_a_deposed_leader_redirects_what_was_not_accepted() -> None:
    bench = Bench().lead()
    sent = bench.write()
    _successor(bench)
    bench.append(sent)
    effects = bench.read()
    assert statuses(effects) == [ReplyStatus.NOT_LEADER]
    assert answers(effects) == [b"node-b"]
    assert bench.replica.leader is None
    assert bench.disk.rows == {}


def test_a_clean_resign_names_a_successor_that_serves_at_once() -> None:
    bench = Bench().lead()
    bench.replica.hear(
        NODES[1], Incarnation(1), Leading(False, False, 1), Peer(1, 2, bench.now_ms, True), bench.now_ms
    )
    bench.replica.stop(bench.now_ms)
    resign = bench.replica.take_effects()
    assert kinds(resign) == [Kind.RESIGN]
    assert statuses(bench.get()) == [ReplyStatus.NOT_LEADER]
    bench.append(resign)
    bench.read()
    other = Bench("node-b", bench.log)
    other.read()
    other.append(other.tick())
    other.read()
    assert answers(other.get()) == [b"-"]


def test_a_resign_during_the_deferral_waives_nothing() -> None:
    bench = Bench().lead()
    other = _successor(bench)
    other.replica.stop(other.now_ms)
    other.append(other.replica.take_effects())
    third = _successor(other, "node-c")
    assert answers(third.get()) == []


def test_an_abandoned_claim_that_lands_is_followed_by_another() -> None:
    bench = Bench()
    bench.replica.prefer(bench.now_ms)
    bench.read()
    late = bench.tick()
    bench.tick(10_000.0)
    bench.append(late)
    bench.read()
    assert bench.replica.leader is None
    bench.append(bench.tick())
    bench.read()
    assert bench.replica.place.reign.term == 2
    assert bench.replica.leading(bench.now_ms).leading


def test_an_earlier_run_that_leads_is_succeeded_by_the_next_run() -> None:
    bench = Bench().lead()
    again = Bench("node-a", bench.log)
    again.me = Writer(again.me.node, Incarnation(2))
    around = Surroundings(again.me, lambda: 0.5, lambda: 77, BODIES, Timing())
    again.replica = Replica(around, again.disk, start_of_log(ORIGIN), again.now_ms)
    again.read()
    assert again.replica.leader is None
    assert kinds(again.tick()) == [Kind.CLAIM]


def test_after_a_delivery_error_the_same_bytes_go_out_again() -> None:
    bench = Bench().lead()
    first, second = bench.write(b"a"), bench.write(b"b")
    bench.replica.append_failed(bench.now_ms)
    again = bench.replica.take_effects()
    assert again == [*first, *second]
    bench.append(first)
    bench.append(again)
    assert answers(bench.read()) == [b"done", b"done"]
    assert bench.replica.voids == 1


def test_a_leader_that_cannot_append_steps_down_and_claims_when_kafka_is_back() -> None:
    bench = Bench().lead()
    bench.write()
    bench.tick(1500.0)
    assert bench.replica.leading(bench.now_ms) == Leading(True, False, 1)
    bench.tick(4000.0)
    assert not bench.replica.leading(bench.now_ms).leading
    assert statuses(bench.get()) == [ReplyStatus.NOT_LEADER]
    peer = Peer(1, 0, bench.now_ms, True)
    bench.replica.hear(bench.me.node, bench.me.incarnation, Leading(False, False, 1), peer, bench.now_ms)
    assert kinds(bench.tick()) == [Kind.CLAIM]


def test_an_idle_leader_stays() -> None:
    bench = Bench().lead()
    bench.tick(60_000.0)
    assert bench.replica.leading(bench.now_ms) == Leading(True, True, 1)


def test_a_diverged_replica_stops_for_good() -> None:
    bench = Bench().lead()
    bench.append(bench.write())
    forged = bench.log.pop()
    envelope = decode_record(0, 0, forged)
    bench.log.append(
        encode_record(
            Envelope(1, 1, 1, bytes(16), 0, bench.me, 0, Kind.MUTATION), envelope.schema_number, envelope.body
        )
    )
    effects = bench.read()
    assert bench.replica.alarm is not None
    assert "diverged" in bench.replica.alarm
    assert statuses(effects) == [ReplyStatus.NOT_LEADER]
    assert statuses(bench.get(consistent=False)) == [ReplyStatus.STALE_ROUTE]
    assert bench.tick(60_000.0) == []


def test_another_generation_is_a_stale_route() -> None:
    bench = Bench().lead()
    bench.replica.query(Query(Sender("r", 1, 1, 0), 2, False, lambda _: Outcome()), bench.now_ms)
    assert statuses(bench.replica.take_effects()) == [ReplyStatus.STALE_ROUTE]


def test_overload_is_refused_and_not_queued() -> None:
    bench = Bench().lead()
    bench.replica.leader._timing = Timing(unresolved_most=2)  # type: ignore[union-attr]
    bench.write(b"a")
    bench.write(b"b")
    assert statuses(bench.write(b"c")) == [ReplyStatus.BUSY]


# -- elections ----------------------------------------------------------------------------------------------------


def _beat(bench: Bench, node: NodeName, *, leading: bool, term: int, incarnation: int = 1) -> None:
    said = Leading(leading, leading, term)
    bench.replica.hear(node, Incarnation(incarnation), said, Peer(incarnation, 0, bench.now_ms, True), bench.now_ms)


def _follower() -> Bench:
    """node-b, which has heard node-a lead term 1."""
    bench = Bench("node-b", Bench().lead().log)
    bench.read()
    return bench


def _pass_time(
    bench: Bench, ms: float, *, own: bool = True, leader: bool = False, leader_appends: bool = True
) -> list[Effect]:
    """Let heartbeats come in every 1.5 s; all effects."""
    effects: list[Effect] = []
    for _ in range(int(ms // 500)):
        if own:
            _beat(bench, bench.me.node, leading=False, term=1)
        if leader:
            _beat(bench, NODES[0], leading=leader_appends, term=1)
        effects += bench.tick(500.0)
    return effects


def test_a_heard_leader_is_not_suspected() -> None:
    assert _pass_time(_follower(), 30_000, leader=True) == []


def test_silence_makes_a_follower_ask_and_then_claim() -> None:
    bench = _follower()
    effects = _pass_time(bench, 6_000)
    assert [type(effect) for effect in effects] == [Ask, Append]
    assert kinds(effects) == [Kind.CLAIM]


def test_a_node_that_lives_but_does_not_lead_is_silence() -> None:
    assert kinds(_pass_time(_follower(), 6_000, leader=True, leader_appends=False)) == [Kind.CLAIM]


def test_who_does_not_hear_itself_suspects_nobody() -> None:
    bench = _follower()
    _pass_time(bench, 1_000)
    assert _pass_time(bench, 30_000, own=False) == []


def test_another_replica_that_hears_the_leader_stops_the_claim() -> None:
    bench = _follower()
    effects: list[Effect] = []
    while not effects:
        effects = _pass_time(bench, 500)
    assert isinstance(effects[0], Ask)
    assert effects[0].nodes == (NODES[0], NODES[2])
    bench.replica.answer(effects[0].nonce, True, True, bench.now_ms)
    assert kinds(bench.tick(300.0)) == []


def test_answers_tell_what_is_heard() -> None:
    bench = _follower()
    _beat(bench, NODES[0], leading=True, term=1)
    bench.replica.question(NODES[2], 1, 1, 42, bench.now_ms)
    assert bench.replica.take_effects() == [Tell(NODES[2], 42, True, True, True)]
    bench.now_ms += 5_000
    bench.replica.question(NODES[2], 1, 1, 43, bench.now_ms)
    assert bench.replica.take_effects() == [Tell(NODES[2], 43, False, True, True)]


def test_a_leader_heard_in_a_newer_run_is_gone() -> None:
    bench = _follower()
    _pass_time(bench, 1_000, leader=True)
    _beat(bench, NODES[0], leading=False, term=1, incarnation=2)
    assert kinds(_pass_time(bench, 1_500)) == [Kind.CLAIM]


def test_a_stopping_node_does_not_claim() -> None:
    bench = _follower()
    bench.replica.stop(bench.now_ms)
    assert _pass_time(bench, 30_000) == []


@pytest.mark.parametrize("caught_up", [True, False])
def test_only_a_replica_that_has_read_the_log_claims(caught_up: bool) -> None:
    bench = _follower()
    bench.replica.end_offset = bench.replica.place.next_offset + (0 if caught_up else 100_000)
    assert (kinds(_pass_time(bench, 8_000)) == [Kind.CLAIM]) is caught_up


def test_a_mutation_of_a_newer_schema_stops_the_replica_in_front_of_it() -> None:
    bench = Bench("node-b", Bench().lead().log)
    bench.read()
    place = bench.replica.place
    writer = Writer(NodeName("node-a"), Incarnation(1))
    envelope = Envelope(1, 1, place.next_sequence, place.chain, 0, writer, 0, Kind.MUTATION)
    bench.log.append(encode_record(envelope, 999, b"?"))
    bench.read()
    assert bench.replica.alarm is not None
    assert "newer version" in bench.replica.alarm
    assert bench.replica.place == place


def test_a_claim_that_is_read_again_after_a_restart_is_no_heartbeat() -> None:
    log = Bench().lead().log
    bench = Bench("node-b", [*log, b"rubbish that came later"])
    bench.replica.end_offset = len(bench.log)
    bench.read()
    bench.replica.question(NODES[2], 1, 1, 42, bench.now_ms)
    assert bench.replica.take_effects()[-1] == Tell(NODES[2], 42, False, True, True)
