"""The order of sort keys: numbers by value, text by its UTF-8 bytes, binary as unsigned bytes; both ways, in pages.

Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Refused = Callable[..., tuple[str, str]]
LONG = "k" * 1000
"""Keys of this length differ behind what a B-tree page keeps of a key."""

ORDERED: dict[str, list[Any]] = {
    "N": [
        "-9.9999999999999999999999999999999999999E+125",
        "-1E100",
        "-100",
        "-99.5",
        "-1",
        "-1E-130",
        "0",
        "1E-130",
        "0.00001",
        "0.5",
        "1",
        "1.0000000000000000000000000000000000001",
        "2",
        "10",
        "99",
        "1E20",
        "9.9999999999999999999999999999999999999E+125",
    ],
    "S": [
        "\x00",
        "\x00\x00",
        "\x01",
        " ",
        "0",
        "10",
        "9",
        "A",
        "B",
        "a",
        "a\x00",
        "a\x00b",
        "aa",
        "b",
        LONG,
        LONG + "a",
        LONG + "b",
        "k" * 1024,
        "z",
        "é",
        "中",
        "\uffff",
        "\U0001f600",
    ],
    "B": [b"\x00", b"\x00\x00", b"\x00\xff", b"\x01", b"\x7f", b"\x80", b"\xff", b"\xff\x00", b"\xff\xff"],
}
SAME: dict[str, list[Any]] = {"N": ["7", "7.0", "70E-1", "+7", "007"], "S": ["same"], "B": [b"same"]}
KINDS = pytest.mark.parametrize("kind", sorted(ORDERED))


@pytest.fixture(scope="module")
def tables(db: Any, make_table: Callable[..., str]) -> dict[str, str]:
    """One table for each type, its items written in an order that is none."""
    made = {kind: make_table(f"conformance-sort-{kind}", ("pk", "S"), ("sk", kind)) for kind in ORDERED}
    for kind, values in ORDERED.items():
        for number in sorted(range(len(values)), key=lambda at: at * 7 % 11):
            item = {"pk": {"S": "one"}, "sk": {kind: values[number]}, "at": {"N": str(number)}}
            db.put_item(TableName=made[kind], Item=item)
        db.put_item(TableName=made[kind], Item={"pk": {"S": "other"}, "sk": {kind: values[0]}, "at": {"N": "-1"}})
    return made


def found(db: Any, table: str, condition: str = "", values: Any = None, **more: Any) -> list[int]:
    """Places in the order of what a query finds, over all pages."""
    places: list[int] = []
    start: dict[str, Any] = {}
    while True:
        answer = db.query(
            TableName=table,
            ConsistentRead=True,
            KeyConditionExpression="pk = :pk" + condition,
            ExpressionAttributeValues={":pk": {"S": "one"}, **(values or {})},
            **more,
            **start,
        )
        places += [int(item["at"]["N"]) for item in answer["Items"]]
        if "LastEvaluatedKey" not in answer:
            return places
        start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}


@KINDS
@pytest.mark.parametrize("limit", [1, 4, 1000])
def test_the_order(db: Any, tables: dict[str, str], kind: str, limit: int) -> None:
    expected = list(range(len(ORDERED[kind])))
    assert found(db, tables[kind], Limit=limit) == expected
    assert found(db, tables[kind], Limit=limit, ScanIndexForward=False) == expected[::-1]


@KINDS
@pytest.mark.parametrize("place", [0, 3, 8])
def test_comparisons(db: Any, tables: dict[str, str], kind: str, place: int) -> None:
    """Bounds are exact at every value, the first and the last too."""
    values, expected = {":v": {kind: ORDERED[kind][place]}}, list(range(len(ORDERED[kind])))
    for operator, places in (
        ("=", [place]),
        ("<", expected[:place]),
        ("<=", expected[: place + 1]),
        (">", expected[place + 1 :]),
        (">=", expected[place:]),
    ):
        assert found(db, tables[kind], f" AND sk {operator} :v", values) == places
    between = {**values, ":w": {kind: ORDERED[kind][-1]}}
    assert found(db, tables[kind], " AND sk BETWEEN :v AND :w", between) == expected[place:]


@pytest.mark.parametrize(
    ("kind", "prefix"),
    [("S", "a"), ("S", "\x00"), ("S", "k"), ("S", LONG), ("S", "nothing"), ("B", b"\x00"), ("B", b"\xff")],
)
def test_begins_with(db: Any, tables: dict[str, str], kind: str, prefix: Any) -> None:
    expected = [at for at, value in enumerate(ORDERED[kind]) if value.startswith(prefix)]
    values = {":v": {kind: prefix}}
    assert found(db, tables[kind], " AND begins_with(sk, :v)", values) == expected
    assert found(db, tables[kind], " AND begins_with(sk, :v)", values, ScanIndexForward=False) == expected[::-1]


def test_numbers_begin_with_nothing(db: Any, tables: dict[str, str], refused: Refused) -> None:
    """observed."""
    code, message = refused(
        db.query,
        TableName=tables["N"],
        KeyConditionExpression="pk = :pk AND begins_with(sk, :v)",
        ExpressionAttributeValues={":pk": {"S": "one"}, ":v": {"N": "1"}},
    )
    assert code == "ValidationException"
    assert message.startswith("Invalid KeyConditionExpression: Incorrect operand type for operator or function")
    assert "begins_with, operand type: N" in message


def test_between_the_wrong_way(db: Any, tables: dict[str, str], refused: Refused) -> None:
    """observed."""
    code, message = refused(
        db.query,
        TableName=tables["N"],
        KeyConditionExpression="pk = :pk AND sk BETWEEN :v AND :w",
        ExpressionAttributeValues={":pk": {"S": "one"}, ":v": {"N": "2"}, ":w": {"N": "1"}},
    )
    assert code == "ValidationException"
    assert "requires upper bound to be greater than or equal to lower bound" in message


@KINDS
def test_keys_that_are_the_same_value_are_the_same_item(db: Any, tables: dict[str, str], kind: str) -> None:
    """1, 1.0 and 10E-1 are one number, and so one key."""
    spellings = SAME[kind]
    for number, spelling in enumerate(spellings):
        item = {"pk": {"S": "same"}, "sk": {kind: spelling}, "at": {"N": str(number)}}
        db.put_item(TableName=tables[kind], Item=item)
    answer = db.query(
        TableName=tables[kind],
        ConsistentRead=True,
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": "same"}},
    )
    assert [item["at"]["N"] for item in answer["Items"]] == [str(len(spellings) - 1)]
    for spelling in spellings:
        key = {"pk": {"S": "same"}, "sk": {kind: spelling}}
        assert "Item" in db.get_item(TableName=tables[kind], Key=key, ConsistentRead=True)


def test_the_partition_keys_are_apart(db: Any, tables: dict[str, str]) -> None:
    """A query never leaves its item collection, whatever bytes the keys are made of."""
    for pk in ("p", "p\x00", "p\x00\x00", "p\x00\xff", "p\x01"):
        db.put_item(TableName=tables["S"], Item={"pk": {"S": pk}, "sk": {"S": "x"}})
    for pk in ("p", "p\x00", "p\x00\x00", "p\x00\xff", "p\x01"):
        answer = db.query(
            TableName=tables["S"],
            ConsistentRead=True,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": pk}},
        )
        assert [item["pk"]["S"] for item in answer["Items"]] == [pk]
