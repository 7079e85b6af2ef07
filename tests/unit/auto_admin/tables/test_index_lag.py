"""A limit on an index's lag is kept with the index, and published with it."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from tests.unit.auto_admin.tables.test_decisions import ACTIVE, error, row_of
from tests.unit.auto_admin.test_indexing import NAME, WITH_INDEX, statuses
from tests.unit.auto_admin.test_service import Life

from dynabus.auto_admin.tables.index_lag import limit
from dynabus.core.global_indexes import index_name
from dynabus.core.limits import INDEX_LAG_LIMIT_MOST_S
from dynabus.core.tables.indexes import LAG_LIMIT, OF

OWN = index_name(NAME, "by-year")


def published(life: Life) -> Any:
    """The limit as metadata have it."""
    (told,) = [each for each in life.kafka.metadata.values() if each.get("name") == OWN and "description" in each]
    return orjson.loads(told["description"])[OF].get(LAG_LIMIT)


def asked(seconds: int, table: str = NAME) -> dict[str, Any]:
    return {"TableName": table, "IndexName": "by-year", "Seconds": seconds}


def test_it_is_published_and_outlives_a_change_of_throughput() -> None:
    life = Life("admin-1")
    life.ask("CreateTable", **WITH_INDEX)
    life.until("made", lambda: set(statuses(life).values()) == {"ACTIVE"})
    assert published(life) is None
    assert life.ask("LimitIndexLag", **asked(30)) == {LAG_LIMIT: 30}
    life.until("published", lambda: published(life) == 30)
    assert life.ask("LimitIndexLag", **asked(30)) == {LAG_LIMIT: 30}, "what is so already is no change"
    life.ask("LimitIndexLag", **asked(0))
    life.until("taken back", lambda: published(life) == 0)


def test_it_is_for_indexes_only() -> None:
    missing = f"ResourceNotFoundException: Requested resource not found: Index: by-none of table: {NAME}"
    assert error(limit(NAME, "by-none", 30)(None, 0)) == missing
    assert error(limit(NAME, "by-none", 30)(row_of(*ACTIVE), 0)) == missing


@pytest.mark.parametrize("seconds", [-1, INDEX_LAG_LIMIT_MOST_S + 1, "many", None])
def test_no_limit_is_made_of_what_is_none(seconds: Any) -> None:
    """Only another program than ours sends that: it is skipped, and nobody stops."""
    life = Life("admin-1")
    life.ask("CreateTable", **WITH_INDEX)
    message = {"asker": "x", "incarnation": 7, "counter": 99, "budget_ms": 15_000, "repeat": False}
    body = orjson.dumps(asked(30) | {"Seconds": seconds})
    life.kafka.messages.append(("control_request", {**message, "operation": "LimitIndexLag", "body": body}))
    life.until("made", lambda: set(statuses(life).values()) == {"ACTIVE"})
    assert (life.runs, published(life)) == (1, None)
