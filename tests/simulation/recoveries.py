"""Kafka lost acknowledged records: what auto-admin and an operator do about it, until the partition serves again.

The decision freezes, an operator who has waited until all nodes are up looks at all places and chooses with the
command's own `choose`, the successor's log begins behind a fence, its one node restores, and the others join.
Auto-admin dies in between, and so does the chosen node.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dynabus.cli.recover import choose
from dynabus.core.ids import NodeName
from dynabus.core.replication.membership import Wanted
from dynabus.core.replication.records import Envelope, Form, Genesis, Kind, Recovered, encode_record
from dynabus.core.replication.standstill import encode_fence
from tests.simulation.audit import Violation
from tests.simulation.kafka import ADMIN, BODIES, Log
from tests.simulation.part import Part
from tests.simulation.partitions import Partition

if TYPE_CHECKING:
    from tests.simulation.cluster import Cluster

LOOK_MS = 300.0

LOOK_AT_IT_MS = 3000.0
"""Before an operator decides: replicas have committed by then what they hold."""

RECOVERED_BOUND_MS = 45_000.0
"""After the last fault: ten seconds until it is frozen, the operator's look, an election of the successor, replay by
two others one after the other, each with an order that may get lost."""


class Recoveries:
    """Of the first partition, the only one that loses anything."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster, self.world = cluster, cluster.world
        self.calm = False
        self.done = 0
        self._frozen_ms: float | None = None
        self._away_until_ms = 0.0
        self._successor: Partition | None = None
        self._killed = self._twice = False

    def begin(self) -> None:
        """Watch from now on."""
        self.world.after(LOOK_MS, self._look)

    @property
    def under_way(self) -> bool:
        """It was found that something is lost, and not all is well again."""
        successor = self._successor
        return self._frozen_ms is not None and (successor is None or len(successor.members) < 3)

    def _look(self) -> None:
        self.world.after(LOOK_MS, self._look)
        if self.world.now_ms < self._away_until_ms:
            return
        if self.world.random.random() < 0.03:
            # It dies; its successor begins at the top.
            self._away_until_ms = self.world.now_ms + self.world.random.uniform(500.0, 3000.0)
            return
        frozen, successor = self.cluster.partitions[0], self._successor
        if self._frozen_ms is None:
            self._freeze(frozen)
        elif successor is None:
            if self.calm and self.world.now_ms >= self._frozen_ms + LOOK_AT_IT_MS:
                self._recover(frozen)
        elif not frozen.closed:
            self._go_on(frozen, successor)
        else:
            self._join(successor)

    def _parts(self) -> dict[NodeName, Part]:
        return {name: node.parts[0] for name, node in self.cluster.nodes.items() if node.up and 0 in node.parts}

    def _publish(self) -> None:
        for name in self.cluster.nodes:
            self.cluster.send(name, "metadata")

    def _freeze(self, partition: Partition) -> None:
        if any(part.replica is not None and part.replica.lost for part in self._parts().values()):
            self._frozen_ms = self.world.now_ms
            partition.frozen = True
            partition.target, partition.joining = (), None
            self.world.note("partition 0 is frozen")
            self._publish()

    # -- the operator -----------------------------------------------------------------------------------------

    def _recover(self, frozen: Partition) -> None:
        here = self._parts()
        # Where there is nothing left, and nobody to clone, the operator says that it is done without.
        parts = {name: part for name, part in here.items() if part.incoming is None}
        waiting = [name for name in frozen.members if name not in here]
        stopped = all(part.replica is not None and part.replica.alarm for part in parts.values())
        if waiting or not parts or not stopped:
            self._publish()
            return
        places = {str(name): part.whereabouts() for name, part in parts.items()}
        chosen = NodeName(choose(places, None))
        log, number = self.cluster.log, len(self.cluster.partitions)
        place = parts[chosen].replica.place  # type: ignore[union-attr]
        assert place.group is not None
        check_choice(chosen, places, {name: part.disk.history for name, part in parts.items()})
        told = places[chosen]
        at = (place.reign.term, place.next_sequence, place.next_offset)
        recovered = Recovered(0, 1, chosen, *at, place.chain, bytes.fromhex(told["checksum"]))
        self._successor = Partition(number, 2, b"", None, (), chosen, (chosen,), restoring=True)
        self.cluster.partitions[number] = self._successor
        self.cluster.logs[number] = new = Log(self.world, (chosen,), Form.RECOVERY, number, troubles=log.troubles)
        new.auditor.goes_on_from(parts[chosen].disk.history)
        self._genesis = genesis(recovered, place.log_time_ms)
        self.world.note(f"partition 0 is recovered as {number}, from {chosen}")
        self._renew()
        self._publish()

    def _renew(self) -> None:
        """Twice now and then: the one that does it dies before it says so."""
        assert self._successor is not None
        self.cluster.log.land(encode_fence(1, ADMIN, BODIES))
        self.cluster.logs[self._successor.number].land(self._genesis)

    def _go_on(self, frozen: Partition, successor: Partition) -> None:
        dice, node = self.world.random, self.cluster.nodes[successor.preferred]
        if not self._twice and dice.random() < 0.2:
            self._twice = True
            self._renew()
        if dice.random() < 0.3:
            self._publish()
        if not self._killed and dice.random() < 0.3:
            self._killed = True
            node.crash(0)
            self.world.after(dice.uniform(50.0, 2000.0), node.start)
        part = node.parts.get(successor.number) if node.up else None
        group = part.replica.place.group if part is not None and part.replica is not None else None
        if group is not None and group.plan >= 1 and node.leads(successor.number):
            frozen.closed, frozen.children = True, [successor.number]
            successor.plan, successor.restoring = 1, False
            self.cluster.succeed(successor)
            self.world.note(f"partition {successor.number} takes the place of 0")
            self.done += 1
            self._publish()

    def _join(self, partition: Partition) -> None:
        if len(partition.members) >= 3:
            return
        if self.world.random.random() < 0.3:
            self._publish()
        if not partition.moving:
            joining = next(name for name in self.cluster.nodes if name not in partition.members)
            partition.plan += 1
            partition.joining, partition.target = joining, (*partition.members, joining)
            self._publish()
            return
        assert partition.joining is not None
        parts = [node.parts.get(partition.number) for node in self.cluster.nodes.values() if node.up]
        groups = [part.replica.place.group for part in parts if part is not None and part.replica is not None]
        if any(group is not None and group.plan >= partition.plan for group in groups):
            partition.members, partition.target, partition.joining = partition.target, (), None
            self._publish()
        elif self.cluster.nodes[partition.joining].has_caught_up(partition.number):
            wanted = Wanted(True, partition.generation, partition.plan, partition.target)
            self.cluster.send(partition.hint or partition.preferred, "regroup", partition.number, wanted)


History = list[tuple[bytes, int, bytes | None]]


def check_choice(chosen: NodeName, places: dict[str, Any], histories: dict[NodeName, History]) -> None:
    """Nobody may hold more of what the log has lost: more than the chosen one, or anything if that holds nothing."""
    mine = histories[chosen]
    for node, theirs in histories.items():
        if places[node]["in_log"] or theirs == mine[: len(theirs)]:
            continue
        if places[chosen]["in_log"] or theirs[: len(mine)] == mine:
            raise Violation(f"the recovery from {chosen} loses what {node} holds")


def genesis(recovered: Recovered, log_time_ms: int) -> bytes:
    """As auto-admin writes it."""
    body = Genesis(Form.RECOVERY, b"", None, (recovered.node,), recovered.term, recovered)
    number, encoded = BODIES.encode(Kind.GENESIS, body)
    envelope = Envelope(2, recovered.term, 0, recovered.chain, log_time_ms, ADMIN, 0, Kind.GENESIS)
    return encode_record(envelope, number, encoded)
