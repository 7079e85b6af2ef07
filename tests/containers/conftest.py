"""One check for a container engine, and one table of what the faults did, after everything else."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

os.environ.setdefault("TESTCONTAINERS_RYUK_DISABLED", "true")  # Stacks are taken down by their fixture.

from tests.containers import stack, under_load

ROW = "fault"
SKIPPED = "containers skipped"

Note = Callable[[under_load.Result], under_load.Result]


@pytest.fixture(scope="session", autouse=True)
def _engine() -> None:
    """Without an engine all tests of this folder are skipped, and the summary says so once."""
    reason = stack.engine_answers()
    if reason is not None:
        pytest.skip(f"{SKIPPED}: {reason}")


def build_image() -> None:
    """The image of the checkout as it is, for tests that need no cluster; cached, unless the code has changed."""
    command = ["docker", "compose", "build", "--quiet"]
    subprocess.run(command, cwd=stack.ROOT, check=True, capture_output=True, timeout=200)


@pytest.fixture
def note(record_property: Callable[[str, Any], None], tmp_path_factory: pytest.TempPathFactory) -> Note:
    """Keeps a result for the table (through the reports, since tests may run in other processes) and in a file."""

    def keep(result: under_load.Result) -> under_load.Result:
        for row in map(under_load.plain, result.rows):
            record_property(ROW, row)
            with (tmp_path_factory.getbasetemp() / "faults.jsonl").open("ab") as file:
                file.write(orjson.dumps(row) + b"\n")
        return result

    return keep


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("stack")


@pytest.fixture(scope="module", name="stack")
def _stack(folder: Path) -> Iterator[stack.Stack]:
    """One broker; a module that wants another one has a fixture of its own."""
    with stack.running(folder) as started:
        yield started


@pytest.fixture
def table(stack: stack.Stack, request: pytest.FixtureRequest, last_words: Callable[[stack.Stack], None]) -> str:
    """Each test gets a table of its own, named as the test."""
    last_words(stack)
    name: str = request.node.name.removeprefix("test_").replace("_", "-")
    stack.create_table(name)
    return name


@pytest.fixture
def last_words(request: pytest.FixtureRequest) -> Iterator[Callable[[stack.Stack], None]]:
    """Logs of a stack whose test failed."""
    watched: list[stack.Stack] = []
    yield watched.append
    failed = getattr(request.node, "failed", False)
    for each in watched:
        if failed:
            print(each.last_words())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed:
        item.failed = True  # type: ignore[attr-defined]
    return report


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """The table, or the one line that says why there is none."""
    reports = [each for kind in ("passed", "failed") for each in terminalreporter.stats.get(kind, [])]
    rows = [row for each in reports for name, row in getattr(each, "user_properties", []) if name == ROW]
    if rows and reports:
        unique = {orjson.dumps(row): row for row in rows}
        terminalreporter.section("what each fault did")
        terminalreporter.write_line(under_load.HEADER)
        for row in unique.values():
            terminalreporter.write_line(under_load.line(row))
    skipped = {
        str(each.longrepr[2]) for each in terminalreporter.stats.get("skipped", []) if SKIPPED in str(each.longrepr)
    }
    for reason in skipped:
        terminalreporter.write_line(reason.removeprefix("Skipped: "))
