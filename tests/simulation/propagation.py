"""Propagators over modelled logs, a modelled consumer group and modelled stream topics. `python -m
tests.simulation.propagation --seeds 1000`; one again: `--seed 42`.

The brains are the real ones (`core.propagation`), and so are auto-admin's rules for streams that begin and end.
Modelled is what Kafka does: rebalances, members that die, sleep and wake up as zombies; outputs that fail, are cut
off, and land late; commits that the group refuses. A run ends without faults, and then each stream, read as it is
documented, must be the accepted history.

In some runs logs lose their ends and are recovered: what was lost a stream may have or not, what came of it is whole.

Checked at once: nothing lands in a child's shard before its parent's was closed, and no checkpoint goes back.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from dynabus.auto_admin.outside import Stated
from dynabus.auto_admin.streaming import Streaming
from dynabus.auto_admin.tables.decisions import TableState
from dynabus.core.ids import LogId, PartitionId
from dynabus.core.propagation.checkpoint import Checkpoint
from dynabus.core.propagation.outputs import Output
from dynabus.core.propagation.owned_log import Found
from dynabus.core.propagation.propagator import Propagator, Wish, parent_of
from dynabus.core.propagation.view import DerivedView
from dynabus.core.streams.reading import CLOSED, OPENED, Entry, Position, count
from dynabus.core.streams.sequence import BEFORE_ALL
from dynabus.core.streams.view import DISABLED, ENABLED
from dynabus.core.tables.streams import Stream, finish_streams, new_stream, stream_message
from tests.simulation.brains import run_histories
from tests.simulation.histories import TABLE, History, Truth, origin
from tests.simulation.kafka import BODIES

PROCESSES, STEPS, BATCH = 3, 500, 7
WILD = False
"""A producer may give a record up and deliver the next one: what `log_propagator.sender` rules out."""

SETTLE_TURNS = 400
"""More than enough for whatever is left to do; who needs them all stands still."""

KEY_SCHEMA = b'[{"AttributeName": "pk", "KeyType": "HASH"}]'
Where = tuple[str, int]
"""(label, number) of a shard."""


class Violation(Exception):
    """A promise does not hold."""


@dataclass(slots=True)
class Landed:
    """A record of a stream topic."""

    entry: Entry
    output: Output


@dataclass
class World:
    """Kafka and auto-admin."""

    dice: random.Random
    history: History
    topics: dict[Where, list[Landed]] = field(default_factory=dict)
    late: list[list[Output]] = field(default_factory=list)
    committed: dict[PartitionId, Checkpoint] = field(default_factory=dict)
    owners: dict[PartitionId, tuple[int, int]] = field(default_factory=dict)
    """(member, generation in which it got the log)."""
    generation: int = 0
    metadata: list[list[Any]] = field(default_factory=list)
    """Each publication: the messages of all streams."""
    streams: list[Stream] = field(default_factory=list)
    enabled_at: dict[str, dict[int, int]] = field(default_factory=dict)
    """By label: where the logs ended when it was ENABLED."""
    disabled_at: dict[str, dict[int, int]] = field(default_factory=dict)
    """By label: where they ended when it was to be disabled."""
    failing: float = 0.2  # how often outputs do

    # -- auto-admin -------------------------------------------------------------------------------------------

    def publish(self) -> None:
        """With one version for all."""
        state = self.state()
        version = 8 * (len(self.metadata) + 1)
        self.metadata.append(
            [
                stream_message(
                    each, TABLE, {"TableName": "music"}, version, state.partitions, state.ancestors, KEY_SCHEMA
                )
                for each in self.streams
            ]
        )

    def state(self) -> TableState:
        """The table's row."""
        partitions: list[dict[str, Any]] = []
        ancestors: list[dict[str, Any]] = []
        for number, place in self.history.places.items():
            group = place.group
            assert group is not None
            row = {"number": number, "generation": group.generation, "lineage": self.history.lineage[number]}
            successor = self.history.recovered.get(number)
            if successor is not None:
                row |= {"children": [successor[0]], "recovered": {"next_offset": successor[1]}}
            (ancestors if place.sealed or successor is not None else partitions).append(row)
        return TableState(TABLE, "music", "UPDATING", {}, partitions, streams=self.streams, ancestors=ancestors)

    def switch(self) -> None:
        """A stream is asked for, or the one there is shall end."""
        last = self.streams[-1]["status"] if self.streams else DISABLED
        if last == DISABLED and len(self.streams) < 3:
            made = new_stream(
                "NEW_AND_OLD_IMAGES",
                1000 * len(self.streams),
                self.history.open_numbers(),
                self.streams,
                from_start=False,
            )
            self.streams = [*self.streams, made]
        elif last == ENABLED:
            self.streams = [*self.streams[:-1], {**self.streams[-1], "status": "DISABLING"}]
            self.disabled_at[self.streams[-1]["label"]] = self.ends()
        else:
            return
        self.publish()

    def finish(self) -> None:
        """If it is done, as auto-admin judges it from what is committed."""
        if not self.streams or self.streams[-1]["status"] not in ("ENABLING", "DISABLING"):
            return
        if self.judge().done(self.state(), 8 * len(self.metadata)):
            if self.streams[-1]["status"] == "ENABLING":
                self.enabled_at[self.streams[-1]["label"]] = self.ends()
            self.streams = finish_streams(self.streams, 1)
            self.publish()

    def judge(self) -> Streaming:
        """Auto-admin's, who sees what is committed."""
        judge = Streaming(None, 0)  # type: ignore[arg-type] # what is found is given to it here
        judge._found = {
            (where.log, where.number): Stated(
                each.version, frozenset(each.open), frozenset(label for label, _ in each.fills)
            )
            for where, each in self.committed.items()
        }
        return judge

    @property
    def may_split(self) -> bool:
        """Not while a stream begins."""
        return all(each["status"] != "ENABLING" for each in self.streams)

    def lose(self, most: int = 6) -> None:
        """A log loses records, and is recovered; not while a stream begins. After changes that hardly anybody has
        read yet: what was made of them the log does not tell any more."""
        if self.may_split and len(self.history.logs) < most:
            number = self.dice.choice(self.history.open_numbers())
            for _ in range(self.dice.randrange(8)):
                self.history.change(number)
            self.history.lose(number)
            self.publish()

    def split_while(self, is_filled: bool) -> None:
        """What something is filled from."""
        if is_filled and self.may_split and len(self.history.logs) < 10:
            begun = {where.number for where, each in self.committed.items() if each.fills}
            numbers = sorted(begun & {*self.history.open_numbers()}) or self.history.open_numbers()
            self.history.split(self.dice.choice(numbers))
            self.publish()

    def ends(self) -> dict[int, int]:
        return {number: len(log) for number, log in self.history.logs.items()}

    # -- Kafka ------------------------------------------------------------------------------------------------

    def land(self, output: Output) -> None:
        """In its topic partition."""
        where = (output.stream.label, output.number)
        if output.number not in output.stream.shards:
            raise Violation(f"{where} is written by one who does not know of it")
        parent = output.stream.shards[output.number].parent
        if parent is not None and not self.is_closed((output.stream.label, parent)):
            raise Violation(f"{where} begins before shard {parent} is closed")
        topic = self.topics.setdefault(where, [])
        value = b"" if output.change is None else output.change.key_bytes
        topic.append(Landed(Entry(len(topic), output.type, output.sequence, value), output))

    def is_closed(self, where: Where) -> bool:
        return any(each.entry.type == CLOSED for each in self.topics.get(where, ()))

    def land_late(self) -> None:
        """What a producer of before still had under way: the next record of one of them."""
        if self.late:
            waiting = self.dice.choice(self.late)
            self.land(waiting.pop(0))
            self.late = [each for each in self.late if each]

    def commit(self, generation: int, checkpoints: dict[PartitionId, Checkpoint]) -> bool:
        """Refused to who has not taken part in the last rebalance."""
        if generation != self.generation:
            return False
        self.keep(checkpoints)
        return True

    def keep(self, checkpoints: Mapping[PartitionId, Checkpoint]) -> None:
        """The group has them."""
        for where, checkpoint in checkpoints.items():
            known = self.committed.get(where)
            if known is not None and known.place.next_offset > checkpoint.place.next_offset:
                raise Violation(f"the checkpoint of {where} goes back")
            self.committed[where] = checkpoint


class Process:
    """One propagator, in its successive runs. `turn` is cut into pieces between which it may die or sleep."""

    def __init__(self, world: World, member: int) -> None:
        self.world, self.member, self.awake = world, member, True
        self._start()

    def _start(self) -> None:
        self.brain = Propagator(DerivedView(), BODIES)
        self._heard = 0
        self._mine: dict[PartitionId, int] = {}
        self.generation = -1
        self._pieces = self._turns()
        self.outgoing: list[Output] = []

    def crash(self) -> None:
        """What was under way may still land, in order, up to anywhere."""
        self._leave_late()
        self._start()

    def _leave_late(self) -> None:
        cut = self.world.dice.randint(0, len(self.outgoing))
        if cut:
            self.world.late.append(self.outgoing[:cut])
        self.outgoing = []

    def piece(self) -> None:
        """The next one."""
        next(self._pieces)

    def _turns(self) -> Iterator[None]:
        world, dice = self.world, self.world.dice
        while True:
            self._hear()
            yield
            self._poll_group()
            self.brain.read(self._batch())
            yield
            self.outgoing = self.brain.outputs()
            fails = bool(self.outgoing) and dice.random() < world.failing
            left = dice.randint(0, len(self.outgoing)) if fails else 0
            while len(self.outgoing) > left:
                output = self.outgoing.pop(0)
                if not (WILD and dice.random() < 0.05):
                    world.land(output)
                yield
            if fails:
                self._leave_late()
                self.brain.fail()
            else:
                self.brain.confirm()
            yield
            if dice.random() < 0.5:
                yield from self._commit()
            yield
            self._find_out()

    def _commit(self) -> Iterator[None]:
        due = self.brain.due()
        if due and self.world.commit(self.generation, due):
            self.brain.commit_done(due)
        yield from ()

    def _hear(self) -> None:
        """Metadata, each process at its own pace."""
        news = len(self.world.metadata)
        self._heard = self.world.dice.randint(self._heard, news)
        for message in self.world.metadata[self._heard - 1] if self._heard else ():
            self.brain.view.take(message)
        self.brain.learned()

    def _poll_group(self) -> None:
        """A log that was another's meanwhile is begun anew, as one that is new here."""
        world = self.world
        owned = {where: since for where, (member, since) in world.owners.items() if member == self.member}
        gone = {where for where, since in self._mine.items() if owned.get(where) != since}
        self.brain.lost(gone)
        for where in sorted(owned.keys() - (self._mine.keys() - gone)):
            self._take_over(where)
        self._mine, self.generation = owned, world.generation

    def _take_over(self, where: PartitionId) -> None:
        self.brain.assigned(where, Found(origin(where.number), 0, self.world.committed.get(where)))

    def revoke(self, gone: PartitionId) -> None:
        """An orderly rebalance, between two turns: what is confirmed is committed while it is still this one's."""
        self.world.commit(self.generation, self.brain.revoked([gone]))
        self._mine.pop(gone, None)

    @property
    def is_between(self) -> bool:
        """Nothing is under way."""
        return self.awake and not self.outgoing

    def _batch(self) -> dict[PartitionId, list[Any]]:
        logs = self.world.history.logs
        for where, place in self.brain.positions().items():
            if place.next_offset > len(logs[where.number]):
                # As the shell says it once that has lasted.
                self.brain.logs[where].follower.lose("the log does not reach to the place")
        return {
            where: logs[where.number][place.next_offset : place.next_offset + self.world.dice.randint(1, BATCH)]
            for where, place in self.brain.positions().items()
        }

    def _find_out(self) -> None:
        for where, wish in self.brain.wishes():
            if wish is Wish.END:
                self.brain.told_end(where, len(self.world.history.logs[where.number]))
            elif wish is Wish.PARENT:
                self._told_parent(where, parent_of(self.brain.logs[where], where))
            else:
                read = self.world.dice.randint(0, len(self.world.history.logs[where.number]))
                self.brain.told_place(where, self.world.history.place_at(where.number, read))

    def _told_parent(self, where: PartitionId, parent: PartitionId) -> None:
        self.brain.told_parent(where, self.world.committed.get(parent))


def rebalance(world: World, processes: list[Process]) -> None:
    """Some logs change hands. Who sleeps, or is at something, is not asked."""
    members = [process.member for process in processes if process.awake] or [0]
    moved: dict[PartitionId, int] = {}
    for number in world.history.logs:
        where = PartitionId(LogId(TABLE), number)
        old, _ = world.owners.get(where, (None, 0))
        if old is None or world.dice.random() < 0.3:
            new = moved[where] = world.dice.choice(members)
            if old is not None and old != new and processes[old].is_between:
                processes[old].revoke(where)
    world.generation += 1
    for where, new in moved.items():
        if world.owners.get(where, (None, 0))[0] != new:
            world.owners[where] = (new, world.generation)


class Run:
    """One history."""

    settle_turns = SETTLE_TURNS

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.world = World(self.dice, History(self.dice))
        self.losing = self.dice.random() < 0.4
        self.world.history.begin()
        self.processes = [Process(self.world, member) for member in range(PROCESSES)]
        if self.dice.random() < 0.5:
            self.world.streams = [new_stream("NEW_AND_OLD_IMAGES", 0, [0], (), from_start=True)]
            self.world.enabled_at[self.world.streams[0]["label"]] = {0: 0}
            self.world.publish()

    def live(self) -> None:
        """With all faults, then without, then the check. Raises Violation."""
        for _ in range(STEPS):
            self._step()
        self._settle()
        self._check()

    def _step(self) -> None:
        world, dice = self.world, self.dice
        what = dice.random()
        process = dice.choice(self.processes)
        if what < 0.25:
            before = len(world.history.logs)
            world.history.may_split = world.may_split
            world.history.step()
            if len(world.history.logs) > before:
                world.publish()
        elif what < 0.265:
            world.switch()
        elif what < 0.27:
            if self.losing:
                world.lose()
        elif what < 0.32:
            world.finish()
        elif what < 0.34:
            process.crash()
        elif what < 0.36:
            process.awake = not process.awake
        elif what < 0.40:
            rebalance(self.world, self.processes)
        elif what < 0.45:
            world.land_late()
        elif process.awake:
            process.piece()

    def _settle(self) -> None:
        for process in self.processes:
            process.awake = True
        if self.losing and self.dice.random() < 0.5:
            self._lose_while_one_ends()
        while self.world.late:
            self.world.land_late()
        rebalance(self.world, self.processes)
        for _ in range(self.settle_turns):
            for process in self.processes:
                process.piece()
            self.world.finish()
        if self.world.streams and self.world.streams[-1]["status"] in ("ENABLING", "DISABLING"):
            raise Violation("a stream neither begins nor ends")
        stopped = [log.follower.alarm for each in self.processes for log in each.brain.logs.values()]
        if any(stopped):
            raise Violation(f"a log stopped: {stopped}")

    def _lose_while_one_ends(self) -> None:
        """A stream ends while a partition is recovered, whose successor has changes of before that end."""
        world = self.world
        rebalance(self.world, self.processes)
        for _ in range(self.settle_turns):
            for process in self.processes:
                process.piece()
            world.finish()
            if not world.streams or world.streams[-1]["status"] == DISABLED:
                world.switch()
        if world.streams[-1]["status"] == ENABLED:
            world.lose(most=10)
            world.history.may_split = False
            for _ in range(self.dice.randrange(20)):
                world.history.step()
            world.switch()

    def _check(self) -> None:
        for stream in self.world.streams:
            for number in self.world.history.logs:
                self._check_shard(stream, number)

    def _check_shard(self, stream: Stream, number: int) -> None:
        label = stream["label"]
        topic = self.world.topics.get((label, number), [])
        batch = count(Position(0, BEFORE_ALL), [each.entry for each in topic], 10**6, 10**9)
        seen = [_truth(topic[entry.offset].output) for entry in batch.entries]
        history = self.world.history
        wanted = [each for each in history.truth if each.number == number]
        begun = [each.entry.sequence.offset for each in topic if each.entry.type == OPENED]
        # What came before it was ENABLED may be in it, what came after must be, and from its first record on all.
        least = min([self.world.enabled_at.get(label, {}).get(number, 0), *(each.offset for each in seen[:1])])
        most = self.world.disabled_at.get(label, {}).get(number)
        if label in self.world.disabled_at and most is None:
            # The partition began after the stream's end: it may have no shard.
            most = 0
        must = [
            each
            for each in wanted
            if least <= each.offset
            and (most is None or each.offset < most)
            and (number, each.offset) not in history.lost
        ]
        may = {each.offset for each in wanted}
        if [each for each in seen if each in must] != must:
            missing = [each for each in must if each not in seen]
            raise Violation(
                f"shard {number} of {label} (opened at {begun}) is not the history; missing {missing[:3]}"
            )
        offsets = [each.offset for each in seen]
        if offsets != sorted(set(offsets)) or not set(offsets) <= may or any(each not in wanted for each in seen):
            raise Violation(f"shard {number} of {label} has what the history does not have: {seen[:5]}")


def _truth(output: Output) -> Truth:
    change = output.change
    assert change is not None
    images = [None if image is None else image["v"]["S"] for image in (change.old, change.new)]
    return Truth(output.number, output.sequence.offset, change.keys["pk"]["S"], images[0], images[1])


def violated(run: Run) -> str | None:
    """What is violated in this history, or None."""
    try:
        run.live()
    except Violation as violation:
        return str(violation)
    return None


def simulate(seed: int) -> str | None:
    """The same of a seed's history."""
    return violated(Run(seed))


if __name__ == "__main__":
    sys.exit(run_histories("tests.simulation.propagation", simulate))
