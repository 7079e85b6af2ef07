"""One region of three: its leaders, its clients, and the routers through which RepIn and ReplAdmin ask.

The nodes, logs, faults and splits are those of a replication group's simulation (`cluster`); what is new is that all
rows are of one global table, that clocks of nodes are only seconds apart and go in steps, so that regions give equal
times, and what is remembered for the checks: each write of a client that is in a log, and each conflict.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any, ClassVar
from weakref import WeakKeyDictionary

from dynabus.core.global_tables.conflicts import conflict_of
from dynabus.core.global_tables.leading import floors_of
from dynabus.core.global_tables.versions import Stamp
from dynabus.core.ids import NodeName
from dynabus.core.messages import SEALED, ReplyPart, ReplyStatus, RequestPart
from dynabus.core.operations.calls import Call, Code, part_to
from dynabus.core.replication.effects import Query, Timing, Write
from dynabus.core.replication.records import Mutation
from dynabus.core.replication.replica import Replica
from dynabus.core.replication.store import Decision, Evaluate, Outcome
from dynabus.core.replication.unresolved import Sender
from dynabus.core.rows import is_tombstone, item_of, version_of
from dynabus.core.values import Item
from tests.simulation.client import RESEND_MS, Pending
from tests.simulation.cluster import Cluster
from tests.simulation.disk import Disk
from tests.simulation.faults import Faults
from tests.simulation.global_tables import WALL_MS, Paging, RegionsClient, item_row
from tests.simulation.node import Node
from tests.simulation.partitions import COLD_KEYS, GLOBAL_KEYS, HOT_KEYS, LOG, Partition
from tests.simulation.pruning import Pruning
from tests.simulation.region_nodes import Deciding, Hearing, Kept, Metadata, Upkeep
from tests.simulation.region_truth import DECIDED, Truth, says_so
from tests.simulation.splits import Splits
from tests.simulation.violation import Violation
from tests.simulation.world import World

PAUSES_MS = (250.0, 900.0)
"""Of clients. The first one writes a few items often, any other one some rarely: deletions last long enough there."""

CLOCK_TICK_MS = 250
NODE_SKEW_MS, JUMP_MS = 500, 2000
BUDGET_MS = 3000.0

Written = tuple[bytes, Stamp]
"""By key: writes of two items may have one stamp."""


@dataclass
class RegionTruth(Truth):
    """What this region's logs say."""

    writes: dict[Written, Item | None] = field(default_factory=dict)
    """Of its clients, once the log said that the table is global."""
    before: dict[bytes, tuple[Stamp, Item]] = field(default_factory=dict)
    """What an item was when it said so."""
    unsaid: set[Written] = field(default_factory=set)
    """Writes of before. Of one that was written over before it was copied no other region ever hears."""
    late: set[bytes] = field(default_factory=set)
    """Keys of which such a write has come behind the end of a deletion that is later."""
    shard_of: dict[Written, int] = field(default_factory=dict)
    over: dict[Written, Stamp] = field(default_factory=dict)
    """What a client's write was written over."""
    losers: list[tuple[bytes, Stamp, Stamp]] = field(default_factory=list)
    """(key, winner, loser)."""
    imported: Counter[bytes] = field(default_factory=Counter)
    """Writes of other regions that are in a log, by key."""
    visible: int = 0
    """Conflicts that are told."""
    met: dict[bytes, dict[str, int]] = field(default_factory=dict)
    """By key, of each region the newest write that was decided here, whatever is left of it."""
    regions: dict[str, RegionTruth] = field(default_factory=dict)
    """Of all of them, this one too."""
    lost_links: int = 0
    """How often its stream had lost changes that some other region had not acknowledged."""

    named: dict[int, frozenset[str]] = field(default_factory=dict)
    """The other regions that the log of a partition names."""
    _number: int = 0

    def accepted(self, mutation: Mutation, said: bool, number: int) -> None:
        self._number = number
        if says_so(mutation):
            self.named[number] = floors_of(mutation).others
        super().accepted(mutation, said, number)
        key, old, new = mutation.key, mutation.old, mutation.new
        if key not in GLOBAL_KEYS:
            return
        self._met(key, new)
        self.imported[key] += mutation.answer in DECIDED
        if mutation.losing is not None:
            self._lost(mutation)
        if not said:
            item = item_of(new)
            if new is None or item is None:
                self.before.pop(key, None)
            else:
                self.before[key] = version_of(new, self.own).stamp, item
                self.unsaid.add((key, self.before[key][0]))
        elif mutation.answer not in DECIDED and new is not None and old != new:
            if mutation.answer not in (b"put", b"deleted"):
                raise Violation(f"no client asked for this write of {key!r}")
            written = key, version_of(new, self.own).stamp
            self._check_new(*written)
            self.writes[written], self.shard_of[written] = item_of(new), number
            if old is not None:
                self.over[written] = version_of(old, self.own).stamp

    def _lost(self, mutation: Mutation) -> None:
        assert mutation.old is not None
        assert mutation.new is not None
        lost = mutation.losing or mutation.old
        self.losers.append((mutation.key, version_of(mutation.new, self.own).stamp, version_of(lost, self.own).stamp))
        self.visible += conflict_of(mutation, ["pk"]) is not None

    def all_writes(self) -> dict[Written, Item | None]:
        """Of this region, of which the last one of all regions counts."""
        return {**{(key, stamp): item for key, (stamp, item) in self.before.items()}, **self.writes}

    def has(self, key: bytes, stamp: Stamp) -> bool:
        """A write is decided here."""
        return self.met.get(key, {}).get(stamp.region, -1) >= stamp.time

    def _may_come_late(self, key: bytes, stamp: Stamp) -> bool:
        """Its region wrote it before it was one, as its log has it. The deletion is younger than that region's table,
        and only the least age of tombstones keeps it until others know the region; here they have none."""
        found = self.regions[stamp.region].wrote_before(key, stamp)
        if found:
            self.late.add(key)
        return found

    def wrote_before(self, key: bytes, stamp: Stamp) -> bool:
        """It is a write of this region's, of before it was one: as in `_may_come_late`."""
        return (key, stamp) in self.unsaid

    def _met(self, key: bytes, new: bytes | None) -> None:
        met = self.met.setdefault(key, {})
        for region, time in version_of(new, self.own).seen.items() if new is not None else ():
            met[region] = max(time, met.get(region, -1))

    def _forgets(self, key: bytes, old: bytes | None) -> None:
        if old is None or not is_tombstone(old):
            raise Violation("a deletion in a global table leaves no tombstone")
        stamp = self.versions.pop(key).stamp
        self._check_old(key, stamp)
        self.gone[key] = stamp.time
        self.forgotten += 1

    def _check_new(self, key: bytes, stamp: Stamp) -> None:
        """A client's write, in the log: it is above all deletions of the item that any region has forgotten.

        Of a region that has just come and whose clock is seconds behind only the least age of tombstones says so, and
        here they have none: one history in very many may break this, at the first writes of that region.
        """
        for name, other in self.regions.items():
            if stamp.time <= other.gone.get(key, -1):
                raise Violation(f"{key!r} is written with {stamp}, and {name} has forgotten a later deletion")

    def _check_old(self, key: bytes, deletion: Stamp) -> None:
        """It is forgotten. Of the regions that its log names each has decided it, if it is this region's, where it
        has what is older: it would need it from here once more if the stream lost it. And what a region has of its
        own that is older was decided here. (One that comes gets of the stream's last minutes, too, where the deletion
        is as well: elsewhere a tombstone is older than these.)"""
        for name in self.named.get(self._number, ()):
            other = self.regions[name]
            there = other.versions.get(key)
            if there is None or there.stamp >= deletion or other.wrote_before(key, there.stamp):
                continue
            if deletion.region == self.own and not other.has(key, deletion):
                raise Violation(f"{key!r}: {self.own} forgets {deletion}, and {name} has not decided it")
            if there.stamp.region == name and not (other.lost_links or self.has(key, there.stamp)):
                raise Violation(f"{key!r}: {self.own} forgets {deletion}, and {there.stamp} is to come")


class LocalClient(RegionsClient):
    """Of this region."""

    def _choose(self) -> tuple[bytes, str]:
        dice = self.world.random
        self._value = dice.randrange(10**9)
        return dice.choice(HOT_KEYS if self.number == 1 else COLD_KEYS), dice.choices(("store", "erase"), (55, 45))[0]

    def _evaluate(self, pending: Pending) -> Evaluate:
        if pending.kind != "store":
            return super()._evaluate(pending)
        key, value = pending.key, self._value
        return lambda _old, wall_ms: Decision(True, item_row(key, value, wall_ms), Outcome(body=b"put"))


class RegionCluster(Cluster):
    """`skew_ms`: of all its clocks."""

    def __init__(self, world: World, region: str, skew_ms: int) -> None:
        dice = world.random
        super().__init__(world, Timing(caught_up_records=dice.choice([0, 4, 256])), PAUSES_MS[0])
        self.region, self.skew_ms = region, skew_ms
        self.clients: list[Any] = [
            LocalClient(self, number + 1, pause_ms) for number, pause_ms in enumerate(PAUSES_MS)
        ]
        self.kept: WeakKeyDictionary[Replica, Kept] = WeakKeyDictionary()
        self._metadata = {name: Metadata(region) for name in self.nodes}
        self._upkeeps: dict[NodeName, tuple[int, Upkeep]] = {}
        self.truth_here = RegionTruth(own=region)
        self.log.auditor.truth = self.truth_here
        self.pruning = Pruning(self, random.Random(0))
        self.pruning.active = False
        for node in self.nodes.values():
            node._clock_start = float(WALL_BASE_MS + skew_ms + dice.randint(-NODE_SKEW_MS, NODE_SKEW_MS))
            node._rate = 1.0 + dice.uniform(-0.005, 0.005)
            node.wall_tick_ms = CLOCK_TICK_MS

    def told_of(self, others: frozenset[str], former: frozenset[str] = frozenset()) -> None:
        """Metadata say which other regions there are; each node hears of it at its own time."""
        for metadata in self._metadata.values():
            self.world.after(self.world.random.uniform(0.0, 4000.0), self._hear_of, metadata, others, former)

    def _hear_of(self, metadata: Metadata, others: frozenset[str], former: frozenset[str]) -> None:
        metadata.former |= former
        metadata.others = (metadata.others | others) - metadata.former

    def keep_up(self, node: Node, replica: Replica, store: Disk, now_ms: float) -> None:
        kept = self.kept.get(replica)
        if kept is None:
            kept = self.kept[replica] = self._upkeep(node).of(node, replica, store)
        kept.step(now_ms, WALL_MS + WALL_BASE_MS + int(self.world.now_ms) + self.skew_ms)

    def _upkeep(self, node: Node) -> Upkeep:
        run, upkeep = self._upkeeps.get(node.name, (-1, None))
        if upkeep is None or run != node.incarnation:
            upkeep = Upkeep(node, self.next_operation(), self._metadata[node.name])
            self._upkeeps[node.name] = node.incarnation, upkeep
        return upkeep

    @property
    def rows(self) -> dict[bytes, bytes]:
        """Of the whole table, as its logs have them."""
        found: dict[bytes, bytes] = {}
        for number, partition in self.partitions.items():
            if not partition.closed:
                found |= self.logs[number].auditor.rows
        return found

    def trouble(self) -> str | None:
        """What is not well yet after the faults."""
        for number, partition in self.partitions.items():
            if partition.children and not partition.closed:
                return f"partition {number} of {self.region} is still being split"
            if not partition.closed and not self.led(number):
                return f"partition {number} of {self.region} has no leader"
        return None


WALL_BASE_MS = 10_000
"""So that no clock is below what counts from."""


class RegionFaults(Faults):
    """Wall clocks jump by seconds."""

    def wall_jump(self, node: Node) -> None:
        steps = JUMP_MS // CLOCK_TICK_MS
        node.wall_jump_ms = self.world.random.randint(-steps, steps) * CLOCK_TICK_MS


class RegionSplits(Splits):
    """`told`: metadata have changed."""

    at: ClassVar[tuple[bytes, bytes]] = (b"k2", b"k1h")

    def __init__(self, cluster: Cluster, count: int, told: Callable[[], None]) -> None:
        super().__init__(cluster, count)
        self._told = told

    def _publish(self) -> None:
        super()._publish()
        self._told()


# -- asking ---------------------------------------------------------------------------------------------------


class Answers:
    """What a coroutine waits for: the answers to several questions."""

    def __init__(self, count: int) -> None:
        self.parts: list[ReplyPart | None] = [None] * count
        self.left = count
        self.done: Callable[[list[ReplyPart | None]], None] = lambda _: None

    def __await__(self) -> Generator[Answers, Any, list[ReplyPart | None]]:
        found: list[ReplyPart | None] = yield self
        return found

    def put(self, index: int, part: ReplyPart | None) -> None:
        self.parts[index] = part
        self.left -= 1
        if self.left == 0:
            self.done(self.parts)


@dataclass
class Asked:
    """A question under way."""

    part: RequestPart
    deadline_ms: float
    told: Callable[[ReplyPart | None], None]
    tries: int = 0
    partition: int = 0


class Router:
    """Of one run of a process: writes of other regions on their way to leaders, as routers bring them. What it asked
    arrives, though it is dead."""

    acknowledged = unknown = 0
    pending = None

    def __init__(self, cluster: RegionCluster) -> None:
        self.cluster, self.world = cluster, cluster.world
        self.number = len(cluster.clients) + 1
        cluster.clients.append(self)
        self.is_gone = False
        self._counter = 0
        self._asked: dict[int, Asked] = {}

    async def ask(self, calls: list[Call]) -> list[ReplyPart | None]:
        """As a router's."""
        answers = Answers(len(calls))
        for index, call in enumerate(calls):
            part = part_to(LOG, 0, 0, call.code, call.key, call.value, call.size, call.detail)
            self._begin(part, lambda reply, index=index: answers.put(index, reply))  # type: ignore[misc]
        return await answers

    def _begin(self, part: RequestPart, told: Callable[[ReplyPart | None], None]) -> None:
        self._counter += 1
        self._asked[self._counter] = Asked(part, self.world.now_ms + BUDGET_MS, told)
        self._send(self._counter)

    def _send(self, counter: int) -> None:
        asked = self._asked.get(counter)
        if asked is None or self.is_gone:
            return
        if self.world.now_ms >= asked.deadline_ms:
            del self._asked[counter]
            asked.told(None)
            return
        asked.tries += 1
        to = self.cluster.route(asked.part["key"])
        asked.partition = to.number
        sender = Sender(f"router-{self.number}", self.number, counter, 0)
        message = (
            self._query(asked, to, sender)
            if asked.part["operation"] == Code.FLOORS
            else self._write(asked, to, sender)
        )
        self.cluster.ask(to, message, asked.tries, asked.deadline_ms, anybody=False)
        self.world.after(RESEND_MS, self._send_again, counter, asked.tries)

    def _query(self, asked: Asked, to: Partition, sender: Sender) -> Query:
        return Query(sender, to.generation, True, Hearing(asked.part, self.cluster))

    def _write(self, asked: Asked, to: Partition, sender: Sender) -> Write:
        budget_ms = int(asked.deadline_ms - self.world.now_ms)
        evaluate = Deciding(asked.part, self.cluster)
        return Write(sender, b"", to.generation, asked.part["key"], evaluate, budget_ms, repeat=asked.tries > 1)

    def _send_again(self, counter: int, tries: int) -> None:
        asked = self._asked.get(counter)
        if asked is not None and asked.tries == tries:
            self._send(counter)

    def receive(self, counter: int, outcome: Outcome) -> None:
        """An answer, perhaps to what is over."""
        asked = self._asked.get(counter)
        if asked is None or self.is_gone:
            return
        if outcome.status == ReplyStatus.NOT_LEADER or outcome.body == SEALED:
            partition = self.cluster.partitions[asked.partition]
            if outcome.body == SEALED:
                partition.sealed = True
            elif outcome.body:
                partition.hint = outcome.body.decode()
            return
        if outcome.status == ReplyStatus.STALE_ROUTE or (outcome.provisional and asked.tries > 1):
            return
        del self._asked[counter]
        asked.told(outcome.part(0))


class PageAsker:
    """Of one run of ReplAdmin: pages of rows, asked of a node by name."""

    acknowledged = unknown = 0
    pending = None

    def __init__(self, cluster: Cluster, told: Callable[[int, Outcome], None]) -> None:
        self.cluster, self.number = cluster, len(cluster.clients) + 1
        cluster.clients.append(self)  # type: ignore[arg-type] # what answers need of a client
        self.receive = told

    def ask(self, node: str, counter: int, part: RequestPart, deadline_ms: float) -> None:
        """Once."""
        sender = Sender("pages", self.number, counter, 0)
        query = Query(sender, part["generation"], part["consistent"], Paging(part))
        self.cluster.send(node, "query", part["partition"], query, deadline_ms)
