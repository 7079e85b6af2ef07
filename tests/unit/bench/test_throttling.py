"""The throttle curve: its points, its picture, its page."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import cast

from bench.curve import HEIGHT, WIDTH, draw_lines
from bench.throttling import curve, page
from tests.integration.flood import Flood

UNITS, TOOK_S = 5, 60.0


def flood() -> Flood:
    ends = [20.0, 0.5, 1.5]
    errors = Counter({"ProvisionedThroughputExceededException": 1200})
    return cast("Flood", SimpleNamespace(ends=ends, admitted=len(ends), errors=errors))


def test_admitted_writes_are_counted_in_the_order_of_time() -> None:
    formula, admitted = curve(flood(), UNITS, TOOK_S)
    assert list(admitted.points) == [(0.0, 0.0), (0.5, 1.0), (1.5, 2.0), (20.0, 3.0), (60.0, 3.0)]
    assert list(formula.points) == [(0.0, 1500.0), (60.0, 1800.0)]


def test_the_picture_has_both_lines_within_its_frame(tmp_path: Path) -> None:
    draw_lines("Writes admitted", curve(flood(), UNITS, TOOK_S), tmp_path / "curve.svg")
    drawing = ElementTree.parse(tmp_path / "curve.svg").getroot()
    lines = [each for each in drawing if each.tag.endswith("polyline")]
    assert len(lines) == 2
    for line in lines:
        for point in line.attrib["points"].split():
            x, y = map(float, point.split(","))
            assert 0 <= x <= WIDTH
            assert 0 <= y <= HEIGHT
    assert {"admitted", "formula: 5 x (300 s + t)"} <= {each.text for each in drawing if each.tag.endswith("text")}


def test_the_page_says_how_near_they_are() -> None:
    told = page(flood(), UNITS, TOOK_S, "throttling  report", "throttling.svg")
    assert "Admitted 3; the formula says 1,800 (0.002 of it). Refused: 1,200 Provisioned" in told
    assert "![admitted and formula](throttling.svg)" in told
