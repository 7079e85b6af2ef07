"""Parameters of before expressions existed: which of them go together, and with what.

What they do is in test_legacy_answers. "ExtendDB" is the suite of that project that runs against DynamoDB too, on
ConditionalOperator and mixing; "dynalite" its tests, recorded from DynamoDB.
Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/LegacyConditionalParameters.html
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.conformance.words import worded

Refused = Callable[..., tuple[str, str]]
ITEM: dict[str, Any] = {"pk": {"S": "legacy"}, "v": {"N": "1"}}
KEY = {"pk": {"S": "legacy"}}
IS_ONE = {"ComparisonOperator": "EQ", "AttributeValueList": [{"N": "1"}]}
IS_LEGACY = {"ComparisonOperator": "EQ", "AttributeValueList": [{"S": "legacy"}]}

WRITES = {"Expected": {"v": {"Value": {"N": "1"}}}, "ConditionalOperator": "AND"}
MEMBERS: dict[str, dict[str, Any]] = {
    "put_item": WRITES,
    "delete_item": WRITES,
    "update_item": {**WRITES, "AttributeUpdates": {"v": {"Action": "PUT", "Value": {"N": "2"}}}},
    "get_item": {"AttributesToGet": ["v"]},
    "query": {
        "KeyConditions": {"pk": IS_LEGACY},
        "QueryFilter": {"v": IS_ONE},
        "ConditionalOperator": "OR",
        "AttributesToGet": ["v"],
    },
    "scan": {"ScanFilter": {"v": IS_ONE}, "ConditionalOperator": "OR", "AttributesToGet": ["v"]},
}
NEEDED: dict[str, dict[str, Any]] = {
    "put_item": {"Item": {**ITEM, "v": {"N": "2"}}},
    "delete_item": {"Key": KEY},
    "update_item": {"Key": KEY},
    "get_item": {"Key": KEY},
    "query": {},
    "scan": {},
}
EXPRESSIONS: dict[str, tuple[str, str]] = {
    "put_item": ("ConditionExpression", "attribute_exists(pk)"),
    "delete_item": ("ConditionExpression", "attribute_exists(pk)"),
    "update_item": ("UpdateExpression", "REMOVE v"),
    "get_item": ("ProjectionExpression", "v"),
    "query": ("KeyConditionExpression", "pk = :p"),
    "scan": ("FilterExpression", "attribute_exists(v)"),
}
CASES = [(operation, member) for operation, members in MEMBERS.items() for member in members]


@pytest.fixture(scope="module", autouse=True)
def _item(db: Any, hash_table: str) -> None:
    db.put_item(TableName=hash_table, Item=ITEM)


def assert_untouched(db: Any, table: str) -> None:
    assert db.get_item(TableName=table, Key=KEY, ConsistentRead=True)["Item"] == ITEM


@pytest.mark.parametrize(("operation", "member"), CASES)
def test_they_do_not_go_with_expressions(
    db: Any, hash_table: str, refused: Refused, operation: str, member: str
) -> None:
    """observed."""
    name, text = EXPRESSIONS[operation]
    given = {**NEEDED[operation], member: MEMBERS[operation][member], name: text}
    code, message = refused(getattr(db, operation), TableName=hash_table, **given)
    together = (
        "Can not use both expression and non-expression parameters in the same request: "
        f"Non-expression parameters: {{{member}}} Expression parameters: {{{name}}}"
    )
    assert (code, message) == ("ValidationException", worded(operation, together))
    assert_untouched(db, hash_table)


def test_in_a_batch_of_gets(db: Any, hash_table: str, refused: Refused) -> None:
    """observed."""
    asked = {hash_table: {"Keys": [KEY], "AttributesToGet": ["v"], "ProjectionExpression": "v"}}
    assert refused(db.batch_get_item, RequestItems=asked) == (
        "ValidationException",
        "Can not use both expression and non-expression parameters in the same request: "
        "Non-expression parameters: {AttributesToGet} Expression parameters: {ProjectionExpression}",
    )


@pytest.mark.parametrize("operation", ["put_item", "delete_item", "update_item", "query", "scan"])
def test_a_conditional_operator_needs_conditions(db: Any, hash_table: str, refused: Refused, operation: str) -> None:
    """ExtendDB: none, or one."""
    call = getattr(db, operation)
    (member,) = {"Expected", "QueryFilter", "ScanFilter"} & MEMBERS[operation].keys()
    given = {"TableName": hash_table, **NEEDED[operation], "ConditionalOperator": "AND"}
    empty: dict[str, Any] = {member: {}}
    for none in ({}, empty):
        assert refused(call, **given, **none) == (
            "ValidationException",
            worded(operation, "ConditionalOperator cannot be used without Filter or Expected"),
        )
    assert refused(call, **given, **{member: {"v": IS_ONE}}) == (
        "ValidationException",
        worded(operation, "ConditionalOperator can only be used when Filter or Expected has two or more elements"),
    )
    assert_untouched(db, hash_table)


def test_key_conditions_go_with_other_expressions(db: Any, hash_table: str) -> None:
    """ExtendDB."""
    found = db.query(
        TableName=hash_table,
        ConsistentRead=True,
        KeyConditions={"pk": IS_LEGACY},
        FilterExpression="v = :v",
        ProjectionExpression="v",
        ExpressionAttributeValues={":v": {"N": "1"}},
    )
    assert found["Items"] == [{"v": {"N": "1"}}]


def test_shapes_are_checked_together(db: Any, hash_table: str, refused: Refused) -> None:
    """dynalite."""
    keys: dict[str, Any] = {"pk": {"AttributeValueList": []}}
    _, message = refused(db.query, TableName=hash_table, KeyConditions=keys, ConditionalOperator="XOR")
    assert message == (
        "2 validation errors detected: Value 'XOR' at 'conditionalOperator' failed to satisfy constraint: Member "
        "must satisfy enum value set: [OR, AND]; Value null at 'keyConditions.pk.member.comparisonOperator' failed "
        "to satisfy constraint: Member must not be null"
    )


def test_there_is_no_such_index(db: Any, hash_table: str, refused: Refused) -> None:
    """The table is not read in its place."""
    values = {":p": {"S": "legacy"}}
    for call, more in (
        (db.scan, {}),
        (db.query, {"KeyConditionExpression": "pk = :p", "ExpressionAttributeValues": values}),
    ):
        found = refused(call, TableName=hash_table, IndexName="some-index", **more)
        assert found == ("ValidationException", "The table does not have the specified index: some-index")
