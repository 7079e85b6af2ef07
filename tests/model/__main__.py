"""Many operations: `python -m tests.model --operations 100000 --seed 1`, on a cluster with `--endpoint URL`.

A difference is printed with the fewest requests that show it, and with the seed that finds it again.
"""

from __future__ import annotations

import argparse
import sys
import time

from hypothesis import seed
from hypothesis.stateful import run_state_machine_as_test

from tests.model.comparison import Difference
from tests.model.faults import FAULTS, planted
from tests.model.machine import Machine, machine_settings
from tests.model.targets import Endpoint, InProcess, Target
from tests.model.walks import STEPS, run, shortest, told, walk_of

HISTORIES = 200
"""Of hypothesis, for one seed."""

TELL_EVERY_S = 20.0


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Put the same requests to a reference model and to Dynabus.")
    parser.add_argument("--operations", type=int, default=10_000, help="how many requests at least")
    parser.add_argument("--seed", type=int, default=0, help="the first seed")
    parser.add_argument("--steps", type=int, default=STEPS, help="of one walk")
    parser.add_argument("--endpoint", help="of a running cluster; without it both halves run in this process")
    parser.add_argument(
        "--hypothesis", action="store_true", help="histories that hypothesis chooses, not random walks"
    )
    parser.add_argument("--fault", help="plant this fault, or 'all': how many operations until each is found")
    options = parser.parse_args(arguments)
    if options.fault:
        names = list(FAULTS) if options.fault == "all" else [options.fault]
        return max(_hunt(name, options) for name in names)
    return _many(options)


def _many(options: argparse.Namespace) -> int:
    started, asked, number = time.monotonic(), 0, options.seed
    told_s = started
    while asked < options.operations:
        try:
            asked += history(number, options.endpoint) if options.hypothesis else _walk(number, options)
        except Difference as found:
            print(f"seed {number}: {found}\nafter {asked} operations without a difference")
            return 1
        number += 1
        if time.monotonic() - told_s > TELL_EVERY_S or asked >= options.operations:
            told_s = time.monotonic()
            print(f"{asked} operations, {number - options.seed} seeds, {told_s - started:.0f} s", flush=True)
    return 0


def _target(options: argparse.Namespace) -> Target:
    return Endpoint(options.endpoint) if options.endpoint else InProcess()


def _walk(number: int, options: argparse.Namespace) -> int:
    """Raises the Difference of the shortest walk, after it has told it."""
    walk = walk_of(number, options.steps)
    try:
        return run(walk, lambda: _target(options))
    except Difference:
        short = shortest(walk, lambda: _target(options))
        print(*told(short), sep="\n")
        run(short, lambda: _target(options))
        raise


def history(number: int, endpoint: str | None = None, histories: int = HISTORIES) -> int:
    """Histories of one seed by hypothesis; returns how many operations were asked. Raises Difference."""

    def target() -> Target:
        return Endpoint(endpoint) if endpoint else InProcess()

    machine = type("Machine", (Machine,), {"target": staticmethod(target), "asked": []})
    run_state_machine_as_test(seed(number)(machine), settings=machine_settings(histories))
    return sum(machine.asked)  # type: ignore[attr-defined]


def _hunt(name: str, options: argparse.Namespace) -> int:
    """How many operations until the fault is found."""
    with planted(name):
        return _found(name, options)


def _found(name: str, options: argparse.Namespace) -> int:
    asked, number = 0, options.seed
    while asked < options.operations:
        walk = walk_of(number, options.steps)
        try:
            asked += run(walk, lambda: _target(options))
        except Difference as found:
            shown = "\n  ".join(line[:200] for line in str(found).splitlines())
            requests = len(shortest(walk, lambda: _target(options)).requests)
            print(f"{name}: found by walk {number}, after {asked} operations; {requests} requests show it\n  {shown}")
            return 0
        except LookupError as crash:
            print(f"{name}: found by walk {number}, after {asked} operations, which it did not survive: {crash!r}")
            return 0
        number += 1
    print(f"{name}: NOT found in {asked} operations", flush=True)
    return 1


if __name__ == "__main__":
    sys.exit(main())
