"""`dynabus admin ingest`: what is asked, and what it says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dynabus.cli import ingest
from dynabus.cli.arguments import parser


class Target:
    """Of a cluster in a namespace of its own."""

    namespace = "ns"

    def require(self) -> Any:
        return self


ON = "music takes commands from ns.ingest.music and ns.ingest"


@pytest.mark.parametrize(("switch", "said"), [("on", ON), ("off", "music takes no commands")])
def test_switching(monkeypatch: pytest.MonkeyPatch, switch: str, said: str) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(ingest, "ask", lambda _, operation, body: asked.append((operation, body)))
    options = parser().parse_args(["admin", "ingest", "music", switch, "--data", str(Path("x"))])
    lines: list[str] = []
    ingest.switch_ingest(Target(), options.table, options.switch == "on", lines.append)  # type: ignore[arg-type]
    assert asked == [("SwitchIngest", {"TableName": "music", "Enabled": switch == "on"})]
    assert lines[0].startswith(said)
