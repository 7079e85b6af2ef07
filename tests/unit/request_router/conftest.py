"""How a router that cannot start says so."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dynabus.request_router import __main__ as process

Start = Callable[..., tuple[int, str]]


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Start:
    """(exit code, standard error) of `dynabus request-router`; logs and scheduling stay those of the test run."""
    monkeypatch.setattr(process, "configure_logs", lambda *_: None)
    monkeypatch.setattr(process, "schedule_as_batch", lambda: None)

    def run(*arguments: str) -> tuple[int, str]:
        return process.main(["--name", "router-1", *arguments]), capsys.readouterr().err

    return run
