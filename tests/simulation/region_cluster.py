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

from dynabus.core.global_tables.conflicts import conflict_of
from dynabus.core.global_tables.floors import Floors
from dynabus.core.global_tables.versions import Stamp
from dynabus.core.messages import SEALED, ReplyPart, ReplyStatus, RequestPart
from dynabus.core.operations.calls import Call, part_to
from dynabus.core.replication.effects import Query, Timing, Write
from dynabus.core.replication.records import Mutation
from dynabus.core.replication.store import Decision, Evaluate, Outcome
from dynabus.core.replication.unresolved import Sender
from dynabus.core.rows import item_of, version_of
from dynabus.core.values import Item
from tests.simulation.client import RESEND_MS, Pending
from tests.simulation.cluster import Cluster
from tests.simulation.faults import Faults
from tests.simulation.global_tables import Importing, Paging, RegionsClient, item_row
from tests.simulation.node import Node
from tests.simulation.partitions import GLOBAL_KEYS, LOG
from tests.simulation.pruning import Pruning
from tests.simulation.region_truth import DECIDED, Truth
from tests.simulation.splits import Splits
from tests.simulation.world import World

CLIENTS, PAUSE_MS = 3, 220.0
CLOCK_TICK_MS = 250
CLOCK_LEAD_MS = 3000
"""How far ahead a write of another region may be stamped: a second more, and it waits."""

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
    shard_of: dict[Written, int] = field(default_factory=dict)
    over: dict[Written, Stamp] = field(default_factory=dict)
    """What a client's write was written over."""
    losers: list[tuple[bytes, Stamp, Stamp]] = field(default_factory=list)
    """(key, winner, loser)."""
    imported: Counter[bytes] = field(default_factory=Counter)
    """Writes of other regions that are in a log, by key."""
    visible: int = 0
    """Conflicts that are told."""

    def accepted(self, mutation: Mutation, said: bool, number: int) -> None:
        super().accepted(mutation, said, number)
        key, old, new = mutation.key, mutation.old, mutation.new
        if key not in GLOBAL_KEYS:
            return
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
            written = key, version_of(new, self.own).stamp
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
        found = self.versions.get(key)
        return found is not None and found.includes(stamp)


class LocalClient(RegionsClient):
    """Of this region."""

    def _choose(self) -> tuple[bytes, str]:
        dice = self.world.random
        self._value = dice.randrange(1000)
        return dice.choice(GLOBAL_KEYS), dice.choices(("store", "erase"), (70, 30))[0]

    def _evaluate(self, pending: Pending) -> Evaluate:
        if pending.kind != "store":
            return super()._evaluate(pending)
        key, value = pending.key, self._value
        return lambda _old, wall_ms: Decision(True, item_row(key, value, wall_ms), Outcome(body=b"put"))


class RegionCluster(Cluster):
    """`skew_ms`: of all its clocks."""

    def __init__(self, world: World, region: str, skew_ms: int) -> None:
        dice = world.random
        super().__init__(world, Timing(caught_up_records=dice.choice([0, 4, 256])), PAUSE_MS)
        self.region, self.skew_ms = region, skew_ms
        self.clients: list[Any] = [LocalClient(self, number + 1, PAUSE_MS) for number in range(CLIENTS)]
        self.floors = Floors(region, frozenset())
        self.forgets = False
        self.truth_here = RegionTruth(own=region)
        self.log.auditor.truth = self.truth_here
        self.pruning = Pruning(self, random.Random(0))
        self.pruning.active = False
        for node in self.nodes.values():
            node._clock_start = float(WALL_BASE_MS + skew_ms + dice.randint(-NODE_SKEW_MS, NODE_SKEW_MS))
            node._rate = 1.0 + dice.uniform(-0.005, 0.005)
            node.wall_tick_ms = CLOCK_TICK_MS

    def told_of(self, others: frozenset[str]) -> None:
        """Metadata say which other regions there are; each node hears of it at its own time."""
        self.floors = Floors(self.region, others)
        for name, at_ms in self.global_from_ms.items():
            if at_ms == float("inf"):
                self.global_from_ms[name] = self.world.now_ms + self.world.random.uniform(0.0, 4000.0)

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

    def __init__(self, cluster: Cluster) -> None:
        self.cluster, self.world = cluster, cluster.world
        self.number = len(cluster.clients) + 1
        cluster.clients.append(self)  # type: ignore[arg-type] # what answers need of a client
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
        budget_ms = int(asked.deadline_ms - self.world.now_ms)
        evaluate = Importing(asked.part, CLOCK_LEAD_MS)
        write = Write(sender, b"", to.generation, asked.part["key"], evaluate, budget_ms, repeat=asked.tries > 1)
        self.cluster.ask(to, write, asked.tries, asked.deadline_ms, anybody=False)
        self.world.after(RESEND_MS, self._send_again, counter, asked.tries)

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
