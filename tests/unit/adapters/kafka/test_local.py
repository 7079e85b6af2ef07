"""A local broker that takes its time to start."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from dynabus.adapters.kafka import local
from dynabus.adapters.kafka.local import answers_or_stands_still

NOWHERE = "127.0.0.1:1"


def test_one_that_goes_on_is_waited_for_and_one_that_stands_still_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, lines, looks = tmp_path / "kafka.log", 5, 0

    def asked(_bootstrap: str) -> int:
        nonlocal looks
        looks += 1
        if looks <= lines:
            with log.open("a") as out:
                out.write(f"recovered segment {looks}\n")
        return 0

    monkeypatch.setattr(local, "count_brokers", asked)
    monkeypatch.setattr(local, "POLL_S", 0.2)
    monkeypatch.setattr(local, "SAID_S", 0.5)
    said: list[str] = []
    assert not answers_or_stands_still(NOWHERE, log, 0.3, lambda: True, said.append)
    assert looks > lines  # longer than the limit, as it went on
    assert said[0].startswith("Kafka is still starting: recovered segment ")


def test_one_that_ended_is_not_waited_for(tmp_path: Path) -> None:
    ended = threading.Event()
    ended.set()
    assert not answers_or_stands_still(NOWHERE, tmp_path / "none", 60, lambda: not ended.is_set(), lambda _line: None)
