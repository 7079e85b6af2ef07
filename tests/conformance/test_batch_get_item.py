"""BatchGetItem."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Refused = Callable[..., tuple[str, str]]


@pytest.fixture(scope="module", autouse=True)
def _items(db: Any, hash_table: str, range_table: str) -> None:
    for number in range(30):
        db.put_item(TableName=hash_table, Item=item(number))
        db.put_item(TableName=range_table, Item={"pk": {"S": f"batch-{number}"}, "sk": {"N": "1"}})


def key(number: int) -> dict[str, Any]:
    return {"pk": {"S": f"batch-{number}"}}


def item(number: int) -> dict[str, Any]:
    return {**key(number), "n": {"N": str(number)}, "v": {"S": "x"}}


def test_items_of_several_tables(db: Any, hash_table: str, range_table: str) -> None:
    """API: what is missing is left out, order is not promised."""
    wanted = {
        hash_table: {"Keys": [key(n) for n in range(40)], "ConsistentRead": True, "ProjectionExpression": "n"},
        range_table: {"Keys": [{**key(n), "sk": {"N": "1"}} for n in range(30)], "ConsistentRead": True},
    }
    answer = db.batch_get_item(RequestItems=wanted, ReturnConsumedCapacity="TOTAL")
    assert sorted(int(each["n"]["N"]) for each in answer["Responses"][hash_table]) == list(range(30))
    assert len(answer["Responses"][range_table]) == 30
    assert answer["UnprocessedKeys"] == {}
    units = {each["TableName"]: each["CapacityUnits"] for each in answer["ConsumedCapacity"]}
    assert units == {hash_table: 40.0, range_table: 30.0}


def test_nothing_found(db: Any, hash_table: str) -> None:
    """API."""
    answer = db.batch_get_item(RequestItems={hash_table: {"Keys": [{"pk": {"S": "nobody"}}]}})
    assert answer["Responses"] == {hash_table: []}


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ([key(1), key(1)], "Provided list of item keys contains duplicates"),
        (
            [key(n) for n in range(101)],
            "1 validation error detected: Value at 'RequestItems.conformance-hash.member.Keys' failed to satisfy "
            "constraint: Member must have length less than or equal to 100",
        ),
        ([{"x": {"S": "1"}}], "The provided key element does not match the schema"),
        ([key(1), {"pk": {"N": "1"}}], "The provided key element does not match the schema"),
        (
            [],
            "1 validation error detected: Value at 'RequestItems.conformance-hash.member.Keys' failed to satisfy "
            "constraint: Member must have length greater than or equal to 1",
        ),
    ],
)
def test_refusals(db: Any, hash_table: str, refused: Refused, keys: Any, message: str) -> None:
    """observed."""
    found = refused(db.batch_get_item, RequestItems={hash_table: {"Keys": keys}})
    assert found == ("ValidationException", message)


def test_a_table_that_is_not_there(db: Any, refused: Refused) -> None:
    """API."""
    found = refused(db.batch_get_item, RequestItems={"no-such-table": {"Keys": [key(1)]}})
    assert found == ("ResourceNotFoundException", "Requested resource not found")


def test_one_table_that_is_not_there_fails_all(db: Any, hash_table: str, refused: Refused) -> None:
    """API."""
    wanted = {hash_table: {"Keys": [key(1)]}, "no-such-table": {"Keys": [key(1)]}}
    assert refused(db.batch_get_item, RequestItems=wanted)[0] == "ResourceNotFoundException"


def test_no_tables(db: Any, refused: Refused) -> None:
    """observed."""
    code, message = refused(db.batch_get_item, RequestItems={})
    assert code == "ValidationException"
    assert message == (
        "1 validation error detected: Value at 'RequestItems' failed to satisfy constraint: Member must have length "
        "greater than or equal to 1"
    )


def test_100_keys_are_the_most_for_all_tables_together(
    db: Any, hash_table: str, range_table: str, refused: Refused
) -> None:
    """LIMITS."""
    others = [{**key(n), "sk": {"N": "1"}} for n in range(50)]
    wanted = {hash_table: {"Keys": [key(n) for n in range(50)]}, range_table: {"Keys": others}}
    assert db.batch_get_item(RequestItems=wanted)["UnprocessedKeys"] == {}
    wanted[hash_table]["Keys"].append(key(50))
    found = refused(db.batch_get_item, RequestItems=wanted)
    assert found == ("ValidationException", "Too many items requested for the BatchGetItem call")


def test_one_number_is_one_key(db: Any, range_table: str, refused: Refused) -> None:
    """However it is spelled."""
    keys = [{**key(1), "sk": {"N": spelling}} for spelling in ("1", "1.0")]
    found = refused(db.batch_get_item, RequestItems={range_table: {"Keys": keys}})
    assert found == ("ValidationException", "Provided list of item keys contains duplicates")


def test_each_table_has_expressions_of_its_own(db: Any, hash_table: str, range_table: str, refused: Refused) -> None:
    """API."""
    wanted: dict[str, Any] = {
        hash_table: {
            "Keys": [key(1)],
            "ConsistentRead": True,
            "ProjectionExpression": "#n",
            "ExpressionAttributeNames": {"#n": "n"},
        },
        range_table: {"Keys": [{**key(1), "sk": {"N": "1"}}], "ConsistentRead": True, "ProjectionExpression": "sk"},
    }
    answer = db.batch_get_item(RequestItems=wanted)
    assert answer["Responses"] == {hash_table: [{"n": {"N": "1"}}], range_table: [{"sk": {"N": "1"}}]}
    wanted[range_table]["ExpressionAttributeNames"] = {"#u": "u"}
    code, message = refused(db.batch_get_item, RequestItems=wanted)
    assert (code, message) == (
        "ValidationException",
        "Value provided in ExpressionAttributeNames unused in expressions: keys: {#u}",
    )


def test_an_answer_holds_16_mb(db: Any, warm_table: str) -> None:
    """LIMITS, decimal megabytes: what is beyond comes back as UnprocessedKeys, as it was asked for."""
    large = [{"pk": {"S": f"batch-large-{number}"}} for number in range(43)]
    for each in large:
        db.put_item(TableName=warm_table, Item={**each, "v": {"S": "x" * 400_000}})
    asked: dict[str, Any] = {warm_table: {"Keys": large, "ConsistentRead": True}}
    first = db.batch_get_item(RequestItems=asked)
    assert len(first["Responses"][warm_table]) == 39
    left = first["UnprocessedKeys"]
    assert (len(left[warm_table]["Keys"]), left[warm_table]["ConsistentRead"]) == (4, True)
    second = db.batch_get_item(RequestItems=left)
    assert second["UnprocessedKeys"] == {}
    found = [item["pk"]["S"] for each in (first, second) for item in each["Responses"][warm_table]]
    assert sorted(found) == sorted(each["pk"]["S"] for each in large)


@pytest.mark.parametrize(
    "options",
    [
        {"ProjectionExpression": "#p", "ExpressionAttributeNames": {"#p": "pk"}},
        {"AttributesToGet": ["pk"]},
    ],
)
def test_what_is_left_keeps_its_options(db: Any, warm_table: str, options: Any) -> None:
    """API: UnprocessedKeys is in the form of RequestItems. Items count as stored, whatever is shown of them."""
    large = [{"pk": {"S": f"batch-options-{number}"}} for number in range(41)]
    for each in large:
        db.put_item(TableName=warm_table, Item={**each, "v": {"S": "x" * 400_000}})
    asked = {"Keys": large, "ConsistentRead": True, **options}
    answer = db.batch_get_item(RequestItems={warm_table: asked}, ReturnConsumedCapacity="TOTAL")
    assert answer["Responses"] == {warm_table: large[:39]}
    assert answer["UnprocessedKeys"] == {warm_table: {**asked, "Keys": large[39:]}}
    assert answer["ConsumedCapacity"][0]["CapacityUnits"] == 39 * 98.0


def test_one_key_by_name_and_by_arn(db: Any, hash_table: str, refused: Refused) -> None:
    """Ours: it is one table, and each key may be there once."""
    arn = db.describe_table(TableName=hash_table)["Table"]["TableArn"]
    wanted = {hash_table: {"Keys": [key(1)]}, arn: {"Keys": [key(1)]}}
    duplicates = ("ValidationException", "Provided list of item keys contains duplicates")
    assert refused(db.batch_get_item, RequestItems=wanted) == duplicates
    writes = {hash_table: [{"PutRequest": {"Item": key(1)}}], arn: [{"DeleteRequest": {"Key": key(1)}}]}
    assert refused(db.batch_write_item, RequestItems=writes) == duplicates
