"""What a replica answers before, while and after its log is sealed."""

from __future__ import annotations

import pytest
from tests.unit.core.replication.test_replica import DEFERRAL_MS, Bench, answers, kinds, statuses

from dynabus.core.messages import SEALED, ReplyStatus
from dynabus.core.replication.effects import Beat, Effect, Respond
from dynabus.core.replication.records import Child, Kind

CHILDREN = (Child(1, 2, b"", b"m"), Child(2, 2, b"m", None))


def seal(bench: Bench, generation: int = 1) -> list[Effect]:
    bench.replica.seal(generation, CHILDREN, bench.now_ms)
    return bench.replica.take_effects()


def test_strong_reads_end_when_the_seal_is_sent() -> None:
    bench = Bench().lead()
    assert answers(bench.get()) == [b"-"]
    assert kinds(seal(bench)) == [Kind.SEAL]
    assert statuses(bench.get()) == [ReplyStatus.NOT_LEADER]
    assert statuses(bench.write()) == [ReplyStatus.NOT_LEADER]
    assert not bench.replica.leading(bench.now_ms).leading


def test_what_was_accepted_before_the_seal_is_acknowledged_and_the_rest_goes_to_the_children() -> None:
    bench = Bench().lead()
    bench.append(bench.write(counter=7))
    # A failed condition over the un-accepted write is an answer without a record: it needs the lease that has ended.
    bench.append(bench.write(expected=b"other", counter=8))
    bench.append(seal(bench))
    effects = bench.read()
    told = {effect.sender.counter: effect.outcome for effect in effects if isinstance(effect, Respond)}
    assert (told[7].status, told[7].body) == (ReplyStatus.OK, b"done")
    assert (told[8].status, told[8].body) == (ReplyStatus.STALE_ROUTE, SEALED)
    assert any(isinstance(effect, Beat) for effect in effects)


@pytest.mark.parametrize("consistent", [True, False])
def test_a_sealed_replica_sends_everybody_to_the_children(consistent: bool) -> None:
    bench = Bench().lead()
    bench.append(seal(bench))
    bench.read()
    for effects in (bench.get(consistent=consistent), bench.write()):
        assert (statuses(effects), answers(effects)) == ([ReplyStatus.STALE_ROUTE], [SEALED])
    assert bench.tick(60_000.0) == [], "a sealed log is not claimed"


def test_a_leader_that_still_defers_does_not_seal() -> None:
    bench = Bench().lead()
    other = Bench("node-b", bench.log)
    other.read()
    other.replica.election.claim_at_once(other.now_ms)
    other.append(other.tick())
    other.append(other.read())
    assert other.replica.leader is not None
    assert kinds(seal(other)) == []
    other.now_ms += DEFERRAL_MS
    assert kinds(seal(other)) == [Kind.SEAL]


def test_only_the_generation_that_is_meant_is_sealed() -> None:
    assert kinds(seal(Bench().lead(), generation=2)) == []
