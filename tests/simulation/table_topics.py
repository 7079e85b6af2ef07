"""Propagators and a table topic. `python -m tests.simulation.table_topics --seeds 1000`; one again: `--seed 42`.

On top of `propagation`: the same brains, logs, splits, rebalances, crashes and sleepers. Modelled is what Kafka's
transactions do (KIP-98, KIP-447): epochs of producers, checkpoints that are offered and not decided yet, which who
takes a log over waits for, refusals to who is of an older generation or epoch, transactions that time out, commits
whose answer is lost.

The topic is switched on at any time and is filled with pages of rows, each of a replica at a place of its own, while
the log goes on, partitions are split and propagators die.

Checked, of what a reader sees that reads what is committed: each key lies in one topic partition, and its values are
a subsequence of those that the item had, so none goes back. At the end: the last ones are the table.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import takewhile
from typing import Any, ClassVar

import orjson

from dynabus.auto_admin.tables.decisions import TableState
from dynabus.core.global_indexes.backfill import Page
from dynabus.core.ids import PartitionId
from dynabus.core.propagation.checkpoint import Checkpoint
from dynabus.core.propagation.propagator import PageWish, Parcel
from dynabus.core.propagation.sweeps import behind_topic_partition, sweep_of, topic_position
from dynabus.core.propagation.table_records import TableRecord
from dynabus.core.table_topics.partitioner import topic_partition
from dynabus.core.table_topics.view import ENABLED
from dynabus.core.tables.table_topics import is_changing, new_table_topic, table_topic_message
from tests.simulation import propagation
from tests.simulation.brains import run_histories
from tests.simulation.histories import TABLE, History
from tests.simulation.propagation import KEY_SCHEMA, Process, Run, Violation, World, violated

PARTITIONS = 3


@dataclass
class Items(History):
    """No value comes twice, so that a record tells which one it is."""

    count: int = 0

    def value(self, old: str | None) -> str | None:
        self.count += 1
        return self.dice.choice([old, None, f"v{self.count}", f"v{self.count}"])


@dataclass(eq=False)
class Transaction:
    """One of a producer of this epoch. `offered`: checkpoints that are committed with it."""

    epoch: int
    records: list[Landed] = field(default_factory=list)
    offered: dict[PartitionId, Checkpoint] | None = None


@dataclass(eq=False)
class Landed:
    """A record in the topic: readers see it once it is committed, those behind it of the same partition too."""

    key: bytes
    item: dict[str, Any] | None
    generation: int
    is_committed: bool | None = None


@dataclass
class TopicWorld(World):
    """With a table topic, and Kafka's coordinators of transactions and of the group."""

    table_topic: dict[str, Any] = field(default_factory=dict)
    epochs: dict[int, int] = field(default_factory=dict)
    """Of producers, by member."""
    transactions: dict[int, Transaction] = field(default_factory=dict)
    """Those that are not decided, by member."""
    landed: dict[int, list[Landed]] = field(default_factory=dict)
    """By topic partition."""
    quiet: bool = False
    waits_for_offered: ClassVar[bool] = True
    asks_generation: ClassVar[bool] = True
    asks_epoch: ClassVar[bool] = True
    looks_end_early: ClassVar[bool] = False
    """A look at the topic ends before a transaction that is open, say, and not where the topic ended."""

    # -- auto-admin -------------------------------------------------------------------------------------------

    def publish(self) -> None:
        super().publish()
        if self.table_topic:
            state, version = self.state(), 8 * len(self.metadata)
            self.metadata[-1].append(
                table_topic_message(
                    self.table_topic, TABLE, "music", version, state.partitions, state.ancestors, KEY_SCHEMA
                )
            )

    def state(self) -> TableState:
        return replace(super().state(), table_topic=self.table_topic)

    def switch_on(self) -> None:
        if not self.table_topic and self.may_split:
            self.table_topic = new_table_topic("1", PARTITIONS, self.history.open_numbers())
            self.publish()

    def finish_topic(self) -> None:
        """Once every partition's checkpoint says that it is filled, as auto-admin judges it."""
        if not is_changing(self.table_topic):
            return
        if self.judge().topic_done(self.state(), 8 * len(self.metadata)):
            self.table_topic = {**self.table_topic, "status": ENABLED}
            self.publish()

    def split_table(self) -> None:
        """While the topic is filled from what is split."""
        self.split_while(is_changing(self.table_topic))

    def page(self, wish: PageWish) -> Page | None:
        """Of some replica that has applied enough, or what is found in the topic."""
        if (sweep := sweep_of(wish.label)) is not None:
            return self._sweep(wish, sweep.generation)
        number = wish.partition.number
        end, least = len(self.history.logs[number]), max(1, wish.at_least)
        if end < least:
            return None
        at = end if self.quiet else self.dice.randint(least, end)
        items = self.history.items_at(number, at)
        keys = [key for key in sorted(items) if key.encode() >= wish.position]
        size = self.dice.randint(1, 4)
        behind = keys[size].encode() if len(keys) > size else None
        return Page([{"pk": {"S": key}, "v": {"S": items[key]}} for key in keys[:size]], at, behind)

    def _sweep(self, wish: PageWish, generation: int) -> Page | None:
        """Keys of one topic partition, which is shown up to the first record that is not decided."""
        at = topic_position(wish.position)
        landed = self.landed.get(at, [])
        if self.looks_end_early:
            landed = landed[: self.dice.randint(0, len(landed))]
        elif any(each.is_committed is None for each in landed):
            return None
        shown = [each for each in takewhile(lambda each: each.is_committed is not None, landed) if each.is_committed]
        last = {each.key: each for each in shown}
        lower, upper = self.history.ranges[wish.partition.number]
        stale = [
            item
            for key, each in sorted(last.items())
            for item in [orjson.loads(key)]
            if each.item is not None and each.generation < generation and lower <= int(item["pk"]["S"][1:]) < upper
        ]
        behind = bytes([at]) if len(stale) > 2 else behind_topic_partition(at, PARTITIONS)
        return Page(stale[:2], wish.at_least, behind)

    # -- transactions -----------------------------------------------------------------------------------------

    def init(self, member: int) -> int:
        """A producer begins: the one of before is fenced, what it had open is aborted."""
        self.abort(member)
        self.epochs[member] = self.epochs.get(member, 0) + 1
        return self.epochs[member]

    def abort(self, member: int) -> None:
        """Its time is over: nobody of that epoch adds to it."""
        open_one = self.transactions.pop(member, None)
        if open_one is not None:
            self.epochs[member] += 1
            for each in open_one.records:
                each.is_committed = False

    def _of(self, member: int, epoch: int) -> Transaction | None:
        if epoch != self.epochs[member] and self.asks_epoch:
            return None
        return self.transactions.setdefault(member, Transaction(epoch))

    def produce(self, member: int, epoch: int, record: TableRecord) -> bool:
        """False: refused."""
        transaction = self._of(member, epoch)
        if transaction is None:
            return False
        landed = Landed(record.key, record.item, record.generation)
        transaction.records.append(landed)
        self.landed.setdefault(topic_partition(record.key, record.topic.partitions), []).append(landed)
        return True

    def offer(self, member: int, epoch: int, generation: int, checkpoints: dict[PartitionId, Checkpoint]) -> bool:
        """To the group's coordinator."""
        transaction = self._of(member, epoch)
        if transaction is None or (generation != self.generation and self.asks_generation):
            return False
        transaction.offered = checkpoints
        return True

    def end(self, member: int, epoch: int) -> bool:
        """Commit."""
        transaction = self._of(member, epoch)
        if transaction is None:
            return False
        del self.transactions[member]
        for each in transaction.records:
            each.is_committed = True
        self.keep(transaction.offered or {})
        return True

    def is_stable(self, where: PartitionId) -> bool:
        """No transaction that is not decided has offered a checkpoint of this log."""
        offered = (each.offered or {} for each in self.transactions.values())
        return not self.waits_for_offered or not any(where in each for each in offered)

    def seen(self) -> dict[int, list[Landed]]:
        """What readers see of each topic partition."""
        return {number: [each for each in landed if each.is_committed] for number, landed in self.landed.items()}


class TopicProcess(Process):
    """One propagator, with its transactional producer."""

    world: TopicWorld
    offers: ClassVar[bool] = True
    resolves: ClassVar[bool] = True

    def _start(self) -> None:
        super()._start()
        self.epoch: int | None = None
        self.doubtful: dict[PartitionId, Parcel] = {}
        self.is_committing = False
        self.waiting: set[PartitionId] = set()
        self.pages: list[tuple[PageWish, Page]] = []

    def crash(self) -> None:
        super().crash()
        self.is_committing = False

    @property
    def is_between(self) -> bool:
        return super().is_between and not self.is_committing

    def piece(self) -> None:
        super().piece()
        world = self.world
        for wish in self.brain.pages():
            page = world.page(wish)
            if page is not None and (world.quiet or world.dice.random() < 0.5):
                self.pages.append((wish, page))
        if self.pages and (world.quiet or world.dice.random() < 0.5):
            self.brain.told_page(*self.pages.pop(world.dice.randrange(len(self.pages))))

    def _hear(self) -> None:
        news = len(self.world.metadata)
        self._heard = self.world.dice.randint(self._heard, news)
        for message in self.world.metadata[self._heard - 1] if self._heard else ():
            if message["label"].startswith("topic/"):
                self.brain.view.take_table_topic(message)
            else:
                self.brain.view.take(message)
        self.brain.learned()

    def _poll_group(self) -> None:
        before = dict(self._mine)
        super()._poll_group()
        for where in [each for each in self.doubtful if before.get(each) != self._mine.get(each)]:
            del self.doubtful[where]
        self.waiting &= self._mine.keys()
        for where in [each for each in sorted(self.waiting) if self.world.is_stable(each)]:
            self.waiting.discard(where)
            super()._take_over(where)

    def _take_over(self, where: PartitionId) -> None:
        self.waiting.add(where)

    def _told_parent(self, where: PartitionId, parent: PartitionId) -> None:
        if self.world.is_stable(parent):
            super()._told_parent(where, parent)

    # -- transactions -----------------------------------------------------------------------------------------

    def revoke(self, gone: PartitionId) -> None:
        parcels = {where: each for where, each in self.brain.parcels().items() if where == gone}
        for _ in self._transact(parcels) if parcels else ():
            pass
        super().revoke(gone)
        self.doubtful.pop(gone, None)
        self.waiting.discard(gone)

    def _commit(self) -> Iterator[None]:
        yield from super()._commit()
        parcels = self.brain.parcels()
        if parcels:
            self.is_committing = True
            yield from self._transact(parcels)
            self.is_committing = False

    def _transact(self, parcels: dict[PartitionId, Parcel]) -> Iterator[None]:
        """What fails leaves its producer, and what that has begun, to whoever comes."""
        world, dice = self.world, self.world.dice
        if self.epoch is None:
            self.epoch = world.init(self.member)
            yield
        if self.doubtful:
            self._resolve()
            return
        epoch, self.epoch = self.epoch, None
        for record in [each for parcel in parcels.values() for each in parcel.records]:
            if dice.random() < 0.02 or not world.produce(self.member, epoch, record):
                return
            if dice.random() < 0.5:
                yield
        offered = {where: parcel.checkpoint for where, parcel in parcels.items()}
        self.doubtful = parcels if self.resolves else {}
        if self.offers and not world.offer(self.member, epoch, self.generation, offered):
            return
        for _ in range(dice.randint(1, 4)):
            yield
        if not world.end(self.member, epoch) or dice.random() < 0.25:
            return
        if not self.offers:
            world.committed.update(offered)
        self.epoch, self.doubtful = epoch, {}
        self.brain.parcels_done(parcels)

    def _resolve(self) -> None:
        """Of what was tried last, and is decided by now."""
        if all(map(self.world.is_stable, self.doubtful)):
            known = self.world.committed
            done = {where: each for where, each in self.doubtful.items() if known.get(where) == each.checkpoint}
            self.doubtful = {}
            self.brain.parcels_done(done)


class TopicRun(Run):
    """One history."""

    settle_turns = 2 * propagation.SETTLE_TURNS

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.world: TopicWorld = TopicWorld(self.dice, Items(self.dice), streams=self.world.streams)
        self.world.history.begin()
        self.world.enabled_at = {each["label"]: {0: 0} for each in self.world.streams}
        self.world.publish()
        self.processes = [TopicProcess(self.world, member) for member in range(propagation.PROCESSES)]

    def _step(self) -> None:
        super()._step()
        world, what = self.world, self.dice.random()
        if what < 0.02 and self.dice.random() < 0.5:
            world.switch_on()
        elif what < 0.04:
            world.finish_topic()
        elif what < 0.05:
            world.split_table()
        elif what < 0.07 and world.transactions:
            world.abort(self.dice.choice([*world.transactions]))
        # So many pieces has a transaction.
        for process in self.processes if what > 0.6 else ():
            if process.awake:
                process.piece()

    def _settle(self) -> None:
        world = self.world
        for _ in range(100):
            # A stream that begins or ends must have done so before.
            if not world.table_topic:
                for process in self.processes:
                    process.piece()
                world.finish()
                world.switch_on()
        world.quiet = True
        if self.losing and world.history.recovered == {}:
            world.lose()
        for member in [*world.transactions]:
            # Those that somebody still works at go on; of the others the time is over.
            if not _is_committing(self.processes[member]):
                world.abort(member)
        super()._settle()
        for _ in range(self.settle_turns):
            world.finish_topic()
            for process in self.processes:
                process.piece()
        if world.table_topic and is_changing(world.table_topic):
            raise Violation("the topic is never filled")

    def _check(self) -> None:
        super()._check()
        if any(log.held for each in self.processes for log in each.brain.logs.values()):
            raise Violation("records are held for ever")
        if self.world.table_topic:
            self._check_topic()

    def _check_topic(self) -> None:
        histories = self._histories()
        found: dict[str, str] = {}
        where: dict[str, int] = {}
        for number, records in self.world.seen().items():
            places: dict[str, int] = {}
            for each in records:
                key = orjson.loads(each.key)["pk"]["S"]
                if where.setdefault(key, number) != number:
                    raise Violation(f"{key} lies in two topic partitions")
                value = None if each.item is None else each.item["v"]["S"]
                places[key] = self._place(histories[key], places.get(key, 0), value, key)
                if value is None:
                    found.pop(key, None)
                else:
                    found[key] = value
        wanted = self.world.history.items()
        wrong = {key for key in found.keys() | wanted.keys() if found.get(key) != wanted.get(key)}
        if wrong:
            told = [(key, found.get(key), wanted.get(key)) for key in sorted(wrong)][:3]
            raise Violation(f"the topic is not the table: (key, topic, table) {told}")

    def _histories(self) -> dict[str, list[str | None]]:
        """All values that each key had, none at first."""
        histories: dict[str, list[str | None]] = {}
        for each in self.world.history.truth:
            histories.setdefault(each.key, [None]).append(each.new)
        return histories

    def _place(self, history: list[str | None], at: int, value: str | None, key: str) -> int:
        for place in range(at, len(history)):
            if history[place] == value:
                return place
        raise Violation(f"{key} goes back to {value}, behind {history[at]}")


def _is_committing(process: Process) -> bool:
    return isinstance(process, TopicProcess) and process.is_committing


def simulate(seed: int) -> str | None:
    """What is violated in this history, or None."""
    return violated(TopicRun(seed))


if __name__ == "__main__":
    sys.exit(run_histories("tests.simulation.table_topics", simulate))
