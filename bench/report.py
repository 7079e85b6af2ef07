"""One run as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bench.figures import Measured
from bench.results import FLOOR, OURS, Results, Subject
from bench.targets import Target, beside, targets

NOTHING = "-"


def markdown(results: Results, chart: str | None = None) -> str:
    """The whole report. `chart`: the file beside it to show."""
    sections = [
        f"# Benchmark of {results.started[:16].replace('T', ' ')} UTC, commit {results.commit}",
        _conditions(results),
        f"![operations a second]({chart})" if chart else "",
        "## Against the targets",
        table(("", "measured", "target", "stretch", "met"), (_target(each) for each in targets(results))),
        "## Operations a second, p50 / p99 in ms",
        *_throughput(results),
        "## Dynabus beside each peer (operations a second, ours / theirs)",
        *_ratios(results),
        *_latency(results),
        *_lifecycle(results),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def number(value: float | None, digits: int = 2) -> str:
    return NOTHING if value is None else f"{value:,.{digits}f}"


def _conditions(results: Results) -> str:
    on = ", ".join(f"{name} {value}" for name, value in results.machine.items())
    ceilings = ", ".join(f"{each.ops_per_s:,.0f}/s at {at}" for at, each in results.ceilings.items())
    versions = [f"- {name}: {subject.version}" for name, subject in results.subjects.items()]
    busy = [f"{name} {percent:.0f} %" for name, percent in results.busy_percent.items()]
    notes = [f"- **{part}: left out or cut short: {note}**" for part, note in results.notes.items()]
    return "\n".join(
        [
            f"{on}. 1 KB items, 10,000 keys, {results.seconds} s for each figure, one system after the other.",
            "",
            f"Load generator: {results.generator}; against a server that does nothing it reaches {ceilings} "
            "connections.",
            "",
            f"Cores busy with other things just before each: {', '.join(busy) or 'not measured'}.",
            "",
            *versions,
            *notes,
        ]
    )


def _target(target: Target) -> tuple[str, ...]:
    sign = "≤" if target.at_most else "≥"
    met = {True: "yes", False: "**no**", None: "not measured"}[target.is_met]
    stretch = NOTHING if target.stretch is None else f"{sign} {target.stretch:g}"
    return target.what, number(target.value), f"{sign} {target.bound:g}", stretch, met


def _concurrencies(subjects: Iterable[Subject]) -> list[int]:
    return sorted({c for subject in subjects for by in subject.measured.values() for c in by})


def _throughput(results: Results) -> list[str]:
    """A table for each operation, a row for each system."""
    concurrencies = _concurrencies(results.subjects.values())
    head = [str(each) for each in concurrencies]
    operations = dict.fromkeys(name for subject in results.subjects.values() for name in subject.measured)
    return [
        table(
            (operation, *head),
            (
                (name, *(_cell(subject.at(operation, c)) for c in concurrencies))
                for name, subject in results.subjects.items()
                if operation in subject.measured
            ),
        )
        for operation in operations
    ]


def _cell(measured: Measured | None) -> str:
    if measured is None:
        return NOTHING
    errors = f", **{measured.errors} errors**" if measured.errors else ""
    return f"{measured.ops_per_s:,.0f}, {measured.p50_ms:.2f} / {measured.p99_ms:.2f}{errors}"


def _ratios(results: Results) -> list[str]:
    ours = results.subjects.get(OURS, Subject())
    peers = [name for name in results.subjects if name not in (OURS, FLOOR)]
    concurrencies = _concurrencies([ours])
    if not peers or not concurrencies:
        return ["Not measured."]
    rows = [
        (operation, peer, *(number(beside(results, operation, peer, c)) for c in concurrencies))
        for operation in ours.measured
        for peer in peers
    ]
    return [table(("", "peer", *(str(c) for c in concurrencies)), rows)]


def _latency(results: Results) -> list[str]:
    if not results.latency:
        return []
    rows = [(name, number(m.p50_ms), number(m.p99_ms)) for name, m in results.latency.items()]
    title = "## Concurrency 1, in alternating rounds on one broker (ms)"
    return [title, table(("", "p50", "p99"), rows)]


def _lifecycle(results: Results) -> list[str]:
    if not results.start_up_s:
        return []
    seconds = {
        "`dynabus up` on an empty folder, jars present": results.start_up_s,
        **{f"kill -9 of a leader until the first {name}": each for name, each in results.recovery_s.items()},
    }
    rows = ((name, ", ".join(f"{each:.2f}" for each in tries)) for name, tries in seconds.items())
    processes = (
        (name, number(percent, 1), number(results.private_memory_mb.get(name), 0))
        for name, percent in results.idle_cpu_percent.items()
    )
    return [
        "## Start and recovery",
        table(("", "seconds, each try"), rows),
        "## An idle cluster after the load",
        table(("process", "CPU, % of a core", "private memory, MB"), processes),
    ]
