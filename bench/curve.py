"""Lines over time as an SVG: what was measured beside what a formula says."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple
from xml.etree.ElementTree import Element, SubElement

from bench.chart import FRAME

WIDTH, HEIGHT = 900, 420
LEFT, RIGHT, TOP, BOTTOM = 60, 20, 50, 60
"""Margins: figures at the left, seconds and the legend below."""

TICKS = 5


class Line(NamedTuple):
    """Points are (seconds, value), in the order of time."""

    name: str
    colour: str
    width: float
    points: Sequence[tuple[float, float]]


def draw_lines(title: str, lines: Sequence[Line], path: Path) -> None:
    """All of them on one pair of axes that begin at 0."""
    drawing = ElementTree.parse(FRAME).getroot()
    space = drawing.tag[: drawing.tag.index("}") + 1]
    longest = max(line.points[-1][0] for line in lines)
    highest = max(value for line in lines for _, value in line.points)
    _text(drawing, space, title, 16, LEFT, 26)
    _axes(drawing, space, longest, highest)
    for place, line in enumerate(lines):
        points = " ".join(f"{_x(at, longest):.1f},{_y(value, highest):.1f}" for at, value in line.points)
        style = {"fill": "none", "stroke": line.colour, "stroke-width": str(line.width)}
        SubElement(drawing, f"{space}polyline", points=points, attrib=style)
        x = LEFT + 260 * place
        SubElement(drawing, f"{space}line", _ends(x, HEIGHT - 18, x + 24, HEIGHT - 18), stroke=line.colour)
        _text(drawing, space, line.name, 12, x + 30, HEIGHT - 14)
    ElementTree.register_namespace("", space[1:-1])
    ElementTree.ElementTree(drawing).write(path, encoding="utf-8")


def _axes(drawing: Element, space: str, longest: float, highest: float) -> None:
    for tick in range(TICKS + 1):
        at, value = longest * tick / TICKS, highest * tick / TICKS
        y = _y(value, highest)
        SubElement(drawing, f"{space}line", _ends(LEFT, y, WIDTH - RIGHT, y), stroke="#dde1e6")
        _text(drawing, space, f"{value:,.0f}", 10, LEFT - 8, y + 3, "end")
        _text(drawing, space, f"{at:.0f} s", 10, _x(at, longest), HEIGHT - BOTTOM + 16, "middle")


def _x(at: float, longest: float) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * at / longest


def _y(value: float, highest: float) -> float:
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value / highest


def _ends(x1: float, y1: float, x2: float, y2: float) -> dict[str, str]:
    return {name: f"{value:.1f}" for name, value in zip(("x1", "y1", "x2", "y2"), (x1, y1, x2, y2), strict=True)}


def _text(drawing: Element, space: str, text: str, size: int, x: float, y: float, anchor: str = "start") -> None:
    place = {"x": f"{x:.1f}", "y": f"{y:.1f}", "font-size": str(size), "text-anchor": anchor}
    SubElement(drawing, f"{space}text", place).text = text
