"""Where the microseconds go: CPU time per operation, by process and kind of thread, while a cluster is under load.

    python -m bench.profile [seconds]

`python`: the service's own threads (event loop, node loop, bus thread). `librdkafka`: its broker threads, which speak
to Kafka. Kafka's are all one. What each step of the Python part takes by itself: `python -m bench.steps`.
"""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from tests.integration.cluster import running

from bench import workload
from bench.figures import Measured
from bench.generator import Generator, choose
from bench.processes import of_cluster, thread_cpu_s
from bench.run import throttling_arguments

OPERATIONS = ("put", "get")
CONCURRENCIES = (1, 32, 128)
SECONDS = 6
WARM_UP_S, WARM_UP_CONNECTIONS = 10, 16
"""Until the JVM has compiled what it runs; before that Kafka takes several times as much."""

Costs = dict[tuple[str, str], float]
"""(process, kind of thread) -> seconds, or microseconds per operation."""


def kind_of(process: str, thread: str) -> str:
    """The kind of a thread, from the name that the kernel shows."""
    if process == "kafka":
        return "jvm"
    return "librdkafka" if thread.startswith("rdk:") else "python"


def costs(pids: Mapping[str, int]) -> Costs:
    """CPU seconds so far."""
    total: Counter[tuple[str, str]] = Counter()
    for process, pid in pids.items():
        for thread, seconds in thread_cpu_s(pid):
            total[process, kind_of(process, thread)] += seconds  # type: ignore[assignment] # a sum of seconds
    return dict(total)


def measure(
    pids: Mapping[str, int], generator: Generator, port: int, requests: Path, connections: int, seconds: int
) -> tuple[Measured, Costs]:
    """(figures, microseconds of CPU per operation) under this load."""
    before = costs(pids)
    measured = generator.run(port, requests, connections, seconds)
    spent = {key: value - before.get(key, 0.0) for key, value in costs(pids).items()}
    return measured, {key: 1e6 * value / measured.count for key, value in spent.items()}


def show(operation: str, connections: int, ops_per_s: float, spent: Costs) -> None:
    """One line per process that takes part."""
    print(f"{operation} at concurrency {connections}: {ops_per_s:,.0f}/s, {sum(spent.values()):,.0f} us of CPU each")
    for process in sorted({process for process, _ in spent}):
        parts = {kind: value for (name, kind), value in sorted(spent.items()) if name == process}
        if sum(parts.values()) >= 1:
            print(f"    {process:12} {'   '.join(f'{kind} {value:.0f}' for kind, value in parts.items())}")


def main() -> None:
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else SECONDS
    generator = choose()
    with (
        tempfile.TemporaryDirectory(prefix="dynabus-bench-") as folder,
        running(Path(folder) / "cluster", *throttling_arguments()) as cluster,
    ):
        workload.fill(cluster.port)
        pids = of_cluster(cluster.status())
        for operation in OPERATIONS:
            requests = workload.write_prepared(operation, Path(folder))
            generator.run(cluster.port, requests, WARM_UP_CONNECTIONS, WARM_UP_S)
            for connections in CONCURRENCIES:
                measured, spent = measure(pids, generator, cluster.port, requests, connections, seconds)
                show(operation, connections, measured.ops_per_s, spent)


if __name__ == "__main__":
    main()
