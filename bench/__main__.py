"""`python -m bench`: run the benchmark, print the report, write it to bench/results/."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import orjson

from bench import chart
from bench.generator import GeneratorError, choose
from bench.peers import PEERS
from bench.report import markdown
from bench.results import FLOOR, OURS, Results
from bench.run import LATENCY, LIFECYCLE, Plan, run
from bench.workload import OPERATIONS

RESULTS = Path(__file__).with_name("results")
PARTS = (FLOOR, OURS, LATENCY, LIFECYCLE, *PEERS)
CONCURRENCIES, QUICK_CONCURRENCIES = (1, 4, 32, 128), (1, 32)
SECONDS, QUICK_SECONDS = 4, 2
LATENCY_ROUNDS, QUICK_LATENCY_ROUNDS = 10, 3
IDLE_S, QUICK_IDLE_S = 10.0, 5.0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Dynabus beside bare Kafka and its peers.")
    parser.add_argument("--quick", action="store_true", help="concurrency 1 and 32, 2 s for each figure")
    parser.add_argument("--only", type=_names(PARTS), metavar="PART,...", help=f"of {', '.join(PARTS)}")
    parser.add_argument(
        "--operations", type=_names(OPERATIONS), metavar="NAME,...", help=f"of {', '.join(OPERATIONS)}"
    )
    parser.add_argument("--concurrency", type=_counts, metavar="N,...", help="connections (default: 1,4,32,128)")
    parser.add_argument("--seconds", type=int, metavar="N", help="for each figure (default: 4)")
    parser.add_argument("--generator", choices=("auto", "wrk", "asyncio"), default="auto", help="of the load")
    parser.add_argument("--output", type=Path, default=RESULTS, metavar="DIR", help="(default: bench/results)")
    return parser


def _names(allowed: tuple[str, ...]) -> Callable[[str], tuple[str, ...]]:
    def names(text: str) -> tuple[str, ...]:
        chosen = tuple(name.strip() for name in text.split(","))
        unknown = [name for name in chosen if name not in allowed]
        if unknown:
            raise argparse.ArgumentTypeError(f"{unknown[0]!r} is none of {', '.join(allowed)}")
        return chosen

    return names


def _counts(text: str) -> tuple[int, ...]:
    counts = text.split(",")
    if not all(each.isdigit() and int(each) for each in counts):
        raise argparse.ArgumentTypeError(f"{text!r}: numbers from 1 on, with commas between them")
    return tuple(int(each) for each in counts)


def _plan(asked: argparse.Namespace) -> Plan:
    quick, chosen = asked.quick, (asked.only, asked.operations, asked.concurrency, asked.seconds)
    return Plan(
        extent="part" if any(chosen) else "quick" if quick else "",
        parts=asked.only or PARTS,
        # In our order: a slow peer goes on with queries that nobody waits for any more, so they come last.
        operations=tuple(each for each in OPERATIONS if each in (asked.operations or OPERATIONS)),
        concurrencies=asked.concurrency or (QUICK_CONCURRENCIES if quick else CONCURRENCIES),
        seconds=asked.seconds or (QUICK_SECONDS if quick else SECONDS),
        latency_rounds=QUICK_LATENCY_ROUNDS if quick else LATENCY_ROUNDS,
        idle_s=QUICK_IDLE_S if quick else IDLE_S,
    )


def write(results: Results, folder: Path) -> Path:
    """JSON, chart and report into the folder; the report's path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{results.name}.md"
    options = orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS
    path.with_suffix(".json").write_bytes(orjson.dumps(asdict(results), option=options) + b"\n")
    picture = path.with_suffix(".svg")
    path.write_text(markdown(results, picture.name if chart.draw(results, picture) else None))
    return path


def main() -> None:
    asked = _parser().parse_args()
    try:
        generator = choose(asked.generator)
    except GeneratorError as error:
        sys.exit(str(error))
    results = run(_plan(asked), generator)
    print("\n" + markdown(results))
    print(f"written to {write(results, asked.output)}, with .json and .svg")


if __name__ == "__main__":
    main()
