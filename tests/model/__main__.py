"""Many operations: `python -m tests.model --operations 100000 --seed 1`; on a cluster: `--endpoint http://127.0.0.1:8000`.

A failure is made smaller by hypothesis and printed as a program of steps; the same seed finds it again.
"""

from __future__ import annotations

import argparse
import sys
import time

from hypothesis import seed
from hypothesis.stateful import run_state_machine_as_test

from tests.model.faults import FAULTS, planted
from tests.model.machine import STEPS, Machine, machine_settings
from tests.model.targets import Endpoint, InProcess, Target

ROUND, ROUND_OVER_HTTP = 200, 20
"""Histories of one seed."""


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Put the same requests to a reference model and to Dynabus.")
    parser.add_argument("--operations", type=int, default=10_000, help="how many requests at least")
    parser.add_argument("--seed", type=int, default=0, help="the first seed")
    parser.add_argument("--steps", type=int, default=STEPS, help="of one history")
    parser.add_argument("--endpoint", help="of a running cluster; without it both halves run in this process")
    parser.add_argument("--fault", help="plant this fault, or 'all': how many operations until each is found")
    options = parser.parse_args(arguments)
    if options.fault:
        names = list(FAULTS) if options.fault == "all" else [options.fault]
        return max(_hunt(name, options.seed, options.operations) for name in names)
    return _many(options)


def _many(options: argparse.Namespace) -> int:
    started, asked, number = time.monotonic(), 0, options.seed
    round_ = ROUND_OVER_HTTP if options.endpoint else ROUND
    while asked < options.operations:
        try:
            asked += history(number, options.steps, options.endpoint, round_)
        except BaseException:
            again = f"--endpoint {options.endpoint}" if options.endpoint else ""
            print(f"\nagain: python -m tests.model --operations 1 --seed {number} --steps {options.steps} {again}")
            raise
        number += 1
        took = time.monotonic() - started
        print(f"seed {number - 1}: {asked} operations without a difference, {took:.0f} s", flush=True)
    return 0


def history(
    number: int, steps: int = STEPS, endpoint: str | None = None, histories: int = ROUND, shrink: bool = True
) -> int:
    """Histories of one seed; returns how many operations were asked. Raises what hypothesis found.

    `shrink`: a failure is made smaller, which may take minutes.
    """

    def target() -> Target:
        return Endpoint(endpoint) if endpoint else InProcess()

    machine = type("Machine", (Machine,), {"target": staticmethod(target), "asked": []})
    run_state_machine_as_test(seed(number)(machine), settings=machine_settings(histories, steps, shrink))
    return sum(machine.asked)  # type: ignore[attr-defined]


def _hunt(name: str, number: int, operations: int) -> int:
    """How many operations until the fault is found."""
    with planted(name):
        return _found(name, number, operations)


def _found(name: str, number: int, operations: int) -> int:
    asked = 0
    while asked < operations:
        try:
            asked += history(number, shrink=False)
        except AssertionError as found:
            shown = "\n  ".join(line[:200] for line in str(found).splitlines()[:3])
            print(f"{name}: found by seed {number}, {asked} operations before it\n  {shown}", flush=True)
            return 0
        number += 1
    print(f"{name}: NOT found in {asked} operations")
    return 1


if __name__ == "__main__":
    sys.exit(main())
