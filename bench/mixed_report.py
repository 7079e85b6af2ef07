"""What a mixed run found, and its report."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from bench.report import number, table

BACK_TARGET_S = 10.0
"""Throughput is back to 90 % of what it was within so long of each kill."""


@dataclass(slots=True)
class Kill:
    """One kill and restart. Times in seconds of the run; `None`: throughput did not come back before the next."""

    node: str
    at_s: float
    before_per_s: float = 0.0
    restarted_at_s: float = 0.0
    back_after_s: float | None = None
    back_after_restart_s: float | None = None


@dataclass(slots=True)
class MixedResults:
    """What is kept as JSON. `memory_mb`: (seconds of the run, private memory by process)."""

    started: str
    commit: str
    machine: dict[str, str]
    minutes: float
    clients: int
    kills: list[Kill] = field(default_factory=list)
    memory_mb: list[tuple[float, dict[str, float]]] = field(default_factory=list)
    per_second: list[int] = field(default_factory=list)
    errors: dict[str, int] = field(default_factory=dict)
    errors_per_second: list[int] = field(default_factory=list)
    durations_ms: dict[str, dict[str, float]] = field(default_factory=dict)
    violations: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def is_sound(self) -> bool:
        return not any(each["count"] for each in self.violations.values())


def markdown(results: MixedResults) -> str:
    """The run as a report."""
    done = sum(results.per_second)
    on = ", ".join(f"{name} {value}" for name, value in results.machine.items())
    counts = ", ".join(f"{each['count']} {name}" for name, each in results.violations.items())
    minutes = [results.per_second[start : start + 60] for start in range(0, len(results.per_second), 60)]
    first, last = results.memory_mb[0][1], results.memory_mb[-1][1]
    return "\n\n".join(
        [
            f"# Mixed load, {results.minutes:g} minutes, {results.started[:16].replace('T', ' ')} UTC, "
            f"commit {results.commit}",
            f"{on}. {results.clients} clients; 50 % put, 40 % consistent get, 10 % query of 10 items, 1 KB items.",
            f"**{done:,} answers, {sum(results.errors.values())} errors; {counts}.**",
            "Operations a second in each minute: "
            + ", ".join(f"{sum(each) / len(each):,.0f}" for each in minutes if each),
            table(("", "count", "p50 ms", "p99 ms", "longest ms"), map(_durations_row, results.durations_ms.items())),
            table(
                ("killed", "at s", "op/s before", "back to 90 % after s", "serves again at s", "90 % after that, s"),
                map(_kill_row, results.kills),
            ),
            table(
                ("private memory, MB", "start", "end"),
                ((name, number(first.get(name), 0), number(last.get(name), 0)) for name in sorted({*first, *last})),
            ),
            *(f"- {count} x {text}" for text, count in results.errors.items()),
        ]
    )


def _durations_row(named: tuple[str, dict[str, float]]) -> tuple[str, ...]:
    name, each = named
    return name, f"{each['count']:,.0f}", *(number(each[part]) for part in ("p50", "p99", "longest"))


def _kill_row(each: Kill) -> tuple[str, ...]:
    late = each.back_after_s is None or each.back_after_s > BACK_TARGET_S
    back = "not before the next" if each.back_after_s is None else number(each.back_after_s)
    restart = number(each.back_after_restart_s)
    back = f"**{back}**" if late else back
    return (
        each.node,
        number(each.at_s, 0),
        number(each.before_per_s, 0),
        back,
        number(each.restarted_at_s, 0),
        restart,
    )
