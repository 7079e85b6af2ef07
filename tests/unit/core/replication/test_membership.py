"""Members that change: what a leader does with an order, and what becomes of who joins and who leaves."""

from __future__ import annotations

from tests.unit.core.replication.test_replica import BODIES, NODES, Bench

from dynabus.core.ids import Incarnation, NodeName
from dynabus.core.messages import ReplyStatus
from dynabus.core.replication.effects import Append, Ask, Beat, Effect, Leading, Peer, Respond, Tell
from dynabus.core.replication.membership import Wanted
from dynabus.core.replication.records import Configure, Kind, Resign, decode_record

A, B, C = NODES
D = NodeName("node-d")
WITH_D = (D, B, C)


def appended(effects: list[Effect]) -> list[tuple[int, object]]:
    """(kind, body) of what is appended."""
    records = [decode_record(0, 0, effect.value) for effect in effects if isinstance(effect, Append)]
    return [(record.kind, BODIES.decode(record.schema_number, record.body)) for record in records]


def order(
    bench: Bench, plan: int, nodes: tuple[NodeName, ...], *, configure: bool = True, generation: int = 1
) -> list[Effect]:
    bench.replica.regroup(Wanted(configure, generation, plan, nodes), bench.now_ms)
    return bench.replica.take_effects()


def hear(bench: Bench, node: NodeName, *, able: bool = True) -> None:
    """A follower's heartbeat."""
    bench.replica.hear(node, Incarnation(1), Leading(False, False, 1), Peer(1, 5, bench.now_ms, able), bench.now_ms)


def configured(bench: Bench, plan: int, nodes: tuple[NodeName, ...]) -> Bench:
    bench.append(order(bench, plan, nodes))
    bench.read()
    return bench


def test_a_leader_that_stays_appends_the_new_members_once() -> None:
    leader = Bench().lead()
    effects = order(leader, 3, (A, B, D))
    assert appended(effects) == [(Kind.CONFIGURE, Configure((A, B, D), 3))]
    assert order(leader, 3, (A, B, D)) == [], "the same order again"
    assert order(leader, 2, (A, B, C)) == [], "an older one"
    leader.append(effects)
    assert any(isinstance(effect, Beat) for effect in leader.read()), "auto-admin waits to hear it"
    assert leader.replica.place.group is not None
    assert (leader.replica.place.group.members, leader.replica.place.group.plan) == ((A, B, D), 3)
    assert order(leader, 3, (A, B, C)) == []
    assert leader.replica.leading(leader.now_ms).leading


def test_an_order_of_another_generation_or_to_a_follower_is_nothing() -> None:
    assert order(Bench().lead(), 1, (A, B, D), generation=2) == []
    follower = Bench("node-b")
    follower.read()
    assert order(follower, 1, (A, B, D)) == []


def test_a_leader_that_leaves_hands_over_to_one_who_stays() -> None:
    leader = Bench().lead()
    assert order(leader, 1, WITH_D) == [], "nobody is heard"
    hear(leader, D)
    assert order(leader, 1, WITH_D) == [], "the joining node is no member yet"
    hear(leader, B, able=False)
    assert order(leader, 1, WITH_D) == [], "not able"
    hear(leader, C)
    assert appended(order(leader, 1, WITH_D)) == [(Kind.RESIGN, Resign(True, C))]
    assert order(leader, 1, WITH_D) == [], "it has resigned"


def test_a_leader_never_removes_itself_and_stops_reads_when_it_hands_over() -> None:
    leader = Bench().lead()
    hear(leader, B)
    leader.append(order(leader, 1, WITH_D))
    (answer,) = leader.get()
    assert isinstance(answer, Respond)
    assert answer.outcome.status == ReplyStatus.NOT_LEADER
    leader.read()
    group = leader.replica.place.group
    assert group is not None
    assert group.members == NODES


def test_leadership_is_transferred_to_who_is_named_only() -> None:
    leader = Bench().lead()
    hear(leader, B)
    assert order(leader, 0, (A,), configure=False) == [], "it leads already"
    assert order(leader, 0, (C,), configure=False) == [], "not heard"
    hear(leader, C)
    assert appended(order(leader, 0, (C,), configure=False)) == [(Kind.RESIGN, Resign(True, C))]


def test_a_transfer_of_an_older_plan_is_nothing() -> None:
    leader = configured(Bench().lead(), 4, (A, B, C))
    hear(leader, B)
    assert order(leader, 3, (B,), configure=False) == []
    assert appended(order(leader, 4, (B,), configure=False)) == [(Kind.RESIGN, Resign(True, B))]


def test_a_leader_that_still_defers_does_not_hand_over() -> None:
    leader = Bench().lead()
    hear(leader, B)
    seat = leader.replica.leader
    assert seat is not None
    seat.seat = seat.seat._replace(deferred_until_ms=leader.now_ms + 1)
    assert order(leader, 1, WITH_D) == []
    leader.now_ms += 1
    assert [kind for kind, _ in appended(order(leader, 1, WITH_D))] == [Kind.RESIGN]


# -- who joins ----------------------------------------------------------------------------------------------------


def joining(log: list[bytes]) -> Bench:
    bench = Bench("node-d", log)
    bench.read()
    return bench


def test_a_joining_node_neither_claims_nor_answers() -> None:
    leader = Bench().lead()
    leader.append(leader.write())
    node = joining(leader.log)
    assert node.replica.caught_up
    for consistent in (True, False):
        (answer,) = node.get(consistent=consistent)
        assert isinstance(answer, Respond)
        assert (answer.outcome.status, answer.outcome.body) == (ReplyStatus.NOT_LEADER, b"node-a")
    node.replica.election.claim_at_once(node.now_ms)
    for _ in range(100):
        assert not [effect for effect in node.tick(100.0) if isinstance(effect, Append | Ask)]
    node.replica.question(B, 1, 1, 7, node.now_ms)
    (told,) = node.replica.take_effects()
    assert isinstance(told, Tell)
    assert not told.able


def test_a_joining_node_is_a_member_when_it_folded_that() -> None:
    leader = configured(Bench().lead(), 1, (A, B, D))
    node = joining(leader.log)
    (answer,) = node.get(consistent=False)
    assert isinstance(answer, Respond)
    assert answer.outcome.status == ReplyStatus.OK
    node.replica.election.claim_at_once(node.now_ms)
    node.append(node.tick())
    node.read()
    assert node.replica.leading(node.now_ms).leading


# -- who leaves ---------------------------------------------------------------------------------------------------


def test_a_removed_member_that_does_not_know_cannot_win() -> None:
    leader = Bench().lead()
    removed = Bench("node-c", leader.log)
    removed.read()
    leader.append(order(leader, 1, (A, B, D)))
    removed.replica.election.claim_at_once(removed.now_ms)
    removed.append(removed.tick())
    assert [kind for kind, _ in appended([Append(value) for value in leader.log[-2:]])] == [
        Kind.CONFIGURE,
        Kind.CLAIM,
    ]
    removed.read()
    leader.read()
    assert removed.replica.voids == leader.replica.voids == 1
    assert leader.replica.leading(leader.now_ms).leading
    assert not removed.replica.leading(removed.now_ms).leading
    assert removed.replica.place == leader.replica.place


def test_a_claim_before_the_configure_makes_that_void() -> None:
    leader = Bench().lead()
    other = Bench("node-c", leader.log)
    other.read()
    configure = order(leader, 1, (A, B, D))
    other.replica.election.claim_at_once(other.now_ms)
    other.append(other.tick())
    leader.append(configure)
    other.read()
    leader.read()
    assert other.replica.leading(other.now_ms).leading
    assert leader.replica.leader is None
    group = leader.replica.place.group
    assert group is not None
    assert (group.members, group.plan) == (NODES, 0)
