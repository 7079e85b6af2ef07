"""Three regions with the product's code. `python -m tests.simulation.three_regions --seeds 300`; again: `--seed 42`.

In each region: real leaders and followers over a modelled log (`cluster`), real log propagators (`propagation`), and
the shells of RepOut, RepIn and ReplAdmin's copies over a modelled Kafka (`region_kafka`): what is simulated is what
runs. Modelled are auto-admin's decisions, routers, and what goes wrong: nodes, logs and clocks as in a replication
group's simulation; links that are cut; processes that die in any call to Kafka, or sleep and wake up; messages that
are lost, land late and twice; commits that fail, or seem to; groups that are dealt out anew; splits. The third region
is added by an initial copy while the other two are written.

At once: see `region`, and `region_truth` for what a log may hold. In the end, with all mended and clients at rest:
all regions hold the same items with the same versions, each item is the last write by stamp of all that logs have
(and so of all that clients were told of), each conflict was one, and is told once in each region.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext
from typing import NamedTuple

from dynabus.core.global_tables.versions import Stamp, Version
from dynabus.core.rows import is_tombstone, item_of, version_of
from dynabus.core.values import Item
from tests.simulation import propagation
from tests.simulation.broken_three_regions import BROKEN, active
from tests.simulation.partitions import GLOBAL_KEYS
from tests.simulation.region import Region
from tests.simulation.region_clients import LATE_MOST_MS
from tests.simulation.region_cluster import CLOCK_TICK_MS, RegionFaults, RegionTruth
from tests.simulation.region_hosts import Host
from tests.simulation.region_kafka import BEFORE_MS, Troubles, Wires
from tests.simulation.region_members import is_complete
from tests.simulation.violation import Violation
from tests.simulation.world import World

NAMES = ("eu", "us", "za")
SKEW_MS = 1500
FAULTS_BEGIN_MS, FAULTS_END_MS = 1500.0, 30_000.0
FAULTS = (4, 8, 14, 20)
"""So many of processes, links and groups; in calm histories more is forgotten."""

JOIN_MS = (3000.0, 16_000.0)
GOES, GO_MS = 0.5, (8_000.0, 24_000.0)
REST_MS = 1000.0
"""After the faults, until clients stop."""

SETTLE_MS = 120_000.0
"""Batches are sent again after a minute at most; sessions of the dead end after six seconds."""

LATE_MS = LATE_MOST_MS + 1000.0


class Run:
    """One history."""

    def __init__(self, seed: int) -> None:
        self.world = World(seed)
        self.dice = self.world.random
        self.wires = Wires(self.world)
        self.regions: dict[str, Region] = {}
        self.truths: dict[str, RegionTruth] = {}
        self.faults: list[RegionFaults] = []
        self.forgotten_early = 0
        """While clients wrote."""
        self.gone = ""
        """The region that is gone for good, if one is."""

    def live(self) -> None:
        """With all faults, then without, then the check. Raises Violation."""
        with self.wires.in_place():
            try:
                self._live()
            finally:
                for region in self.regions.values():
                    for host in region.hosts:
                        host.end()

    def _live(self) -> None:
        world, dice = self.world, self.dice
        first, second, third = dice.sample(NAMES, 3)
        self._join(first)
        world.after(dice.uniform(0.0, 1500.0), self._join, second)
        world.after(dice.uniform(*JOIN_MS), self._join, third)
        if dice.random() < GOES:
            world.after(dice.uniform(*GO_MS), self._go, dice.choice((first, second, third)))
        for _ in range(dice.choice(FAULTS)):
            world.after(dice.uniform(FAULTS_BEGIN_MS, FAULTS_END_MS - 500.0), self._fault)
        world.run_until(FAULTS_END_MS)
        self._mend()
        world.run_until(world.now_ms + REST_MS)
        for region in self.regions.values():
            self.forgotten_early += region.truth.forgotten
            for client in region.cluster.clients:
                client.stopped = True
        end_ms = world.now_ms + SETTLE_MS
        world.run_until(world.now_ms + LATE_MS)  # what is late lands
        while (trouble := self._trouble()) and world.now_ms < end_ms:
            world.run_until(world.now_ms + 1000.0)
        if trouble:
            raise Violation(f"{trouble}, {SETTLE_MS / 1000:.0f} s after the last fault")
        self._check()

    def _join(self, name: str) -> None:
        """A region gets the table: from the first one all items, from any other what that wrote itself."""
        steps = SKEW_MS // CLOCK_TICK_MS
        skew_ms = self.dice.randint(-steps, steps) * CLOCK_TICK_MS
        region = Region(self.world, self.wires, name, skew_ms)
        self.truths[name] = region.truth
        region.truth.regions = self.truths
        self.world.note(f"{name} joins, its clock is {skew_ms} ms off")
        others = [*self.regions.values()]
        self.regions[name] = region
        region.begin()
        for number, other in enumerate(others):
            other.meet(region, whole=number == 0)
            region.meet(other, whole=False)
        faults = RegionFaults(region.cluster)
        self.faults.append(faults)
        faults.plan(self.dice.randint(0, 3), 500.0, FAULTS_END_MS - 500.0 - self.world.now_ms)
        if self.dice.random() < 0.7:
            self.world.after(self.dice.uniform(500.0, 6000.0), region.splits.begin)

    def _go(self, name: str) -> None:
        """A region is gone for good, unless somebody has yet to get all items from it."""
        regions = [*self.regions.values()]
        if len(regions) < len(NAMES) or not all(is_complete(each, len(NAMES) - 1) for each in regions):
            if self.world.now_ms < FAULTS_END_MS:
                self.world.after(500.0, self._go, name)
            return
        # Of its last writes one of the others gets none, and the other one decides what it got when this one is gone.
        behind, late = self.dice.sample([each for each in NAMES if each != name], 2)
        self.world.note(f"{name} is going, {behind} gets no more of it, {late} has yet to decide")
        self.wires.cut.add((name, behind))
        awake_ms = self.dice.uniform(1000.0, 5000.0)
        self.world.after(awake_ms, self._take_nothing, late)
        self.world.after(awake_ms + self.dice.uniform(200.0, 1500.0), self._is_gone, name)

    def _take_nothing(self, name: str) -> None:
        for host in self.regions[name].hosts:
            if host.name.startswith("rep-in"):
                host.asleep_until_ms = self.world.now_ms + self.dice.uniform(1000.0, 8000.0)

    def _is_gone(self, name: str) -> None:
        self.world.note(f"{name} is gone")
        self.gone = name
        self.wires.gone.add(name)
        region = self.regions[name]
        for client in region.cluster.clients:
            client.stopped = True
        for host in region.hosts:
            host.is_gone = True
            host.die()
        for other in self.alive:
            other.part(region)

    @property
    def alive(self) -> list[Region]:
        """Regions but for the one that is gone."""
        return [region for name, region in self.regions.items() if name != self.gone]

    # -- faults -----------------------------------------------------------------------------------------------

    def _fault(self) -> None:
        kinds: list[tuple[int, Callable[[], str]]] = [
            (6, self._kill),
            (3, self._sleep),
            (5, self._cut),
            (4, self._bad_wires),
            (3, self._bad_commits),
            (4, self._deal_out),
            (3, self._land_late),
            (2, self._drop),
        ]
        [(_, fault)] = self.dice.choices(kinds, [weight for weight, _ in kinds])
        self.world.fault(fault())

    def _region(self) -> Region:
        return self.dice.choice([*self.regions.values()])

    def _host(self) -> Host:
        return self.dice.choice(self._region().hosts)

    def _kill(self) -> str:
        host = self._host()
        host.kill()
        return f"kill {host.region} {host.name}"

    def _sleep(self) -> str:
        host = self._host()
        host.asleep_until_ms = self.world.now_ms + self.dice.uniform(500.0, 9000.0)
        return f"sleep {host.region} {host.name}"

    def _cut(self) -> str:
        link = (self._region().name, self._region().name)
        if link[0] != link[1]:
            self.wires.cut.add(link)
            self.world.after(self.dice.uniform(500.0, 7000.0), self.wires.cut.discard, link)
        return f"cut {link}"

    def _bad_wires(self) -> str:
        found = self.wires.troubles
        found.lost, found.late = self.dice.choice([0.0, 0.1]), self.dice.choice([0.05, 0.3])
        found.unreported = self.dice.choice([0.0, 0.3])
        self.world.after(self.dice.uniform(500.0, 4000.0), self._good_wires)
        return "bad wires"

    def _good_wires(self) -> None:
        self.wires.troubles = Troubles(refused=self.wires.troubles.refused)

    def _bad_commits(self) -> str:
        self.wires.troubles.refused = self.dice.choice([0.2, 0.8])
        self.world.after(self.dice.uniform(500.0, 4000.0), self._good_commits)
        return "bad commits"

    def _good_commits(self) -> None:
        self.wires.troubles.refused = 0.0

    def _deal_out(self) -> str:
        region = self._region()
        region.deal_out()
        groups = [group for group in region.kafka.groups.values() if group.members]
        if groups:
            self.dice.choice(groups).share()
        return f"deal out {region.name}"

    def _land_late(self) -> str:
        """Records of streams, of propagators that are dead."""
        for region in self.regions.values():
            region.streams.land_late()
        return "late records"

    def _drop(self) -> str:
        region = self._region()
        region.drop()
        return f"retention {region.name}"

    def _mend(self) -> None:
        self.wires.cut.clear()
        self.wires.troubles = Troubles()
        for faults in self.faults:
            faults.mend()
        for region in self.regions.values():
            region.splits.settle()
            region.streams.failing = 0.0
            for host in region.hosts:
                host.asleep_until_ms = 0.0
                host.start()
            region.deal_out()

    # -- the end ----------------------------------------------------------------------------------------------

    def _trouble(self) -> str | None:
        for region in self.alive:
            trouble = region.cluster.trouble() or region.unsent()
            if trouble or region.streams.late:
                return trouble or f"records of streams of {region.name} are late"
            for key, row in region.cluster.rows.items():
                if key in GLOBAL_KEYS and is_tombstone(row) and not self.gone:  # newer ones stay, then
                    return f"the deletion of {key!r} stays in {region.name}"
        return None

    def _check(self) -> None:
        writes: dict[bytes, dict[Stamp, Item | None]] = {}
        for region in self.regions.values():
            for (key, stamp), item in region.truth.all_writes().items():
                if region.name != self.gone or any(other.truth.has(key, stamp) for other in self.alive):
                    writes.setdefault(key, {})[stamp] = item
        rows = {region.name: region.cluster.rows for region in self.alive}
        late = {key for truth in self.truths.values() for key in truth.late}
        for key, all_of_it in writes.items():
            if key in late:
                # A deletion was forgotten too early for it, and may be so: all regions have the same, whatever it is.
                if len({item_of(found.get(key)) for found in rows.values()}) > 1:
                    raise Violation(f"{key!r} differs among regions")
                continue
            last = max(all_of_it)
            versions: dict[str, Version] = {}
            for name, found in rows.items():
                if key not in found and all_of_it[last] is None:
                    continue  # forgotten, or of before this region
                if key not in found:
                    raise Violation(f"{key!r} is missing in {name}; its last write is {last}")
                versions[name] = version_of(found[key], name)
                if versions[name].stamp != last or item_of(found[key]) != all_of_it[last]:
                    raise Violation(f"{key!r} in {name} is of {versions[name]}, and not of {last}")
            # Of what retention took from a link no other region hears, if it was written over before it was copied;
            # nor of what a region that is gone wrote, and lost against what was there.
            is_whole = not self.gone and not any(region.truth.lost_links for region in self.alive)
            if is_whole and len({frozenset(self._seen(key, version)) for version in versions.values()}) > 1:
                raise Violation(f"{key!r} has several versions: {versions}")
        if any(found.keys() - writes.keys() for found in rows.values()):
            raise Violation("there is an item that nobody wrote")
        over = {written: stamp for region in self.regions.values() for written, stamp in region.truth.over.items()}
        for region in self.alive:
            self._check_conflicts(region, over)

    def _seen(self, key: bytes, version: Version) -> set[Stamp]:
        """What all regions must have seen: streams have brought it, since it is not older than the last link."""
        gone = max(truth.gone.get(key, -1) for truth in self.truths.values())
        seen = {Stamp(time, region) for region, time in version.seen.items() if time > gone}
        return {stamp for stamp in seen if not self._is_of_before(key, stamp)}

    def _is_of_before(self, key: bytes, stamp: Stamp) -> bool:
        region = self.regions[stamp.region]
        since_ms = max(link["created_ms"] for link in region.links.values()) - BEFORE_MS
        return stamp.ms < since_ms or (key, stamp) in region.truth.unsaid

    def _check_conflicts(self, region: Region, over: dict[tuple[bytes, Stamp], Stamp]) -> None:
        losers = Counter((key, loser) for key, _, loser in region.truth.losers)
        if any(count > 1 for count in losers.values()):
            raise Violation(f"a conflict is told twice in {region.name}: {losers.most_common(1)}")
        for key, winner, loser in region.truth.losers:
            if _is_before(over, key, winner, loser) or _is_before(over, key, loser, winner):
                raise Violation(f"{winner} and {loser} of {key!r} are no conflict")
        if len(region.streams.conflicts) != region.truth.visible:
            told, were = len(region.streams.conflicts), region.truth.visible
            raise Violation(f"{told} conflicts are told in {region.name}, and there were {were}")

    def figures(self) -> dict[str, int]:
        """How eventful it was."""
        regions = [*self.regions.values()]
        return {
            "events": self.world.events,
            "faults": len(self.world.faults),
            "writes": sum(len(region.truth.writes) for region in regions),
            "acknowledged": sum(client.acknowledged for region in regions for client in region.cluster.clients),
            "crossed": sum(region.crossed for region in regions),
            "batches": sum(region.batches for region in regions),
            "forgotten": self.forgotten_early,
            "forgotten in the end": sum(region.truth.forgotten for region in regions),
            "conflicts": sum(len(region.truth.losers) for region in regions),
            "lost links": sum(region.truth.lost_links for region in regions),
            "gone": int(bool(self.gone)),
            "splits": sum(each.closed for region in regions for each in region.cluster.partitions.values()),
        }


def _is_before(over: dict[tuple[bytes, Stamp], Stamp], key: bytes, earlier: Stamp, later: Stamp) -> bool:
    """The later one's client had seen it, or a client whose write that one had."""
    at: Stamp | None = later
    while at is not None:
        if at == earlier:
            return True
        at = over.get((key, at))
    return False


class History(NamedTuple):
    """What one seed came to: what is violated, or None; figures; what happened."""

    seed: int
    violation: str | None
    figures: dict[str, int]
    trace: list[str]


def simulate(seed: int, trace: bool = False) -> History:
    """A seed's history."""
    run, found = Run(seed), None
    if trace:
        run.world.trace = []
    try:
        run.live()
    except (Violation, propagation.Violation) as violation:
        found = f"{violation} (at {run.world.now_ms:.0f} ms)"
    except Exception as defect:
        # Of the code that is simulated as well: the seed must be known.
        if trace:
            raise
        found = f"{defect!r} (at {run.world.now_ms:.0f} ms)"
    return History(seed, found, run.figures(), run.world.trace or [])


def simulate_broken(arguments: tuple[str, int]) -> History:
    """The same with a broken brain."""
    name, seed = arguments
    with active(name):
        return simulate(seed)


def main(arguments: list[str] | None = None) -> int:
    """Exit code 1 if anything was violated, or a broken brain is not caught."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.three_regions")
    parser.add_argument("--seeds", type=int, default=100, help="how many histories")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--seed", type=int, help="replay this one seed, and print what happened")
    parser.add_argument("--broken", help="name of a broken brain, or 'all': how many seeds until each is caught")
    options = parser.parse_args(arguments)
    seeds = range(options.first, options.first + options.seeds)
    if options.seed is not None:
        with active(options.broken) if options.broken else nullcontext():
            history = simulate(options.seed, trace=True)
        print("\n".join(history.trace))
        print(history.violation or "no violation", history.figures)
        return 1 if history.violation else 0
    if options.broken:
        return max(_hunt(name, seeds) for name in (BROKEN if options.broken == "all" else [options.broken]))
    return _many(seeds)


def _many(seeds: range) -> int:
    started, failed, totals = time.monotonic(), 0, Counter[str]()
    with multiprocessing.Pool(os.cpu_count()) as pool:
        for history in pool.imap_unordered(simulate, seeds):
            totals.update(history.figures)
            if history.violation:
                failed += 1
                print(f"seed {history.seed}: {history.violation}", flush=True)
    took = time.monotonic() - started
    counts = ", ".join(f"{count} {name}" for name, count in totals.items())
    print(f"{len(seeds)} histories, {failed} with a violation; {counts}; {took:.0f} s")
    return 1 if failed else 0


def _hunt(name: str, seeds: range) -> int:
    """How many seeds until the checks catch this brain."""
    with multiprocessing.Pool(os.cpu_count()) as pool:
        for count, history in enumerate(pool.imap(simulate_broken, ((name, seed) for seed in seeds)), 1):
            if history.violation:
                print(f"{name}: caught by seed {history.seed} ({count} tried): {history.violation}", flush=True)
                return 0
    print(f"{name}: NOT caught in {len(seeds)} seeds", flush=True)
    return 1


if __name__ == "__main__":
    sys.exit(main())
