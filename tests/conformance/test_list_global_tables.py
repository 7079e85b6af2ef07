"""ListGlobalTables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Refused = Callable[..., tuple[str, str]]


def test_there_are_none(db: Any, hash_table: str) -> None:
    """DDB-GLOBALTABLE-004: an empty list, and nothing to go on with."""
    for more in ({}, {"Limit": 1}, {"RegionName": "us-east-1"}, {"ExclusiveStartGlobalTableName": hash_table}):
        answer = db.list_global_tables(**more)
        assert answer["GlobalTables"] == []
        assert "LastEvaluatedGlobalTableName" not in answer


def test_shapes(db: Any, refused: Refused) -> None:
    code, message = refused(db.list_global_tables, Limit=0)
    assert code == "ValidationException"
    assert "'limit' failed to satisfy constraint" in message
