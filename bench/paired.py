"""Two versions side by side: is this one slower than that one?

    git worktree add ../before COMMIT && make -C ../before install
    python -m bench.paired ../before [--operations put get] [--rounds 10] [--seconds 2] [--concurrency 32]
    python -m bench.paired . --throttling on off          what a setting costs: this checkout beside itself

Both run at once, each a cluster of its own with a broker of its own, and are loaded in turn, a few seconds each: what
disturbs the machine disturbs both, and the two of a pair are seconds apart. (Two whole runs, one after the other,
differ by 20 % with nothing changed.) Beside the ratio of operations a second stands the CPU time of an operation by
kind of process, which depends still less on what else the machine does.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import defaultdict
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from tests.integration.cluster import DYNABUS, RunningCluster, running

from bench import workload
from bench.generator import Generator, choose
from bench.processes import of_cluster
from bench.profile import WARM_UP_CONNECTIONS, Costs, measure
from bench.run import throttling_arguments

ROUNDS, SECONDS, CONCURRENCY = 10, 2, 32
WARM_UP_S = 3


@dataclass(frozen=True, slots=True)
class Sample:
    """One load of one version. `cpu_us`: for an operation, by kind of process."""

    ops_per_s: float
    errors: int
    cpu_us: dict[str, float]


Pair = tuple[Sample, Sample]
"""This version's and the other's, one after the other."""


def by_kind(costs: Costs) -> dict[str, float]:
    """The processes of one kind (node-1, node-2) together."""
    total: dict[str, float] = defaultdict(float)
    for (process, _), spent in costs.items():
        total[process.rstrip("-0123456789")] += spent
    return dict(sorted(total.items()))


class Side:
    """One version's cluster under load."""

    def __init__(self, cluster: RunningCluster, generator: Generator) -> None:
        self._port, self._generator = cluster.port, generator
        self._pids = of_cluster(cluster.status())
        workload.fill(self._port)

    def warm_up(self, requests: Path) -> None:
        self._generator.run(self._port, requests, WARM_UP_CONNECTIONS, WARM_UP_S)

    def sample(self, requests: Path, connections: int, seconds: int) -> Sample:
        measured, spent = measure(self._pids, self._generator, self._port, requests, connections, seconds)
        return Sample(measured.ops_per_s, measured.errors, by_kind(spent))


def compare(this: Side, other: Side, requests: Path, asked: argparse.Namespace) -> list[Pair]:
    """Pairs (this, other), begun by either in turn."""
    pairs = []
    for side in (this, other):
        side.warm_up(requests)
    for number in range(asked.rounds):
        sides = (this, other) if number % 2 else (other, this)
        samples = {side: side.sample(requests, asked.concurrency, asked.seconds) for side in sides}
        pairs.append((samples[this], samples[other]))
    return pairs


def line(operation: str, pairs: list[Pair]) -> str:
    """A row of the table: medians."""
    ratios = sorted(this.ops_per_s / other.ops_per_s for this, other in pairs)
    speeds = [f"{median(pair[side].ops_per_s for pair in pairs):,.0f}" for side in (0, 1)]
    spread = f"{ratios[0]:.2f} to {ratios[-1]:.2f}"
    errors = sum(sample.errors for pair in pairs for sample in pair)
    costs = ", ".join(_cost(kind, pairs) for kind in pairs[0][0].cpu_us if pairs[0][0].cpu_us[kind] >= 1)
    return f"| {operation} | {' | '.join(speeds)} | {median(ratios):.3f} | {spread} | {costs} | {errors} |"


def _cost(kind: str, pairs: list[Pair]) -> str:
    this, other = (median(pair[side].cpu_us.get(kind, 0.0) for pair in pairs) for side in (0, 1))
    return f"{kind} {this:.0f} / {other:.0f}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.paired", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("other", type=Path, metavar="FOLDER", help="a checkout of the other version, installed")
    parser.add_argument("--operations", nargs="+", choices=workload.OPERATIONS, default=workload.OPERATIONS)
    parser.add_argument("--rounds", type=int, default=ROUNDS, metavar="N", help=f"pairs of loads (default: {ROUNDS})")
    parser.add_argument(
        "--seconds", type=int, default=SECONDS, metavar="N", help=f"of each load (default: {SECONDS})"
    )
    parser.add_argument("--concurrency", type=int, default=CONCURRENCY, metavar="N", help=f"(default: {CONCURRENCY})")
    parser.add_argument(
        "--throttling", nargs=2, metavar=("THIS", "OTHER"), help="on, off or report (default: report on both sides)"
    )
    return parser


def main() -> None:
    asked = _parser().parse_args()
    program = asked.other / ".venv" / "bin" / Path(DYNABUS).name
    if not program.exists():
        sys.exit(f"{program} is not there: run `make -C {asked.other} install` first")
    generator = choose()
    with tempfile.TemporaryDirectory(prefix="dynabus-bench-") as name, ExitStack() as stack:
        folder = Path(name)

        def side(name: str, program: str, throttling: str | None) -> Side:
            arguments = ["--throttling", throttling] if throttling else throttling_arguments(program)
            return Side(stack.enter_context(running(folder / name, *arguments, program=program)), generator)

        modes = asked.throttling or (None, None)
        this, other = side("this", DYNABUS, modes[0]), side("other", str(program), modes[1])
        print("| operation | this/s | other/s | this / other | of pairs | CPU us of each, this / other | errors |")
        print("| --- | --- | --- | --- | --- | --- | --- |")
        for operation in asked.operations:
            requests = workload.write_prepared(operation, folder)
            print(line(operation, compare(this, other, requests, asked)), flush=True)


if __name__ == "__main__":
    main()
