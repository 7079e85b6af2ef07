"""How often auto-admin looks at all groups."""

from __future__ import annotations

from typing import Any, cast

from dynabus.auto_admin.placement.replanner import Machine, Policy
from dynabus.auto_admin.placement.rounds import QUIET_MS, ROUND_MS, Rounds


class Cluster:
    """As much of inventory and tables as a round needs; no tables, so that there is nothing to do."""

    def __init__(self) -> None:
        self.known = [Machine("node-1", "a", True), Machine("node-2", "b", True)]
        self.looked = 0

    def machines(self, _now_ms: float) -> list[Machine]:
        return self.known

    def groups(self, _states: Any) -> list[Any]:
        self.looked += 1
        return []

    def unregistered(self) -> list[Any]:
        return []

    def all(self) -> dict[str, Any]:
        return {}


def rounds_of(cluster: Cluster) -> Rounds:
    made = cast("Any", cluster)
    return Rounds(made, made, cast("Any", None), Policy(3, 60_000, 4, False))


def look(rounds: Rounds, from_ms: float, until_ms: float) -> None:
    now_ms = from_ms
    while now_ms < until_ms:
        rounds.look(now_ms, lambda *_: None)
        now_ms += ROUND_MS / 4


def test_while_nothing_is_to_be_done_all_groups_are_looked_at_seldom() -> None:
    cluster = Cluster()
    look(rounds_of(cluster), 1000.0, 1000.0 + 4 * QUIET_MS)
    assert 4 <= cluster.looked <= 5


def test_a_node_that_falls_silent_is_looked_at_in_the_next_round() -> None:
    cluster = Cluster()
    rounds = rounds_of(cluster)
    look(rounds, 1000.0, 1000.0 + 2 * ROUND_MS)
    before = cluster.looked
    cluster.known = [cluster.known[0], cluster.known[1]._replace(alive=False, silent_ms=5000.0)]
    look(rounds, 1000.0 + 2 * ROUND_MS, 1000.0 + 3 * ROUND_MS + 1.0)
    assert cluster.looked == before + 1


def test_how_long_a_node_is_silent_is_no_news() -> None:
    cluster = Cluster()
    rounds = rounds_of(cluster)
    cluster.known = [cluster.known[0]._replace(alive=False, silent_ms=1000.0)]
    look(rounds, 1000.0, 1000.0 + ROUND_MS)
    before = cluster.looked
    cluster.known = [cluster.known[0]._replace(silent_ms=2000.0)]
    look(rounds, 1000.0 + ROUND_MS, 1000.0 + 3 * ROUND_MS)
    assert cluster.looked == before
