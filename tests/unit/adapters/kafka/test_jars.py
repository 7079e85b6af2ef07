"""Jars that cannot be had, and those that are not what was pinned."""

from __future__ import annotations

import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from dynabus.adapters.kafka import jars
from dynabus.adapters.kafka.jars import DOWNLOADS_AT_ONCE, JarError, ensure_jars, pinned_jars


class Repositories:
    """A stand-in for jgo's context: what `resolve` does, by artifact."""

    def __init__(self, resolve: Any) -> None:
        self._resolve = resolve

    def project(self, _group: str, artifact: str) -> Any:
        found = SimpleNamespace(artifact=lambda: SimpleNamespace(resolve=lambda: self._resolve(artifact)))
        return SimpleNamespace(at_version=lambda _version: found)


def test_the_first_that_cannot_be_had_ends_all_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    for_ever = threading.Event()

    def resolve(artifact: str) -> str:
        asked.append(artifact)
        if artifact != pinned_jars()[0].artifact:
            for_ever.wait(60)
        raise ConnectionError("nobody answers")

    monkeypatch.setattr(jars, "_maven_context", lambda _staging: Repositories(resolve))
    with pytest.raises(JarError, match=r"the first start needs the network .* Cause: ConnectionError"):
        ensure_jars(lambda _line: None, tmp_path / "jars")
    assert not for_ever.is_set()  # those under way were waited for by nobody
    for_ever.set()
    assert len(asked) <= DOWNLOADS_AT_ONCE + 1 < len(pinned_jars())


def test_a_damaged_jar_of_the_machine_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    damaged = tmp_path / "m2" / "kafka.jar"
    damaged.parent.mkdir()
    damaged.write_bytes(b"half of it")
    monkeypatch.setattr(jars, "_maven_context", lambda _staging: Repositories(lambda _artifact: str(damaged)))
    with pytest.raises(JarError, match=rf"is not the jar that was pinned .*: delete {damaged} and run it again"):
        ensure_jars(lambda _line: None, tmp_path / "jars")
    assert [*(tmp_path / "jars").iterdir()] == []


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(JarError, match=f"cannot keep Kafka's jars in {tmp_path}/file/jars"):
        ensure_jars(lambda _line: None, tmp_path / "file" / "jars")
