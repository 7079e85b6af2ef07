"""ListTables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest


def test_names_come_in_order_and_in_pages(db: Any, hash_table: str, range_table: str) -> None:
    """API."""
    everything = db.list_tables()["TableNames"]
    assert {hash_table, range_table} <= set(everything)
    assert everything == sorted(everything)
    found: list[str] = []
    more: dict[str, Any] = {}
    while True:
        answer = db.list_tables(Limit=1, **more)
        found += answer["TableNames"]
        if "LastEvaluatedTableName" not in answer:
            break
        more = {"ExclusiveStartTableName": answer["LastEvaluatedTableName"]}
    assert found == everything


@pytest.mark.parametrize("limit", [0, 101, -1])
def test_limits(db: Any, refused: Callable[..., tuple[str, str]], limit: int) -> None:
    """API: 1 to 100."""
    code, message = refused(db.list_tables, Limit=limit)
    assert code == "ValidationException"
    assert "at 'limit' failed to satisfy constraint" in message


def test_a_start_name_need_not_exist(db: Any, hash_table: str) -> None:
    """API: names behind it, in order."""
    everything = db.list_tables()["TableNames"]
    for start in (hash_table, hash_table + "-", "aaa", "zzz"):
        found = db.list_tables(ExclusiveStartTableName=start)["TableNames"]
        assert found == [name for name in everything if name > start]
