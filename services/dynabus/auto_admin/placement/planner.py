"""Placement: which nodes hold which replicas. Pure; the same inventory gives the same plan.

Each group is spread over as many zones as there are; among the nodes of a zone the one with the fewest replicas is
taken; the preferred leader is the member that is preferred least often so far.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple


class Candidate(NamedTuple):
    """A storage node that can take replicas."""

    name: str
    zone: str


class Placement(NamedTuple):
    """The replication group of one partition; `preferred` claims first."""

    members: tuple[str, ...]
    preferred: str


@dataclass
class Load:
    """How many replicas, and how many preferred ones, each node has already."""

    replicas: Counter[str] = field(default_factory=Counter)
    preferred: Counter[str] = field(default_factory=Counter)

    def add(self, placement: Placement) -> None:
        self.replicas.update(placement.members)
        self.preferred[placement.preferred] += 1


def plan(partitions: int, candidates: Iterable[Candidate], load: Load, replicas: int) -> list[Placement]:
    """A placement per partition; at least one candidate is needed. `load` is brought up to date."""
    nodes = sorted(candidates)
    if not nodes:
        raise ValueError("no storage node to place replicas on")
    placements = []
    for _ in range(partitions):
        members = _members(nodes, load, replicas)
        preferred = min(members, key=lambda name: (load.preferred[name], name))
        placement = Placement(tuple(members), preferred)
        load.add(placement)
        placements.append(placement)
    return placements


def _members(nodes: Sequence[Candidate], load: Load, replicas: int) -> list[str]:
    chosen: list[Candidate] = []
    while len(chosen) < min(replicas, len(nodes)):
        used = Counter(node.zone for node in chosen)
        free = [node for node in nodes if node not in chosen]
        chosen.append(min(free, key=lambda node: (used[node.zone], load.replicas[node.name], node.name)))
    return [node.name for node in chosen]


class Move(NamedTuple):
    """Of one group: `get` and `lose` are nodes or empty. `plan` is the partition's before the move."""

    table: str
    number: int
    plan: int
    get: str
    lose: str
    preferred: str
    why: str


def changed(members: Sequence[str], get: str, lose: str) -> list[str]:
    """The members after a move: `get` in the place of `lose`, or behind all."""
    kept = [get if each == lose and get else each for each in members if each != lose or get]
    return kept if not get or get in kept else [*kept, get]
