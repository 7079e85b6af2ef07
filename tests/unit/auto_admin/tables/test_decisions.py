"""What requests and finished steps make of a table's row."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from dynabus.auto_admin.placement.planner import Placement
from dynabus.auto_admin.tables import decisions, tag_decisions
from dynabus.core.messages import ReplyStatus
from dynabus.core.replication.store import Decision, Evaluate, Outcome
from dynabus.core.tables.changes import Update

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


def update(**changes: Any) -> Evaluate:
    return decisions.update(Update.of({"TableName": "music", **changes}))


ACTIVE = (create(), decisions.finish(own_id(), 0))
IA = {"TableClass": "STANDARD_INFREQUENT_ACCESS"}


def step(old: bytes | None, evaluate: Evaluate) -> bytes:
    decision = evaluate(old, WALL_MS + 1)
    assert decision.write
    assert decision.row is not None
    return decision.row


def test_a_change_and_its_end() -> None:
    updating = step(row_of(*ACTIVE), update(**IA))
    state = decisions.read_row(updating)
    assert (state.status, state.revision, state.unfinished) == ("UPDATING", 2, True)
    assert error(decisions.delete("music")(updating, WALL_MS)) == (
        IN_USE + "Table: music is in the process of being updated."
    )
    assert not decisions.finish(own_id(), 1)(updating, WALL_MS).write
    done = decisions.read_row(step(updating, decisions.finish(own_id(), 2)))
    assert (done.status, done.revision, done.unfinished, done.pending) == ("ACTIVE", 3, False, {})
    assert done.description["TableClassSummary"]["LastUpdateDateTime"] == (WALL_MS + 1) / 1000
    assert not decisions.finish(own_id(), 3)(step(updating, decisions.finish(own_id(), 2)), WALL_MS).write


def row_of(*steps: Evaluate) -> bytes:
    found: bytes | None = None
    for each in steps:
        found = step(found, each)
    assert found is not None
    return found


def test_a_change_that_changes_nothing_writes_nothing() -> None:
    decision = update(BillingMode="PAY_PER_REQUEST")(row_of(*ACTIVE), WALL_MS)
    assert (decision.write, decision.outcome.count) == (False, 0)
    assert orjson.loads(decision.outcome.body)["TableDescription"]["TableStatus"] == "UPDATING"
    assert update(**IA)(row_of(*ACTIVE), WALL_MS).outcome.count == 1


def test_a_table_is_deleted_while_its_warm_throughput_changes() -> None:
    warm = step(row_of(*ACTIVE), update(WarmThroughput={"ReadUnitsPerSecond": 13_000}))
    assert decisions.read_row(warm).unfinished
    deleting = decisions.read_row(step(warm, decisions.delete("music")))
    assert (deleting.status, deleting.unfinished) == ("DELETING", False)


def test_rows_of_before_there_were_changes_can_be_read() -> None:
    state = decisions.read_row(row_of(*ACTIVE))
    old = orjson.dumps(
        {
            "id": state.id,
            "name": state.name,
            "status": "ACTIVE",
            "description": {
                key: value
                for key, value in state.description.items()
                if key not in ("WarmThroughput", "TableThroughputModeSummary")
            },
            "partitions": state.partitions,
        }
    )
    read = decisions.read_row(old)
    assert (read.revision, read.tags, read.unfinished) == (0, {}, False)
    asked = update(BillingMode="PROVISIONED", ProvisionedThroughput={"ReadCapacityUnits": 5, "WriteCapacityUnits": 6})
    done = decisions.read_row(step(step(old, asked), decisions.finish(own_id(), 1)))
    warm = {"ReadUnitsPerSecond": 5, "WriteUnitsPerSecond": 6, "Status": "ACTIVE"}
    assert done.description["WarmThroughput"] == warm


ARN = "arn:aws:dynamodb:eu-west-1:123456789012:table/music"


def tags_of(old: bytes) -> Any:
    decision = tag_decisions.list_tags(ARN)(old, WALL_MS)
    assert not decision.write
    return orjson.loads(decision.outcome.body)["Tags"]


def test_tags_come_and_go_without_a_new_revision() -> None:
    tagged = step(row_of(*ACTIVE), tag_decisions.tag(ARN, {"a": "1", "b": "2"}))
    assert decisions.read_row(tagged).revision == decisions.read_row(row_of(*ACTIVE)).revision
    assert tags_of(tagged) == [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]
    assert not tag_decisions.tag(ARN, {"a": "1"})(tagged, WALL_MS).write
    assert not tag_decisions.untag(ARN, ["zzz"])(tagged, WALL_MS).write
    assert tags_of(step(tagged, tag_decisions.untag(ARN, ["a"]))) == [{"Key": "b", "Value": "2"}]
    assert tags_of(step(tagged, update(**IA)))[0] == {"Key": "a", "Value": "1"}


def test_tags_of_tables_that_come_or_go() -> None:
    gone = f"ResourceNotFoundException: Requested resource not found: ResourceArn: {ARN} not found"
    creating = row_of(create({**REQUEST, "Tags": {"a": "1"}}))
    for evaluate in (
        tag_decisions.tag(ARN, {"a": "1"}),
        tag_decisions.untag(ARN, ["a"]),
        tag_decisions.list_tags(ARN),
    ):
        assert error(evaluate(None, WALL_MS)) == gone
    assert error(tag_decisions.list_tags(ARN)(creating, WALL_MS)) == gone
    assert error(tag_decisions.tag(ARN, {"b": "1"})(creating, WALL_MS)) == IN_USE + "Table is being created: music"
    deleting = step(step(creating, decisions.finish(own_id(), 0)), decisions.delete("music"))
    assert error(tag_decisions.untag(ARN, ["a"])(deleting, WALL_MS)) == IN_USE + "Table is being deleted: music"
    assert tags_of(deleting) == [{"Key": "a", "Value": "1"}]
