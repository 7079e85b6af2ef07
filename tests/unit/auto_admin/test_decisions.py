"""What requests and finished steps make of a table's row."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from dynabus.auto_admin import decisions
from dynabus.auto_admin.planner import Placement
from dynabus.core.messages import ReplyStatus
from dynabus.core.replication.store import Decision, Evaluate, Outcome

REQUEST: dict[str, Any] = {
    "TableName": "music",
    "AttributeDefinitions": [{"AttributeName": "artist", "AttributeType": "S"}],
    "KeySchema": [{"AttributeName": "artist", "KeyType": "HASH"}],
    "BillingMode": "PAY_PER_REQUEST",
}
PLACEMENTS = [Placement(("node-1", "node-2", "node-3"), "node-2")] * 2
WALL_MS = 1_700_000_000_000
IN_USE = "ResourceInUseException: Attempt to change a resource which is still in use: "


def create(request: dict[str, Any] = REQUEST, request_id: bytes = b"r" * 18) -> Evaluate:
    return decisions.create(request, request_id, PLACEMENTS, "eu-west-1", "123456789012")


def row(*steps: Evaluate) -> bytes | None:
    found: bytes | None = None
    for step in steps:
        found = step(found, WALL_MS).row
    return found


def own_id() -> str:
    return decisions.table_id(b"r" * 18)


def error(decision: Decision) -> str:
    assert not decision.write
    assert decision.outcome.status == ReplyStatus.ERROR
    body = orjson.loads(decision.outcome.body)
    return f"{body['__type'].partition('#')[2]}: {body['message']}"


def test_a_table_begins_creating() -> None:
    decision = create()(None, WALL_MS)
    assert decision.write
    assert decision.row is not None
    state = decisions.read_row(decision.row)
    answer = orjson.loads(decision.outcome.body)["TableDescription"]
    assert state.status == answer["TableStatus"] == "CREATING"
    assert answer["TableArn"] == "arn:aws:dynamodb:eu-west-1:123456789012:table/music"
    assert answer["TableId"].replace("-", "") == state.id == own_id()
    assert answer["CreationDateTime"] == WALL_MS / 1000
    first, second = state.metadata_partitions()
    assert first["lower"] == b""
    assert first["upper"] == second["lower"] == b"\x80" + bytes(7)
    assert second["upper"] is None
    assert first["members"] == ["node-1", "node-2", "node-3"]


def test_evaluating_twice_gives_the_same() -> None:
    assert create()(None, WALL_MS).row == create()(None, WALL_MS).row


@pytest.mark.parametrize(
    ("steps", "asked", "message"),
    [
        ([], "delete", "ResourceNotFoundException: Requested resource not found: Table: music not found"),
        (["create"], "create", IN_USE + "Table is being created: music"),
        (
            ["create"],
            "delete",
            IN_USE + "Table is being created: music",
        ),
        (
            ["create", "activate", "delete"],
            "delete",
            IN_USE + "Table is being deleted: music",
        ),
        (["create", "activate", "delete"], "create", "ResourceInUseException: Table already exists: music"),
    ],
)
def test_refusals(steps: list[str], asked: str, message: str) -> None:
    known = {"create": create(), "activate": decisions.finish(own_id(), 0), "delete": decisions.delete("music")}
    assert error(known[asked](row(*(known[step] for step in steps)), WALL_MS)) == message


def test_a_protected_table_stays() -> None:
    protected = row(create({**REQUEST, "DeletionProtectionEnabled": True}), decisions.finish(own_id(), 0))
    assert "protected against deletion" in error(decisions.delete("music")(protected, WALL_MS))


def test_the_life_of_a_table() -> None:
    active = row(create(), decisions.finish(own_id(), 0))
    assert active is not None
    assert decisions.read_row(active).status == "ACTIVE"
    deleting = row(lambda *_: Decision(True, active, Outcome()), decisions.delete("music"))
    assert deleting is not None
    assert decisions.read_row(deleting).status == "DELETING"
    gone = decisions.remove(own_id())(deleting, WALL_MS)
    assert gone.write
    assert gone.row is None


@pytest.mark.parametrize("make", [lambda own_id: decisions.finish(own_id, 0), decisions.remove])
def test_steps_of_another_table_of_that_name_change_nothing(make: Any) -> None:
    assert not make("0" * 32)(row(create()), WALL_MS).write
    assert not make("0" * 32)(None, WALL_MS).write
