"""Propagators, deliveries and leaders of indexes with one rule left out. The simulation must catch each one."""

from __future__ import annotations

from typing import Any

from dynabus.core.global_indexes import IndexWrite
from dynabus.core.global_indexes import arrival as real_arrival
from dynabus.core.global_indexes import writes_of as real_writes_of
from dynabus.core.global_indexes.backfill import Page
from dynabus.core.global_indexes.floors import Outcomes
from dynabus.core.global_indexes.messages import LogProgress
from dynabus.core.ids import PartitionId
from dynabus.core.messages import RequestPart
from dynabus.core.propagation import follower, index_writes, sweeps, telling
from dynabus.core.propagation.checkpoint import Checkpoint
from dynabus.core.propagation.deliveries import Deliveries
from dynabus.core.propagation.fills import Fills
from dynabus.core.propagation.follower import Follower
from dynabus.core.propagation.owned_log import Log
from dynabus.core.propagation.sweeps import sweep_of
from dynabus.core.propagation.telling import progress_of as real_progress_of
from dynabus.core.replication.store import Decision, Evaluate, Outcome
from dynabus.core.rows import Source, encode_index_row, source_of
from tests.simulation import broken_propagation, indexes
from tests.simulation.brains import Brains, Patches

BROKEN = Brains(
    {
        name: broken_propagation.BROKEN[name]
        for name in ("child_before_parent", "checkpoint_without_place", "void_records_count", "nothing_is_inherited")
    }
)
"""With those of streams that an index suffers from as well."""
broken, active = BROKEN.broken, BROKEN.active


@broken("a checkpoint is committed before its index writes are acknowledged")
def commit_before_acknowledgement() -> Patches:
    def settle(self: Log) -> None:
        while self.waiting:
            self.confirmed = self.waiting.popleft()[1]

    return [(Log, "settle", settle)]


@broken("a checkpoint waits for its own writes, and not for those of the checkpoints before it")
def earlier_writes_are_not_waited_for() -> Patches:
    def settle(self: Log) -> None:
        newest = next(reversed(self.unacknowledged), 0)
        while self.waiting and (newest == 0 or newest != self.waiting[0][0]):
            self.confirmed = self.waiting.popleft()[1]

    return [(Log, "settle", settle)]


@broken("a write counts, however old its source is")
def older_places_are_accepted() -> Patches:
    def arrival(part: RequestPart, _store: Outcomes) -> Evaluate:
        source = Source.decode(part["detail"])

        def evaluate(_old: bytes | None, wall_ms: int) -> Decision:
            row = encode_index_row(part["value"], part["size"], wall_ms, source)
            return Decision(True, row, Outcome(count=1))

        return evaluate

    return [(indexes, "arrival", arrival), (indexes, "source_of", lambda _row: Source(0, 0, 0))]


@broken("a deletion leaves nothing behind")
def tombstones_are_missing() -> Patches:
    def arrival(part: RequestPart, store: Outcomes) -> Evaluate:
        def evaluate(old: bytes | None, wall_ms: int) -> Decision:
            decision = real_arrival(part, store)(old, wall_ms)
            return decision if part["value"] else Decision(decision.write, None, decision.outcome)

        return evaluate

    return [(indexes, "arrival", arrival)]


@broken("places are compared by offset alone, though those of a child begin anew")
def generations_are_not_compared() -> Patches:
    def arrival(part: RequestPart, store: Outcomes) -> Evaluate:
        def evaluate(old: bytes | None, wall_ms: int) -> Decision:
            source = Source.decode(part["detail"])
            if old is not None and source_of(old).offset >= source.offset:
                return Decision(False, None, Outcome())
            return real_arrival(part, store)(None, wall_ms)

        return evaluate

    return [(indexes, "arrival", arrival), (Source, "order", property(lambda self: (0, self.offset)))]


@broken("an item's row is not deleted when its index key changes")
def old_rows_stay() -> Patches:
    def writes_of(*arguments: Any) -> list[IndexWrite]:
        found = real_writes_of(*arguments)
        return found[1:] if len(found) == 2 else found

    return [(index_writes, "writes_of", writes_of)]


@broken("a request that is not answered counts as done")
def silence_is_consent() -> Patches:
    def give_up(self: Deliveries, now_ms: float) -> None:
        for counter, message in [*self._messages.items()]:
            if now_ms >= message.again_ms:
                del self._messages[counter]
                for write in message.left.values():
                    self._finish(write)

    return [(Deliveries, "_give_up", give_up)]


@broken("what a partition refuses is not sent again")
def refusals_are_final() -> Patches:
    def again(self: Deliveries, write: Any, _due_ms: float) -> None:
        self._finish(write)

    return [(Deliveries, "_again", again)]


@broken("of two writes of one key that wait the older one goes")
def the_older_write_goes() -> Patches:
    def add(self: Deliveries, writes: Any) -> None:
        for each in writes:
            waiting = self._waiting.get((each.of.log, each.of.write.key))
            if waiting is None:
                real(self, [each])
            else:
                waiting.owners.append((each.partition, each.number))

    real = Deliveries.add
    return [(Deliveries, "add", add)]


@broken("rows of a replica are taken that has not applied what the log writes no more")
def replicas_may_be_behind() -> Patches:
    return [(indexes.IndexedWorld, "ignores_at_least", True)]


@broken("rows are put as of now, and not as of when the replica had them")
def pages_are_always_news() -> Patches:
    def told_page(self: Follower, label: str, position: bytes, page: Page) -> None:
        place = self.place
        at = page.next_offset if place is None else max(page.next_offset, place.next_offset + 20)
        real(self, label, position, page._replace(next_offset=at))

    real = Follower.told_page
    return [(Follower, "told_page", told_page)]


@broken("an index counts as filled after its first page")
def one_page_is_all() -> Patches:
    def moved(self: Fills, label: str, position: bytes, _behind: bytes | None) -> bool:
        return real(self, label, position, None)

    real = Fills.moved
    return [(Fills, "moved", moved)]


@broken("children of a split do not go on filling what their parent had begun")
def children_are_filled() -> Patches:
    def inherit(self: Follower, origin: Any, parent: Checkpoint) -> None:
        real(self, origin, parent._replace(fills=()))

    real = Follower.inherit
    return [(Follower, "inherit", inherit)]


@broken("whoever takes a log over believes that its indexes are filled")
def progress_is_not_kept() -> Patches:
    return [(Fills, "positions", property(lambda self: ()))]


@broken("an index is written before it is committed where it begins")
def begins_are_not_committed() -> Patches:
    return [(Fills, "holds", property(lambda self: False))]


@broken("after a failure it is believed that what was confirmed is committed")
def confirmed_is_committed() -> Patches:
    def restore(self: Follower, checkpoint: Checkpoint, _committed: Checkpoint | None = None) -> None:
        real(self, checkpoint, checkpoint)

    real = Follower.restore
    return [(Follower, "restore", restore)]


@broken("what a lost log left in the index is not looked for")
def stale_rows_stay() -> Patches:
    return [(Fills, "sweep", lambda self, labels: None)]


@broken("stale rows are deleted as of now, and not as of before the recovered contents")
def sweeps_are_always_news() -> Patches:
    def of_page(index: Any, label: str, items: Any, source: Source) -> Any:
        writes, skipped = real(index, label, items, source)
        sweep = sweep_of(label)
        if sweep is None:
            return writes, skipped
        now = Source(source.number, sweep.generation, 1 << 40)
        return [each._replace(write=each.write._replace(source=now)) for each in writes], skipped

    real = sweeps.of_page
    return [(follower, "of_page", of_page)]


@broken("a partition's sweep takes what others have in the index, too")
def sweeps_take_all() -> Patches:
    return [(indexes.IndexedWorld, "sweeps_all", True)]


@broken("a propagator tells of what it has read, and not of what is acknowledged")
def what_is_read_is_told() -> Patches:
    def progress_of(partition: PartitionId, log: Log) -> LogProgress | None:
        told, place = real_progress_of(partition, log), log.follower.place
        if told is not None and place is not None:
            told["indexes"] = [{**each, "next_offset": place.next_offset} for each in told["indexes"]]
        return told

    return [(telling, "progress_of", progress_of)]
