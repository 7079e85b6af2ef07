"""Operations a second of all systems at one concurrency, as an SVG."""

from __future__ import annotations

from pathlib import Path

import pygal  # type: ignore[import-untyped]
from pygal.style import CleanStyle  # type: ignore[import-untyped]

from bench.results import FLOOR, Results

WANTED = 32
"""The concurrency of most targets; without it the nearest one below, else the lowest."""


def concurrency(results: Results) -> int | None:
    """The concurrency that is drawn; None when nothing was measured."""
    there = sorted({c for s in results.subjects.values() for by in s.measured.values() for c in by})
    return max((c for c in there if c <= WANTED), default=there[0] if there else None)


def draw(results: Results, path: Path) -> bool:
    """Whether there was anything to draw."""
    at = concurrency(results)
    systems = {name: s for name, s in results.subjects.items() if name != FLOOR and s.measured}
    if at is None or not systems:
        return False
    operations = list(dict.fromkeys(operation for system in systems.values() for operation in system.measured))
    chart = pygal.Bar(
        title=f"Operations a second at concurrency {at}, 1 KB items ({results.commit})",
        x_labels=operations,
        style=CleanStyle,
        legend_at_bottom=True,
        legend_at_bottom_columns=len(systems),
        # A picture in a page: it fetches nothing from elsewhere.
        js=(),
        disable_xml_declaration=True,
        value_formatter=lambda value: f"{value:,.0f}",
    )
    for name, system in systems.items():
        cells = [system.at(operation, at) for operation in operations]
        chart.add(name, [cell.ops_per_s if cell else None for cell in cells])
    path.write_text(chart.render(is_unicode=True))
    return True
