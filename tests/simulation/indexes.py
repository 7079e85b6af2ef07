"""Propagators and the partitions of a global secondary index. `python -m tests.simulation.indexes --seeds 1000`; one
again: `--seed 42`.

On top of `propagation`: the same brains, logs, splits, rebalances, crashes and sleepers. The index's leaders are
modelled as what they decide by: the real rule over the rows that they have accepted. Between them and propagators,
whose deliveries are the real ones too, requests and replies are lost, doubled, and late in any order; those of
processes that were replaced long ago arrive as well. Leaders refuse for a while; the index's partitions are split.
Tombstones are taken away meanwhile, by leaders that change, under floors that come late.

In some runs logs lose their ends and are recovered: what that left in the index is swept.

In half of the runs the index is added later: it is filled with pages of rows, each of a replica at a place of its
own, while the log goes on, partitions are split and propagators die.

Checked at the end: no tombstone is left, and once writes have arrived that were kept back for as long, the index is
the projection of the table, and each row lies in the partition of its key. At once: no row goes back to an older
source; and what a propagator says is in the index is there.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import orjson

from dynabus.auto_admin.tables.decisions import TableState
from dynabus.core.cluster_view import ClusterView
from dynabus.core.global_indexes import GlobalIndex, IndexWrite, arrival, global_indexes, writes_of
from dynabus.core.global_indexes.backfill import Page
from dynabus.core.global_indexes.messages import LogProgress
from dynabus.core.global_indexes.view import label_of
from dynabus.core.global_indexes.walk import told_floors
from dynabus.core.ids import LogId, PartitionId
from dynabus.core.messages import SEALED, Reply, ReplyPart, ReplyStatus, RequestPart
from dynabus.core.operations.calls import Code
from dynabus.core.propagation import telling
from dynabus.core.propagation.clearing import Clearing
from dynabus.core.propagation.deliveries import Deliveries, Send
from dynabus.core.propagation.propagator import PageWish
from dynabus.core.propagation.sweeps import Sweep, sweep_of
from dynabus.core.replication.store import Outcome
from dynabus.core.rows import Source, decode_row, encode_row, is_tombstone, source_of
from dynabus.core.tables.index_changes import are_changing
from dynabus.core.tables.indexes import index_message, own_description
from dynabus.core.values import Item
from tests.simulation import propagation
from tests.simulation.brains import run_histories
from tests.simulation.histories import TABLE, History, Truth
from tests.simulation.index_partitions import Partition
from tests.simulation.propagation import Process, Run, Violation, World, violated

INDEX_ID = "1" * 16
LOG = f"{TABLE}.{INDEX_ID}"
LABEL = label_of(INDEX_ID)
DESCRIPTION: dict[str, Any] = {
    "TableName": "music",
    "AttributeDefinitions": [{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "i")],
    "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
    "CreationDateTime": 1.0,
    "GlobalSecondaryIndexes": [
        {
            "IndexName": "by-i",
            "KeySchema": [{"AttributeName": "i", "KeyType": "HASH"}],
            "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["n"]},
            "ProvisionedThroughput": {"ReadCapacityUnits": 0, "WriteCapacityUnits": 0},
            "IndexArn": "arn:aws:dynamodb:us-east-1:0:table/music/index/by-i",
        }
    ],
}
INDEX: GlobalIndex = global_indexes(DESCRIPTION).all[0]
STEP_MS, CLEARING_MS = 20.0, 60.0


def item_of(key: str, value: str) -> Item:
    """`value`: "<i>|<n>"; without an i the index does not hold it. `v` is not projected."""
    i, n = value.split("|")
    item: Item = {"pk": {"S": key}, "n": {"S": n[0]}, "v": {"S": value}}
    return {**item, "i": {"S": i}} if i else item


@dataclass
class Items(History):
    """Items with few index keys, so that they come back to those that they had."""

    def value(self, old: str | None) -> str | None:
        new = f"{self.dice.choice(['', 'a', 'b', 'c'])}|{self.dice.randrange(20)}"
        return self.dice.choice([old, None, new, new, new])

    def row(self, key: str, value: str) -> bytes:
        return encode_row(orjson.dumps(item_of(key, value)), 10, self.now_ms)


@dataclass
class IndexedWorld(World):
    """With an index that was made with the table."""

    partitions: dict[int, Partition] = field(default_factory=lambda: {0: Partition(0, 1, b"", None)})
    indexes: list[dict[str, Any]] = field(default_factory=list)
    requests: list[tuple[tuple[int, int], Send]] = field(default_factory=list)
    """By member and run of whom asks."""
    replies: list[tuple[tuple[int, int], Reply]] = field(default_factory=list)
    kept: list[tuple[tuple[int, int], Send]] = field(default_factory=list)
    """Requests that are kept back, of whoever was paused with them; they arrive at the very end, too."""
    layout: int = 1
    """Version of the index's own metadata."""
    ignores_at_least: ClassVar[bool] = False
    """Replicas answer however far behind they are."""
    sweeps_all: ClassVar[bool] = False
    """Pages of sweeps have items of other partitions, too."""
    quiet: bool = False
    """Nothing goes wrong any more."""
    newest: dict[bytes, tuple[Truth, IndexWrite]] = field(default_factory=dict)
    looked_at: int = 0
    """Accepted changes of which the newest writes are known."""

    def publish(self) -> None:
        super().publish()
        state, version = self.state(), 8 * len(self.metadata)
        for each in self.indexes:
            message = index_message(each, TABLE, DESCRIPTION, version, state.partitions, state.ancestors)
            self.metadata[-1].append(message)

    def state(self) -> TableState:
        return replace(super().state(), indexes=self.indexes)

    def add_index(self) -> None:
        """It begins where each log ends when its reader hears of it."""
        if not self.indexes:
            roots = self.history.open_numbers()
            row = {"name": "by-i", "id": INDEX_ID, "status": "ENABLING", "from_start": False, "roots": roots}
            self.indexes = [row]
            self.publish()

    def split_table(self) -> None:
        """While an index is filled from what is split."""
        self.split_while(are_changing(self.indexes))

    def finish_index(self) -> None:
        """Once every partition's checkpoint says that it is filled, as auto-admin judges it."""
        if not are_changing(self.indexes):
            return
        if self.judge().done(replace(self.state(), streams=[]), 8 * len(self.metadata)):
            self.indexes = [{**self.indexes[0], "status": "ENABLED"}]
            self.publish()

    def page(self, wish: PageWish) -> Page | None:
        """Of some replica that has applied enough, or of an index's leader."""
        if (sweep := sweep_of(wish.label)) is not None:
            return self._page_of_index(wish, sweep)
        number = wish.partition.number
        end, least = len(self.history.logs[number]), 1 if self.ignores_at_least else max(1, wish.at_least)
        if end < least:
            return None
        at = end if self.quiet else self.dice.randint(least, end)
        items = self.history.items_at(number, at)
        keys = [key for key in sorted(items) if key.encode() >= wish.position]
        size = self.dice.randint(1, 4)
        behind = keys[size].encode() if len(keys) > size else None
        return Page([item_of(key, items[key]) for key in keys[:size]], at, behind)

    def _page_of_index(self, wish: PageWish, sweep: Sweep) -> Page:
        """Rows of older generations whose items lie in the partition that is recovered."""
        leads = next(each for each in self.open_partitions if each.holds(wish.position))
        keys = sorted(key for key in leads.rows if key >= wish.position)
        size = self.dice.randint(1, 4)
        rows = [leads.rows[key] for key in keys[:size]]
        old = [row for row in rows if not is_tombstone(row) and source_of(row).generation < sweep.generation]
        items = [orjson.loads(decode_row(row).item_json) for row in old]
        lower, upper = self.history.ranges[wish.partition.number]
        mine = [item for item in items if self.sweeps_all or lower <= int(item["pk"]["S"][1:]) < upper]
        return Page(mine, 0, keys[size] if len(keys) > size else leads.upper)

    def table_metadata(self) -> dict[str, Any]:
        """Of the index's partitions."""
        return {
            "id": LOG,
            "name": "music/index/by-i",
            "version": self.layout,
            "status": "ACTIVE",
            "description": orjson.dumps(own_description(DESCRIPTION, TABLE, "by-i")),
            "partitions": [each.metadata() for each in self.open_partitions],
        }

    def split_index(self) -> None:
        """One of its partitions, at a key that it has."""
        parent = self.dice.choice(self.open_partitions)
        keys = sorted(key for key in parent.rows if key != parent.lower)
        if not keys or len(self.partitions) > 6:
            return
        at, first = self.dice.choice(keys), max(self.partitions) + 1
        parent.children = (first, first + 1)
        for number, lower, upper in ((first, parent.lower, at), (first + 1, at, parent.upper)):
            self.partitions[number] = parent.child(number, lower, upper)
        self.layout += 1

    # -- between propagators and leaders ----------------------------------------------------------------------

    def send(self, asker: tuple[int, int], send: Send) -> None:
        """A request; of some a copy is kept back."""
        self.requests.append((asker, send))
        if self.dice.random() < 0.1:
            self.kept.append((asker, send))

    def wake(self) -> None:
        """Somebody goes on who was paused with a request."""
        if self.kept:
            self.requests += self.sent_on(*self.dice.choice(self.kept))

    def sent_on(self, asker: tuple[int, int], send: Send) -> list[tuple[tuple[int, int], Send]]:
        """To whom it belongs by now: its sender asks until somebody takes it."""
        found = []
        for part in send.parts:
            to = next(each for each in self.open_partitions if each.holds(part["key"]))
            moved: RequestPart = {**part, "partition": to.number, "generation": to.generation}
            found.append((asker, send._replace(parts=[moved])))
        return found

    def arrive(self) -> None:
        """Some request, whoever sent it and however long ago."""
        quietly = self.quiet
        if not self.requests:
            return
        at = 0 if quietly else self.dice.randrange(len(self.requests))
        asker, send = self.requests.pop(at)
        if not quietly and self.dice.random() < 0.1:
            return
        if not quietly and self.dice.random() < 0.15:
            self.requests.append((asker, send))
        parts = [self._part(index, part) for index, part in enumerate(send.parts)]
        if quietly or self.dice.random() > 0.1:
            self.replies.append(
                (asker, {"incarnation": asker[1], "counter": send.counter, "node": send.node, "parts": parts})
            )

    def check_begun(self, parts: list[RequestPart]) -> None:
        """Before anything is written for an index the group has where it begins: else another would begin later."""
        if self.indexes[0]["from_start"]:
            return
        for number in {Source.decode(part["detail"]).number for part in parts}:
            line = [number, *self.history.lineage[number]]
            line += [each for each, (successor, _) in self.history.recovered.items() if successor in line]
            known = [self.committed.get(PartitionId(LogId(TABLE), each)) for each in line]
            if not any(each is not None and LABEL in each.open for each in known):
                raise Violation(f"the index is written from partition {number}, where nobody has committed its begin")

    def _part(self, index: int, part: RequestPart) -> ReplyPart:
        partition = self.partitions[part["partition"]]
        if partition.children or part["generation"] != partition.generation:
            return _reply(index, ReplyStatus.STALE_ROUTE, SEALED if partition.children else b"")
        if partition.refuses:
            partition.refuses -= 1
            return _reply(index, self.dice.choice([ReplyStatus.NOT_LEADER, ReplyStatus.BUSY, ReplyStatus.THROTTLED]))
        if part["operation"] == Code.CLEAR:
            return {**_reply(index, ReplyStatus.OK), "count": partition.walk.tell(told_floors(part)).count}
        if not partition.holds(part["key"]):
            raise Violation("a write went to a partition that does not hold its key")
        return self._accept(partition, index, part)

    def _accept(self, partition: Partition, index: int, part: RequestPart) -> ReplyPart:
        old = partition.rows.get(part["key"])
        decision = arrival(part, partition)(old, 0)
        if decision.write:
            if old is not None and decision.row is not None and source_of(decision.row).order < source_of(old).order:
                raise Violation(f"a row went back from {source_of(old)} to {source_of(decision.row)}")
            if decision.row is None:
                partition.rows.pop(part["key"], None)
            else:
                partition.rows[part["key"]] = decision.row
        return {**_reply(index, ReplyStatus.OK), "count": decision.outcome.count}

    def check_told(self, progress: LogProgress | None) -> None:
        """All before the offset that a propagator tells of is in the index. Looked at are the newest writes of rows,
        as older ones may have been removed with their rows."""
        if progress is None or not self.indexes or not self.indexes[0]["from_start"] or self.history.recovered:
            return
        (told,) = progress["indexes"]
        for truth, write in self._newest_writes().values():
            order = (progress["generation"], truth.offset)
            if truth.number == progress["partition"] and truth.offset < told["next_offset"]:
                leads = next(each for each in self.partitions.values() if not each.children and each.holds(write.key))
                row = leads.rows.get(write.key)
                if (row is None and write.item_json) or (row is not None and source_of(row).order < order):
                    raise Violation(f"{truth.number} is told to be acknowledged up to {told}, {order} is not")

    def _newest_writes(self) -> dict[bytes, tuple[Truth, IndexWrite]]:
        """By key of the index, of all that the table has accepted so far."""
        for each in self.history.truth[self.looked_at :]:
            old, new = (None if value is None else item_of(each.key, value) for value in (each.old, each.new))
            for write in writes_of(INDEX, old, new, Source(0, 0, 0)):
                self.newest[write.key] = (each, write)
        self.looked_at = len(self.history.truth)
        return self.newest

    @property
    def open_partitions(self) -> list[Partition]:
        return [each for each in self.partitions.values() if not each.children]

    def tombstones(self) -> int:
        return sum(is_tombstone(row) for each in self.open_partitions for row in each.rows.values())

    def live_rows(self) -> dict[bytes, bytes]:
        """JSON by key."""
        found: dict[bytes, bytes] = {}
        for each in self.open_partitions:
            for key, row in each.rows.items():
                if not each.holds(key):
                    raise Violation("a row lies outside of its partition")
                if not is_tombstone(row):
                    found[key] = decode_row(row).item_json
        return found


def _reply(index: int, status: ReplyStatus, body: bytes = b"") -> ReplyPart:
    return Outcome(status, body).part(index)


class IndexingProcess(Process):
    """One propagator, with its deliveries."""

    world: IndexedWorld
    runs = 0

    def _start(self) -> None:
        super()._start()
        IndexingProcess.runs += 1
        self.run = IndexingProcess.runs
        self.cluster = ClusterView()
        self.deliveries = Deliveries(self.cluster, self.world.dice.choice)
        self.clearing = Clearing(self.brain, self.cluster, self.world.dice.choice, CLEARING_MS)
        self.now_ms = 0.0
        self.pages: list[tuple[PageWish, Page]] = []

    def piece(self) -> None:
        super().piece()
        self.now_ms += STEP_MS
        me = (self.member, self.run)
        while self.world.quiet and self.world.requests:
            self.world.arrive()
        mine = [each for each in self.world.replies if each[0] == me]
        self.world.dice.shuffle(mine)
        for reply in mine if self.world.quiet else mine[: self.world.dice.randrange(3)]:
            self.world.replies.remove(reply)
            self.deliveries.take(reply[1], self.now_ms)
            self.clearing.take(reply[1])
        self._fill()
        self.deliveries.add(self.brain.writes())
        for send in self.deliveries.due(self.now_ms):
            self.world.check_begun(send.parts)
            self.world.send(me, send)
        for send in self.clearing.due(self.now_ms):
            self.world.send(me, send)
        for partition, numbers in self.deliveries.take_done().items():
            self.brain.acknowledged(partition, numbers)
        for partition, log in self.brain.logs.items():
            self.world.check_told(telling.progress_of(partition, log))

    def _fill(self) -> None:
        """Pages are asked for again and again, and come late."""
        for wish in self.brain.pages():
            page = self.world.page(wish)
            if page is not None and (self.world.quiet or self.world.dice.random() < 0.2):
                self.pages.append((wish, page))
        if self.pages and (self.world.quiet or self.world.dice.random() < 0.5):
            self.brain.told_page(*self.pages.pop(self.world.dice.randrange(len(self.pages))))

    def _hear(self) -> None:
        news = len(self.world.metadata)
        self._heard = self.world.dice.randint(self._heard, news)
        for message in self.world.metadata[self._heard - 1] if self._heard else ():
            if message["label"].startswith("index/"):
                self.brain.view.take_index(message)
            else:
                self.brain.view.take(message)
        if self.cluster.table(LOG) is None or self.world.dice.random() < 0.3:
            self.cluster.take("table_metadata", self.world.table_metadata(), self.now_ms)
        self.brain.learned()
        self.deliveries.keep_only(self.brain.view.index_logs())


class IndexedRun(Run):
    """One history."""

    settle_turns = 3 * propagation.SETTLE_TURNS
    """A checkpoint takes turns in which its writes are acknowledged, and deliveries to streams fail all the while."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.world: IndexedWorld = IndexedWorld(self.dice, Items(self.dice), streams=self.world.streams)
        self.world.history.begin()
        self.world.enabled_at = {each["label"]: {0: 0} for each in self.world.streams}
        if self.dice.random() < 0.5:
            row = {"name": "by-i", "id": INDEX_ID, "status": "ENABLED", "from_start": True, "roots": [0]}
            self.world.indexes = [row]
        self.world.publish()
        self.processes = [IndexingProcess(self.world, member) for member in range(propagation.PROCESSES)]

    def _step(self) -> None:
        super()._step()
        world = self.world
        what = self.dice.random()
        if what < 0.5:
            world.arrive()
        elif what < 0.51:
            world.split_index()
        elif what < 0.52 and self.dice.random() < 0.4:
            world.add_index()
        elif what < 0.55:
            world.finish_index()
        elif what < 0.56:
            world.split_table()
        elif what < 0.57:
            self.dice.choice([*world.partitions.values()]).refuses = self.dice.randrange(8)
        elif what < 0.67:
            self.dice.choice(world.open_partitions).walk_on(self.dice)
        elif what < 0.72:
            self.dice.choice(world.open_partitions).read_back()
        elif what < 0.73:
            self.dice.choice(world.open_partitions).lead_anew(self.dice)
        elif what < 0.77:
            world.wake()

    def _settle(self) -> None:
        world = self.world
        world.quiet = True
        for partition in world.partitions.values():
            partition.refuses = 0
        runs = {(each.member, each.run) for each in self.processes if isinstance(each, IndexingProcess)}
        world.replies = [each for each in world.replies if each[0] in runs]
        world.add_index()
        for _ in range(self.dice.choice([0, 1, 2])):
            # While it is filled; what is not filled then nobody changes any more.
            for _ in range(300):
                if self.dice.random() < 0.3 and any(each.fills for each in world.committed.values()):
                    break
                self.dice.choice(self.processes).piece()
            world.split_table()
        super()._settle()
        for _ in range(self.settle_turns):
            world.finish_index()
            for process in self.processes:
                process.piece()
        if are_changing(world.indexes):
            raise Violation("the index is never filled")
        self._clear()
        world.split_index()
        for partition in world.open_partitions:
            partition.lead_anew(self.dice)
        self.dice.shuffle(world.kept)
        for each in world.kept:
            world.requests += world.sent_on(*each)
        while world.requests:
            world.arrive()

    def _clear(self) -> None:
        """Until nobody has anything to tell leaders, and those have no more to look at."""
        world = self.world
        for _ in range(self.settle_turns):
            for process in self.processes:
                process.piece()
            for partition in world.open_partitions:
                if self.dice.random() < 0.5:
                    partition.read_back()
                partition.walk_on(self.dice)
            if not any(process.brain.unclear for process in self.processes):
                break
        else:
            raise Violation("propagators never come to an end of telling floors")

    def _check(self) -> None:
        super()._check()
        if left := sum(len(log.unacknowledged) for each in self.processes for log in each.brain.logs.values()):
            raise Violation(f"{left} writes are not acknowledged")
        if left := self.world.tombstones():
            raise Violation(f"{left} tombstones are left")
        self._check_index()

    def _check_index(self) -> None:
        wanted: dict[bytes, Item] = {}
        for key, value in self.world.history.items().items():
            item = item_of(key, value)
            if INDEX.holds(item):
                wanted[INDEX.row_key(item)] = {name: item[name] for name in ("pk", "i", "n")}
        found = {key: orjson.loads(json) for key, json in self.world.live_rows().items()}
        if found != wanted:
            more, less = found.keys() - wanted.keys(), wanted.keys() - found.keys()
            differ = {key for key in found.keys() & wanted.keys() if found[key] != wanted[key]}
            raise Violation(f"the index is not the projection: too many {more}, too few {less}, others {differ}")


def simulate(seed: int) -> str | None:
    """What is violated in this history, or None."""
    return violated(IndexedRun(seed))


if __name__ == "__main__":
    sys.exit(run_histories("tests.simulation.indexes", simulate))
