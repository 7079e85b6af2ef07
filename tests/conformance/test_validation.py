"""Which refusal comes first, and in which of DynamoDB's two frameworks and value layers it is worded.

Source of all: paritysuite/dynamodb-conformance, captured from DynamoDB: error-messages/valueLayers,
deleteItem, putItem, batchGetItem and batchWriteItem; validation-ordering/putItem, updateItem, deleteItem, query,
queryKeyCondition, batchOperations and deepRequests; captures/cross-region-latest (June to October 2026).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.conformance.words import ENVELOPE

Refused = Callable[..., tuple[str, str]]
KEY = {"pk": {"S": "validation"}}
ABSENT = "no-such-table"
GENERIC = "Failed to satisfy constraint: Member must satisfy enum value set: "
RETURN_VALUES = f"{GENERIC}[ALL_OLD, UPDATED_OLD, ALL_NEW, UPDATE_NEW, NONE]"
CAPACITY = (
    "Value 'X' at 'returnConsumedCapacity' failed to satisfy constraint: Member must satisfy enum value set: "
    "[INDEXES, TOTAL, NONE]"
)
METRICS = (
    "Value 'X' at 'returnItemCollectionMetrics' failed to satisfy constraint: Member must satisfy enum value set: "
    "[SIZE, NONE]"
)
OLDER_RETURN_VALUES = (
    "Value 'X' at 'returnValues' failed to satisfy constraint: Member must satisfy enum value set: "
    "[ALL_NEW, UPDATED_OLD, ALL_OLD, NONE, UPDATED_NEW]"
)
OLDER_OPERATOR = (
    "Value 'XOR' at 'conditionalOperator' failed to satisfy constraint: Member must satisfy enum value set: [OR, AND]"
)
EMPTY_NAME = "Value at 'TableName' failed to satisfy constraint: Member must have length greater than or equal to 1"
OLDER_EMPTY_NAME = (
    "Value '' at 'tableName' failed to satisfy constraint: Member must have length greater than or equal to 1"
)
NO_KEY = "Value null at 'key' failed to satisfy constraint: Member must not be null"
NAME_PATTERN = (
    "Value 'x!' at 'tableName' failed to satisfy constraint: Member must satisfy regular expression pattern: "
    "[a-zA-Z0-9_.-]+"
)
INVALID = "One or more parameter values were invalid: "


def message(refused: Refused, call: Callable[..., Any], **request: Any) -> str:
    code, text = refused(call, **request)
    assert code == "ValidationException"
    return text


def deep(levels: int) -> dict[str, Any]:
    value: dict[str, Any] = {"S": "leaf"}
    for _ in range(levels):
        value = {"M": {"n": value}}
    return value


# -- single-item writes: the envelope -----------------------------------------------------------------------------


@pytest.mark.parametrize("call", ["put_item", "update_item", "delete_item"])
def test_an_empty_table_name_is_reported_alone(db: Any, refused: Refused, call: str) -> None:
    """validation-ordering/putItem, updateItem, deleteItem; captures/2026-10-07-sweep-follow-up."""
    request = {"Item" if call == "put_item" else "Key": {}, "ReturnValues": "X", "ReturnConsumedCapacity": "X"}
    assert message(refused, getattr(db, call), TableName="", **request) == ENVELOPE + EMPTY_NAME
    assert message(refused, getattr(db, call), TableName="x!", **request) == ENVELOPE + NAME_PATTERN


def test_enums_of_single_writes(db: Any, refused: Refused) -> None:
    """captures/cross-region-latest: o_put_three_bad_enums, o_del_two_bad_enums, o_upd_two_bad_enums."""
    bad = {"ReturnConsumedCapacity": "X", "ReturnValues": "X"}
    put = message(refused, db.put_item, TableName=ABSENT, Item=KEY, ReturnItemCollectionMetrics="X", **bad)
    assert put == f"3 validation errors detected: {CAPACITY}; {RETURN_VALUES}; {METRICS}"
    delete = message(refused, db.delete_item, TableName=ABSENT, Key=KEY, **bad)
    assert delete == f"2 validation errors detected: {CAPACITY}; {RETURN_VALUES}"
    assert message(refused, db.update_item, TableName=ABSENT, Key=KEY, **bad) == ENVELOPE + RETURN_VALUES


def test_a_missing_key_brings_the_older_form(db: Any, refused: Refused) -> None:
    """validation-ordering/updateItem, "member errors beside a missing Key"."""
    update = {"UpdateExpression": "SET a = :a", "ExpressionAttributeValues": {":a": {"S": "x"}}}
    none = message(refused, db.update_item, TableName="", **update)
    assert none == f"2 validation errors detected: {OLDER_EMPTY_NAME}; {NO_KEY}"
    bad = {"ReturnConsumedCapacity": "X", "ReturnValues": "X"}
    all_ = message(refused, db.update_item, TableName="", **update, **bad)
    assert all_ == (f"4 validation errors detected: {CAPACITY}; {OLDER_EMPTY_NAME}; {OLDER_RETURN_VALUES}; {NO_KEY}")
    expected = {"a": {"Exists": False}, "b": {"Exists": False}}
    operator = message(refused, db.update_item, TableName=ABSENT, Expected=expected, ConditionalOperator="XOR")
    assert operator == f"2 validation errors detected: {OLDER_OPERATOR}; {NO_KEY}"


def test_deep_values_bring_the_older_form(db: Any, refused: Refused) -> None:
    """validation-ordering/deepRequests: 40 levels are refused in the current form, 63 in the older one."""
    for levels, wanted in ((40, f"{GENERIC}[ALL, OR]"), (100, OLDER_OPERATOR)):
        expected = {"a": {"Value": deep(levels)}, "b": {"Exists": False}}
        operator = {"Expected": expected, "ConditionalOperator": "XOR"}
        assert message(refused, db.put_item, TableName=ABSENT, Item=KEY, **operator) == ENVELOPE + wanted
    condition = {"ConditionExpression": "d = :deep", "ExpressionAttributeValues": {":deep": deep(63)}}
    unknown = message(refused, db.delete_item, TableName=ABSENT, Key=KEY, ReturnValues="X", **condition)
    assert unknown == ENVELOPE + OLDER_RETURN_VALUES
    new = message(refused, db.delete_item, TableName=ABSENT, Key=KEY, ReturnValues="UPDATED_NEW", **condition)
    assert new == "ReturnValues can only be ALL_OLD or NONE"


CONDITION = {"ConditionExpression": "attribute_exists(a)"}
ENVELOPED = [
    (
        {"ExpressionAttributeValues": {":v": {"S": "x"}}},
        "ExpressionAttributeValues can only be specified when using ",
    ),
    (
        {"ExpressionAttributeNames": {"#a": "a"}},
        "ExpressionAttributeNames can only be specified when using expressions",
    ),
    ({**CONDITION, "ExpressionAttributeValues": {}}, "ExpressionAttributeValues must not be empty"),
    ({**CONDITION, "ExpressionAttributeNames": {}}, "ExpressionAttributeNames must not be empty"),
    ({"ConditionExpression": ""}, "Invalid ConditionExpression: The expression can not be empty;"),
    ({"Expected": {"a": {"Exists": True}}}, f"{INVALID}Value must be provided when Exists is true for Attribute: a"),
    (
        {"Expected": {"a": {"ComparisonOperator": "EQ"}}},
        f"{INVALID}Value or AttributeValueList must be used with ComparisonOperator: EQ for Attribute: a",
    ),
    (
        {"Expected": {"a": {"ComparisonOperator": "BETWEEN", "AttributeValueList": [{"S": "x"}]}}},
        f"{INVALID}Invalid number of argument(s) for the BETWEEN ComparisonOperator",
    ),
]


@pytest.mark.parametrize(("request_", "text"), ENVELOPED)
@pytest.mark.parametrize("table", ["conformance-hash", ABSENT])
@pytest.mark.parametrize("call", ["put_item", "update_item", "delete_item"])
def test_what_needs_no_table_is_enveloped(
    db: Any, hash_table: str, refused: Refused, call: str, table: str, request_: Any, text: str
) -> None:
    """error-messages/deleteItem and putItem, "request validation envelope"; before the table is looked for."""
    needed = {"Item" if call == "put_item" else "Key": KEY}
    found = message(refused, getattr(db, call), TableName=table, **needed, **request_)
    assert found.startswith(ENVELOPE + text)
    assert "null" not in found or "Exists is null" in found


def test_what_needs_the_table_is_not(db: Any, hash_table: str, refused: Refused) -> None:
    """error-messages/updateItem; captures/cross-region-latest: u_upd_hashkey, del_key_wrongtype."""
    values = {":v": {"S": "x"}}
    changed = message(
        refused,
        db.update_item,
        TableName=hash_table,
        Key=KEY,
        UpdateExpression="SET pk = :v",
        ExpressionAttributeValues=values,
    )
    assert changed == f"{INVALID}Cannot update attribute pk. This attribute is part of the key"
    assert message(refused, db.delete_item, TableName=hash_table, Key={"pk": {"N": "1"}}) == (
        "The provided key element does not match the schema"
    )


# -- values: two layers -------------------------------------------------------------------------------------------

OVERFLOW = "Number overflow. Attempting to store a number with magnitude larger than supported range"
UNDERFLOW = "Number underflow. Attempting to store a number with magnitude smaller than supported range"
NOT_NUMERIC = "The parameter cannot be converted to a numeric value"
VALUES: list[tuple[dict[str, Any], str, str]] = [
    ({"N": "abc"}, f"{NOT_NUMERIC}: abc", f"{NOT_NUMERIC}: abc"),
    ({"N": ""}, f"{NOT_NUMERIC}: ", NOT_NUMERIC),
    ({"N": "1e126"}, OVERFLOW, OVERFLOW),
    ({"N": "1e2147483647"}, OVERFLOW, UNDERFLOW),
    (
        {"SS": ["b", "a", "b"]},
        f'{INVALID}Input collection ["a", "b", "b"] contains duplicates.',
        f"{INVALID}Input collection [b, a, b] contains duplicates.",
    ),
    (
        {"BS": [b"\xff", b"\x00", b"\x00"]},
        f'{INVALID}Input collection ["AA==","/w==","AA=="]of type BS contains duplicates.',
        f"{INVALID}Input collection [/w==, AA==, AA==]of type BS contains duplicates.",
    ),
    (
        {"NS": ["2", "1", "2"]},
        f"{INVALID}Input collection contains duplicates.",
        "Input collection contains duplicates",
    ),
]


def of_values(value: Any) -> dict[str, Any]:
    return {"ExpressionAttributeValues": {":p": {"S": "x"}, ":v": value}}


@pytest.mark.parametrize(("value", "current", "older"), VALUES)
def test_current_layer(db: Any, hash_table: str, refused: Refused, value: Any, current: str, older: str) -> None:
    """error-messages/valueLayers: enveloped in single-item writes, bare in GetItem, BatchGetItem and Query."""
    table = {"TableName": hash_table}
    condition = {"ConditionExpression": "pk = :p OR n = :v", **of_values(value)}
    updates = {"n": {"Action": "PUT", "Value": value}}
    for call, request in (
        (db.put_item, {"Item": {**KEY, "n": value}}),
        (db.put_item, {"Item": {**KEY, "n": {"M": {"x": {"L": [value]}}}}}),
        (db.put_item, {"Item": KEY, **condition}),
        (db.put_item, {"Item": KEY, "Expected": {"n": {"Value": value}}}),
        (db.update_item, {"Key": KEY, "UpdateExpression": "SET o = :p, n = :v", **of_values(value)}),
        (db.update_item, {"Key": KEY, "AttributeUpdates": updates}),
        (db.update_item, {"Key": {"pk": value}}),
        (db.delete_item, {"Key": {"pk": value}}),
        (db.delete_item, {"Key": KEY, **condition}),
    ):
        assert message(refused, call, **table, **request) == ENVELOPE + current
    query = {"KeyConditionExpression": "pk = :p", "FilterExpression": "n = :v"}
    assert message(refused, db.get_item, **table, Key={"pk": value}) == current
    assert message(refused, db.batch_get_item, RequestItems={hash_table: {"Keys": [{"pk": value}]}}) == current
    assert message(refused, db.query, **table, **query, **of_values(value)) == current
    start = {"KeyConditionExpression": "pk = :p", "ExpressionAttributeValues": {":p": {"S": "x"}}}
    assert message(refused, db.query, **table, **start, ExclusiveStartKey={"pk": value}) == current


@pytest.mark.parametrize(("value", "current", "older"), VALUES)
def test_older_layer(db: Any, hash_table: str, refused: Refused, value: Any, current: str, older: str) -> None:
    """error-messages/valueLayers: BatchWriteItem bare, Scan with the name of the placeholder."""
    put = {hash_table: [{"PutRequest": {"Item": {**KEY, "n": value}}}]}
    delete = {hash_table: [{"DeleteRequest": {"Key": {"pk": value}}}]}
    assert message(refused, db.batch_write_item, RequestItems=put) == older
    assert message(refused, db.batch_write_item, RequestItems=delete) == older
    scan = message(refused, db.scan, TableName=hash_table, FilterExpression="a = :p OR n = :v", **of_values(value))
    assert scan == f"ExpressionAttributeValues contains invalid value: {older} for key :v"


# -- queries ------------------------------------------------------------------------------------------------------


def test_a_conditional_operator_of_a_query(db: Any, refused: Refused) -> None:
    """validation-ordering/query: bare, alone, before an unknown Select."""
    filters = {"b": {"ComparisonOperator": "NULL"}, "c": {"ComparisonOperator": "NULL"}}
    conditions = {"pk": {"ComparisonOperator": "EQ", "AttributeValueList": [{"S": "a"}]}}
    found = message(
        refused,
        db.query,
        TableName=ABSENT,
        KeyConditions=conditions,
        QueryFilter=filters,
        ConditionalOperator="XOR",
        Select="X",
    )
    assert found == f"{GENERIC}[ALL, OR]"


OPERAND = (
    "Invalid KeyConditionExpression: Incorrect operand type for operator or function; operator or function: "
    "begins_with, operand type: N"
)
UNDEFINED = (
    "Invalid KeyConditionExpression: An expression attribute value used in expression is not defined; "
    "attribute value: :missing"
)


@pytest.mark.parametrize(
    ("condition", "text"),
    [
        ("pk = :missing AND begins_with(sk, :n)", UNDEFINED),
        ("begins_with(sk, :n) AND pk = :missing", OPERAND),
        ("pk = :p AND begins_with(sk, :n) AND sk = :missing", OPERAND),
        ("pk = :p AND begins_with(sk, :n) AND sk > :p", OPERAND),
        ("pk = :p AND begins_with(sk, :n)", OPERAND),
    ],
)
def test_key_conditions_are_read_in_order(db: Any, refused: Refused, condition: str, text: str) -> None:
    """validation-ordering/queryKeyCondition: before the table is looked for."""
    used = {name: value for name, value in ((":p", {"S": "q"}), (":n", {"N": "1"})) if name in condition}
    request = {"KeyConditionExpression": condition, "ExpressionAttributeValues": used}
    assert message(refused, db.query, TableName=ABSENT, **request) == text


@pytest.mark.parametrize(
    ("condition", "value", "text"),
    [
        ("begins_with(sk, :v)", {"N": "1"}, OPERAND),
        ("begins_with(sk, :v)", {"S": "a"}, f"{INVALID}Condition parameter type does not match schema type"),
        (
            "sk < :v",
            {"BOOL": True},
            "Invalid KeyConditionExpression: Incorrect operand type for operator or function; "
            "operator or function: <, operand type: BOOL",
        ),
        ("sk = :v", {"BOOL": True}, f"{INVALID}Condition parameter type does not match schema type"),
        (
            "sk > :v AND sk < :v",
            {"N": "1"},
            "Invalid KeyConditionExpression: KeyConditionExpressions must only contain one condition per key",
        ),
        (
            "sk > :v AND extra = :v",
            {"N": "1"},
            "The number of query conditions (3) exceeds the number of key attributes defined in the schema (2)",
        ),
    ],
)
def test_operands_of_key_conditions(
    db: Any, range_table: str, refused: Refused, condition: str, value: Any, text: str
) -> None:
    """error-messages/queryKeyConditionOperands."""
    values = {":p": {"S": "q"}, ":v": value}
    request = {"KeyConditionExpression": f"pk = :p AND {condition}", "ExpressionAttributeValues": values}
    assert message(refused, db.query, TableName=range_table, **request) == text


# -- batches ------------------------------------------------------------------------------------------------------

NAMES = (
    "Map keys must satisfy constraint: [Member must have length less than or equal to 255, Member must have length "
    "greater than or equal to 3, Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+]"
)


def test_names_and_enums_of_a_batch_of_gets(db: Any, refused: Refused) -> None:
    """error-messages/batchGetItem; validation-ordering/batchOperations: together, before tables are looked for."""
    wanted = {"bad!name": {"Keys": [{"pk": {"S": "a"}}]}}
    echo = '{"bad!name":{"Keys":[{"pk":{"S":"a"}}]}}'
    names = f"Value '{echo}' at 'requestItems' failed to satisfy constraint: {NAMES}"
    assert message(refused, db.batch_get_item, RequestItems=wanted) == ENVELOPE + names
    both = message(refused, db.batch_get_item, RequestItems=wanted, ReturnConsumedCapacity="X")
    assert both == f"2 validation errors detected: {names}; {CAPACITY}"
    absent = {ABSENT: {"Keys": [KEY]}}
    assert message(refused, db.batch_get_item, RequestItems=absent, ReturnConsumedCapacity="X") == ENVELOPE + CAPACITY


def test_names_and_enums_of_a_batch_of_writes(db: Any, hash_table: str, refused: Refused) -> None:
    """error-messages/batchWriteItem; validation-ordering/batchOperations: an enum is reported alone."""
    wanted = {"bad!name": [{"PutRequest": {"Item": {"pk": {"S": "x"}}}}]}
    named = message(refused, db.batch_write_item, RequestItems=wanted)
    assert named.startswith(
        f"{ENVELOPE}Value '{{bad!name=[WriteRequest(putRequest=PutRequest(item={{pk=AttributeValue(s=x, n=null, "
    )
    assert named.endswith(
        f"}}, workloadProfileName=null), deleteRequest=null)]}}' at 'requestItems' failed to satisfy "
        f"constraint: {NAMES}"
    )
    assert message(refused, db.batch_write_item, RequestItems=wanted, ReturnConsumedCapacity="X") == (
        ENVELOPE + CAPACITY
    )
    writes = {hash_table: [{"PutRequest": {"Item": KEY}}]}
    both = message(
        refused,
        db.batch_write_item,
        RequestItems=writes,
        ReturnConsumedCapacity="X",
        ReturnItemCollectionMetrics="X",
    )
    assert both == f"2 validation errors detected: {CAPACITY}; {METRICS}"
    none = message(refused, db.batch_write_item, RequestItems={hash_table: []})
    assert none.startswith(
        f"{ENVELOPE}Value '{{{hash_table}=[]}}' at 'requestItems' failed to satisfy constraint: Map "
    )
    assert "Item" not in db.get_item(TableName=hash_table, Key=KEY, ConsistentRead=True)


def test_one_projection_forbids_attributes_to_get_to_all(
    db: Any, hash_table: str, range_table: str, refused: Refused
) -> None:
    """error-messages/batchGetItem: "mixing ProjectionExpression on one table and AttributesToGet on another"."""
    wanted = {
        hash_table: {"Keys": [KEY], "ProjectionExpression": "pk"},
        range_table: {"Keys": [{**KEY, "sk": {"N": "1"}}], "AttributesToGet": ["pk"]},
    }
    assert message(refused, db.batch_get_item, RequestItems=wanted) == (
        "Can not use both expression and non-expression parameters in the same request: Non-expression parameters: "
        "{AttributesToGet} Expression parameters: {ProjectionExpression}"
    )


# -- sizes --------------------------------------------------------------------------------------------------------

LIMIT = 400 * 1024
TOO_LARGE = "Item size to update has exceeded the maximum allowed size"


@pytest.mark.parametrize(
    ("pk", "update", "seed", "cost"),
    [
        ("K", "SET b = :pad", {}, 3 + 19),
        ("K2", "SET b = :pad, c = :c", {}, 3 + 19 * 2),
        ("K3", "SET b = :pad REMOVE r", {"r": {"S": "z"}}, 3 + 19 + 2),
        ("K4", "SET b = :pad", {"u": {"S": "y" * 10}}, 3 + 19),
        ("K" * 100, "SET b = :pad", {}, 3 + 19),
    ],
)
def test_what_an_update_may_write(
    db: Any, hash_table: str, refused: Refused, pk: str, update: str, seed: Any, cost: int
) -> None:
    """limits/itemSizeBySurface: what is written and what each action costs, and never more than 400 KB in all."""
    at = {"pk": {"S": pk}}
    if seed:
        db.put_item(TableName=hash_table, Item={**at, **seed})
    written = len("b") + (len("cy") if ":c" in update else 0)
    untouched = len("pk") + len(pk) + (len("u") + 10 if "u" in seed else 0)
    room = min(LIMIT - cost - written, LIMIT - untouched - written)
    more = {":c": {"S": "y"}} if ":c" in update else {}

    def values(size: int) -> dict[str, Any]:
        return {":pad": {"S": "x" * size}, **more}

    request = {"TableName": hash_table, "Key": at, "UpdateExpression": update}
    found = message(refused, db.update_item, **request, ExpressionAttributeValues=values(room + 1))
    assert found == TOO_LARGE
    db.update_item(**request, ExpressionAttributeValues=values(room))
    db.delete_item(TableName=hash_table, Key=at)
