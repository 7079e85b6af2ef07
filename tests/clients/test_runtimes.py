"""What fetches and builds clients: once, again after a failure, never for ever."""

from __future__ import annotations

import fcntl
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.clients.runtimes import UnavailableError, fetch, go_binary, java, javascript, kept, run


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def pin(tmp_path: Path) -> Path:
    path = tmp_path / "lock"
    path.write_text("version 1")
    return path


def test_what_is_pinned_alike_is_made_once(pin: Path, cache: Path) -> None:
    made: list[Path] = []
    folders = [kept("client", [pin], made.append) for _ in range(3)]
    assert made == folders[:1]
    assert set(folders) == {made[0]}
    assert cache in made[0].parents


def test_another_pin_is_another_folder(pin: Path) -> None:
    first = kept("client", [pin], lambda folder: None)
    pin.write_text("version 2")
    assert kept("client", [pin], lambda folder: None) != first


def test_what_was_half_made_is_made_anew(pin: Path) -> None:
    def interrupted(folder: Path) -> None:
        (folder / "half").touch()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        kept("client", [pin], interrupted)
    assert not (kept("client", [pin], lambda folder: None) / "half").exists()


def test_a_program_that_does_not_end_is_killed_with_its_children(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    lock.touch()
    child = f"import fcntl, time; held = open({str(lock)!r}); fcntl.flock(held, fcntl.LOCK_EX); time.sleep(600)"
    with pytest.raises(subprocess.TimeoutExpired):
        run(["sh", "-c", '"$@" & wait', "sh", sys.executable, "-c", child], timeout_s=0.5)
    with lock.open() as freed:
        fcntl.flock(freed, fcntl.LOCK_EX)  # comes back when the child is gone


@pytest.mark.parametrize("client", [go_binary, lambda: java("java", "Orders"), lambda: javascript("dynamoose.mjs")])
def test_a_missing_runtime_is_named(client: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(UnavailableError, match=r"not installed$"):
        client()


def test_packages_out_of_reach_are_one_line() -> None:
    with pytest.raises(UnavailableError) as caught:
        fetch(["sh", "-c", "echo no route to host >&2; echo at line 7 >&2; exit 1"])
    assert str(caught.value) == "packages cannot be fetched: sh: no route to host"
