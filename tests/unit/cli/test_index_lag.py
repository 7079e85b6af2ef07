"""`dynabus admin index-lag-limit`: what is asked, and what it says."""

from __future__ import annotations

from typing import Any

import pytest

from dynabus.cli import index_lag
from dynabus.cli.arguments import parser


class Target:
    def require(self) -> Any:
        return self


@pytest.mark.parametrize(
    ("limit", "seconds", "said"),
    [
        ("30", 30, "writes of music that touch by-year are throttled while it is more than 30 s behind"),
        ("off", 0, "by-year may be behind music for any time"),
    ],
)
def test_limiting(monkeypatch: pytest.MonkeyPatch, limit: str, seconds: int, said: str) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(index_lag, "ask", lambda _, operation, body: asked.append((operation, body)))
    options = parser().parse_args(["admin", "index-lag-limit", "music", "by-year", limit])
    lines: list[str] = []
    index_lag.limit_lag(Target(), options.table, options.index, options.limit, lines.append)  # type: ignore[arg-type]
    assert asked == [("LimitIndexLag", {"TableName": "music", "IndexName": "by-year", "Seconds": seconds})]
    assert lines == [said]


@pytest.mark.parametrize("limit", ["0", "-1", "1.5", "604801", "ever"])
def test_what_is_no_limit(limit: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parser().parse_args(["admin", "index-lag-limit", "music", "by-year", limit])
    assert "neither off nor seconds" in capsys.readouterr().err or limit == "-1"
