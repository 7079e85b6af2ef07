"""Many seeds over all cores: `python -m tests.simulation.run --seeds 1000`; one again: `--seed 42 --trace`."""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import sys
import time
from dataclasses import dataclass
from functools import partial

from dynabus.core.replication.effects import Timing
from tests.simulation import (
    broken_clones,
    broken_forgetting,
    broken_gathering,
    broken_global_tables,
    broken_moves,
    broken_recoveries,
    broken_splits,
    pruning,
)
from tests.simulation.audit import Violation
from tests.simulation.broken import BROKEN, active, chain_restarts_at_claims
from tests.simulation.cluster import Cluster
from tests.simulation.faults import Faults
from tests.simulation.moves import DICE_SALT, Moves
from tests.simulation.pruning import Pruning
from tests.simulation.recoveries import RECOVERED_BOUND_MS, Recoveries
from tests.simulation.splits import Splits
from tests.simulation.world import World

assert all(
    (
        broken_forgetting,
        broken_gathering,
        broken_global_tables,
        broken_splits,
        broken_moves,
        broken_clones,
        broken_recoveries,
    )
), "their brains are in BROKEN from here on"

LOSSY = {
    chain_restarts_at_claims.__name__,
    *(name for name, (_, make) in BROKEN.items() if make.__module__ == broken_recoveries.__name__),
}
"""Broken brains of which only histories that lose records tell."""

CONTESTED = {name for name, (_, make) in BROKEN.items() if make.__module__ == broken_splits.__name__}
"""Those of which histories tell soonest in which seals are contested."""

OF_REGIONS = {
    name
    for name, (_, make) in BROKEN.items()
    if make.__module__ in (broken_global_tables.__name__, broken_forgetting.__name__)
}
"""Those of which only histories of a global table tell."""

GATHERED = {name for name, (_, make) in BROKEN.items() if make.__module__ == broken_gathering.__name__}
"""Those of which only histories with writes without request ids tell."""

FAULTS_END_MS = 14_000.0
EVENTS_LEAST = 550
LIVENESS_BOUND_MS = 16_000.0
"""After the last fault: a claim that timed out (3 s, doubled, jittered), then silence of 4.5 s + 0.5 s jitter,
asking, a claim, and a deferral of 3.2 s that mostly overlaps. Or a clone whose source went away (given up after five
rounds of 2 s), and another one."""


SCRUB_SALT = 0xD15C
"""Dice of their own: histories without repairs of damaged replicas are the same as before there were any."""


@dataclass
class History:
    """What one seed came to."""

    seed: int
    violation: str | None
    events: int
    faults: int
    acknowledged: int
    unknown: int
    terms: int
    voids: int
    lossy: bool
    splits: int
    moves: int
    recoveries: int
    clones: int
    pruned: int
    gathered: int
    imports: int
    conflicts: int
    forgotten: int
    trace: list[str]


def simulate(
    seed: int,
    trace: bool = False,
    lose: bool = False,
    contested: bool = False,
    gathers: bool = False,
    regions: bool = False,
) -> History:
    """One history; `lose`: one in which Kafka loses acknowledged records, for certain; `contested`: one with splits,
    for certain, whose seals meet the claims of others; `gathers`: with writes without request ids; `regions`: with
    those of a global table."""
    world = World(seed)
    if trace:
        world.trace = []
    dice = world.random
    timing = Timing(caught_up_records=dice.choice([0, 4, 256]), barrier_reads=dice.random() < 0.1)
    if dice.random() < 0.05:
        # As auto-admin runs its log: no leases, no deferral, barriers for whatever has no record.
        timing = Timing.without_leases()
    own = random.Random(seed ^ DICE_SALT)
    moving = own.random() < 0.4
    scrubs = random.Random(seed ^ SCRUB_SALT)
    if scrubs.random() < 0.1:
        repairs = sorted(scrubs.uniform(1000.0, FAULTS_END_MS - 1000.0) for _ in range(scrubs.randint(1, 3)))
    else:
        repairs = []
    cluster = Cluster(
        world, timing, dice.choice([110.0, 180.0, 300.0]), spare=moving, gathers=gathers, regions=regions
    )
    for at_ms in repairs:
        world.after(at_ms, _repair, cluster, scrubs)
    moves = Moves(cluster, own, count=4 if moving else 0)
    cluster.pruning = Pruning(cluster, random.Random(seed ^ pruning.DICE_SALT))
    violation, recoveries = None, Recoveries(cluster)
    try:
        _live_through(cluster, Faults(cluster), moves, recoveries, lose, contested)
    except Violation as found:
        violation = f"{found} (at {world.now_ms:.0f} ms)"
    auditors = [log.auditor for log in cluster.logs.values()]
    return History(
        seed,
        violation,
        world.events,
        len(world.faults),
        sum(client.acknowledged for client in cluster.clients),
        sum(client.unknown for client in cluster.clients),
        sum(auditor.terms for auditor in auditors),
        sum(auditor.voids for auditor in auditors),
        cluster.lossy,
        sum(each.closed and not each.frozen for each in cluster.partitions.values()),
        moves.finished,
        recoveries.done,
        cluster.pruning.cloned,
        cluster.pruning.pruned,
        sum(auditor.gathered for auditor in auditors),
        sum(truth.imports for truth in {id(each.truth): each.truth for each in auditors}.values()),
        sum(truth.conflicts for truth in {id(each.truth): each.truth for each in auditors}.values()),
        sum(truth.forgotten for truth in {id(each.truth): each.truth for each in auditors}.values()),
        world.trace or [],
    )


def _repair(cluster: Cluster, dice: random.Random) -> None:
    node = dice.choice([*cluster.nodes.values()])
    cluster.world.fault(f"repair {node.name}")
    node.rebuild()


def _live_through(
    cluster: Cluster, faults: Faults, moves: Moves, recoveries: Recoveries, lose: bool, contested: bool
) -> None:
    world = cluster.world
    cluster.begin()
    splits = Splits(cluster, count=2, contested=contested)
    faults.plan(world.random.randint(4, 9), 600.0, FAULTS_END_MS - 1000.0)
    if not contested and (world.random.random() < 0.05 or lose):
        world.after(world.random.uniform(3000.0, FAULTS_END_MS), faults._throw, faults.lose_tail)
        recoveries.begin()
    elif contested or world.random.random() < 0.6:
        world.after(world.random.uniform(600.0, FAULTS_END_MS - 4000.0), splits.begin)
    moves.plan(600.0, FAULTS_END_MS - 6000.0)
    cluster.pruning.plan(1500.0, FAULTS_END_MS - 2000.0)
    world.run_until(FAULTS_END_MS)
    faults.mend()
    splits.settle()
    moves.calm = recoveries.calm = True
    before = [client.acknowledged for client in cluster.clients]
    # Late appends and duplicates may land long after the last fault: some histories wait for all of them.
    patient = world.random.random() < 0.25
    end_ms = FAULTS_END_MS + LIVENESS_BOUND_MS
    while world.now_ms < end_ms and (
        patient or cluster.lossy or world.events < EVENTS_LEAST or _trouble(cluster, before)
    ):
        world.run_until(world.now_ms + 1000.0)
    bound_ms = LIVENESS_BOUND_MS
    if recoveries.under_way or recoveries.done:
        bound_ms = RECOVERED_BOUND_MS
        while recoveries.under_way and world.now_ms < FAULTS_END_MS + bound_ms:
            world.run_until(world.now_ms + 1000.0)
        before = [client.acknowledged for client in cluster.clients]
        world.run_until(world.now_ms + LIVENESS_BOUND_MS)
        if recoveries.under_way:
            raise Violation("a frozen partition is not recovered")
    if cluster.lossy and not cluster.recovered and cluster.unnoticed():
        raise Violation(f"{', '.join(cluster.unnoticed())} read on over what Kafka lost")
    trouble = None if cluster.lossy and not cluster.recovered else _trouble(cluster, before)
    if trouble:
        raise Violation(f"{trouble} {bound_ms / 1000:.0f} s after the last fault")


def _trouble(cluster: Cluster, before: list[int]) -> str | None:
    """What is not well yet after the faults; `before`: acknowledgements per client when they ended."""
    for number, partition in cluster.partitions.items():
        if partition.children and not partition.closed:
            return f"partition {number} is still being split"
        if partition.moving:
            return f"partition {number} is still being moved"
        if not partition.closed and not cluster.led(number):
            return f"partition {number} has no leader"
    if all(client.acknowledged == count for client, count in zip(cluster.clients, before, strict=True)):
        return "nothing acknowledged"
    for node in cluster.nodes.values():
        for number, partition in cluster.partitions.items():
            wanted = node.up and not partition.closed and node.name in partition.members
            if wanted and not node.has_caught_up(number):
                return f"{node.name} has not caught up with partition {number}"
    return None


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Simulate one replication group under faults.")
    parser.add_argument("--seeds", type=int, default=1000, help="how many histories")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--seed", type=int, help="replay this one seed")
    parser.add_argument("--broken", help="name of a broken brain, or 'all': how many seeds until each is caught")
    parser.add_argument("--lose", action="store_true", help="Kafka loses acknowledged records in every history")
    parser.add_argument("--contested", action="store_true", help="in every history seals meet the claims of others")
    parser.add_argument("--gather", action="store_true", help="some writes have no request ids, and are gathered")
    parser.add_argument("--regions", action="store_true", help="some items are of a global table")
    parser.add_argument("--trace", action="store_true", help="with --seed: print what happened")
    options = parser.parse_args(arguments)
    if options.broken and options.seed is None:
        names = list(BROKEN) if options.broken == "all" else [options.broken]
        return max(_hunt(name, range(options.first, options.first + options.seeds)) for name in names)
    if options.seed is not None:
        with active(options.broken):
            contested = options.contested or options.broken in CONTESTED
            gathers = options.gather or options.broken in GATHERED
            regions = options.regions or options.broken in OF_REGIONS
            history = simulate(options.seed, options.trace, options.lose, contested, gathers, regions)
        print("\n".join(history.trace))
        print(history.violation or "no violation", f"({history.events} events, {history.faults} faults)")
        return 1 if history.violation else 0
    seeds = range(options.first, options.first + options.seeds)
    given = {"lose": options.lose, "contested": options.contested, "gathers": options.gather}
    return _many(seeds, {**given, "regions": options.regions})


def simulate_broken(arguments: tuple[str, int]) -> History:
    """One history with a broken brain: of the kind that tells most of it."""
    name, seed = arguments
    with active(name):
        return simulate(
            seed,
            lose=name in LOSSY,
            contested=name in CONTESTED,
            gathers=name in GATHERED,
            regions=name in OF_REGIONS,
        )


def _hunt(name: str, seeds: range) -> int:
    """How many seeds until the checks catch this brain."""
    with multiprocessing.Pool(os.cpu_count()) as pool:
        for count, history in enumerate(pool.imap(simulate_broken, ((name, seed) for seed in seeds), chunksize=4), 1):
            if history.violation:
                print(f"{name}: caught by seed {history.seed} ({count} tried): {history.violation}", flush=True)
                return 0
    print(f"{name}: NOT caught in {len(seeds)} seeds", flush=True)
    return 1


def _many(seeds: range, given: dict[str, bool]) -> int:
    started = time.monotonic()
    totals = {
        "events": 0,
        "faults": 0,
        "acknowledged": 0,
        "unknown": 0,
        "terms": 0,
        "voids": 0,
        "lossy": 0,
        "splits": 0,
        "moves": 0,
        "recoveries": 0,
        "clones": 0,
        "pruned": 0,
        "gathered": 0,
        "imports": 0,
        "conflicts": 0,
        "forgotten": 0,
    }
    fewest_events, fewest_faults, failed = 10**9, 10**9, 0
    with multiprocessing.Pool(os.cpu_count()) as pool:
        one = partial(simulate, **given)
        for history in pool.imap_unordered(one, seeds, chunksize=20):
            for name in totals:
                totals[name] += int(getattr(history, name))
            fewest_events = min(fewest_events, history.events)
            fewest_faults = min(fewest_faults, history.faults)
            if history.violation:
                failed += 1
                print(f"seed {history.seed}: {history.violation}")
                flags = {"lose": "--lose", "contested": "--contested", "gathers": "--gather", "regions": "--regions"}
                again = " ".join(
                    [f"--seed {history.seed}", *(flags[name] for name in given if given[name]), "--trace"]
                )
                print(f"  replay: python -m tests.simulation.run {again}", flush=True)
    took = time.monotonic() - started
    print(
        f"{len(seeds)} histories, {failed} with a violation; {totals['events']} events "
        f"({totals['events'] / took:.0f}/s), "
        f"{totals['faults']} faults, at least {fewest_events} events and {fewest_faults} faults each; "
        f"{totals['acknowledged']} answers checked, {totals['unknown']} unknown, {totals['terms']} terms, "
        f"{totals['voids']} void records, {totals['lossy']} with a lost tail, {totals['splits']} splits, "
        f"{totals['moves']} moves, {totals['recoveries']} recoveries, {totals['clones']} clones, "
        f"{totals['pruned']} records pruned, {totals['gathered']} writes gathered, "
        f"{totals['imports']} of other regions decided, {totals['conflicts']} conflicts, "
        f"{totals['forgotten']} deletions forgotten; "
        f"{took:.0f} s, {len(seeds) / took:.1f} a second"
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
