"""The active auto-admin's rounds: once a second it looks whether replicas or leaders should be elsewhere.

What moves is a decision in the admin log and goes on from there (`moving`); a transfer of leadership is an order,
which may get lost and is given again in a later round. A round that finds nothing costs a look at each group.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dynabus.adapters.logs import logger
from dynabus.auto_admin.placement import moves, nodes
from dynabus.auto_admin.placement.inventory import Inventory
from dynabus.auto_admin.placement.moving import Moving
from dynabus.auto_admin.placement.planner import Candidate
from dynabus.auto_admin.placement.replanner import Machine, Plan, Policy, Replanner
from dynabus.auto_admin.tables.decisions import table_key
from dynabus.auto_admin.tables.progress import Tables
from dynabus.core.replication.store import Evaluate

ROUND_MS = 1000.0
"""Heartbeats come every 1.5 s; nothing that is seen here is urgent."""

QUIET_MS = 5000.0
"""While nothing is under way, nothing was to be done and no node has come or gone: with a thousand partitions a round
takes milliseconds."""

SHOWN_MOST = 200
"""Lines of a kind in an answer: a plan may have thousands, and a person reads the first few."""

Decide = Callable[[bytes, Evaluate], None]
"""(key, evaluate): append a decision of our own."""


class Rounds:
    """Looks, decides, and tells what it would do."""

    def __init__(self, inventory: Inventory, tables: Tables, moving: Moving, policy: Policy) -> None:
        self.inventory = inventory
        self._tables, self._moving, self._policy = tables, moving, policy
        self._due_ms = self._quiet_until_ms = 0.0
        self._machines: list[Machine] = []
        self._known_problems: set[str] = set()

    def look(self, now_ms: float, decide: Decide) -> None:
        """A round, if it is due."""
        if now_ms < self._due_ms:
            return
        self._due_ms = now_ms + ROUND_MS
        for name, zone in self.inventory.unregistered():
            decide(nodes.node_key(name), nodes.register(name, zone))
        if self._is_quiet(now_ms):
            return
        plan = self.plan(now_ms)
        if not (plan.moves or plan.transfers or self._is_moving()):
            self._quiet_until_ms = now_ms + QUIET_MS
        for move in plan.moves:
            logger().info("move", **move._asdict())
            decide(table_key(move.table), moves.begin(move))
        for transfer in plan.transfers:
            self._transfer(transfer.group.table, transfer.group.number, transfer.node, now_ms)
        self._warn(plan)

    def _is_quiet(self, now_ms: float) -> bool:
        before, self._machines = (
            self._machines,
            [each._replace(silent_ms=0.0) for each in self.inventory.machines(now_ms)],
        )
        return now_ms < self._quiet_until_ms and self._machines == before

    def _is_moving(self) -> bool:
        return any("move" in each for state in self._tables.all().values() for each in state.partitions)

    def _transfer(self, table: str, number: int, node: str, now_ms: float) -> None:
        state = self._tables.named(table)
        for partition in state.partitions if state is not None else ():
            if state is not None and partition["number"] == number:
                self._moving.tell(state, partition, "transfer", [node], now_ms)

    def _warn(self, plan: Plan) -> None:
        """Each problem once, as long as it lasts; how long a node is silent changes and is no other problem."""
        problems = {problem for problem in plan.problems if " is silent for " not in problem}
        for problem in sorted(problems - self._known_problems)[:SHOWN_MOST]:
            logger().warning("placement", problem=problem)
        self._known_problems = problems

    # -- asked ------------------------------------------------------------------------------------------------

    def plan(self, now_ms: float) -> Plan:
        """What is to be done now."""
        return self._replanner(now_ms).plan()

    def refuse_drain(self, node: str, now_ms: float) -> list[str]:
        """Why the node could not be emptied."""
        return self._replanner(now_ms, node).refuse_drain(node)

    def candidates(self, now_ms: float) -> list[Candidate]:
        """Nodes that take replicas of new tables, those too that were first heard a moment ago."""
        known = [Candidate(each.name, each.zone) for each in self.inventory.machines(now_ms) if each.takes]
        return known + [Candidate(*each) for each in self.inventory.unregistered()]

    def replicas(self, node: str) -> int:
        """How many the node has, those too that are on their way from or to it."""
        partitions = [each for state in self._tables.all().values() for each in state.partitions]
        return sum(node in {*each["members"], *moves.target(each)} for each in partitions)

    def _replanner(self, now_ms: float, drained: str = "") -> Replanner:
        machines = [
            each._replace(draining=True) if each.name == drained else each for each in self.inventory.machines(now_ms)
        ]
        groups = [
            each._replace(refused=self._moving.refused(each.table, each.number, now_ms))
            for each in self.inventory.groups(self._tables.all())
        ]
        return Replanner(machines, groups, self._policy)

    def describe(self, now_ms: float) -> dict[str, Any]:
        """The answer to DescribePlan: nodes, what is under way, what would be done and why."""
        plan, groups = self.plan(now_ms), self.inventory.groups(self._tables.all())
        return {
            "Nodes": [self._node(each.name, now_ms) for each in self.inventory.rows().values()],
            "UnderWay": [line for state in self._tables.all().values() for line in under_way(state)][:SHOWN_MOST],
            "Moves": [move._asdict() for move in plan.moves[:SHOWN_MOST]],
            "Transfers": [
                {"table": each.group.table, "number": each.group.number, "from": each.group.leader, "to": each.node}
                for each in plan.transfers[:SHOWN_MOST]
            ],
            "Problems": plan.problems[:SHOWN_MOST],
            "Groups": len(groups),
        }

    def _node(self, name: str, now_ms: float) -> dict[str, Any]:
        row = self.inventory.rows()[name]
        machine = next((each for each in self.inventory.machines(now_ms) if each.name == name), None)
        groups = self.inventory.groups(self._tables.all())
        return {
            "name": name,
            "zone": row.zone,
            "state": row.state,
            "alive": machine is not None and machine.alive,
            "replicas": self.replicas(name),
            "leaders": sum(group.leader == name for group in groups),
        }


def under_way(state: Any) -> list[dict[str, Any]]:
    """The moves of one table that were decided and are not done."""
    return [
        {
            "table": state.name,
            "number": each["number"],
            "plan": moves.plan_of(each),
            **{name: each["move"][name] for name in ("get", "lose", "why", "since_ms")},
        }
        for each in moves.moving(state)
    ]
