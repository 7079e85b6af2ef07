"""Three regions that write the same items. `python -m tests.simulation.regions --seeds 1000`; again: `--seed 42`.

The brains are the real ones (`core.global_tables`): which write wins, RepOut, RepIn, floors and promises. Modelled
are each region's leaders, who decide in an instant, its streams with their shards and splits, and what lies between:
topics of batches and of acknowledgements, consumer groups, links that are cut, processes that die with anything under
way, which may land later, and clocks that are off.

Checked at once: nothing crosses a link but what its source itself wrote; no child's change before all of its parent's
was acknowledged; no offset is committed before that. At the end, links healed: all regions hold the same items with
the same versions, of each item the last write by stamp among all that clients were told of; a client that wrote over
what it saw has won against that; each conflict was one; where deletions are forgotten, none is left.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from typing import Any, ClassVar

from dynabus.core.global_tables.floors import Floors
from dynabus.core.global_tables.promises import word_of
from dynabus.core.global_tables.rep_in import Import, RepIn, Topic
from dynabus.core.global_tables.rep_out import Batch, Export, RepOut
from dynabus.core.global_tables.versions import Stamp, Version
from tests.simulation.brains import run_histories
from tests.simulation.region_world import CLOCKS_OFF_MS, NAMES, STREAM, Link, Region, World
from tests.simulation.violation import Violation

STEPS, SETTLE_TURNS = 800, 1200
TURN_MS = 50


class Sender:
    """RepOut of one link, in its successive runs."""

    waits_for_parents: ClassVar[bool] = True
    waits_for_copies: ClassVar[bool] = True

    def __init__(self, world: World, link: Link) -> None:
        self.world, self.link, self.runs = world, link, 0
        self._start()

    def _start(self) -> None:
        self.runs += 1
        self.name = f"{self.link.source}-{self.link.destination}-{self.runs}"
        self.brain = RepOut(self.link.source)
        self.copy: Batch | None = None
        self.late: list[Batch] = []
        self._heard = len(self.link.acknowledgements)
        self._pieces = self._turns()

    def crash(self) -> None:
        """What it was producing may land yet."""
        for batch in self.late:
            if self.world.dice.random() < 0.5:
                self.link.batches.append((self.name, batch))
        self._start()

    def piece(self) -> None:
        next(self._pieces)

    @property
    def _source(self) -> Region:
        return self.world.regions[self.link.source]

    def _is_ended(self, number: int) -> bool:
        log = self._source.shards[number]
        return bool(log.children) and self.link.committed.get((STREAM, number), 0) == len(log.records)

    def _turns(self) -> Iterator[None]:
        world, link, dice = self.world, self.link, self.world.dice
        begun: set[int] = set()
        while True:
            for number, log in self._source.shards.items():
                held = self.waits_for_parents and log.parent is not None and not self._is_ended(log.parent)
                if number not in begun and not held and not self._is_ended(number):
                    begun.add(number)
                    self.brain.assigned((STREAM, number), link.committed.get((STREAM, number), 0))
            yield
            for shard, offset in self.brain.positions().items():
                records = self._source.shards[shard[1]].records[offset : offset + dice.randint(0, 3)]
                for at, each in enumerate(records, offset):
                    if isinstance(each, Floors):
                        self.brain.promised(shard, at, each.word_for(link.destination))
                    else:
                        self.brain.read(shard, at, each)
            self._speak()
            yield
            self._copy()
            yield
            self.late = self.brain.batches(world.now_ms)
            while self.late:
                if not link.is_cut and dice.random() < 0.9:
                    self._land(self.late[0])
                self.late = self.late[1:]
                yield
            if not link.is_cut:
                for told in link.acknowledgements[self._heard :]:
                    if told.sender == self.name and told.number > 0:
                        self.brain.acknowledged(told.number)
                    elif told.sender == self.name and self.copy is not None and told.number == self.copy.number:
                        link.copied, self.copy = -told.number, None
                self._heard = len(link.acknowledgements)
            yield
            self._commit()

    def _land(self, batch: Batch) -> None:
        for export in batch.exports:
            self._check_parents(export)
            if export.version.stamp.region != self.link.source:
                raise Violation(f"an echo: {export} from {self.link.source} to {self.link.destination}")
        self.link.crossed += len(batch.exports)
        self.link.batches.append((self.name, batch))

    def _check_parents(self, export: Export) -> None:
        """All that lies in the shard's parent was decided."""
        for log in self._source.shards.values():
            parent = None if log.parent is None else self._source.shards[log.parent]
            if parent is not None and any(each is export for each in log.records):
                assert log.parent is not None
                kept = parent.records[self.link.lost.get(log.parent, 0) :]
                own = {(each.key, each.version.stamp) for each in kept if isinstance(each, Export)}
                missing = {each for each in own if each[1].region == self.link.source} - self.link.decided
                if missing:
                    raise Violation(f"a child's change before its parent's {missing}")

    def _commit(self) -> None:
        due = self.brain.due()
        for (_, number), offset in due.items():
            for record in self._source.shards[number].records[self.link.lost.get(number, 0) : offset]:
                if not isinstance(record, Export) or record.version.stamp.region != self.link.source:
                    continue
                if (record.key, record.version.stamp) not in self.link.decided:
                    raise Violation(f"committed before it was decided: {record}")
        self.link.words.update({number: word for (_, number), word in self.brain.words(due).items()})
        self.link.committed.update(due)
        self.brain.committed(due)

    def _speak(self) -> None:
        """What the destination is told of the time before: nothing while it does not have all items."""
        if self.link.copied == self.link.copies or not self.waits_for_copies:
            parents = {number: log.parent for number, log in self._source.shards.items()}
            self.brain.word = word_of(parents, self.link.words) or self.brain.word

    def _copy(self) -> None:
        """All items that it has now; once more for each time that the stream lost something."""
        link = self.link
        if link.copied == link.copies or link.is_cut:
            return
        if self.copy is None or self.copy.number != -link.copies:
            rows = [(key, *row) for key, row in self._source.items.items()]
            exports = [
                Export(STREAM, str(key).encode(), None if value is None else value.encode(), version)
                for key, value, version in rows
                if link.is_whole or version.stamp.region == link.source
            ]
            self.copy = Batch(-link.copies, exports)
        elif self.world.dice.random() < 0.9:
            return
        link.batches.append((self.name, self.copy))

    def lose(self) -> None:
        """Retention takes away what a shard has, and the stream goes on behind it."""
        link = self.link
        number = self.world.dice.choice([*self._source.shards])
        end, log = link.committed.get((STREAM, number), 0), self._source.shards[number]
        lost = min(end + self.world.dice.randint(1, 4), len(log.records) - (1 if log.children else 0))
        if lost <= end or (log.parent is not None and not self._is_ended(log.parent)):
            return
        link.lost[number] = lost
        link.committed[STREAM, number] = lost
        link.copies += 1
        link.is_whole = self.world.dice.random() < 0.5
        self.crash()


class Receiver:
    """RepIn of one region, in its successive runs."""

    def __init__(self, world: World, name: str) -> None:
        self.world, self.region = world, world.regions[name]
        self.links = {link.topic: link for link in world.links.values() if link.destination == name}
        self._start()

    def _start(self) -> None:
        self.brain = RepIn()
        self.under_way: list[Import] = []
        self._read = {topic: link.read for topic, link in self.links.items()}
        for topic, offset in self._read.items():
            self.brain.assigned(topic, offset)
        self._pieces = self._turns()

    def crash(self) -> None:
        """Requests that are under way may be decided yet, and much later."""
        self.region.late += [each.export for each in self.under_way if self.world.dice.random() < 0.5]
        self._start()

    def piece(self) -> None:
        next(self._pieces)

    def _turns(self) -> Iterator[None]:
        dice = self.world.dice
        while True:
            for topic, link in self.links.items():
                for sender, batch in link.batches[self._read[topic] : self._read[topic] + dice.randint(0, 2)]:
                    self._hear(topic, batch)
                    self.brain.read(topic, self._read[topic], sender, batch)
                    self._read[topic] += 1
            yield
            self.under_way += self.brain.wanted()
            dice.shuffle(self.under_way)
            while self.under_way and dice.random() < 0.9:
                self._decide(self.under_way.pop())
                yield
            told = self.brain.acknowledgements()
            for each in told:
                self.links[each.topic].acknowledgements.append(each)
            yield
            self.brain.acknowledged(told)
            due = self.brain.due()
            for topic, offset in due.items():
                self._check_decided(self.links[topic], offset)
                self.links[topic].read = offset
            self.brain.committed(due)
            yield

    def _hear(self, topic: Topic, batch: Batch) -> None:
        """What a source says is told to leaders; some are not reached."""
        for number in self.region.open_shards():
            if batch.word is not None and self.world.dice.random() < 0.9:
                self.region.shards[number].forgetting.hear(topic[0], batch.word)

    def _check_decided(self, link: Link, offset: int) -> None:
        exports = [each for _, batch in link.batches[link.read : offset] for each in batch.exports]
        undecided = {(each.key, each.version.stamp) for each in exports} - link.decided
        if undecided:
            raise Violation(f"committed before they were decided: {undecided}")

    def _decide(self, wanted: Import) -> None:
        """Or the leader is away."""
        if self.world.dice.random() < 0.1:
            self.brain.refused(wanted.number)
            return
        self.region.arrive(wanted.export)
        self.brain.decided(wanted.number)


class Run:
    """One history."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.world = World(self.dice)
        self.world.forgetting = self.dice.random() < 0.7
        self.world.losing = self.dice.random() < 0.5
        self.processes: list[Sender | Receiver] = [Sender(self.world, link) for link in self.world.links.values()]
        self.processes += [Receiver(self.world, name) for name in NAMES]

    def live(self) -> None:
        """With all faults, then without, then the check. Raises Violation."""
        for _ in range(STEPS):
            self._step()
        self._settle()
        self._check()

    def _step(self) -> None:
        world, dice = self.world, self.dice
        world.now_ms += dice.randrange(TURN_MS)
        what = dice.random()
        if what < 0.10:
            world.client()
        elif what < 0.13:
            region = world.regions[dice.choice(NAMES)]
            region.split(dice.choice(region.open_shards()))
        elif what < 0.15:
            link = dice.choice([*world.links.values()])
            link.is_cut = not link.is_cut
        elif what < 0.17:
            dice.choice(self.processes).crash()
        elif what < 0.19:
            self._land_late()
        elif what < 0.28 and world.forgetting:
            world.forget(dice.choice(NAMES))
        elif what < 0.36:
            region = world.regions[dice.choice(NAMES)]
            region.note(dice.choice(region.open_shards()), world.now_ms)
        elif what < 0.37:
            region = world.regions[dice.choice(NAMES)]
            region.fail_over(dice.choice(region.open_shards()), dice.randint(-CLOCKS_OFF_MS, CLOCKS_OFF_MS))
        elif what < 0.38 and world.losing:
            sender = dice.choice(self.processes)
            if isinstance(sender, Sender):
                sender.lose()
        else:
            for each in self.processes:
                if dice.random() < 0.3:
                    each.piece()

    def _land_late(self) -> None:
        """A request of a process that is gone."""
        region = self.world.regions[self.dice.choice(NAMES)]
        if region.late:
            region.arrive(region.late.pop(self.dice.randrange(len(region.late))))

    def _settle(self) -> None:
        world = self.world
        for link in world.links.values():
            link.is_cut = False
        for turn in range(SETTLE_TURNS):
            world.now_ms += 250
            for each in self.processes:
                each.piece()
            if turn % 50 == 0:
                self._land_late()
                for region in world.regions.values():
                    for number in region.open_shards():
                        region.note(number, world.now_ms)
        for region in world.regions.values():
            if world.forgetting:
                world.forget(region.name)
            while region.late:
                region.arrive(region.late.pop())

    def _check(self) -> None:
        world = self.world
        for link in world.links.values():
            for number, log in world.regions[link.source].shards.items():
                if link.committed.get((STREAM, number), 0) != len(log.records):
                    raise Violation(f"shard {number} of {link.source} is never read for {link.destination}")
        for name, region in world.regions.items():
            for key, told in world.acknowledged.items():
                self._check_item(name, key, region.items.get(key), max(told, key=lambda each: each[0].stamp))
            losers = [(key, loser) for key, _, loser in region.conflicts]
            if not world.forgetting and len({*losers}) < len(losers):
                raise Violation(f"a conflict is told twice in {name}")
            for key, winner, loser in region.conflicts:
                if not world.forgetting and (
                    self._is_before(key, loser, winner) or self._is_before(key, winner, loser)
                ):
                    raise Violation(f"{winner} and {loser} are no conflict")
        for (_, later), earlier in world.before.items():
            if later <= earlier:
                raise Violation(f"{later} was written over {earlier} and loses against it")

    def _check_item(
        self, name: str, key: int, found: tuple[str | None, Version] | None, last: tuple[Version, str | None]
    ) -> None:
        version, value = last
        if (found[0] if found else None) != value:
            raise Violation(f"{key} in {name} is {found}, and not {value} of {version}")
        if found is None:
            if not self.world.forgetting:
                raise Violation(f"the deletion of {key} is forgotten in {name}")
            return
        if found[0] is None and self.world.forgetting:
            floors = [log.floors for log in self.world.regions[name].shards.values() if not log.children]
            raise Violation(f"the deletion of {key} stays in {name}: {found[1]}, floors {floors}")
        if found[1].stamp != version.stamp:
            raise Violation(f"{key} in {name} is of {found[1]}, and not of {version}")
        others = [region.items[key][1] for region in self.world.regions.values() if key in region.items]
        if not self.world.forgetting and any(each != found[1] for each in others):
            raise Violation(f"{key} has several versions: {others}")

    def _is_before(self, key: int, earlier: Stamp, later: Stamp) -> bool:
        """The later one's client had seen it, or a client whose write that one had."""
        at: Stamp | None = later
        while at is not None:
            if at == earlier:
                return True
            at = self.world.before.get((key, at))
        return False


def simulate(seed: int) -> str | None:
    """What is violated in a seed's history, or None."""
    try:
        Run(seed).live()
    except Violation as violation:
        return str(violation)
    return None


def figures(seeds: range) -> dict[str, Any]:
    """How eventful histories are."""
    conflicts = forgotten = crossed = 0
    for seed in seeds:
        run = Run(seed)
        run.live()
        conflicts += sum(len(region.conflicts) for region in run.world.regions.values())
        forgotten += sum(region.forgotten for region in run.world.regions.values())
        crossed += sum(link.crossed for link in run.world.links.values())
    return {"conflicts": conflicts, "forgotten": forgotten, "crossed": crossed}


if __name__ == "__main__":
    sys.exit(run_histories("tests.simulation.regions", simulate))
