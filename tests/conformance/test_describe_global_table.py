"""DescribeGlobalTable."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Refused = Callable[..., tuple[str, str]]


def test_a_table_without_replicas(db: Any, hash_table: str, refused: Refused) -> None:
    """DDB-GLOBALTABLE-004: the same for a table of one region and for none."""
    for name in (hash_table, "no-such-table"):
        assert refused(db.describe_global_table, GlobalTableName=name) == (
            "GlobalTableNotFoundException",
            f"Global table not found: Global table with name: '{name}' does not exist.",
        )


def test_shapes(db: Any, refused: Refused) -> None:
    code, message = refused(db.describe_global_table, GlobalTableName="a")
    assert code == "ValidationException"
    assert "'globalTableName' failed to satisfy constraint: Member must have length" in message
