"""Re-placement: what is moved for which reason, what is left alone, and that it comes to an end."""

from __future__ import annotations

from collections import Counter

import pytest

from dynabus.auto_admin.placement.planner import Candidate, Load, changed, plan
from dynabus.auto_admin.placement.replanner import Group, Machine, Plan, Policy, Replanner

POLICY = Policy(replicas=3, repair_after_ms=60_000.0, moves_most=4, double_up=False)
ZONES = "abc"


def machine(number: int, **changes: object) -> Machine:
    return Machine(f"node-{number}", ZONES[(number - 1) % 3], True)._replace(**changes)  # type: ignore[arg-type]


def machines(count: int) -> dict[str, Machine]:
    return {f"node-{number}": machine(number) for number in range(1, count + 1)}


def groups(count: int, *, nodes: int = 3) -> list[Group]:
    """As a new table's are placed; each is led by its preferred member."""
    candidates = [Candidate(each.name, each.zone) for each in machines(nodes).values()]
    placed = plan(count, candidates, Load(), 3)
    return [
        Group("t", number, 0, each.members, each.preferred, each.preferred, able=frozenset(each.members))
        for number, each in enumerate(placed)
    ]


def look(nodes: dict[str, Machine], found: list[Group], policy: Policy = POLICY) -> Plan:
    return Replanner(nodes.values(), found, policy).plan()


def live_on(nodes: dict[str, Machine], found: list[Group], policy: Policy = POLICY) -> tuple[list[Group], int]:
    """Rounds until nothing moves, each done before the next; the groups, and how many moves it took."""
    count = 0
    for _ in range(500):
        made = look(nodes, found, policy)
        if not made.moves:
            return found, count
        assert len(made.moves) <= policy.moves_most
        assert len({move.number for move in made.moves}) == len(made.moves), "two moves in one group"
        for move in made.moves:
            group = found[move.number]
            members = tuple(changed(group.members, move.get, move.lose))
            assert move.preferred in members
            leader = move.get if group.leader == move.lose else group.leader
            able = frozenset(members)
            moved = group._replace(plan=group.plan + 1, members=members, leader=leader, able=able)
            found[move.number] = moved._replace(preferred=move.preferred)
            count += 1
    raise AssertionError("it never ends")


def test_a_node_that_could_not_make_a_replica_is_passed_over() -> None:
    nodes, found = machines(6), groups(1)
    nodes["node-1"] = machine(1, alive=False, silent_ms=90_000.0)
    assert [move.get for move in look(nodes, found).moves] == ["node-4"]
    nodes["node-7"] = machine(7)
    refused = [found[0]._replace(refused=frozenset({"node-4"}))]
    assert [move.get for move in look(nodes, refused).moves] == ["node-7"]
    refused = [found[0]._replace(refused=frozenset({"node-4", "node-7"}))]
    told = look(nodes, refused)
    assert told.moves == []
    assert any("it failed on node-4, node-7" in problem for problem in told.problems)


def load(found: list[Group]) -> Counter[str]:
    return Counter(node for group in found for node in group.members)


def test_a_healthy_cluster_is_left_alone() -> None:
    assert look(machines(3), groups(20)) == Plan()
    assert look(machines(6), groups(20, nodes=6)) == Plan()


def test_a_new_node_gets_its_share_and_groups_stay_spread() -> None:
    found, count = live_on(machines(4), groups(12))
    assert load(found) == {"node-1": 6, "node-4": 6, "node-2": 12, "node-3": 12}
    assert count == 6
    for group in found:
        assert len({machines(4)[node].zone for node in group.members}) == 3
    preferred = Counter(group.preferred for group in found)
    assert max(preferred.values()) - min(preferred[node] for node in machines(4)) <= 2


def test_three_new_nodes_halve_everything() -> None:
    found, count = live_on(machines(6), groups(10))
    assert set(load(found).values()) == {5}
    assert count == 15


def test_a_silent_node_is_replaced_after_its_time_and_not_before() -> None:
    nodes = machines(6)
    nodes["node-2"] = machine(2, alive=False, silent_ms=59_000.0)
    early = look(nodes, groups(6, nodes=6))
    assert early.moves == []
    assert early.problems == ["node-2 is silent for 59 s; replaced in 1 s"]
    nodes["node-2"] = machine(2, alive=False, silent_ms=60_000.0)
    found, count = live_on(nodes, groups(6, nodes=6))
    assert count == 3
    assert load(found)["node-2"] == 0
    assert load(found)["node-5"] == 6, "the other node of its zone"


def test_a_node_that_is_unknown_is_replaced_too() -> None:
    nodes = machines(6)
    del nodes["node-3"]
    found, _ = live_on(nodes, groups(4, nodes=6))
    assert load(found)["node-3"] == 0


def test_three_nodes_and_one_dead_is_calm_and_visible() -> None:
    nodes = machines(3)
    nodes["node-2"] = machine(2, alive=False, silent_ms=1e6)
    made = look(nodes, groups(2))
    assert (made.moves, made.transfers) == ([], [])
    assert len(made.problems) == 2
    assert "zone b has no other node" in made.problems[0]
    assert "stays as it is" in made.problems[0]


def test_two_in_one_zone_only_by_policy() -> None:
    nodes = machines(4)
    nodes["node-2"] = machine(2, alive=False, silent_ms=1e6)
    assert look(nodes, groups(1)).moves == []
    (move,) = look(nodes, groups(1), Policy(3, 60_000.0, 4, True)).moves
    assert (move.get, move.lose) == ("node-4", "node-2")


def test_where_there_is_one_zone_it_holds_all_three() -> None:
    nodes = {name: each._replace(zone="a") for name, each in machines(4).items()}
    nodes["node-2"] = nodes["node-2"]._replace(alive=False, silent_ms=1e6)
    (move,) = look(nodes, groups(1)).moves
    assert (move.get, move.lose) == ("node-4", "node-2")


def test_a_draining_node_is_emptied_and_gets_nothing() -> None:
    nodes = machines(4)
    nodes["node-1"] = machine(1, draining=True)
    found, count = live_on(nodes, groups(9))
    assert count == 9
    assert load(found) == {"node-2": 9, "node-3": 9, "node-4": 9}
    assert all(group.preferred != "node-1" for group in found)


def test_a_drain_without_a_place_to_go_is_refused() -> None:
    nodes = machines(4)
    for name, refused in (("node-1", 0), ("node-2", 3), ("node-3", 3)):
        drained = {**nodes, name: nodes[name]._replace(draining=True)}
        reasons = Replanner(drained.values(), groups(3), POLICY).refuse_drain(name)
        assert len(reasons) == refused
        assert all("has no other node" in reason for reason in reasons)


def test_a_drain_that_takes_the_place_of_another_is_refused() -> None:
    """The spare node is empty yet, and the first drain needs it."""
    nodes = {**machines(4), "node-1": machine(1, draining=True), "node-4": machine(4, draining=True)}
    assert len(Replanner(nodes.values(), groups(3), POLICY).refuse_drain("node-4")) == 3
    nodes["node-4"] = machine(4)
    assert Replanner(nodes.values(), groups(3), POLICY).refuse_drain("node-1") == []


def test_no_move_leaves_a_group_without_a_majority() -> None:
    nodes = machines(4)
    nodes["node-1"] = machine(1, draining=True)
    for number in (2, 3):
        nodes[f"node-{number}"] = machine(number, alive=False, silent_ms=5000.0)
    made = look(nodes, groups(1))
    assert made.moves == []
    assert any("only 1 of 3 members would be alive" in problem for problem in made.problems)


def test_few_at_a_time_and_those_under_way_count() -> None:
    nodes = machines(4)
    nodes["node-1"] = machine(1, draining=True)
    found = [group._replace(moving=group.number < 3) for group in groups(9)]
    assert len(look(nodes, found).moves) == 1
    assert look(nodes, found, Policy(3, 60_000.0, 0, False)).moves == []


def test_nothing_is_balanced_while_a_node_is_merely_silent() -> None:
    nodes = machines(4)
    nodes["node-3"] = machine(3, alive=False, silent_ms=5000.0)
    assert look(nodes, groups(6)).moves == []


def test_fixed_groups_and_barred_nodes_are_left_alone() -> None:
    nodes = machines(4)
    nodes["node-4"] = machine(4, barred="another zone")
    assert look(nodes, groups(6)).moves == []
    assert look(machines(4), [group._replace(fixed=True) for group in groups(6)]).moves == []


@pytest.mark.parametrize(("members", "nodes", "get", "lose"), [(1, 3, True, False), (2, 3, True, False)])
def test_a_group_that_is_short_grows(members: int, nodes: int, get: bool, lose: bool) -> None:
    (group,) = groups(1)
    short = group._replace(members=group.members[:members], preferred=group.members[0])
    (move,) = look(machines(nodes), [short]).moves
    assert (bool(move.get), bool(move.lose)) == (get, lose)
    assert move.get not in short.members


def test_a_group_that_is_too_large_shrinks() -> None:
    (group,) = groups(1)
    (move,) = look(machines(4), [group._replace(members=(*group.members, "node-4"))]).moves
    assert (move.get, move.lose) == ("", "node-4")


def test_leaders_go_to_preferred_members_where_that_evens_them_out() -> None:
    found = [group._replace(leader="node-1") for group in groups(6)]
    transfers = look(machines(3), found).transfers
    assert [(each.group.leader, each.node) for each in transfers] == [("node-1", "node-2"), ("node-1", "node-3")] * 2
    assert look(machines(3), [groups(1)[0]._replace(leader="node-3")]).transfers == []
    assert look(machines(3), [group._replace(able=frozenset()) for group in found]).transfers == []
