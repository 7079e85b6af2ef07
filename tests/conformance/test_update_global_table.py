"""UpdateGlobalTable, in a cluster that knows no other region."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Refused = Callable[..., tuple[str, str]]
CREATE, DELETE = {"Create": {"RegionName": "eu-west-1"}}, {"Delete": {"RegionName": "eu-west-1"}}


@pytest.mark.parametrize("update", [CREATE, DELETE])
def test_a_table_without_replicas(db: Any, hash_table: str, refused: Refused, update: dict[str, Any]) -> None:
    """DDB-GLOBALTABLE-004."""
    code, message = refused(db.update_global_table, GlobalTableName=hash_table, ReplicaUpdates=[update])
    assert code == "GlobalTableNotFoundException"
    assert message == f"Global table not found: Global table with name: '{hash_table}' does not exist."


@pytest.mark.parametrize(
    ("updates", "text"),
    [
        ([], "One or more parameter values were invalid"),
        ([{}], "One or more parameter values were invalid"),
        (
            [{**CREATE, **DELETE}],
            "One or more parameter values were invalid: A ReplicaUpdate structure cannot contain both a create "
            "replica action and a delete replica action",
        ),
        (
            [{"Create": {}}],
            "1 validation error detected: Value null at 'replicaUpdates.1.member.create.regionName' failed to "
            "satisfy constraint: Member must not be null",
        ),
    ],
)
def test_shapes(db: Any, hash_table: str, refused: Refused, updates: list[Any], text: str) -> None:
    """DDB-GLOBALTABLE-004 has the words for an empty list."""
    found = refused(db.update_global_table, GlobalTableName=hash_table, ReplicaUpdates=updates)
    assert found == ("ValidationException", text)
