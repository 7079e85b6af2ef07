"""CreateGlobalTable, in a cluster that knows no other region; with one: tests/integration/test_regions.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Refused = Callable[..., tuple[str, str]]
INVALID = "One or more parameter values were invalid: "


def test_a_table_that_is_not_there(db: Any, refused: Refused) -> None:
    """Ours: AWS makes no global tables of this version any more."""
    group = [{"RegionName": "us-east-1"}]
    found = refused(db.create_global_table, GlobalTableName="no-such-table", ReplicationGroup=group)
    assert found == ("TableNotFoundException", "Table not found: no-such-table")


def test_a_region_that_is_not_known(db: Any, hash_table: str, refused: Refused) -> None:
    """DDB-TABLE-223, as UpdateTable says it."""
    group = [{"RegionName": "us-east-1"}, {"RegionName": "eu-west-1"}]
    code, message = refused(db.create_global_table, GlobalTableName=hash_table, ReplicationGroup=group)
    assert code == "ValidationException"
    assert message.startswith("Region eu-west-1 is not supported.")


@pytest.mark.parametrize(
    ("request_", "part"),
    [
        ({"ReplicationGroup": []}, INVALID + "Global table must have atleast one replica"),
        ({"ReplicationGroup": [{}]}, INVALID + "ReplicationGroup members must specify RegionName"),
        ({}, "'replicationGroup' failed to satisfy constraint: Member must not be null"),
    ],
)
def test_shapes(db: Any, hash_table: str, refused: Refused, request_: dict[str, Any], part: str) -> None:
    code, message = refused(db.create_global_table, GlobalTableName=hash_table, **request_)
    assert code == "ValidationException"
    assert part in message
