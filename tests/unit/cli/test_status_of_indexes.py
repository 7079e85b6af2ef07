"""`dynabus status`: what writes of tables cost their indexes."""

from __future__ import annotations

from typing import Any

from dynabus.cli.status import COUNTS, render, summed, with_lags


def told(index: str, *counts: int) -> dict[str, Any]:
    return {"table": "music", "index": index, **dict(zip(COUNTS, counts, strict=True))}


def test_status_adds_up_what_several_propagators_wrote_and_shows_records_for_each_change() -> None:
    by = {"by": "propagator-2"}
    indexes = summed([told("by-b", 4, 8, 0, 0), told("by-a", 10, 3, 1, 5) | by, told("by-a", 10, 2, 0, 0)])
    assert indexes == [told("by-a", 20, 5, 1, 5), told("by-b", 4, 8, 0, 0)]
    kafka = {"source": "local", "bootstrap": "-", "pid": 1}
    status = {"endpoint": "-", "kafka": kafka, "processes": [], "tables": [], "indexes": indexes}
    lines = [line.split() for line in render(status).splitlines()]
    assert ["music/by-a", "20", "5", "0.25", "1", "5", "-", "-"] in lines
    assert ["music/by-b", "4", "8", "2.00", "0", "0", "-", "-"] in lines
    assert "INDEX" not in render({**status, "indexes": []})


def test_status_shows_the_furthest_lag_that_any_node_tells_also_while_nobody_writes() -> None:
    def lag(index: str, lag_s: float, limit_s: int = 0) -> dict[str, Any]:
        return {"table": "music", "index": index, "lag_s": lag_s, "limit_s": limit_s}

    indexes = with_lags([told("by-a", 4, 8, 0, 0)], [lag("by-a", 0.5, 30), lag("by-a", 12.34, 30), lag("by-b", 0.0)])
    kafka = {"source": "local", "bootstrap": "-", "pid": 1}
    lines = render({"endpoint": "-", "kafka": kafka, "processes": [], "tables": [], "indexes": indexes})
    assert [line.split()[0:1] + line.split()[6:] for line in lines.splitlines() if "music" in line] == [
        ["music/by-a", "12.3", "s", "30", "s"],
        ["music/by-b", "0.0", "s", "-"],
    ]
