"""Targets, ratios, tables and the chart, from figures that are made up."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import orjson
import pytest
from bench import chart
from bench.__main__ import write
from bench.figures import Measured
from bench.mixed_report import Kill, MixedResults
from bench.mixed_report import markdown as mixed_markdown
from bench.report import markdown, table
from bench.results import Results, Subject
from bench.targets import Target, beside, targets


def figures(ops_per_s: float, p50_ms: float = 1.0, p99_ms: float = 2.0, errors: int = 0) -> Measured:
    return Measured(ops_per_s, p50_ms, p99_ms, errors, int(ops_per_s))


@pytest.fixture
def results() -> Results:
    found = Results("2026-01-02T03:04:05+00:00", "abc1234", {"cores": "2"}, "wrk", 4)
    found.ceilings = {32: figures(40_000)}
    found.subjects = {
        "floor": Subject("Kafka", {"2 hops": {32: figures(20_000)}}),
        "dynabus": Subject(
            "0.1", {"put": {32: figures(3000), 128: figures(3500, 10, 60)}, "get": {32: figures(4500)}}
        ),
        "moto": Subject("5", {"put": {32: figures(400)}, "get": {32: figures(900)}}),
    }
    found.busy_percent = {"dynabus": 1.2, "moto": 40.4}
    found.notes = {"ministack": "npm is not installed"}
    found.latency = {name: figures(1, p50_ms) for name, p50_ms in {"2 hops": 0.4, "get": 0.5, "put": 1.4}.items()}
    found.start_up_s, found.recovery_s = [4.5], {"put": [3.25]}
    return found


def _by_name(results: Results) -> dict[str, Target]:
    return {target.what: target for target in targets(results)}


def test_targets_are_met_or_not(results: Results) -> None:
    found = _by_name(results)
    assert found["put/s / moto, concurrency 32"].is_met is True
    assert found["get/s / moto, concurrency 32"].is_met is False
    assert found["p50 of get / 2 hops of bare Kafka, concurrency 1"].is_met is True
    assert found["p99 / p50 of put, concurrency 128"].value == 6.0
    assert found["p99 / p50 of put, concurrency 128"].is_met is False
    assert found["errors, all concurrencies"].is_met is True


def test_what_was_not_measured_is_neither_met_nor_missed(results: Results) -> None:
    found = _by_name(results)
    assert found["put/s / dynalite, concurrency 32"].is_met is None
    assert found["p50 of put / 3 hops of bare Kafka, concurrency 1"].is_met is None


def test_one_error_misses_the_target(results: Results) -> None:
    results.subjects["dynabus"].measured["query"] = {1: figures(10, errors=1)}
    assert _by_name(results)["errors, all concurrencies"].is_met is False


def test_beside_is_ours_over_theirs(results: Results) -> None:
    assert beside(results, "put", "moto", 32) == 7.5
    assert beside(results, "put", "moto", 128) is None
    results.subjects["moto"].measured["put"] = {32: figures(0)}
    assert beside(results, "put", "moto", 32) is None


def test_table_is_markdown() -> None:
    assert table(("a", "b"), [("1", "2")]) == "| a | b |\n| --- | --- |\n| 1 | 2 |"


def test_report_holds_every_figure_and_every_note(results: Results) -> None:
    text = markdown(results)
    for part in (
        "| put/s / moto, concurrency 32 | 7.50 | ≥ 6 | ≥ 8 | yes |",
        "| get/s / moto, concurrency 32 | 5.00 | ≥ 6 | ≥ 8 | **no** |",
        "| dynabus | 3,000, 1.00 / 2.00 | 3,500, 10.00 / 60.00 |",
        "| put | moto | 7.50 | - |",
        "ministack: left out or cut short: npm is not installed",
        "| kill -9 of a leader until the first put | 3.25 |",
        "40,000/s at 32",
        "just before each: dynabus 1 %, moto 40 %.",
    ):
        assert part in text


def test_a_run_without_figures_still_has_a_report() -> None:
    empty = Results("2026-01-02T03:04:05+00:00", "abc1234", {}, "wrk", 4)
    assert "not measured" in markdown(empty)


def test_what_is_written_can_be_read(results: Results, tmp_path: Path) -> None:
    report = write(results, tmp_path)
    assert report.stem == "2026-01-02-abc1234"
    kept = orjson.loads(report.with_suffix(".json").read_bytes())
    assert kept["subjects"]["moto"]["measured"]["put"]["32"]["ops_per_s"] == 400
    drawn = ElementTree.parse(report.with_suffix(".svg")).getroot()
    assert drawn.tag.endswith("svg")
    assert report.with_suffix(".svg").name in report.read_text()


def test_chart_takes_the_concurrency_of_the_targets_or_the_nearest(results: Results) -> None:
    assert chart.concurrency(results) == 32
    results.subjects = {"moto": Subject("5", {"put": {64: figures(1)}})}
    assert chart.concurrency(results) == 64


def test_nothing_measured_is_nothing_drawn(tmp_path: Path) -> None:
    empty = Results("2026-01-02T03:04:05+00:00", "abc1234", {}, "wrk", 4)
    assert chart.draw(empty, tmp_path / "none.svg") is False


def test_mixed_report_says_what_was_lost_and_what_came_back_late() -> None:
    none = {"count": 0, "examples": []}
    results = MixedResults("2026-01-02T03:04:05+00:00", "abc1234", {}, 1, 32)
    results.kills = [Kill("node-1", 60, 1000.0, 80, 4.5, 0.0), Kill("node-2", 120, 900.0, 140, None, None)]
    results.memory_mb = [(1, {"node-1": 60.0}), (59, {"node-1": 61.0, "node-2": 70.0})]
    results.per_second = [100] * 60
    results.errors = {"500 InternalServerError": 2}
    results.violations = {"lost": {"count": 1, "examples": ["key 7"]}, "stale": none, "invented": none}
    text = mixed_markdown(results)
    assert not results.is_sound
    for part in (
        "6,000 answers, 2 errors; 1 lost, 0 stale, 0 invented",
        "| node-1 | 60 | 1,000 | 4.50 | 80 | 0.00 |",
        "| node-2 | 120 | 900 | **not before the next** | 140 | - |",
        "| node-2 | - | 70 |",
        "2 x 500 InternalServerError",
    ):
        assert part in text
