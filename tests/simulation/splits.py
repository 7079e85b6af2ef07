"""Auto-admin's part in a split: decide, let nodes prepare, order the seal, close the parent."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from dynabus.core.ids import NodeName
from tests.simulation.partitions import Partition

if TYPE_CHECKING:
    from tests.simulation.cluster import Cluster

AT = (b"k2", b"k1")
"""The first split parts the two keys; the second leaves one side empty, which is legal."""

LOOK_MS = 300.0


class Splits:
    """Splits the first partition, and perhaps one of its children. Until it `stops` it may do everything twice.

    `contested`: most seals are ordered while somebody else claims, which few histories see otherwise.
    """

    at: ClassVar[tuple[bytes, bytes]] = AT

    def __init__(self, cluster: Cluster, count: int, contested: bool = False) -> None:
        self.cluster, self.world = cluster, cluster.world
        self.left, self.contested = count, contested
        dice = self.world.random
        self.hasty = dice.random() < 0.25
        """It orders the seal without waiting for heirs: that must cost time only."""
        self.away_until_ms = 0.0
        self.calm = False
        """No trouble any more: what is under way is brought to its end."""

    def begin(self, number: int = 0) -> None:
        """Decide, and go on looking."""
        if self.left == 0 or self.calm:
            return
        parent = self.cluster.partitions[number]
        if parent.moving:
            self.world.after(LOOK_MS, self.begin, number)
            return
        self.left -= 1
        at = self.at[len(parent.lineage)]
        names = parent.members
        preferred = self.world.random.choice(names), self.world.random.choice(names)
        self.cluster.decide(parent, parent.split(at, len(self.cluster.partitions), preferred))
        self.world.note(f"split {number} into {parent.children}")
        self._publish()
        self.world.after(LOOK_MS, self._look, parent)

    def settle(self) -> None:
        """The faults are over. Metadata that a node missed is told again: the real topic is a log."""
        self.calm, self.away_until_ms = True, 0.0
        self._publish()

    def _publish(self) -> None:
        for name in self.cluster.nodes:
            self.cluster.send(name, "metadata")

    def _look(self, parent: Partition) -> None:
        dice, cluster = self.world.random, self.cluster
        if parent.closed:
            return
        self.world.after(LOOK_MS, self._look, parent)
        if self.world.now_ms < self.away_until_ms:
            return
        if dice.random() < 0.02 and not self.calm:
            # It dies; its successor begins at the top.
            self.away_until_ms = self.world.now_ms + dice.uniform(500.0, 5000.0)
            return
        if all(cluster.led(number) for number in parent.children):
            parent.closed = True
            self.world.note(f"partition {parent.number} is closed")
            self._publish()
            if dice.random() < 0.5:
                self.world.after(dice.uniform(0.0, 2000.0), self.begin, parent.children[0])
            return
        if dice.random() < 0.3:
            self._publish()
        if self.hasty or self._ready(parent):
            names = list(cluster.nodes)
            target = parent.hint if dice.random() < 0.9 and parent.hint else dice.choice(names)
            children = tuple(cluster.partitions[number].child for number in parent.children)
            order = (target, "seal", parent.number, parent.generation, children)
            if self.contested and not self.calm and dice.random() < 0.5:
                # The seal comes behind a claim that the leader has not read.
                self._rival(target)
                self._deafen(target)
                self.world.after(dice.uniform(0.0, 200.0), cluster.send, *order)
                return
            cluster.send(*order)
            if dice.random() < 0.15 and not self.calm:
                # Everybody but the leader reads the seal.
                self.world.after(dice.uniform(1.0, 6.0), self._deafen, target)
            elif self.contested and not self.calm:
                # Behind the seal comes a claim, of somebody who has read it, or not.
                self.world.after(dice.uniform(0.0, 12.0), self._rival, target)
        elif dice.random() < (0.5 if self.contested else 0.1) and not self.calm:
            self._depose(parent)

    def _rival(self, name: str) -> None:
        """Another node claims."""
        others = [node for node in self.cluster.nodes.values() if node.name != name and node.up]
        if others:
            self.world.random.choice(others).claim()

    def _deafen(self, name: str) -> None:
        node, until_ms = self.cluster.nodes[NodeName(name)], self.world.random.uniform(500.0, 4000.0)
        node.log_deaf_until_ms = max(node.log_deaf_until_ms, self.world.now_ms + until_ms)

    def _depose(self, parent: Partition) -> None:
        """The leader does not notice that another claims, which is ordered to seal while it still defers."""
        dice, nodes = self.world.random, self.cluster.nodes
        leader = next((node for node in nodes.values() if node.leads(parent.number)), None)
        others = [node for node in nodes.values() if node is not leader and node.up]
        if leader is None or not others:
            return
        self._deafen(leader.name)
        other = dice.choice(others)
        other.claim()
        children = tuple(self.cluster.partitions[number].child for number in parent.children)
        for _ in range(4):
            delay_ms, order = dice.uniform(5.0, 400.0), (parent.number, parent.generation, children)
            self.world.after(delay_ms, self.cluster.send, other.name, "seal", *order)

    def _ready(self, parent: Partition) -> bool:
        """Every living member follows closely, and those are a majority."""
        members = [self.cluster.nodes[name] for name in parent.members]
        states = [node.follows(parent) for node in members if node.up]
        return all(states) and 2 * len(states) > len(members)
