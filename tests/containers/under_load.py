"""The frame of every fault: load before it, the fault, load after it, the checks, the row of the table."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

import pytest

from tests.containers.probe import Phase, Probe, Seen
from tests.containers.stack import Stack
from tests.integration.cluster import client
from tests.integration.load import Load, Recorded

ACKS_BEFORE, ACKS_AFTER = 1000, 100
PATIENCE_S = 180.0
"""Three brokers that have just started keep two cores busy for a minute."""

Fault = Callable[[Load], None]
"""Throws the fault, waits until it has taken effect and until it is over."""


@dataclass
class Row:
    """What a fault did to one kind of request."""

    fault: str
    request: str
    before: Phase
    during: Phase
    after: Phase
    longest_gap_s: float
    errors_after_retries: int
    """Of clients with boto3's default retries: what reaches an application."""


@dataclass
class Result:
    """For a test's own assertions."""

    recorded: Recorded
    rows: list[Row]


def under_load(stack: Stack, table: str, fault: Fault) -> Result:
    """Nothing that was acknowledged is missing, nothing read was stale, ADDs counted once; and the check can fail."""
    with Load(stack.port, table) as load, Probe(stack.port, table) as probe:
        load.wait_for_acks(ACKS_BEFORE, PATIENCE_S)
        probe.wait_for_samples()
        began = time.monotonic()
        fault(load)
        over = time.monotonic()
        load.wait_for_acks(ACKS_AFTER)
        probe.wait_for_samples()
    load.check()
    _check_sees_a_planted_loss(stack, table, load)
    recorded = load.recorded
    # ADDs are not retried: theirs are the probe's business.
    errors = len(recorded.errors) - (recorded.adds_tried - recorded.added)
    rows = [_row(table, kind, seen, began, over, errors) for kind, seen in (("put", probe.puts), ("get", probe.gets))]
    return Result(recorded, rows)


def _check_sees_a_planted_loss(stack: Stack, table: str, load: Load) -> None:
    """An acknowledged item is taken away behind the checker's back."""
    key = next(iter(load.recorded.acked))
    client(stack.port).delete_item(TableName=table, Key={"pk": {"S": key}})
    with pytest.raises(AssertionError):
        load.check()


def _row(fault: str, request: str, seen: Seen, began: float, over: float, errors: int) -> Row:
    return Row(
        fault,
        request,
        seen.phase(0.0, began),
        seen.phase(began, over),
        seen.phase(over, float("inf")),
        seen.longest_gap_s(began),
        errors if request == "put" else 0,
    )


HEADER = (
    "| fault | request | p50 / p99 before, ms | during | after | longest gap, s "
    "| errors without retries | with boto3's |\n|---|---|---|---|---|---|---|---|"
)


def line(row: dict[str, object]) -> str:
    """One line of the table, from a row as plain values (it may come from another process)."""
    phases = [row[name] for name in ("before", "during", "after")]
    cells = [f"{phase['p50_ms']:.1f} / {phase['p99_ms']:.1f}" for phase in phases]  # type: ignore[index]
    errors = sum(phase["errors"] for phase in phases)  # type: ignore[index]
    retried = row["errors_after_retries"] if row["request"] == "put" else ""
    gap = f"{row['longest_gap_s']:.1f}"
    return f"| {' | '.join(map(str, [row['fault'], row['request'], *cells, gap, errors, retried]))} |"


def plain(row: Row) -> dict[str, object]:
    return asdict(row)
