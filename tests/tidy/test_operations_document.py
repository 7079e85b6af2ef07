"""docs/operations.md names every operation of botocore's service models, and as built exactly what is answered."""

from __future__ import annotations

import re
from typing import NamedTuple

import pytest
from botocore.session import get_session

from dynabus.core.operations.registry import routes
from dynabus.core.operations.stream_registry import stream_routes
from tests.tidy.documents import ROOT

DOCUMENT = ROOT / "docs" / "operations.md"
SERVICES = {"DynamoDB": "dynamodb", "DynamoDB Streams": "dynamodbstreams"}
"""Heading of the section: name of the service in botocore."""

STATES = ("built", "later", "refused")
NOTE_MOST = 100
"""Characters; it is a line in a table, whole stories stand in the operations' files."""


class Row(NamedTuple):
    """One line of a table."""

    operation: str
    state: str
    note: str


def rows(heading: str) -> list[Row]:
    """The table under a heading. What is no row of three cells, the first in code quotes, is not one of its lines."""
    section = DOCUMENT.read_text().partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    found = re.findall(r"^\| `(\w+)` \| (\w+) \| (.*) \|$", section, re.MULTILINE)
    return [Row(*cells) for cells in found]


def every_row() -> list[Row]:
    return [row for heading in SERVICES for row in rows(heading)]


@pytest.mark.parametrize("heading", SERVICES)
def test_every_operation_has_its_line(heading: str) -> None:
    model = get_session().get_service_model(SERVICES[heading])
    assert [row.operation for row in rows(heading)] == sorted(model.operation_names)


def test_built_is_what_is_answered() -> None:
    assert sorted(row.operation for row in every_row() if row.state == "built") == sorted({**routes, **stream_routes})


def test_every_line_has_a_state_and_a_reason() -> None:
    faulty = [row for row in every_row() if row.state not in STATES or not 0 < len(row.note.strip()) <= NOTE_MOST]
    assert faulty == []


def test_a_reason_that_is_another_operations_is_one_step_away() -> None:
    """`as X`: X is in the table, has the same state and a reason of its own."""
    table = {row.operation: row for row in every_row()}
    borrowed = {row: table.get(row.note.removeprefix("as ")) for row in every_row() if row.note.startswith("as ")}
    lost = [
        row.operation
        for row, of in borrowed.items()
        if of is None or of.state != row.state or of.note.startswith("as ")
    ]
    assert lost == []
