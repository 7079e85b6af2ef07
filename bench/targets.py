"""The ratios that must hold, within one run on two cores with the load generator among them."""

from __future__ import annotations

from dataclasses import dataclass

from bench.figures import ratio
from bench.latency import BESIDE
from bench.results import OURS, Results, Subject

LATENCY_AT_MOST = 1.5
THROUGHPUT_AT = 32
CROWD = 128
TAIL_AT_MOST = 5.0

THROUGHPUT_AT_LEAST = {
    ("put", "moto"): (6.0, 8.0),
    ("get", "moto"): (6.0, 8.0),
    ("put", "ministack"): (1.5, 2.0),
    ("get", "ministack"): (1.5, 2.0),
    ("put", "dynalite"): (0.3, 0.4),
    ("get", "dynalite"): (0.3, 0.4),
    ("put", "dynalite disk"): (0.45, 0.6),
}
"""By operation and peer: the target and the stretch target of operations a second, ours over the peer's."""


@dataclass(frozen=True, slots=True)
class Target:
    """`value` is None where a part of it was not measured."""

    what: str
    value: float | None
    bound: float
    at_most: bool
    stretch: float | None = None

    @property
    def is_met(self) -> bool | None:
        if self.value is None:
            return None
        return self.value <= self.bound if self.at_most else self.value >= self.bound


def targets(results: Results) -> list[Target]:
    return [*_latency(results), *_throughput(results), *_crowd(results)]


def _latency(results: Results) -> list[Target]:
    found = []
    for operation, floor in BESIDE.items():
        ours, bare = results.latency.get(operation), results.latency.get(floor)
        value = ratio(ours.p50_ms, bare.p50_ms) if ours and bare else None
        found.append(
            Target(f"p50 of {operation} / {floor} of bare Kafka, concurrency 1", value, LATENCY_AT_MOST, True)
        )
    return found


def _throughput(results: Results) -> list[Target]:
    return [
        Target(
            f"{operation}/s / {peer}, concurrency {THROUGHPUT_AT}",
            beside(results, operation, peer, THROUGHPUT_AT),
            least,
            False,
            stretch,
        )
        for (operation, peer), (least, stretch) in THROUGHPUT_AT_LEAST.items()
    ]


def _crowd(results: Results) -> list[Target]:
    ours = results.subjects.get(OURS, Subject())
    at_crowd = {name: by[CROWD] for name, by in ours.measured.items() if CROWD in by}
    tails = [
        Target(f"p99 / p50 of {name}, concurrency {CROWD}", ratio(each.p99_ms, each.p50_ms), TAIL_AT_MOST, True)
        for name, each in at_crowd.items()
    ]
    errors = float(sum(each.errors for by in ours.measured.values() for each in by.values()))
    return [*tails, Target("errors, all concurrencies", errors if ours.measured else None, 0, True)]


def beside(results: Results, operation: str, peer: str, concurrency: int) -> float | None:
    """Our operations a second over the peer's. None where either was not measured, or the peer did nothing."""
    ours, theirs = (results.subjects.get(name, Subject()).at(operation, concurrency) for name in (OURS, peer))
    return ratio(ours.ops_per_s, theirs.ops_per_s) if ours and theirs else None
