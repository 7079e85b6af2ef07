"""Re-placement: which replicas move where, and which groups get another leader. Pure.

Inventory and policy in, plan out; the same inventory gives the same plan. In this order, few at a time:

1. a member on a node that is silent for long, or unknown, is replaced;
2. a draining node is emptied;
3. a group that is short of replicas gets one, one that has too many loses one;
4. if there was nothing of that, a node with two replicas fewer than another takes one of its;
5. leadership goes to a group's preferred member where the leader's node leads two groups more.

Never two moves in one group; never one that would leave a group without a majority of living members; never two
replicas in one zone where another zone exists for them, unless the policy says so. What cannot be done is a problem,
told and left alone: with three nodes and one dead there is nothing to move.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import NamedTuple

from dynabus.auto_admin.placement.planner import Move, changed


class Machine(NamedTuple):
    """A storage node. `barred`: why it gets no replicas, or empty."""

    name: str
    zone: str
    alive: bool
    silent_ms: float = 0.0
    draining: bool = False
    barred: str = ""

    @property
    def takes(self) -> bool:
        """It may get replicas."""
        return self.alive and not self.draining and not self.barred


class Group(NamedTuple):
    """A replication group, with the members that it shall have once its move, if any, is done.

    `fixed`: it is being split, made or deleted. `able`: members that could lead at once. `refused`: nodes that
    could not make a replica of it a moment ago.
    """

    table: str
    number: int
    plan: int
    members: tuple[str, ...]
    preferred: str
    leader: str | None
    moving: bool = False
    fixed: bool = False
    able: frozenset[str] = frozenset()
    refused: frozenset[str] = frozenset()

    def __str__(self) -> str:
        return f"{self.table}/{self.number}"


@dataclass(frozen=True, slots=True)
class Policy:
    """What the operator wants. `moves_most` counts those under way too."""

    replicas: int
    repair_after_ms: float
    moves_most: int
    double_up: bool


class Transfer(NamedTuple):
    """Of leadership, to the preferred member."""

    group: Group
    node: str


@dataclass(slots=True)
class Plan:
    """What to do now, and what cannot be done."""

    moves: list[Move] = field(default_factory=list)
    transfers: list[Transfer] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


class Replanner:
    """One look at the cluster."""

    def __init__(self, machines: Iterable[Machine], groups: Sequence[Group], policy: Policy) -> None:
        self._machines = {machine.name: machine for machine in machines}
        self._groups, self._policy = sorted(groups), policy
        self._load = Counter(node for group in groups for node in group.members)
        self._preferred = Counter(group.preferred for group in groups)
        zones = len({machine.zone for machine in self._machines.values()})
        self._zone_most = ceil(policy.replicas / zones) if zones else 0
        self._moving = {(group.table, group.number) for group in groups if group.moving}
        self._plan = Plan()

    def plan(self) -> Plan:
        """What to do now."""
        self._note_nodes()
        for rule in (self._lost, self._drained, self._uneven_size):
            for group in self._groups:
                for lose, why in rule(group):
                    self._replace(group, lose, why)
        settled = all(machine.alive or self._is_gone(machine.name) for machine in self._machines.values())
        if settled and not self._moving:
            self._balance()
        self._lead()
        return self._plan

    def refuse_drain(self, node: str) -> list[str]:
        """Why the node could not be emptied, or another that is being drained into it could not any more."""
        leaving = {name for name, machine in self._machines.items() if machine.draining} | {node}
        replicas = [(group, each) for group in self._groups for each in group.members if each in leaving]
        return [self._no_candidate(group, each) for group, each in replicas if self._candidate(group, each) is None]

    # -- which replicas --------------------------------------------------------------------------------------

    def _note_nodes(self) -> None:
        for machine in self._machines.values():
            if machine.barred:
                self._plan.problems.append(f"{machine.name} gets no replicas: {machine.barred}")
            elif not machine.alive and not self._is_gone(machine.name):
                left_s = (self._policy.repair_after_ms - machine.silent_ms) / 1000
                silent_s = machine.silent_ms / 1000
                self._plan.problems.append(
                    f"{machine.name} is silent for {silent_s:.0f} s; replaced in {left_s:.0f} s"
                )

    def _is_gone(self, node: str) -> bool:
        machine = self._machines.get(node)
        return machine is None or (not machine.alive and machine.silent_ms >= self._policy.repair_after_ms)

    def _lost(self, group: Group) -> Iterator[tuple[str, str]]:
        for node in group.members:
            if self._is_gone(node):
                yield node, f"{node} is silent"

    def _drained(self, group: Group) -> Iterator[tuple[str, str]]:
        for node in group.members:
            if node in self._machines and self._machines[node].draining:
                yield node, f"{node} is being drained"

    def _uneven_size(self, group: Group) -> Iterator[tuple[str, str]]:
        wanted = self._policy.replicas
        if len(group.members) > wanted:
            lose = max(group.members, key=lambda node: (self._same_zone(group, node), self._load[node], node))
            self._move(group, "", lose, f"{len(group.members)} replicas, {wanted} wanted")
        elif len(group.members) < min(wanted, sum(machine.takes for machine in self._machines.values())):
            yield "", f"{len(group.members)} replicas, {wanted} wanted"

    def _same_zone(self, group: Group, node: str) -> int:
        zone = self._zone(node)
        return sum(self._zone(each) == zone for each in group.members)

    # -- where to --------------------------------------------------------------------------------------------

    def _replace(self, group: Group, lose: str, why: str) -> None:
        if group.fixed or (group.table, group.number) in self._moving:
            return
        get = self._candidate(group, lose)
        if get is None:
            self._plan.problems.append(f"{group}: {why}, and {self._no_candidate(group, lose)}")
        else:
            self._move(group, get, lose, why)

    def _candidate(self, group: Group, lose: str) -> str | None:
        """The node with the fewest replicas in a zone that may have one more of this group."""
        used = Counter(self._zone(node) for node in group.members if node != lose)
        free = [
            machine
            for machine in self._machines.values()
            if machine.takes
            and machine.name not in (*group.members, *group.refused)
            and (used[machine.zone] < self._zone_most or self._policy.double_up)
        ]
        best = min(free, key=lambda each: (used[each.zone], self._load[each.name], each.name), default=None)
        return None if best is None else best.name

    def _no_candidate(self, group: Group, lose: str) -> str:
        zone = self._zone(lose)
        where = f"zone {zone} has no other node that could take its replica" if lose else "no zone has a node for it"
        refused = f"; it failed on {', '.join(sorted(group.refused))}" if group.refused else ""
        return f"{where}{refused}: {group} stays as it is (--double-up would put two into one zone)"

    def _zone(self, node: str) -> str:
        machine = self._machines.get(node)
        return machine.zone if machine is not None else ""

    def _move(self, group: Group, get: str, lose: str, why: str) -> None:
        place = (group.table, group.number)
        if group.fixed or place in self._moving or len(self._moving) >= self._policy.moves_most:
            return
        after = changed(group.members, get, lose)
        living = sum(node in self._machines and self._machines[node].alive for node in after)
        if 2 * living <= len(after):
            self._plan.problems.append(f"{group}: {why}, but only {living} of {len(after)} members would be alive")
            return
        preferred = self._prefer(group, get, after)
        self._plan.moves.append(Move(group.table, group.number, group.plan, get, lose, preferred, why))
        self._moving.add(place)
        self._load[get] += 1
        self._load[lose] -= 1

    def _prefer(self, group: Group, get: str, after: Sequence[str]) -> str:
        """The member that is preferred now, unless it goes or the new one is preferred much less often."""
        now, count = group.preferred, self._preferred
        if now in after and not (get and count[now] - count[get] >= 2):
            return now
        able = [node for node in after if self._takes(node)] or list(after)
        chosen = min(able, key=lambda node: (count[node], node))
        count[now] -= 1
        count[chosen] += 1
        return chosen

    def _takes(self, node: str) -> bool:
        machine = self._machines.get(node)
        return machine is not None and machine.takes

    # -- balance ---------------------------------------------------------------------------------------------

    def _balance(self) -> None:
        """Of nodes that differ by two replicas or more, the fuller gives one to the emptier."""
        while len(self._moving) < self._policy.moves_most:
            nodes = sorted(name for name in self._machines if self._takes(name))
            by_load = sorted(nodes, key=lambda node: self._load[node])
            pairs = (
                (group, light, heavy)
                for light in by_load
                for heavy in reversed(by_load)
                if self._load[heavy] - self._load[light] >= 2
                for group in self._groups
                if self._may_shift(group, light, heavy)
            )
            found = min(pairs, key=lambda each: each[0].leader == each[2], default=None)
            if found is None:
                return
            group, light, heavy = found
            before = len(self._moving)
            self._move(group, light, heavy, f"{heavy} has {self._load[heavy]} replicas, {light} {self._load[light]}")
            if len(self._moving) == before:
                return

    def _may_shift(self, group: Group, light: str, heavy: str) -> bool:
        if group.fixed or (group.table, group.number) in self._moving:
            return False
        if heavy not in group.members or light in (*group.members, *group.refused):
            return False
        used = Counter(self._zone(node) for node in group.members if node != heavy)
        zone = self._zone(light)
        return used[zone] < self._zone_most or zone == self._zone(heavy)

    def _lead(self) -> None:
        """Where the leader's node leads two more than the preferred member's."""
        leaders = Counter(group.leader for group in self._groups if group.leader)
        for group in self._groups:
            led, wanted = group.leader, group.preferred
            idle = not group.fixed and (group.table, group.number) not in self._moving
            if not led or led == wanted or not idle or wanted not in group.able or not self._takes(wanted):
                continue
            if leaders[led] - leaders[wanted] >= 2 and len(self._plan.transfers) < self._policy.moves_most:
                self._plan.transfers.append(Transfer(group, wanted))
                leaders[led] -= 1
                leaders[wanted] += 1
