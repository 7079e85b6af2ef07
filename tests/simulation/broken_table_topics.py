"""Propagators of a table topic, and what they rely on, with one rule left out. The simulation must catch each."""

from __future__ import annotations

from typing import Any

from dynabus.core.ids import PartitionId
from dynabus.core.propagation import propagator, sweeps, table_records
from dynabus.core.propagation.checkpoint import Checkpoint
from dynabus.core.propagation.fills import Fills
from dynabus.core.propagation.follower import Follower
from dynabus.core.propagation.owned_log import Log
from dynabus.core.propagation.propagator import Parcel, Propagator
from dynabus.core.propagation.snapshots import Offered, Snapshots
from dynabus.core.replication.place import Place
from dynabus.core.streams.changes import Change
from tests.simulation import broken_indexes, broken_propagation, table_topics
from tests.simulation.brains import Brains, Patches
from tests.simulation.table_topics import TopicProcess, TopicWorld

BROKEN = Brains(
    {
        **{
            name: broken_propagation.BROKEN[name]
            for name in (
                "child_before_parent",
                "checkpoint_without_place",
                "void_records_count",
                "nothing_is_inherited",
            )
        },
        **{
            name: broken_indexes.BROKEN[name]
            for name in ("one_page_is_all", "children_are_filled", "progress_is_not_kept")
        },
    }
)
"""With those of streams and indexes that a table topic suffers from as well."""
broken, active = BROKEN.broken, BROKEN.active


@broken("a log that a replica has read to its seal, and which begins there, does not know its children")
def seals_of_places_are_forgotten() -> Patches:
    def begin_later(self: Follower, place: Place) -> None:
        real(self, place)
        self._marks = ()

    real = Follower.begin_later
    return [(Follower, "begin_later", begin_later)]


@broken("the group takes checkpoints of a transaction from members of older generations")
def generations_are_not_asked() -> Patches:
    return [(TopicWorld, "asks_generation", False)]


@broken("checkpoints are committed behind the transaction, and not in it")
def checkpoints_are_not_in_the_transaction() -> Patches:
    return [(TopicProcess, "offers", False)]


@broken("whoever takes a log over does not wait for what its former owner has offered")
def offered_is_not_waited_for() -> Patches:
    return [(TopicWorld, "waits_for_offered", False)]


@broken("a producer that was replaced, or whose transaction is over, goes on")
def epochs_are_not_asked() -> Patches:
    return [(TopicWorld, "asks_epoch", False)]


@broken("checkpoints are committed though their records are not")
def commit_without_records() -> Patches:
    def due(self: Propagator) -> dict[PartitionId, Checkpoint]:
        return {
            partition: log.confirmed
            for partition, log in self.logs.items()
            if log.confirmed is not None and log.confirmed != log.committed
        }

    return [(Propagator, "due", due)]


@broken("records are committed before their checkpoint is confirmed")
def records_before_their_checkpoint() -> Patches:
    def parcels(self: Propagator) -> dict[PartitionId, Parcel]:
        for log in self.logs.values():
            log.held |= log.follower.take_records()
        return real(self)

    real = Propagator.parcels
    return [(Propagator, "parcels", parcels)]


@broken("a log that is let go of is committed without its records")
def revoked_without_records() -> Patches:
    def revoke(self: TopicProcess, gone: PartitionId) -> None:
        if gone in self.brain.logs:
            self.brain.logs[gone].held.clear()
        real(self, gone)

    real = TopicProcess.revoke
    return [(TopicProcess, "revoke", revoke)]


@broken("a key's topic partition is that of the table's partition")
def keys_move() -> Patches:
    def produce(self: TopicWorld, member: int, epoch: int, record: Any) -> bool:
        key = record.key.decode()[-5:-3]
        number = next(
            number
            for number in reversed(self.history.ranges)
            if self.history.ranges[number][0] <= int(key) < self.history.ranges[number][1]
        )
        placing.append(number)
        return real(self, member, epoch, record)

    placing: list[int] = []
    real = TopicWorld.produce
    return [
        (TopicWorld, "produce", produce),
        (table_topics, "topic_partition", lambda _key, _count: placing[-1]),
    ]


@broken("a page is written over what the log has told since")
def pages_over_newer_records() -> Patches:
    return [(Snapshots, "is_newest", lambda self, key, offered: True)]


@broken("a page is written before the log is folded to its place")
def pages_are_early() -> Patches:
    def ripe(self: Snapshots, _next_offset: int) -> Offered | None:
        return self.waiting

    return [(Snapshots, "ripe", ripe)]


@broken("a page of a replica is taken that is behind what is remembered")
def pages_may_be_old() -> Patches:
    def offer(self: Snapshots, offered: Offered) -> None:
        self.waiting = self.waiting or offered

    def ask_page(self: Follower) -> Any:
        wanted = real(self)
        return wanted and (wanted[0], wanted[1]._replace(at_least=0))

    real = Follower.ask_page
    return [(Snapshots, "offer", offer), (Follower, "ask_page", ask_page)]


@broken("a deletion is not told")
def no_tombstones() -> Patches:
    def of_change(topics: Any, change: Change, generation: int) -> Any:
        return {} if change.new is None else real(topics, change, generation)

    real = table_records.of_change
    return [(table_records, "of_change", of_change)]


@broken("of a key the first record of a transaction stays")
def the_first_record_stays() -> Patches:
    def settle(self: Log) -> None:
        while self.waiting and not self.unacknowledged:
            _, self.confirmed, records = self.waiting.popleft()
            self.held = records | self.held
        self.is_full = False

    return [(Log, "settle", settle)]


@broken("what was committed unheard is written again")
def lost_answers_are_repeated() -> Patches:
    return [(TopicProcess, "resolves", False)]


@broken("what a lost log left in the topic is not looked for")
def stale_items_stay() -> Patches:
    def sweep(self: Fills, labels: Any) -> None:
        real(self, [label for label in labels if not sweeps.is_topic(label)])

    real = Fills.sweep
    return [(Fills, "sweep", sweep)]


@broken("the topic is looked through before the log's contents are committed")
def sweeps_are_early() -> Patches:
    return [(Log, "has_committed", lambda self, _offset: True)]


@broken("what is committed behind a transaction that has not ended is taken for missing")
def looks_end_early() -> Patches:
    return [(TopicWorld, "looks_end_early", True)]


@broken("the topic is not filled with what is older")
def not_filled() -> Patches:
    def begin(self: Fills, label: str, at_least: int, *, is_filled: bool) -> None:
        if not sweeps.is_topic(label):
            real(self, label, at_least, is_filled=is_filled)

    real = Fills.begin
    return [(Fills, "begin", begin)]


@broken("what came between outputs and a failure is kept, though the log is read again")
def failures_keep_records() -> Patches:
    def again(self: Propagator, log: Log) -> None:
        records = log.follower.take_records()
        for _, _, more in log.waiting:
            records = more | records
        real(self, log)
        log.held |= records

    real = Propagator._again
    return [(propagator.Propagator, "_again", again)]
