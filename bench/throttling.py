"""The throttle curve: a provisioned table under a flood of writes, beside the formula; and what a report lists.

    python -m bench.throttling [--units 5] [--seconds 60] [--routers 2]

A new table has 300 s of its throughput; after that it admits its rate. Writes a chart and a page to bench/results/.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

from tests.integration.cluster import RunningCluster, running
from tests.integration.flood import BURST_S, Flood, admits, provisioned_table

from bench.curve import Line, draw_lines

RESULTS = Path(__file__).with_name("results")
MEASURED, FORMULA = "#1b6ca8", "#e0a458"


def curve(flood: Flood, units: int, took_s: float) -> list[Line]:
    """Writes that were admitted until each second, and the most that the formula admits by then."""
    ends = sorted(flood.ends)
    measured = [(0.0, 0.0), *((end, number + 1.0) for number, end in enumerate(ends)), (took_s, float(len(ends)))]
    formula = [(0.0, admits(units, 0.0)), (took_s, admits(units, took_s))]
    return [
        Line(f"formula: {units} x ({BURST_S} s + t)", FORMULA, 3.0, formula),
        Line("admitted", MEASURED, 1.5, measured),
    ]


def flooded(folder: Path, units: int, seconds: float, routers: int) -> tuple[Flood, float]:
    """One run with throttling on."""
    with running(folder, "--routers", str(routers)) as cluster:
        provisioned_table(cluster, "curve", units)
        flood = Flood(cluster, "curve", routers)
        return flood, flood.run(seconds)


def reported(folder: Path, units: int, seconds: float) -> str:
    """What `dynabus admin throttled` prints after the same with --throttling report; shortened."""
    with running(folder, "--throttling", "report") as cluster:
        provisioned_table(cluster, "curve", units)
        Flood(cluster, "curve", 1).run(seconds)
        return _shortened(cluster)


def _shortened(cluster: RunningCluster) -> str:
    lines = cluster.command("admin", "throttled").splitlines()
    return "\n".join([*lines[:12], "..."] if len(lines) > 12 else lines)


def page(flood: Flood, units: int, took_s: float, report: str, chart: str) -> str:
    """The figures for people."""
    formula = admits(units, took_s)
    errors = ", ".join(f"{count:,} {name}" for name, count in flood.errors.items())
    return "\n".join(
        [
            f"# Throttling: {units} write units, {took_s:.1f} s of more writes than that",
            "",
            f"Admitted {flood.admitted:,}; the formula says {formula:,.0f} ({flood.admitted / formula:.3f} of it). "
            f"Refused: {errors}.",
            "",
            f"![admitted and formula]({chart})",
            "",
            "With `--throttling report`, from `dynabus admin throttled`:",
            "",
            "```",
            report,
            "```",
            "",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.throttling", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--units", type=int, default=5, metavar="N", help="write units of the table (default: 5)")
    parser.add_argument("--seconds", type=float, default=60.0, metavar="S", help="of the flood (default: 60)")
    parser.add_argument("--routers", type=int, default=2, metavar="N", help="(default: 2)")
    parser.add_argument("--output", type=Path, default=RESULTS, metavar="DIR", help="(default: bench/results)")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="dynabus-bench-") as name:
        folder = Path(name)
        flood, took_s = flooded(folder / "on", asked.units, asked.seconds, asked.routers)
        report = reported(folder / "report", asked.units, asked.seconds / 3)
    asked.output.mkdir(parents=True, exist_ok=True)
    chart, told = asked.output / "throttling.svg", asked.output / "throttling.md"
    draw_lines("Writes admitted", curve(flood, asked.units, took_s), chart)
    told.write_text(page(flood, asked.units, took_s, report, chart.name))
    print(told.read_text())
    print(json.dumps({"admitted": flood.admitted, "formula": admits(asked.units, took_s), "seconds": took_s}))


if __name__ == "__main__":
    main()
