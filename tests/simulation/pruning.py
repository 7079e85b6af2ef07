"""Auto-admin's part in pruning: it hears late what nodes have on disk, and deletes late, even when it is deposed."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from dynabus.core import pruning
from dynabus.core.ids import NodeName
from tests.simulation.audit import Violation
from tests.simulation.partitions import Partition

if TYPE_CHECKING:
    from tests.simulation.cluster import Cluster
    from tests.simulation.part import Part

DICE_SALT = 0xC10E
"""Dice of their own: histories in which nothing is pruned are the same as before anything was."""

LOOK_MS = 700.0
RECORDS_LEAST = 30
"""More than one that joins may be behind when it becomes a member; logs are short here."""


class Pruning:
    """Of all logs. `active`: this history has pruning, checkpoints, clones and damage."""

    def __init__(self, cluster: Cluster, dice: random.Random) -> None:
        self.cluster, self.world, self._dice = cluster, cluster.world, dice
        self.active = dice.random() < 0.45
        self.pruned = self.cloned = 0
        self._stated: dict[tuple[str, int], tuple[int, pruning.Durable]] = {}
        self.calm = False

    def plan(self, start_ms: float, end_ms: float) -> None:
        """Begin, and let some disks be damaged."""
        if self.active:
            self.world.after(start_ms, self._look)
            for _ in range(self._dice.randint(0, 3)):
                self.world.after(self._dice.uniform(start_ms, end_ms), self._damage)

    def clones(self) -> bool:
        """Whether a node of which nothing is here clones though it might replay."""
        return self.active and self._dice.random() < 0.6

    def committed(self, part: Part) -> None:
        """A node has committed: now and then it makes a checkpoint, and says so."""
        if not self.active or part.replica is None or part.disk.commits[-1][3].group is None:
            return
        if part.replica.alarm is not None or part.replica.standstill or part.is_stranger:
            return
        if self._dice.random() < 0.5:
            part.disk.keep()
            part.is_blank = part.was_wiped = False
        durable = part.durable
        if durable.offset > 0 and self._dice.random() < 0.8:
            delay_ms = self._dice.uniform(1.0, 3000.0)
            where = (part.node.name, part.partition.number)
            self.world.after(delay_ms, self._hear, where, part.node.incarnation, durable)

    def _hear(self, where: tuple[str, int], incarnation: int, word: pruning.Durable) -> None:
        known = self._stated.get(where, (0, pruning.NOTHING))
        self._stated[where] = max(known, (incarnation, word), key=_newness)

    def _stated_by(self, node: NodeName, partition: Partition) -> int:
        """A node that is down for good is not told from one that will be back: what it said counts."""
        said = self._stated.get((node, partition.number))
        return pruning.counted(said[1] if said is not None else None, partition.joined.get(node, 0))

    def _damage(self) -> None:
        """Some replica's bytes are not those that were written: put aside, its place is known."""
        parts = [part for node in self.cluster.nodes.values() if node.up for part in node.parts.values()]
        fit = [
            part
            for part in parts
            if part.is_repairable and part.replica and part.replica.leader is None and not part.is_last()
        ]
        if fit and not self.cluster.lossy:
            self.world.note("damage")
            self._dice.choice(fit).put_aside()

    def _look(self) -> None:
        self.world.after(LOOK_MS, self._look)
        for partition in [*self.cluster.partitions.values()]:
            log = self.cluster.logs[partition.number]
            until = self._until(partition)
            # A deposed one does it seconds later, when others decide.
            delay_ms = self._dice.uniform(0.0, 6000.0) if self._dice.random() < 0.3 else 1.0
            if until > log.start:
                self.world.after(delay_ms, self._delete, partition.number, until)

    def _delete(self, number: int, until: int) -> None:
        log = self.cluster.logs[number]
        # Behind the curtain: nothing is deleted of a log that lost records. A recovery's is as good as any.
        if not (self.cluster.lossy and number == 0) and until > log.start:
            self.pruned += until - log.start
            log.start = until

    def _until(self, partition: Partition) -> int:
        """As auto-admin computes it; and a look behind the curtain whether that is true."""
        log = self.cluster.logs[partition.number]
        if partition.closed:
            return len(log.records) if self._is_inherited(partition) else 0
        if partition.children or partition.frozen or partition.restoring:
            return 0
        nodes = {*partition.members, *partition.target}
        stated: dict[str, int] = {node: at for node in nodes if (at := self._stated_by(node, partition)) > 0}
        hold = pruning.lowest(
            [*pruning.needed(nodes, stated), pruning.Hold("youngest", max(0, len(log.records) - RECORDS_LEAST))]
        )
        self._check(partition, hold.offset)
        return hold.offset

    def _is_inherited(self, partition: Partition) -> bool:
        closed = {each.number: each.children for each in self.cluster.partitions.values() if each.closed}
        taken = {
            each.number: all(self._stated_by(node, each) > 0 for node in each.members)
            for each in self.cluster.partitions.values()
            if not each.closed
        }
        done = pruning.is_inherited(partition.number, closed, taken)
        if done and not self.cluster.lossy:
            for number in partition.children:
                self._check(self.cluster.partitions[number], 1)
        return done

    def _check(self, partition: Partition, until: int) -> None:
        """Every member that was not wiped since has it on disk, whatever becomes of its host."""
        if (self.cluster.lossy and partition.number == 0) or partition.closed:
            return
        for name in partition.members:
            part = self.cluster.nodes[name].parts.get(partition.number)
            if part is not None and not part.was_wiped and max(0, part.durable.offset) < until:
                raise Violation(f"partition {partition.number} is pruned past what {name} has on disk")


def _newness(said: tuple[int, pruning.Durable]) -> tuple[int, int, int]:
    incarnation, word = said
    return incarnation, word.plan, word.offset
