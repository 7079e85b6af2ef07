"""One run: the generator's ceiling, Dynabus with the floor under it, then one peer after the other."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tests.integration.cluster import DYNABUS, RunningCluster, running

from bench import latency, lifecycle, workload
from bench.figures import Measured
from bench.floor import Floor
from bench.generator import Generator, GeneratorError
from bench.machine import busy_percent, commit, machine
from bench.peers import UnavailableError, install, serving
from bench.results import FLOOR, OURS, Results, Subject
from bench.wire import RefusedError
from dynabus.adapters.kafka.settings import KafkaSettings
from dynabus.cli.version import version_line

LATENCY, LIFECYCLE = "latency", "lifecycle"
WARM_UP_S, WARM_UP_CONNECTIONS = 1, 8
"""Before an operation is measured: just-in-time compilers, caches, connections."""

CEILING_S = 1
RECOVERIES, START_UPS = 3, 2


@dataclass(frozen=True, slots=True)
class Plan:
    """`extent`: see Results. `parts`: names of systems, and `floor`, `latency`, `lifecycle`. `seconds`: of each
    measurement."""

    extent: str

    parts: tuple[str, ...]
    operations: tuple[str, ...]
    concurrencies: tuple[int, ...]
    seconds: int
    latency_rounds: int
    idle_s: float


def run(plan: Plan, generator: Generator) -> Results:
    """Everything that the plan asks for, printed as it goes."""
    started = datetime.now(UTC).isoformat(timespec="seconds")
    results = Results(started, commit(), machine(), generator.name, plan.seconds, plan.extent)
    with tempfile.TemporaryDirectory(prefix="dynabus-bench-") as folder:
        files = {operation: workload.write_prepared(operation, Path(folder)) for operation in plan.operations}
        first = files[plan.operations[0]]
        results.ceilings = generator.ceilings(first, list(plan.concurrencies), CEILING_S)
        _say(f"{generator.name} against a server that does nothing", results.ceilings)
        bench = _Bench(plan, generator, files, results)
        if {OURS, FLOOR, LATENCY, LIFECYCLE} & set(plan.parts):
            bench.ours(Path(folder))
        for name in plan.parts:
            if name not in (OURS, FLOOR, LATENCY, LIFECYCLE):
                bench.peer(name)
    return results


def throttling_arguments(program: str = DYNABUS) -> list[str]:
    """Limits of a partition (1,000 writes a second) would be measured instead of the database, and no peer has them:
    they are reported, not enforced, where this version enforces them."""
    usage = subprocess.run([program, "up", "--help"], capture_output=True, text=True).stdout
    return ["--throttling", "report"] if "--throttling" in usage else []


class _Bench:
    def __init__(self, plan: Plan, generator: Generator, files: dict[str, Path], results: Results) -> None:
        self._plan, self._generator, self._files, self._results = plan, generator, files, results

    def ours(self, folder: Path) -> None:
        """What runs on our cluster, the floor's broker among it."""
        arguments = throttling_arguments()
        steps = {FLOOR: self._floor, OURS: self._ours, LATENCY: self._latency, LIFECYCLE: self._lifecycle}
        self._results.busy_percent[OURS] = busy_percent()
        with running(folder, *arguments) as cluster:
            for part, step in steps.items():
                if part in self._plan.parts:
                    with self._noting(part):
                        step(cluster)
        if LIFECYCLE in self._plan.parts:
            self._results.start_up_s = lifecycle.start_up_s(START_UPS, *arguments)

    def peer(self, name: str) -> None:
        with self._noting(name):
            subject = self._results.subjects[name] = Subject(install(name))
            self._results.busy_percent[name] = busy_percent()
            with serving(name) as port:
                self._load(port, subject)

    @contextmanager
    def _noting(self, part: str) -> Iterator[None]:
        """What goes wrong in one part is noted, and the run goes on."""
        print(f"--- {part}", flush=True)
        try:
            yield
        except (UnavailableError, RefusedError, GeneratorError, OSError, AssertionError) as error:
            self._results.notes[part] = str(error).partition("\n")[0]
            print(f"{part}: {error}", flush=True)

    def _ours(self, cluster: RunningCluster) -> None:
        subject = self._results.subjects[OURS] = Subject(version_line())
        self._load(cluster.port, subject)

    def _latency(self, cluster: RunningCluster) -> None:
        self._results.latency = latency.measure(cluster, self._plan.latency_rounds)

    def _lifecycle(self, cluster: RunningCluster) -> None:
        cpu, memory = lifecycle.idle(cluster, self._plan.idle_s)
        self._results.idle_cpu_percent, self._results.private_memory_mb = cpu, memory
        self._results.recovery_s = lifecycle.recovery_s(cluster, RECOVERIES)
        print(f"recovery after kill -9, s: {self._results.recovery_s}", flush=True)

    def _floor(self, cluster: RunningCluster) -> None:
        floor = Floor(KafkaSettings(cluster.status()["kafka"]["bootstrap"]))
        subject = self._results.subjects[FLOOR] = Subject(f"Kafka {self._results.machine['Kafka']}")
        for hops in (2, 3):
            by_concurrency = {each: floor.run(hops, each, self._plan.seconds) for each in self._plan.concurrencies}
            subject.measured[f"{hops} hops"] = by_concurrency
            _say(f"{hops} hops", by_concurrency)
        floor.close()

    def _load(self, port: int, subject: Subject) -> None:
        workload.fill(port)
        workload.check(port)
        for operation, requests in self._files.items():
            self._generator.run(port, requests, WARM_UP_CONNECTIONS, WARM_UP_S)
            by_concurrency = subject.measured[operation] = {}
            for concurrency in self._plan.concurrencies:
                by_concurrency[concurrency] = self._generator.run(port, requests, concurrency, self._plan.seconds)
            _say(operation, by_concurrency)


def _say(what: str, by_concurrency: dict[int, Measured]) -> None:
    figures = (
        f"{each}: {m.ops_per_s:,.0f}/s p50 {m.p50_ms:.2f} p99 {m.p99_ms:.2f} ms"
        + (f" ({m.errors} errors)" if m.errors else "")
        for each, m in by_concurrency.items()
    )
    print(f"{what:14} {'   '.join(figures)}", flush=True)
