"""The pages of metrics of all processes, and the names that the documents have for what is on them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.integration.cluster import running

pytestmark = pytest.mark.broker

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", ROOT / "ARCHITECTURE.md", *sorted((ROOT / "docs").glob("*.md"))]


def test_each_metric_is_on_a_page_once_and_has_the_name_that_is_written_down(tmp_path: Path) -> None:
    told: set[str] = set()
    with running(tmp_path, "--region", "us-east-1") as cluster:
        for process in cluster.status()["processes"]:
            names = re.findall(r"^# TYPE (\S+)", cluster.metrics(process["name"]), re.M)
            assert len(set(names)) == len(names) > 0, process["name"]
            told.update(names)
    written = {
        (name, path.name) for path in DOCUMENTS for name in re.findall(r"\bdynabus_[a-z0-9_]+", path.read_text())
    }
    assert len(written) > 40
    assert {each for each in written if each[0] not in told} == set()
