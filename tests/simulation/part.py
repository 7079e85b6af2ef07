"""What a modelled node has of one partition: a disk, and a heir or a replica over it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dynabus.core.pruning import NOTHING, Durable, durable_at
from dynabus.core.replication import replica as brain
from dynabus.core.replication.effects import Query, Surroundings, Write
from dynabus.core.replication.heir import Heir
from dynabus.core.replication.place import Place, start_of_log
from dynabus.core.replication.records import Record, Recovered
from dynabus.core.replication.restoration import RESTORED_PLAN, goes_on_from, restore_requests, restore_rows
from dynabus.core.replication.store import no_more
from dynabus.core.replication.succession import Begin, Succession
from tests.simulation.audit import Violation
from tests.simulation.clones import Incoming, Outgoing
from tests.simulation.disk import Disk
from tests.simulation.global_tables import WALL_MS, asking, bound
from tests.simulation.kafka import BODIES, Log, LogProducer, origin_of
from tests.simulation.partitions import Partition
from tests.simulation.pruning import RECORDS_LEAST

if TYPE_CHECKING:
    from tests.simulation.node import Node

BEYOND_END_MS = 10_000.0


class Part:
    """Of one partition on one node. The disk outlives the process, the rest is made anew by `start`."""

    def __init__(self, node: Node, partition: Partition, log: Log) -> None:
        self.node, self.partition, self.log = node, partition, log
        self.disk = Disk()
        self.replica: brain.Replica | None = None
        self.heir: Heir | None = None
        self.succession: Succession
        self.producer: LogProducer
        self._around: Surroundings
        self._beyond_since_ms: float | None = None
        self.loss = ""
        """What it saw of its log's loss, written beside its disk."""
        self.incoming: Incoming | None = None
        self.outgoing = Outgoing(self)
        self._expected: Place | None = None
        """Up to where the replica had read that was put aside."""
        self._decided: bool | None = None
        self.is_blank = True
        """Nothing of it is on disk for certain, or was said to be and is no more: wiped, or new."""
        self.was_wiped = False
        """What it said to have on disk may be no more, until it has a checkpoint again."""

    def start(self, around: Surroundings, parent: Part | None, now_ms: float) -> None:
        """The process begins; an heir is a copy of its parent's last commit, or begins at the root's log."""
        self._around = around
        self.replica = self.heir = self.incoming = None
        self.outgoing = Outgoing(self)
        self._beyond_since_ms = None
        self.succession = Succession(around.me, BODIES)
        to = self.partition.inheritance
        if not self.disk.commits and to.lineage:
            if parent is not None and parent.disk.commits and parent.disk.commits[-1][3].group is not None:
                self.disk.inherit(parent.disk, to)
            elif self.lacks_history() and parent is not None:
                # Its parent is being cloned here; `Node` begins again.
                return
            elif not self._must_clone():
                self.disk.commit_place(start_of_log(origin_of(to.lineage[0])))
        if not self.disk.commits and self._must_clone():
            self.incoming = Incoming(self, self._expected)
            return
        place = self.disk.commits[-1][3] if self.disk.commits else start_of_log(origin_of(to.partition.number))
        if place.origin.partition == to.partition:
            self._become_replica(place, now_ms)
        else:
            self.heir = Heir(to, self.disk, place, BODIES, no_more)

    @property
    def is_repairable(self) -> bool:
        """What is frozen, or may have to be, keeps what it has; a clone under way is no replica yet."""
        replica = self.replica
        if self.loss or self.partition.frozen or (replica is None and self.heir is None):
            return False
        return replica is None or not (replica.alarm or replica.standstill)

    def rebuild(self) -> None:
        """The store is moved aside; log, or clone, tell all anew."""
        if self.replica is not None:
            self._expected = self.replica.place
        self.disk, self._decided = self.disk.replaced([]), None

    @property
    def is_whole(self) -> bool:
        """On its disk is all that its own log does not hold any more: others can be cloned from it."""
        place = self.disk.commits[-1][3] if self.disk.commits else None
        mine = place is not None and place.origin.partition.number == self.partition.number
        return mine and place is not None and place.group is not None and place.next_offset >= self.log.start

    def is_last(self) -> bool:
        """What is pruned of its log, or will be, is nowhere else: without it the partition is lost."""
        number = self.partition.number
        others = [node.parts.get(number) for node in self.node.cluster.nodes.values() if node is not self.node]
        return (
            self.node.cluster.pruning.active
            and self.is_whole
            and not any(other and other.is_whole for other in others)
        )

    def lacks_history(self) -> bool:
        """Some ancestor's log cannot be replayed any more."""
        return any(self.node.cluster.logs[number].start > 0 for number in self.partition.lineage)

    def _must_clone(self) -> bool:
        """Logs of which something is pruned are not replayed; whole ones are now and then cloned all the same."""
        if self.lacks_history() or self.log.start > 0:
            return True
        begun = len(self.log.records) > RECORDS_LEAST
        if self._decided is None:
            self._decided = begun and self.node.cluster.pruning.clones()
        return self._decided

    def replay_instead(self, now_ms: float) -> None:
        """Nobody could be cloned for long: whole logs, else the own checkpoint if its log leads on from there."""
        if not self.lacks_history() and self.log.start == 0:
            self._decided = False
        elif not self.disk.restore(self.log.start):
            return
        self.start(self._around, None, now_ms)

    def wipe(self) -> None:
        """The disk is gone, and with it all that was ever said of it."""
        self.disk, self.is_blank, self._expected, self._decided = Disk(), True, None, None
        self.was_wiped = True
        self.loss = ""

    def put_aside(self) -> None:
        """Its bytes are damaged; the place up to which it had read is known."""
        self.rebuild()
        self.start(self._around, None, self.node.clock_ms())

    @property
    def durable(self) -> Durable:
        """What is on disk of its own log, whatever becomes of the host."""
        kept = self.disk.checkpoint
        return durable_at(kept[3]) if kept is not None else NOTHING

    def _become_replica(self, place: Place, now_ms: float) -> None:
        self.replica, self.heir = brain.Replica(self._around, self.disk, place, now_ms), None
        if self.loss:
            self.replica.lose(self.loss, now_ms)
        self.learn(now_ms)
        if self.node.name == self.partition.preferred:
            self.replica.prefer(now_ms)

    # -- reading ----------------------------------------------------------------------------------------------

    def read(self, now_ms: float) -> None:
        """What this node has fetched of the log that is read here."""
        if self.heir is not None:
            self._read_heir(self.heir, now_ms)
        elif self.replica is not None:
            self._read_replica(self.replica, now_ms)

    def _read_replica(self, replica: brain.Replica, now_ms: float) -> None:
        records = self.log.records
        position = replica.place.next_offset
        if position < self.log.start:
            if not (replica.alarm is not None or replica.place.sealed or replica.standstill.doubted):
                self.put_aside()
            return
        if position > len(records) or (self.log.cuts and self.log.is_cut(replica.place)):
            if self._beyond_since_ms is None:
                self._beyond_since_ms = now_ms
            replica.doubt("the place lies beyond the log's end, or of what was cut off", now_ms, beyond=True)
            if now_ms - self._beyond_since_ms > BEYOND_END_MS:
                replica.lose("the place lies beyond the log's end, or of what was cut off", now_ms)
                self.keep_loss()
            return
        self._beyond_since_ms = None
        replica.standstill.clear()
        replica.end_offset = visible = min(self.node.visible(self.log.number), len(records))
        if position < visible:
            replica.read_log(records[position:visible], now_ms)
            self.keep_loss()

    def learn(self, now_ms: float) -> None:
        """From metadata: the partition is frozen."""
        if self.partition.frozen and self.replica is not None:
            self.replica.lose("the partition is frozen", now_ms, saw=False)

    def keep_loss(self) -> None:
        if self.replica is not None and self.replica.saw_loss and not self.loss:
            self.loss = self.replica.alarm or ""

    def whereabouts(self) -> dict[str, Any]:
        """As the command is told."""
        assert self.replica is not None
        place = self.replica.place
        return {
            "state": "frozen",
            "in_log": self.log.auditor.find(place.chain) is not None,
            "generation": place.group.generation if place.group is not None else 0,
            "term": place.reign.term,
            "next_sequence": place.next_sequence,
            "next_offset": place.next_offset,
            "checksum": self.disk.checksum.hex(),
        }

    def restore(self, old: Part | None, recovered: Recovered, now_ms: float) -> None:
        """As the shell does it: a chunk in a turn, and `configure` once all is applied and is what it was."""
        replica, leader = self.replica, self.replica.leader if self.replica is not None else None
        if replica is None or leader is None or not leader.serving or old is None or old.replica is None:
            return
        if leader.unresolved or not goes_on_from(old.replica.place, recovered):
            return
        rows, requests, _, _ = old.disk.commits[-1]
        if any(self.disk.get(key) != row for key, row in rows.items()):
            restore_rows([next((k, r) for k, r in rows.items() if self.disk.get(k) != r)], leader, self.disk, now_ms)
        elif any(self.disk.remembered(each) is None for each in requests):
            restore_requests([*requests.items()][:], leader, self.disk, now_ms)
        elif self.disk.checksum == recovered.checksum:
            assert replica.place.group is not None
            leader.configure(RESTORED_PLAN, replica.place.group.members, now_ms)

    def _read_heir(self, heir: Heir, now_ms: float) -> None:
        """Through another consumer, which may be slower than the replica's."""
        if self.node.world.random.random() < 0.3:
            return
        records = self._ancestors(heir)
        position = heir.place.next_offset
        if position < self.node.cluster.logs[heir.ancestor].start:
            if not self.is_blank and self._expected is None:
                raise Violation(f"{self.node.name} lacks what was pruned of {heir.ancestor}, its ancestor")
            # `Node` begins again, from the parent's replica if that is here: no other child can be cloned yet.
            self.heir, self.disk = None, self.disk.replaced([])
            return
        heir.read_log(records[position : min(self.node.visible(heir.ancestor), position + 100)])
        if heir.go_over():
            self.disk.commit_place(heir.place)
            if heir.finished:
                self._become_replica(heir.place, now_ms)

    def _ancestors(self, heir: Heir) -> list[Record]:
        return self.node.cluster.logs[heir.ancestor].records

    @property
    def is_stranger(self) -> bool:
        """A replica that is no member, as far as it has read."""
        return self.replica is not None and not self.replica.place.admits(self.node.name)

    def follows(self) -> bool:
        """As its heartbeat would say: an heir of the parent's log that is caught up, or more."""
        heir = self.heir
        if heir is None:
            return self.replica is not None
        on_parent = heir.ancestor == self.partition.lineage[-1]
        return on_parent and heir.place.next_offset + 20 >= len(self._ancestors(heir))

    def has_caught_up(self) -> bool:
        """The log's end is not far."""
        return self.replica is not None and self.replica.place.next_offset >= len(self.log.records) - 20

    # -- messages ---------------------------------------------------------------------------------------------

    def take(self, kind: str, fields: tuple[Any, ...], now_ms: float, wall_ms: int) -> None:
        """A message about this partition; heirs hear nothing."""
        replica = self.replica
        if kind in ("clone", "clone_request"):
            self._take_clone(kind, fields, now_ms)
            return
        if replica is None:
            return
        if kind == "write":
            write: Write = fields[0]
            if self.node.world.now_ms < fields[1]:
                replica.write(bound(write, replica, self.disk), now_ms, WALL_MS + wall_ms)
        elif kind == "query":
            query: Query = fields[0]
            if self.node.world.now_ms < fields[1]:
                replica.query(asking(query, replica, self.disk), now_ms)
        elif kind == "question":
            node, incarnation, term, nonce = fields
            replica.question(node, incarnation, term, nonce, now_ms)
        elif kind == "seal":
            generation, children = fields
            replica.seal(generation, children, now_ms)
        elif kind == "regroup":
            replica.regroup(fields[0], now_ms)
        else:
            nonce, hears_leader, better = fields
            replica.answer(nonce, hears_leader, better, now_ms)

    def _take_clone(self, kind: str, fields: tuple[Any, ...], now_ms: float) -> None:
        if kind == "clone_request":
            self.outgoing.ask(fields[0], now_ms)
        elif self.incoming is not None:
            kind, message = fields
            place = self.incoming.take(kind, message, now_ms)
            if place is not None:
                self.incoming, self._expected, self._decided = None, None, None
                self.node.cluster.pruning.cloned += 1
                self._become_replica(place, now_ms)

    def has_heirs(self) -> bool:
        """It has read a seal, which is asked in every turn."""
        return self.replica is not None and self.replica.place.children is not None

    def begins(self, now_ms: float) -> list[Begin]:
        """Children of a sealed partition that are to begin."""
        replica = self.replica
        assert replica is not None
        assert replica.place.children is not None
        for child in replica.place.children:
            part = self.node.parts.get(child.number)
            if part is not None and part.replica is not None and part.replica.place.group is not None:
                self.succession.began.add(child.number)
        return self.succession.tick(replica.place, now_ms)

    # -- the end ----------------------------------------------------------------------------------------------

    def commit(self) -> None:
        if self.replica is not None:
            self.disk.commit_place(self.replica.place)
        elif self.heir is not None:
            self.disk.commit_place(self.heir.place)
        if self.disk.commits:
            self.node.cluster.pruning.committed(self)

    def crash(self, commits_lost: int) -> None:
        """Fall back to the last commit, or to one before it."""
        self.producer.purge()
        self.disk.crash(commits_lost)
        if not self.disk.commits:
            self.disk = Disk()
            self.loss = ""
            self._decided = None
