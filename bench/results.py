"""What one run of the benchmark found, in the form in which it is kept as JSON."""

from __future__ import annotations

from dataclasses import dataclass, field

from bench.figures import Measured

OURS, FLOOR = "dynabus", "floor"

Concurrency = int


@dataclass(slots=True)
class Subject:
    """A system or the floor. `measured`: by operation (floor: `2 hops`, `3 hops`), then by concurrency."""

    version: str = ""
    measured: dict[str, dict[Concurrency, Measured]] = field(default_factory=dict)

    def at(self, operation: str, concurrency: Concurrency) -> Measured | None:
        return self.measured.get(operation, {}).get(concurrency)


@dataclass(slots=True)
class Results:
    """`machine`: what it ran on. `extent`: empty for a whole run, else `quick` or `part`. `ceilings`: the generator
    against a responder that does nothing, by concurrency. `busy_percent`: of all cores, by others, just before a part
    began. `notes`: what went wrong, by part. `latency`: alternating rounds at concurrency 1. Lists of seconds hold
    one figure for each try."""

    started: str
    commit: str
    machine: dict[str, str]
    generator: str
    seconds: int
    extent: str = ""
    ceilings: dict[Concurrency, Measured] = field(default_factory=dict)
    subjects: dict[str, Subject] = field(default_factory=dict)
    busy_percent: dict[str, float] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    latency: dict[str, Measured] = field(default_factory=dict)
    recovery_s: dict[str, list[float]] = field(default_factory=dict)
    start_up_s: list[float] = field(default_factory=list)
    idle_cpu_percent: dict[str, float] = field(default_factory=dict)
    private_memory_mb: dict[str, float] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Of the files: the day, the commit, and what kind of run, so that a part never replaces a whole run."""
        return "-".join(part for part in (self.started[:10], self.commit, self.extent) if part)
