"""`dynabus export` and `dynabus import` against a real cluster: killed in the middle, then gone on with."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from dynabus.cli.migration import manifest
from tests.integration.cluster import DYNABUS, RunningCluster, client, kill, running, wait_until

pytestmark = [pytest.mark.broker, pytest.mark.slow, pytest.mark.timeout(240)]

ITEMS = 5000
VALUE = "x" * 2000
"""10 MB in all: several pages, data files and windows."""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCluster]:
    with running(tmp_path_factory.mktemp("migration")) as started:
        yield started


@pytest.fixture(scope="module")
def expected() -> dict[str, dict[str, Any]]:
    return {f"{n:05d}": {"pk": {"S": f"{n:05d}"}, "n": {"N": str(n)}, "v": {"S": VALUE}} for n in range(ITEMS)}


@pytest.fixture(scope="module")
def lines(expected: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("lines") / "items.json"
    path.write_bytes(b"".join(orjson.dumps(item) + b"\n" for item in expected.values()))
    return path


def begin(cluster: RunningCluster, folder: Path, *arguments: str) -> subprocess.Popen[bytes]:
    command = [DYNABUS, *arguments, "--endpoint-url", f"http://127.0.0.1:{cluster.port}"]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def finish(cluster: RunningCluster, folder: Path, *arguments: str) -> None:
    process = begin(cluster, folder, *arguments)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 0, said.decode()


def kill_when(state: Path, lines_written: int, process: subprocess.Popen[bytes]) -> int:
    """kill -9 once the state file has so many lines; how many it had in the end."""

    def count() -> int:
        assert process.poll() is None, "it ended before it was killed"
        return state.read_bytes().count(b"\n") if state.is_file() else 0

    wait_until(f"{lines_written} lines in {state}", lambda: count() >= lines_written)
    kill(process.pid)
    process.communicate()
    assert process.returncode == -9
    return state.read_bytes().count(b"\n")


def contents(cluster: RunningCluster, table: str) -> dict[str, Any]:
    """Every item of a table by its key; fails if one comes twice."""
    pages = client(cluster.port).get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
    items = [item for page in pages for item in page["Items"]]
    found = {item["pk"]["S"]: item for item in items}
    assert len(found) == len(items)
    return found


@pytest.fixture(scope="module")
def imported(
    cluster: RunningCluster, lines: Path, expected: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> str:
    """A table that an import filled which was killed in the middle."""
    folder = tmp_path_factory.mktemp("import")
    cluster.create_table("imported")
    command = ["import", str(lines), "--table", "imported", "--workers", "4", "--resume"]
    state = folder / "dynabus-import-imported.state.jsonl"
    kill_when(state, 3, begin(cluster, folder, *command))
    assert 0 < len(contents(cluster, "imported")) < ITEMS
    finish(cluster, folder, *command)
    assert not state.exists()
    return "imported"


def test_a_killed_import_ends_with_exactly_the_right_items(
    cluster: RunningCluster, imported: str, expected: dict[str, Any]
) -> None:
    assert contents(cluster, imported) == expected


def test_a_killed_export_ends_with_exactly_the_right_items(
    cluster: RunningCluster, imported: str, expected: dict[str, Any], tmp_path: Path
) -> None:
    command = ["export", imported, "--to", "out", "--segments", "2", "--file-size", "1", "--resume"]
    process = begin(cluster, tmp_path, *command)
    wait_until("an export", lambda: list(tmp_path.glob("out/AWSDynamoDB/*/export-state.jsonl")))
    [state] = tmp_path.glob("out/AWSDynamoDB/*/export-state.jsonl")
    written = kill_when(state, 3, process)
    assert 3 <= written < 1 + 10
    finish(cluster, tmp_path, *command)
    summary, files = manifest.read(state.parent)
    assert summary["itemCount"] == ITEMS == sum(entry.items for entry in files)
    finish(cluster, tmp_path, "import", "out", "--table", "again")
    assert contents(cluster, "again") == expected


def test_a_killed_copy_ends_with_exactly_the_right_items(
    cluster: RunningCluster, imported: str, expected: dict[str, Any], tmp_path: Path
) -> None:
    source = ["--from-endpoint", f"http://localhost:{cluster.port}", "--from-table", imported]
    command = ["import", *source, "--table", "copied", "--segments", "2", "--workers", "4", "--resume"]
    kill_when(tmp_path / "dynabus-import-copied.state.jsonl", 3, begin(cluster, tmp_path, *command))
    assert 0 < len(contents(cluster, "copied")) < ITEMS
    finish(cluster, tmp_path, *command)
    assert contents(cluster, "copied") == expected
