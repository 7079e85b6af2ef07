"""BatchWriteItem."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Refused = Callable[..., tuple[str, str]]


def put(pk: str, **more: Any) -> dict[str, Any]:
    return {"PutRequest": {"Item": {"pk": {"S": pk}, **more}}}


def delete(pk: str) -> dict[str, Any]:
    return {"DeleteRequest": {"Key": {"pk": {"S": pk}}}}


def test_puts_and_deletes(db: Any, hash_table: str, range_table: str) -> None:
    """API."""
    db.put_item(TableName=hash_table, Item={"pk": {"S": "bw-old"}})
    writes = [*(put(f"bw-{n}", n={"N": f"{n}.0"}) for n in range(20)), delete("bw-old"), delete("bw-nobody")]
    others = [{"PutRequest": {"Item": {"pk": {"S": "bw"}, "sk": {"N": str(n)}}}} for n in range(3)]
    answer = db.batch_write_item(
        RequestItems={hash_table: writes, range_table: others}, ReturnConsumedCapacity="TOTAL"
    )
    assert answer["UnprocessedItems"] == {}
    units = {each["TableName"]: each["CapacityUnits"] for each in answer["ConsumedCapacity"]}
    assert units == {hash_table: 22.0, range_table: 3.0}
    found = db.batch_get_item(
        RequestItems={hash_table: {"Keys": [{"pk": {"S": f"bw-{n}"}} for n in range(20)], "ConsistentRead": True}}
    )
    assert {each["n"]["N"] for each in found["Responses"][hash_table]} == {str(n) for n in range(20)}
    assert "Item" not in db.get_item(TableName=hash_table, Key={"pk": {"S": "bw-old"}}, ConsistentRead=True)


@pytest.mark.parametrize(
    ("writes", "part"),
    [
        ([put("a"), delete("a")], "Provided list of item keys contains duplicates"),
        ([put(str(n)) for n in range(26)], "Member must have length less than or equal to 25"),
        ([], "Member must have length greater than or equal to 1"),
        ([{}], "Supplied AttributeValue has more than one datatypes set"),
        ([{**put("a"), **delete("b")}], "Supplied AttributeValue has more than one datatypes set"),
        ([put("")], "cannot contain an empty string value. Key: pk"),
        ([{"PutRequest": {"Item": {"x": {"S": "1"}}}}], "The provided key element does not match the schema"),
        ([put("a", v={"S": "x" * 410_000})], "Item size has exceeded the maximum allowed size"),
    ],
)
def test_refusals_write_nothing(db: Any, hash_table: str, refused: Refused, writes: Any, part: str) -> None:
    """observed."""
    all_writes = [put("bw-witness"), *writes] if len(writes) in (1, 2) else writes
    code, message = refused(db.batch_write_item, RequestItems={hash_table: all_writes})
    assert code == "ValidationException"
    assert part in message
    assert "Item" not in db.get_item(TableName=hash_table, Key={"pk": {"S": "bw-witness"}}, ConsistentRead=True)


def test_one_table_that_is_not_there_fails_all(db: Any, hash_table: str, refused: Refused) -> None:
    """API: nothing is written."""
    wanted = {hash_table: [put("bw-witness")], "no-such-table": [put("a")]}
    found = refused(db.batch_write_item, RequestItems=wanted)
    assert found == ("ResourceNotFoundException", "Requested resource not found")
    assert "Item" not in db.get_item(TableName=hash_table, Key={"pk": {"S": "bw-witness"}}, ConsistentRead=True)


def test_no_tables(db: Any, refused: Refused) -> None:
    """observed."""
    code, message = refused(db.batch_write_item, RequestItems={})
    assert code == "ValidationException"
    assert "BatchWriteItem" in message


def test_25_writes_are_the_most_for_all_tables_together(
    db: Any, hash_table: str, range_table: str, refused: Refused
) -> None:
    """LIMITS."""
    others = [{"DeleteRequest": {"Key": {"pk": {"S": "bw-nobody"}, "sk": {"N": str(n)}}}} for n in range(13)]
    wanted = {hash_table: [delete(f"bw-nobody-{n}") for n in range(12)], range_table: others}
    assert db.batch_write_item(RequestItems=wanted)["UnprocessedItems"] == {}
    wanted[hash_table].append(delete("bw-nobody-12"))
    found = refused(db.batch_write_item, RequestItems=wanted)
    assert found == ("ValidationException", "Too many items requested for the BatchWriteItem call")


def test_one_number_is_one_key(db: Any, range_table: str, refused: Refused) -> None:
    """However it is spelled."""
    writes = [{"PutRequest": {"Item": {"pk": {"S": "bw"}, "sk": {"N": spelling}}}} for spelling in ("9", "9.0")]
    found = refused(db.batch_write_item, RequestItems={range_table: writes})
    assert found == ("ValidationException", "Provided list of item keys contains duplicates")


def test_a_put_replaces_the_whole_item(db: Any, hash_table: str) -> None:
    """API: it is a PutItem, not an update."""
    db.put_item(TableName=hash_table, Item={"pk": {"S": "bw-whole"}, "old": {"S": "x"}})
    answer = db.batch_write_item(RequestItems={hash_table: [put("bw-whole", new={"S": "y"})]})
    assert set(answer) == {"UnprocessedItems", "ResponseMetadata"}
    found = db.get_item(TableName=hash_table, Key={"pk": {"S": "bw-whole"}}, ConsistentRead=True)["Item"]
    assert found == {"pk": {"S": "bw-whole"}, "new": {"S": "y"}}


def test_25_items_of_400_kb(db: Any, warm_table: str) -> None:
    """LIMITS: ten megabytes at once; whatever comes back unprocessed is written when it is asked again."""
    wanted: Any = {warm_table: [put(f"bw-large-{number}", v={"S": "x" * 400_000}) for number in range(25)]}
    for _ in range(25):
        wanted = db.batch_write_item(RequestItems=wanted)["UnprocessedItems"]
        if not wanted:
            break
    assert wanted == {}
    keys = [{"pk": {"S": f"bw-large-{number}"}} for number in range(25)]
    asked = {warm_table: {"Keys": keys, "ConsistentRead": True, "ProjectionExpression": "pk"}}
    assert len(db.batch_get_item(RequestItems=asked)["Responses"][warm_table]) == 25
