"""What goes wrong, when, and to whom: all chosen by the seed."""

from __future__ import annotations

from collections.abc import Callable

from tests.simulation.cluster import Cluster
from tests.simulation.node import Node


class Faults:
    """Throws faults at a cluster for a while, then mends everything."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster, self.world = cluster, cluster.world
        self._kinds: tuple[tuple[int, Callable[[Node], None]], ...] = (
            (5, self.kill),
            (2, self.host_crash),
            (6, self.pause),
            (4, self.resign),
            (4, self.log_deaf),
            (3, self.deaf),
            (4, self.bad_appends),
            (3, self.broker_stall),
            (4, self.stalls),
            (3, self.slow),
            (2, self.bad_network),
            (2, self.wall_jump),
            (2, self.restart_quickly),
            (1, self.kill_all),
            (5, self.rash_claim),
            (8, self.depose),
            (4, self.hand_round),
            (3, self.restart_and_claim),
            (4, self.late_claim),
            (4, self.lost_report),
            (4, self.resign_unheard),
            (2, self.wipe),
        )

    def plan(self, count: int, start_ms: float, end_ms: float) -> None:
        """`count` faults at random times; two thirds of them hit the leader."""
        weights = [weight for weight, _ in self._kinds]
        for _ in range(count):
            _, fault = self.world.random.choices(self._kinds, weights)[0]
            self.world.after(self.world.random.uniform(start_ms, end_ms), self._throw, fault)

    def _throw(self, fault: Callable[[Node], None]) -> None:
        leader = self.cluster.leader()
        up = [node for node in self.cluster.nodes.values() if node.up]
        if not up:
            self.world.after(300.0, self._throw, fault)
            return
        node = self.world.random.choice(up)
        if leader is not None and self.world.random.random() < 0.67:
            node = leader
        self.world.fault(f"{fault.__name__} {node.name}")
        fault(node)

    def mend(self) -> None:
        """All faults end; what was down starts."""
        troubles = self.cluster.log.troubles
        troubles.lost = troubles.late = troubles.ack_lost = troubles.doubled = 0.0
        troubles.message_lost = 0.0
        if troubles.stalled:
            self.cluster.go_on()
        for node in self.cluster.nodes.values():
            node.paused_until_ms = min(node.paused_until_ms, self.world.now_ms)
            node.deaf_until_ms = node.log_deaf_until_ms = 0.0
            node.stall_chance = 0.0
            node.fetch_ms = 2.0
            if node.up and node.stopping:
                node.crash(0)
            node.start()

    # -- the faults -------------------------------------------------------------------------------------------

    def _later_ms(self, longest_ms: float) -> float:
        return self.world.random.uniform(50.0, longest_ms)

    def kill(self, node: Node) -> None:
        node.crash(0)
        self.world.after(self._later_ms(7000.0), node.start)

    def restart_quickly(self, node: Node) -> None:
        node.crash(0)
        self.world.after(self.world.random.uniform(5.0, 600.0), node.start)

    def host_crash(self, node: Node) -> None:
        node.crash(self.world.random.randint(1, 4))
        self.world.after(self._later_ms(7000.0), node.start)

    def wipe(self, node: Node) -> None:
        """The disk is gone: everything is read again, the logs of ancestors too."""
        if any(part.is_last() for part in node.parts.values()):
            return
        node.wipe()
        self.world.after(self._later_ms(3000.0), node.start)

    def kill_all(self, node: Node) -> None:
        for other in self.cluster.nodes.values():
            other.crash(0)
            self.world.after(self._later_ms(3000.0), other.start)

    def pause(self, node: Node) -> None:
        node.paused_until_ms = self.world.now_ms + self._later_ms(9000.0)

    def stalls(self, node: Node) -> None:
        node.stall_chance = 0.2
        self.world.after(self._later_ms(4000.0), self._no_stalls, node)

    def _no_stalls(self, node: Node) -> None:
        node.stall_chance = 0.0

    def resign(self, node: Node) -> None:
        node.stop()
        self.world.after(500.0 + self._later_ms(5000.0), node.start)

    def deaf(self, node: Node) -> None:
        node.deaf_until_ms = self.world.now_ms + self._later_ms(8000.0)

    def log_deaf(self, node: Node) -> None:
        node.log_deaf_until_ms = self.world.now_ms + self._later_ms(8000.0)

    def rash_claim(self, node: Node) -> None:
        """A node claims without any reason: elections are for liveness, safety may not depend on them."""
        other = self.world.random.choice([each for each in self.cluster.nodes.values() if each is not node])
        if other.up:
            other.claim()

    def depose(self, node: Node) -> None:
        """The leader loses its term and does not notice for a while."""
        if self.world.random.random() < 0.3:
            self.wall_jump(node)
        self.world.random.choice([self.log_deaf, self.slow, self.stalls, self.pause])(node)
        for _ in range(self.world.random.randint(1, 2)):
            self.world.after(self._later_ms(1500.0), self.rash_claim, node)

    def hand_round(self, node: Node) -> None:
        """The leader is deaf to its log, another claims and, still deferring, resigns to a third."""
        self.log_deaf(node)
        self.world.after(20.0, self.rash_claim, node)
        self.world.after(20.0 + self._later_ms(1200.0), self._resign_leader, node)

    def late_claim(self, node: Node) -> None:
        """Another node's claim is given up and lands seconds later, when the leader does not notice."""
        troubles = self.cluster.log.troubles
        troubles.late, troubles.late_most_ms = 1.0, 4000.0
        self.rash_claim(node)
        self.world.after(130.0, self._good_appends)
        self.world.after(self.world.random.uniform(2000.0, 2600.0), self.log_deaf, node)

    def lost_report(self, node: Node) -> None:
        """The leader's records land, their reports do not, it reads slowly, and another claims meanwhile."""
        self.cluster.log.troubles.ack_lost = 1.0
        node.fetch_ms = 5000.0
        self.world.after(150.0, self._good_appends)
        self.world.after(160.0, self.rash_claim, node)
        self.world.after(self._later_ms(8000.0), self._fast, node)

    def resign_unheard(self, node: Node) -> None:
        """The leader resigns, its successor reads that at once, itself much later."""
        self.log_deaf(node)
        self.resign(node)

    def _resign_leader(self, deaf: Node) -> None:
        for other in self.cluster.nodes.values():
            if other is not deaf and any(other.leads(number) for number in self.cluster.partitions):
                self.resign(other)

    def restart_and_claim(self, node: Node) -> None:
        """A follower that has read everything restarts and claims, while the leader does not notice."""
        self.log_deaf(node)
        other = self.world.random.choice([each for each in self.cluster.nodes.values() if each is not node])
        if other.up:
            other._commit()
            other.crash(0)
            self.world.after(50.0, other.start)
            self.world.after(300.0, self._claim, other)

    def _claim(self, node: Node) -> None:
        if node.up:
            node.claim()

    def slow(self, node: Node) -> None:
        node.fetch_ms = self.world.random.choice([100.0, 600.0, 2500.0, 6000.0])
        self.world.after(self._later_ms(8000.0), self._fast, node)

    def _fast(self, node: Node) -> None:
        node.fetch_ms = 2.0

    def bad_appends(self, node: Node) -> None:
        troubles, dice = self.cluster.log.troubles, self.world.random
        troubles.lost, troubles.late = dice.choice([0.0, 0.05, 0.2]), dice.choice([0.05, 0.2])
        troubles.ack_lost, troubles.doubled = dice.choice([0.0, 0.1]), dice.choice([0.0, 0.2])
        troubles.late_most_ms = dice.choice([3000.0, 9000.0])
        self.world.after(self._later_ms(5000.0), self._good_appends)

    def _good_appends(self) -> None:
        troubles = self.cluster.log.troubles
        troubles.lost = troubles.late = troubles.ack_lost = troubles.doubled = 0.0

    def broker_stall(self, node: Node) -> None:
        if not self.cluster.log.troubles.stalled:
            self.cluster.log.troubles.stalled = True
            self.world.after(self._later_ms(7000.0), self._broker_back)

    def _broker_back(self) -> None:
        if self.cluster.log.troubles.stalled:
            self.cluster.go_on()

    def bad_network(self, node: Node) -> None:
        self.cluster.log.troubles.message_lost = self.world.random.choice([0.1, 0.4])
        self.world.after(self._later_ms(4000.0), self._good_network)

    def _good_network(self) -> None:
        self.cluster.log.troubles.message_lost = 0.003

    def wall_jump(self, node: Node) -> None:
        node.wall_jump_ms = self.world.random.choice([-86_400_000, -5000, 5000, 86_400_000])

    def lose_tail(self, node: Node) -> None:
        """Kafka loses acknowledged records (unclean election, a wiped broker)."""
        log = self.cluster.log
        count = self.world.random.randint(1, max(1, min(20, len(log.records) - 3)))
        if len(log.records) - count >= 3:
            self.cluster.lose_tail(count)
