"""Three nodes, or four, one log, a few routers, and the network between them."""

from __future__ import annotations

from typing import Any

from dynabus.core.ids import NodeName
from dynabus.core.messages import Heartbeat, ReplicaState
from dynabus.core.replication.effects import Query, Respond, Timing, Write
from dynabus.core.replication.place import Reign
from dynabus.core.replication.records import Form
from dynabus.core.replication.replica import Replica
from tests.simulation.audit import Linearizability, Violation
from tests.simulation.client import Client, RowsClient
from tests.simulation.disk import Disk
from tests.simulation.forgetting import Abroad
from tests.simulation.global_tables import FLOORS, WALL_MS, RegionsClient, declare
from tests.simulation.kafka import Log
from tests.simulation.node import Node
from tests.simulation.part import Part
from tests.simulation.partitions import Partition
from tests.simulation.pruning import Pruning
from tests.simulation.region_truth import Truth
from tests.simulation.world import World

KEYS = (b"k1", b"k2")
CLIENTS = 4
ROWS_CLIENTS = 6
"""So many that leaders gather what several of them write."""
REGIONS_CLIENTS = 4


class Cluster:
    """One replication group and everything around it."""

    def __init__(
        self,
        world: World,
        timing: Timing,
        pause_ms: float,
        spare: bool = False,
        gathers: bool = False,
        regions: bool = False,
    ) -> None:
        self.world = world
        self.keys = KEYS
        names = [NodeName(f"node-{zone}") for zone in "abc"]
        self.log = Log(world, tuple(names), Form.NEW)
        self.logs = {0: self.log}
        first = Partition(0, 1, b"", None, (), names[0], tuple(names), hint=names[0], old_hint=names[0])
        self.partitions = {0: first}
        self.nodes = {name: Node(self, name, timing) for name in names}
        if spare:
            self.nodes[NodeName("node-d")] = Node(self, NodeName("node-d"), timing)
        self.linear = Linearizability(self.log.auditor)
        self.clients = [Client(self, number + 1, pause_ms) for number in range(CLIENTS)]
        if gathers:
            numbers = range(CLIENTS + 1, CLIENTS + 1 + ROWS_CLIENTS)
            self.clients += [RowsClient(self, number, pause_ms / 5) for number in numbers]
        self.deletes = not regions
        """Of rows that are none of `core.rows`, of which a global table has no tombstones."""
        self.floors = FLOORS
        """What metadata say of the global table's regions."""
        self.global_from_ms = {name: float("inf") for name in self.nodes}
        """When each node hears that the table is global."""
        if regions:
            self.global_from_ms = {name: world.random.uniform(200.0, 6000.0) for name in self.nodes}
            free = len(self.clients) + 1
            self.clients += [RegionsClient(self, free + at, pause_ms / 2) for at in range(REGIONS_CLIENTS)]
        self.abroad = Abroad(world.random)
        """Other regions, which are played here, and say what they have decided."""
        self.pruning: Pruning
        self._channels: dict[tuple[str, str], float] = {}
        self.lossy = False
        """Kafka lost acknowledged records: from then on only agreement is promised (I9)."""
        self.same_epoch = False
        """That happened in a way that Kafka's leader epochs do not tell."""
        self.witnesses: dict[NodeName, int] = {}
        """Nodes whose disks hold what was lost, and up to where: only a broken disk may take it from them."""
        self.recovered = False
        """Its successor serves: all is promised again, of what was recovered."""
        self._digests: dict[bytes, int] = {}
        self._operations = 0

    def begin(self) -> None:
        self.log.begin()
        for node in self.nodes.values():
            self.world.after(self.world.random.uniform(0.0, 100.0), node.start)
        for client in self.clients:
            self.world.after(self.world.random.uniform(100.0, 400.0), client.begin)

    @property
    def truth(self) -> Truth:
        """Of a global table."""
        return self.linear.auditor.truth

    def keep_up(self, node: Node, replica: Replica, _store: Disk, now_ms: float) -> None:
        """In each turn of a node: its part of global tables."""
        if self.world.now_ms >= self.global_from_ms[node.name]:
            declare(replica, self.floors, now_ms)
            self.abroad.step(replica, self.truth, now_ms, WALL_MS + node.wall_ms(now_ms))

    def next_operation(self) -> int:
        self._operations += 1
        return self._operations

    def leader(self) -> Node | None:
        """A node that leads, as far as the log and its own mind agree: of the first partition that serves."""
        for number in self.partitions:
            for node in self.nodes.values():
                if node.leads(number):
                    return node
        return None

    def led(self, number: int) -> bool:
        """Some node leads the partition."""
        return any(node.leads(number) for node in self.nodes.values())

    def decide(self, parent: Partition, children: list[Partition]) -> None:
        """A split is decided: the children's logs are there, empty."""
        for child in children:
            self.partitions[child.number] = child
            log = Log(self.world, parent.members, Form.CHILD, child.number, self.logs[parent.number])
            log.auditor.of_child(child.lower, child.upper)
            self.logs[child.number] = log

    def go_on(self) -> None:
        """The broker is back."""
        self.log.troubles.stalled = False
        for log in self.logs.values():
            log.go_on()

    def route(self, key: bytes) -> Partition:
        """Where a router believes a key to be; now and then one that has not heard of a split."""
        found = self.partitions[0]
        while found.children and (found.sealed or found.closed) and self.world.random.random() > 0.1:
            found = next(child for child in map(self.partitions.__getitem__, found.children) if child.holds(key))
        return found

    # -- the network ------------------------------------------------------------------------------------------

    def send(self, node: str, *message: Any) -> None:
        troubles, dice = self.log.troubles, self.world.random
        if troubles.stalled or dice.random() < troubles.message_lost:
            return
        self.world.after(dice.uniform(0.5, 3.0), self.nodes[NodeName(node)].deliver, *message)

    def send_in_order(self, sender: str, to: str, *message: Any) -> None:
        """Over a topic: nothing overtakes."""
        troubles, dice = self.log.troubles, self.world.random
        if troubles.stalled or dice.random() < troubles.message_lost:
            return
        at_ms = max(self._channels.get((sender, to), 0.0) + 0.01, self.world.now_ms + dice.uniform(0.5, 3.0))
        self._channels[sender, to] = at_ms
        self.world.after(at_ms - self.world.now_ms, self.nodes[NodeName(to)].deliver, *message)

    def ask(self, to: Partition, message: Write | Query, tries: int, deadline_ms: float, anybody: bool) -> None:
        """A router's request: to the believed leader, after silence to anybody."""
        names = list(self.nodes)
        dice = self.world.random.random()
        target = to.old_hint if dice < 0.25 else to.hint
        if anybody or tries % 3 == 0 or not target or dice > 0.95:
            target = self.world.random.choice(names)
        kind = "write" if isinstance(message, Write) else "query"
        lies = self.world.random.random() < 0.01
        # Kafka has one copy of what was sent once.
        if not lies or tries > 1 or kind == "query":
            self.send(target, kind, to.number, message, deadline_ms)
        if lies:
            # A copy that lies in an inbox for long.
            self.world.after(
                self.world.random.uniform(1.0, 8000.0),
                self.nodes[NodeName(target)].deliver,
                kind,
                to.number,
                message,
                deadline_ms,
            )

    def answer(self, effect: Respond) -> None:
        if self.world.random.random() < self.log.troubles.message_lost or self.log.troubles.stalled:
            return
        client = self.clients[effect.sender.incarnation - 1]
        delay_ms = self.world.random.uniform(0.5, 3.0)
        self.world.after(delay_ms, self._answered, client, effect)

    def _answered(self, client: Client, effect: Respond) -> None:
        self.world.events += 1
        if not self.lossy or self.recovered:
            client.receive(effect.sender.counter, effect.outcome)

    def beat(self, heartbeat: Heartbeat) -> None:
        """A heartbeat to everybody: what it names is new, and each may miss it."""
        for other in self.nodes:
            self.send(other, "heartbeat", heartbeat)

    def want_heartbeats(self) -> None:
        """Somebody missed one, or has begun to listen."""
        for other in self.nodes:
            self.send(other, "heartbeats_wanted")

    def hint(self, name: NodeName, said: ReplicaState) -> None:
        """What routers make of it."""
        partition = self.partitions[said["partition"]]
        if said["leading"] and said["term"] >= partition.hint_term and not self.log.troubles.stalled:
            if partition.hint != name:
                partition.old_hint = partition.hint
            partition.hint_term, partition.hint = said["term"], name
            for parent in partition.lineage:
                self.partitions[parent].sealed = True

    # -- checks -----------------------------------------------------------------------------------------------

    def check(self, node: Node) -> None:
        """After each turn of a node."""
        for part in node.parts.values():
            if part.replica is not None:
                self._check(node, part, part.replica)
            elif part.heir is not None and part.heir.alarm is not None and not self.lossy:
                raise Violation(f"{node.name}'s heir of {part.partition.number} stopped: {part.heir.alarm}")

    def _check(self, node: Node, part: Part, replica: Replica) -> None:
        if part.partition.number == 0 and replica.place.next_offset < self.witnesses.get(node.name, 0):
            raise Violation(f"{node.name} threw away what it alone had of a log that lost it")
        leader = replica.leader
        if leader is not None and leader.serving and not replica.place.leads(leader.seat.me):
            raise Violation(f"{node.name} leads a term that it did not win")
        if replica.alarm is not None:
            if not (self.lossy and part.log is self.log):
                raise Violation(f"{node.name} froze although Kafka lost nothing: {replica.alarm}")
        elif self.lossy and part.log is self.log:
            self._check_alike(part, node)
        else:
            part.log.auditor.check_replica(node.name, replica.place, part.disk.digest)

    def lose_tail(self, count: int) -> None:
        """Kafka loses acknowledged records: from then on replicas may stop, but never mix two histories."""
        self.lossy = True
        self.same_epoch = self.world.random.random() < 0.3
        self.log.lose_tail(count, same_epoch=self.same_epoch)
        for name, node in self.nodes.items():
            place = node.committed(0)
            # Void records are no loss: nobody misses them.
            if place is not None and self.log.auditor.find(place.chain) is None:
                self.witnesses[name] = place.next_offset
        for node in self.nodes.values():
            if node.up and 0 in node.parts and node.parts[0].replica is not None:
                self._check_alike(node.parts[0], node)

    def unnoticed(self) -> list[NodeName]:
        """Nodes that run, have read all of the log, hold what it has lost, and have not stopped (I9).

        Where leader epochs do not tell, and a leader goes on in its term as if nothing had happened, those who follow
        it have its lost records and see none missing. Whoever stands still has noticed, and serves nothing.
        """
        found = []
        for name in self.witnesses:
            part = self.nodes[name].parts.get(0) if self.nodes[name].up else None
            replica = part.replica if part is not None else None
            if replica is None or replica.alarm is not None or replica.standstill:
                continue
            if replica.place.next_offset < len(self.log.records):
                continue
            undisturbed = self.same_epoch and self._goes_on(replica.place.reign)
            if self.log.auditor.find(replica.place.chain) is None and not undisturbed:
                found.append(name)
        return found

    def _goes_on(self, reign: Reign) -> bool:
        """Its leader is the log's own, or one that serves though even its claim was lost: who reads anew sees it."""
        if reign.leader == self.log.auditor.place.reign.leader:
            return True
        if not self.log.auditor.broken_log:
            return False
        parts = [node.parts.get(0) for node in self.nodes.values() if node.up]
        leaders = [part.replica for part in parts if part is not None and part.replica and part.replica.leader]
        return any(each.place.reign == reign for each in leaders)

    def succeed(self, successor: Partition) -> None:
        """A recovery is done: what was asked before the loss is measured by nothing any more."""
        self.recovered = True
        self.linear = Linearizability(self.logs[successor.number].auditor)
        for client in self.clients:
            if client.pending is not None:
                client.pending.floor = 0

    def _check_alike(self, part: Part, node: Node) -> None:
        """Whoever goes on holds exactly what everybody holds who is at the same point of the same history (I9)."""
        assert part.replica is not None
        chain, digest = part.replica.place.chain, part.disk.digest
        if self._digests.setdefault(chain, digest) != digest:
            raise Violation(f"{node.name} applied foreign history over records that Kafka lost")
