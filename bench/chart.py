"""Operations a second of all systems at one concurrency, as an SVG of grouped bars."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping
from pathlib import Path
from xml.etree.ElementTree import Element, SubElement

from bench.results import FLOOR, Results, Subject

WANTED = 32
"""The concurrency of most targets; without it the nearest one below, else the lowest."""

FRAME = Path(__file__).with_name("chart_frame.svg")
"""The empty picture."""

WIDTH, HEIGHT = 900, 420
LEFT, TOP, BOTTOM = 10, 50, 60
"""Margins: none for an axis (each bar carries its figure), title above, operations and legend below."""

GROUP_GAP = 24
COLOURS = ("#1b6ca8", "#9aa5b1", "#c9ced6", "#e0a458", "#b56576")
"""Ours stands out; the peers' can be told apart without colour vision, by lightness."""


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
    drawing = ElementTree.parse(FRAME).getroot()
    title = f"Operations a second at concurrency {at}, 1 KB items, commit {results.commit}"
    _text(drawing, title, 16, LEFT, 26)
    _bars(drawing, systems, at)
    _legend(drawing, systems)
    # Written without a prefix on every element, which some viewers do not take for SVG.
    ElementTree.register_namespace("", _namespace(drawing))
    ElementTree.ElementTree(drawing).write(path, encoding="utf-8")
    return True


def _bars(drawing: Element, systems: Mapping[str, Subject], at: int) -> None:
    operations = list(dict.fromkeys(operation for system in systems.values() for operation in system.measured))
    group = (WIDTH - 2 * LEFT) / len(operations)
    bar = (group - GROUP_GAP) / len(systems)
    cells = [system.at(operation, at) for system in systems.values() for operation in operations]
    highest = max((cell.ops_per_s for cell in cells if cell), default=0.0) or 1.0
    base = HEIGHT - BOTTOM
    for column, operation in enumerate(operations):
        start = LEFT + column * group + GROUP_GAP / 2
        _text(drawing, operation, 13, start + (group - GROUP_GAP) / 2, base + 18, "middle")
        for place, system in enumerate(systems.values()):
            cell = system.at(operation, at)
            rate, x = (cell.ops_per_s if cell else 0.0), start + place * bar
            height = (base - TOP) * rate / highest
            colour = COLOURS[place % len(COLOURS)]
            _rectangle(drawing, x, base - height, bar - 2, height, colour)
            said = f"{rate:,.0f}" if cell else "-"
            _text(drawing, said, 9, x + bar / 2 - 1, base - height - 4, "middle")


def _legend(drawing: Element, systems: Mapping[str, Subject]) -> None:
    width = (WIDTH - 2 * LEFT) / len(systems)
    for place, name in enumerate(systems):
        x = LEFT + GROUP_GAP / 2 + place * width
        _rectangle(drawing, x, HEIGHT - 26, 12, 12, COLOURS[place % len(COLOURS)])
        _text(drawing, name, 12, x + 18, HEIGHT - 15)


def _namespace(drawing: Element) -> str:
    return drawing.tag[1:].partition("}")[0]


def _rectangle(drawing: Element, x: float, y: float, width: float, height: float, fill: str) -> None:
    box = {"x": x, "y": y, "width": width, "height": height}
    attributes = {name: f"{value:.1f}" for name, value in box.items()}
    SubElement(drawing, f"{{{_namespace(drawing)}}}rect", attributes, fill=fill)


def _text(drawing: Element, text: str, size: int, x: float, y: float, anchor: str = "start") -> None:
    place = {"x": f"{x:.1f}", "y": f"{y:.1f}", "font-size": str(size), "text-anchor": anchor}
    SubElement(drawing, f"{{{_namespace(drawing)}}}text", place).text = text
