"""Control requests that no router would send, and what a long life leaves behind."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from tests.unit.auto_admin.tables.test_decisions import REQUEST
from tests.unit.auto_admin.test_service import Life

from dynabus.adapters.memory_store import MemoryStore

BAD_KEYS = [{"AttributeName": "other", "KeyType": "HASH"}]


def without(member: str) -> dict[str, Any]:
    return {name: value for name, value in REQUEST.items() if name != member}


@pytest.mark.parametrize(
    "body",
    [
        [1],
        {},
        {"TableName": 5},
        {"TableName": None},
        {"NodeName": 5},
        {"NodeName": None, "Count": "many"},
        without("AttributeDefinitions"),
        without("KeySchema"),
        without("BillingMode"),
        {**REQUEST, "KeySchema": []},
        {**REQUEST, "KeySchema": BAD_KEYS},
        {**REQUEST, "AttributeDefinitions": ["artist"]},
        {**REQUEST, "BillingMode": "PROVISIONED", "ProvisionedThroughput": {"ReadCapacityUnits": "many"}},
    ],
)
@pytest.mark.parametrize("operation", ["CreateTable", "DeleteTable", "DropTable", "DrainNode", "ListEvents"])
def test_what_is_no_request_is_skipped(body: Any, operation: str) -> None:
    life = Life()
    life.until("nodes heard", lambda: life.active() and len(life.active()[0].view.nodes) == 3)
    message = {
        "asker": "router-1",
        "incarnation": 7,
        "counter": 99,
        "budget_ms": 15_000,
        "repeat": False,
        "operation": operation,
    }
    life.kafka.messages.append(("control_request", {**message, "body": orjson.dumps(body)}))
    life.turn()
    life.create()
    assert life.runs == 1
    assert len(life.rows()) == 1


def test_nothing_is_kept_for_a_roll_back() -> None:
    """What changed since the last commit is kept twice; without commits that grows with every table ever made."""
    life = Life()
    life.create()
    (active,) = life.active()
    store = active.replica.store
    assert isinstance(store, MemoryStore)
    rows = [*store.scan(b"", None)]
    first_id = store.first_remembered(b"")
    store.abandon()
    assert [*store.scan(b"", None)] == rows != []
    assert store.first_remembered(b"") == first_id is not None
