"""Auto-admin's part in a change of members: decide, let the new node replay, order the leader, close.

It dies, does everything twice, changes its mind, orders before anybody is ready, and sends orders of long ago once
more: whatever it does may cost time, and nothing else.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from dynabus.core.ids import NodeName
from dynabus.core.replication.membership import Wanted
from tests.simulation.partitions import Partition

if TYPE_CHECKING:
    from tests.simulation.cluster import Cluster

LOOK_MS = 300.0
DICE_SALT = 0x5EED
"""Dice of their own: histories without moves are the same as before there were any."""


class Moves:
    """Of replicas between four nodes, one at a time per partition."""

    def __init__(self, cluster: Cluster, dice: random.Random, count: int) -> None:
        self.cluster, self.world, self._dice, self._left = cluster, cluster.world, dice, count
        self._hasty = dice.random() < 0.25
        """It orders before the new node has replayed."""
        self._orders: list[tuple[int, Wanted]] = []
        self._away_until_ms = 0.0
        self.calm = False
        self.finished = 0

    def plan(self, start_ms: float, end_ms: float) -> None:
        """Begin at some time, and again when that is done."""
        self.world.after(self._dice.uniform(start_ms, end_ms), self.begin)

    def begin(self) -> None:
        """Decide for a partition that nothing else happens to."""
        free = [
            each
            for each in self.cluster.partitions.values()
            if not (each.closed or each.children or each.moving or each.frozen)
        ]
        if self.calm or self._left == 0:
            return
        if not free:
            self.world.after(LOOK_MS, self.begin)
            return
        partition = self._dice.choice(free)
        self._left -= 1
        outside = [name for name in self.cluster.nodes if name not in partition.members]
        leader = next((name for name in partition.members if self.cluster.nodes[name].leads(partition.number)), None)
        lose = leader if leader is not None and self._dice.random() < 0.4 else self._dice.choice(partition.members)
        get = self._dice.choice(outside)
        self._decide(partition, tuple(get if name == lose else name for name in partition.members), get)
        self.world.after(LOOK_MS, self._look, partition)
        if self._dice.random() < 0.4:
            self._surprise(lose)

    def _decide(self, partition: Partition, target: tuple[NodeName, ...], joining: NodeName | None) -> None:
        partition.plan += 1
        partition.target, partition.joining = target, joining
        if joining is not None:
            partition.joined[joining] = partition.plan
        self.world.note(f"plan {partition.plan} of {partition.number}: {', '.join(target)}")
        self._publish()

    def _surprise(self, lose: NodeName) -> None:
        """The member that leaves hears nothing of it, and claims."""
        node = self.cluster.nodes[lose]
        deaf_ms = self._dice.uniform(1000.0, 6000.0)
        node.log_deaf_until_ms = max(node.log_deaf_until_ms, self.world.now_ms + deaf_ms)
        for _ in range(self._dice.randint(1, 4)):
            self.world.after(self._dice.uniform(100.0, deaf_ms + 500.0), self._claim, lose)

    def _claim(self, name: NodeName) -> None:
        if self.cluster.nodes[name].up:
            self.cluster.nodes[name].claim()

    def _publish(self) -> None:
        for name in self.cluster.nodes:
            self.cluster.send(name, "metadata")

    def _look(self, partition: Partition) -> None:
        dice = self._dice
        self.world.after(LOOK_MS, self._look, partition)
        if not partition.moving or (self.world.now_ms < self._away_until_ms and not self.calm):
            return
        if dice.random() < 0.03 and not self.calm:
            self._away_until_ms = self.world.now_ms + dice.uniform(500.0, 4000.0)
        elif self._folded(partition) >= partition.plan:
            self._finish(partition)
        elif partition.joining is not None and dice.random() < 0.06 and not self.calm:
            self._decide(partition, partition.members, None)
        else:
            self._order(partition)

    def _folded(self, partition: Partition) -> int:
        parts = [node.parts.get(partition.number) for node in self.cluster.nodes.values() if node.up]
        groups = [part.replica.place.group for part in parts if part is not None and part.replica is not None]
        return max((group.plan for group in groups if group is not None), default=0)

    def _finish(self, partition: Partition) -> None:
        partition.members, partition.target, partition.joining = partition.target, (), None
        partition.joined = {node: by for node, by in partition.joined.items() if node in partition.members}
        self.finished += 1
        self.world.note(f"plan {partition.plan} of {partition.number} is done")
        self._publish()
        self.world.after(self._dice.uniform(0.0, 2000.0), self.begin)

    def _order(self, partition: Partition) -> None:
        dice, names = self._dice, list(self.cluster.nodes)
        if dice.random() < 0.3:
            self._publish()
        joining = self.cluster.nodes[partition.joining] if partition.joining is not None else None
        ready = joining is None or (joining.up and joining.has_caught_up(partition.number))
        if ready or (self._hasty and dice.random() < 0.3):
            wanted = Wanted(True, partition.generation, partition.plan, partition.target)
            self._orders.append((partition.number, wanted))
            self._send(partition.hint if dice.random() < 0.85 else dice.choice(names), partition.number, wanted)
        if self._orders and dice.random() < 0.3 and not self.calm:
            number, wanted = dice.choice(self._orders)
            for name in names:
                self._send(name, number, wanted._replace(configure=dice.random() < 0.9))

    def _send(self, name: str, number: int, wanted: Wanted) -> None:
        self.cluster.send(name or next(iter(self.cluster.nodes)), "regroup", number, wanted)
