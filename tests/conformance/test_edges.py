"""Input at the edge of its range: paths, list indexes, numbers, placeholders, expressions, keys, names.

LIMITS: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
PARITY: paritysuite/dynamodb-conformance (limits, error-messages), captured from DynamoDB in 2026.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from typing import Any

import pytest

from tests.conformance.words import ENVELOPE

Refused = Callable[..., tuple[str, str]]
VALIDATION = "ValidationException"
KEY = {"pk": {"S": "edges"}}


@pytest.fixture(scope="module")
def table(hash_table: str) -> str:
    return hash_table


def put(db: Any, table: str, **attributes: Any) -> dict[str, Any]:
    item = {**KEY, **attributes}
    db.put_item(TableName=table, Item=item)
    return item


def get(db: Any, table: str, **more: Any) -> Any:
    return db.get_item(TableName=table, Key=KEY, ConsistentRead=True, **more).get("Item")


def update(db: Any, table: str, expression: str, names: Any = None, **values: Any) -> Any:
    request: dict[str, Any] = {"TableName": table, "Key": KEY, "UpdateExpression": expression}
    if names:
        request["ExpressionAttributeNames"] = names
    if values:
        request["ExpressionAttributeValues"] = {f":{name}": value for name, value in values.items()}
    return db.update_item(ReturnValues="UPDATED_NEW", **request)["Attributes"]


def unfit(db: Any, table: str, refused: Refused, expression: str, **values: Any) -> str:
    """The message that refuses an update."""

    request: dict[str, Any] = {"TableName": table, "Key": KEY, "UpdateExpression": expression}
    if values:
        request["ExpressionAttributeValues"] = {f":{name}": value for name, value in values.items()}
    code, message = refused(db.update_item, **request)
    assert code == VALIDATION
    return message


# -- paths and list indexes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("index", [2, 99, 2**31 - 1])
def test_an_index_behind_the_end(db: Any, table: str, index: int) -> None:
    """developerguide/Expressions.UpdateExpressions: SET appends, REMOVE does nothing, a projection finds nothing."""
    item = put(db, table, l={"L": [{"N": "0"}, {"N": "1"}]})
    assert get(db, table, ProjectionExpression=f"l[{index}]") == {}
    assert "l" not in get(db, table, ProjectionExpression=f"pk, l[{index}]")
    db.update_item(TableName=table, Key=KEY, UpdateExpression=f"REMOVE l[{index}]")
    assert get(db, table) == item
    last = {"ExpressionAttributeValues": {":v": {"S": "last"}}}
    db.update_item(TableName=table, Key=KEY, UpdateExpression=f"SET l[{index}] = :v", **last)
    assert get(db, table)["l"] == {"L": [{"N": "0"}, {"N": "1"}, {"S": "last"}]}


@pytest.mark.parametrize("index", [2**31, 2**63, 10**30])
def test_an_index_out_of_range(db: Any, table: str, refused: Refused, index: int) -> None:
    """PARITY, limits: an index is a signed number of 32 bits."""
    text = f"List index is not within the allowable range; index: [{index}]"
    read = refused(db.get_item, TableName=table, Key=KEY, ProjectionExpression=f"l[{index}]")
    assert read == (VALIDATION, f"Invalid ProjectionExpression: {text}")
    written = unfit(db, table, refused, f"REMOVE l[{index}]")
    assert written == f"{ENVELOPE}Invalid UpdateExpression: {text}"


@pytest.mark.parametrize("path", ["l[-1]", "l[]", "l[1.5]", "l[x]", "l[0x1]", "l[1e1]"])
def test_what_is_no_index(db: Any, table: str, refused: Refused, path: str) -> None:
    """ExtendDB's tests against us-east-1: a syntax error."""
    code, message = refused(db.get_item, TableName=table, Key=KEY, ProjectionExpression=path)
    assert (code, message[:43]) == (VALIDATION, "Invalid ProjectionExpression: Syntax error;")


def test_the_first_of_a_list_within_lists(db: Any, table: str) -> None:
    """developerguide/Expressions.Attributes: elements of elements."""
    put(db, table, l={"L": [{"L": [{"M": {"a": {"L": [{"S": "x"}]}}}]}]})
    assert get(db, table, ProjectionExpression="l[0][0].a[0]") == {"l": get(db, table)["l"]}


@pytest.mark.parametrize("levels", [31, 32])
def test_the_deepest_paths(db: Any, table: str, refused: Refused, levels: int) -> None:
    """LIMITS: 32 levels. A path may have as many elements, and what it leads to must fit as well."""
    value: dict[str, Any] = {"S": "deep"}
    for _ in range(levels - 1):
        value = {"M": {"m": value}}
    put(db, table, m=value)
    path = ".".join(["m"] * levels)
    assert get(db, table, ProjectionExpression=path) == {"m": value}
    assert update(db, table, f"SET {path} = :v", v={"S": "deep"}) == {"m": value}
    too_long = refused(db.get_item, TableName=table, Key=KEY, ProjectionExpression=path + ".m" * (33 - levels))
    assert too_long == (
        VALIDATION,
        "Invalid ProjectionExpression: The document path has too many nesting levels; nesting levels: 33",
    )


# -- numbers ------------------------------------------------------------------------------------------------------

LARGEST = "9.9999999999999999999999999999999999999E+125"
OVERFLOW = "Number overflow. Attempting to store a number with magnitude larger than supported range"
UNDERFLOW = "Number underflow. Attempting to store a number with magnitude smaller than supported range"
NUMBERS = [
    ("1E-130", "1E-130"),
    ("-1E-130", "-1E-130"),
    (LARGEST, "9" * 38 + "0" * 88),
    (f"-{LARGEST}", "-" + "9" * 38 + "0" * 88),
    ("0." + "0" * 129 + "1", "1E-130"),
    ("1" * 38, "1" * 38),
    ("1" * 38 + "0" * 88, "1" * 38 + "0" * 88),
    ("0" * 60 + "1", "1"),
    ("1." + "0" * 60, "1"),
    ("-0", "0"),
    ("0E125", "0"),
    ("0E-130", "0"),
]


@pytest.mark.parametrize(("sent", "kept"), NUMBERS)
def test_numbers_at_the_edge(db: Any, table: str, sent: str, kept: str) -> None:
    """LIMITS, numbers: 38 digits, 1E-130 to 9.99...E+125 and their negatives; zeros around them do not count."""
    put(db, table, n={"N": sent})
    shown = get(db, table)["n"]["N"]
    assert float(shown) == float(kept)
    assert update(db, table, "SET m = n")["m"]["N"] == shown


@pytest.mark.parametrize(
    ("number", "text"),
    [
        ("1E126", OVERFLOW),
        ("-1E126", OVERFLOW),
        ("0E126", OVERFLOW),
        ("1E2147483648", OVERFLOW),
        ("1E-131", UNDERFLOW),
        ("0E-131", UNDERFLOW),
        ("1E9223372036854775808", "The parameter cannot be converted to a numeric value"),
        ("1" * 39, "Attempting to store more than 38 significant digits in a Number"),
        ("1." + "0" * 37 + "1", "Attempting to store more than 38 significant digits in a Number"),
    ],
)
def test_numbers_beyond_it(db: Any, table: str, refused: Refused, number: str, text: str) -> None:
    """PARITY, limits/numberExponent and error-messages/valueLayers."""
    code, message = refused(db.put_item, TableName=table, Item={**KEY, "n": {"N": number}})
    assert code == VALIDATION
    assert text in message


@pytest.mark.parametrize(
    ("expression", "value"),
    [("SET n = n + :v", LARGEST), ("ADD n :v", LARGEST), ("SET one = one + :v", "1E-38"), ("ADD one :v", "1E-38")],
)
def test_sums_beyond_it(db: Any, table: str, refused: Refused, expression: str, value: str) -> None:
    """scylladb, Alternator (test_number): a sum of more than 38 digits overflows as one that is too large does."""
    item = put(db, table, n={"N": LARGEST}, one={"N": "1"})
    assert unfit(db, table, refused, expression, v={"N": value}) == OVERFLOW
    assert float(get(db, table)["n"]["N"]) == float(LARGEST)
    assert get(db, table)["one"] == item["one"]


# -- placeholders -------------------------------------------------------------------------------------------------


OVERLAP = "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: "


def test_a_placeholder_beside_the_name_itself(db: Any, table: str, refused: Refused) -> None:
    """`#a` and `a` are one attribute: paths that overlap, whichever way they are written."""
    put(db, table, a={"S": "old"}, b={"S": "b"})
    names = {"#a": "a"}
    request = {"TableName": table, "Key": KEY, "ExpressionAttributeNames": names}
    twice = refused(db.update_item, UpdateExpression="REMOVE a, #a", **request)
    assert twice == (VALIDATION, f"{ENVELOPE}Invalid UpdateExpression: {OVERLAP}[a], path two: [a]")
    read = refused(db.get_item, ProjectionExpression="#a, a", **request)
    assert read == (VALIDATION, f"Invalid ProjectionExpression: {OVERLAP}[a], path two: [a]")
    inside = refused(db.get_item, ProjectionExpression="#a.x, a", **request)
    assert inside == (VALIDATION, f"Invalid ProjectionExpression: {OVERLAP}[a, x], path two: [a]")


def test_two_placeholders_of_one_name(db: Any, table: str, refused: Refused) -> None:
    put(db, table, a={"N": "1"})
    names = {"#a": "a", "#b": "a"}
    assert update(db, table, "SET #a = #b + :v", names, v={"N": "1"}) == {"a": {"N": "2"}}
    request = {"TableName": table, "Key": KEY, "ExpressionAttributeNames": names}
    assert refused(db.update_item, UpdateExpression="REMOVE #a, #b", **request) == (
        VALIDATION,
        f"{ENVELOPE}Invalid UpdateExpression: {OVERLAP}[a], path two: [a]",
    )


def test_placeholders_that_look_like_others(db: Any, table: str) -> None:
    """What stands for a name is taken as it is: `#b`, `:v`, `a.b` and `l[0]` can be names of attributes."""
    odd = {"#b": {"S": "1"}, ":v": {"S": "2"}, "a.b": {"S": "3"}, "l[0]": {"S": "4"}, " ": {"S": "5"}}
    put(db, table, **odd, b={"S": "no"}, a={"M": {"b": {"S": "no"}}}, l={"L": [{"S": "no"}]})
    names = {f"#n{number}": name for number, name in enumerate(odd)}
    found = get(db, table, ProjectionExpression=",".join(names), ExpressionAttributeNames=names)
    assert found == odd
    swapped = {"#a": "b", "#b": "a"}
    found = get(db, table, ProjectionExpression="#a, #b.#a", ExpressionAttributeNames=swapped)
    assert found == {"b": {"S": "no"}, "a": {"M": {"b": {"S": "no"}}}}
    capitals = {"#a": "b", "#A": "l[0]"}
    found = get(db, table, ProjectionExpression="#a, #A", ExpressionAttributeNames=capitals)
    assert found == {"b": {"S": "no"}, "l[0]": {"S": "4"}}


# -- expressions --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("call", ["update_item", "put_item", "query", "scan"])
def test_4_kb(db: Any, table: str, refused: Refused, call: str) -> None:
    """LIMITS: 4 KB of UTF-8, spaces included."""
    member, text, more = {
        "update_item": ("UpdateExpression", "REMOVE a", {"Key": KEY}),
        "put_item": ("ConditionExpression", "attribute_exists(a) OR attribute_not_exists(a)", {"Item": KEY}),
        "query": (
            "KeyConditionExpression",
            "pk = :p",
            {"ExpressionAttributeValues": {":p": {"S": "edges"}}},
        ),
        "scan": ("FilterExpression", "attribute_exists(a)", {}),
    }[call]
    fits = text + " " * (4096 - len(text))
    getattr(db, call)(TableName=table, **{member: fits}, **more)
    code, message = refused(getattr(db, call), TableName=table, **{member: fits + " "}, **more)
    over = f"Invalid {member}: Expression size has exceeded the maximum allowed size; expression size: 4097"
    assert (code, message.removeprefix(ENVELOPE)) == (VALIDATION, over)


def test_300_operators(db: Any, table: str, refused: Refused) -> None:
    """LIMITS: 300 operators or functions in an UpdateExpression; the same holds for other expressions."""
    put(db, table, a={"N": "1"})
    # 150 comparisons and 149 ANDs are 299 operators, a NOT is one more.
    text = " AND ".join(["a=:v"] * 150)
    request = {"TableName": table, "Key": KEY, "ExpressionAttributeValues": {":v": {"N": "1"}}}
    db.update_item(ConditionExpression=f"NOT a<:v AND {text.removeprefix('a=:v AND ')}", **request)
    code, message = refused(db.update_item, ConditionExpression=f"NOT a<:v AND {text}", **request)
    assert code == VALIDATION
    assert message == (
        f"{ENVELOPE}Invalid ConditionExpression: The expression contains too many operators; operator count: 301"
    )


# -- keys ---------------------------------------------------------------------------------------------------------

KEYS: list[dict[str, Any]] = [
    {"S": "\x00"},
    {"S": "k\x00"},
    {"S": "k\x00\x00"},
    {"S": "k"},
    {"S": "k\x01"},
    {"S": "k\x7f"},
    {"S": "k\u00ff"},
    {"S": "k\uffff"},
    {"S": "k\U0010ffff"},
    {"S": "x" * 2048},
    {"S": "x" * 2047 + "\x00"},
    {"S": "é" * 1024},
]
BYTES: list[dict[str, Any]] = [
    {"B": text} for text in (b"\x00", b"\x00\x00", b"\xff", b"\xff\xff", b"\x00\xff", b"\xff\x00", b"\xff" * 2048)
]


@pytest.fixture(scope="module")
def binary(make_table: Callable[..., str]) -> str:
    return make_table("conformance-edges-binary", ("pk", "B"))


def test_keys_at_the_edge_stay_apart(db: Any, table: str, binary: str) -> None:
    for name, keys in ((table, KEYS), (binary, BYTES)):
        for number, key in enumerate(keys):
            db.put_item(TableName=name, Item={"pk": key, "number": {"N": str(number)}})
        for number, key in enumerate(keys):
            item = db.get_item(TableName=name, Key={"pk": key}, ConsistentRead=True)["Item"]
            assert item == {"pk": key, "number": {"N": str(number)}}
        for key in keys:
            old = db.delete_item(TableName=name, Key={"pk": key}, ReturnValues="ALL_OLD")["Attributes"]
            assert old["pk"] == key


@pytest.mark.parametrize(
    ("key", "text"),
    [
        (
            {"S": ""},
            "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an "
            "empty string value. Key: pk",
        ),
        (
            {"S": "x" * 2049},
            "One or more parameter values were invalid: Size of hashkey has exceeded the maximum size limit of"
            "2048 bytes",
        ),
        (
            {"S": "é" * 1025},
            "One or more parameter values were invalid: Size of hashkey has exceeded the maximum size limit of"
            "2048 bytes",
        ),
    ],
)
@pytest.mark.parametrize("call", ["get_item", "put_item", "update_item", "delete_item"])
def test_keys_beyond_it(db: Any, table: str, refused: Refused, call: str, key: Any, text: str) -> None:
    """LIMITS: 1 to 2048 bytes of UTF-8."""
    member = "Item" if call == "put_item" else "Key"
    assert refused(getattr(db, call), TableName=table, **{member: {"pk": key}}) == (VALIDATION, text)


# -- names --------------------------------------------------------------------------------------------------------


def test_names_that_differ_by_unicode_normalisation(db: Any, table: str, refused: Refused) -> None:
    """developerguide/HowItWorks.NamingRulesDataTypes: UTF-8; nothing normalises it."""
    composed, decomposed = "\u00e9", unicodedata.normalize("NFD", "\u00e9")
    item = put(db, table, **{composed: {"S": "one"}, decomposed: {"S": "two"}})
    assert get(db, table) == item
    names = {"#c": composed, "#d": decomposed}
    assert get(db, table, ProjectionExpression="#c, #d", ExpressionAttributeNames=names) == {
        composed: {"S": "one"},
        decomposed: {"S": "two"},
    }
    assert update(db, table, "SET #c = :v REMOVE #d", names, v={"S": "1"}) == {composed: {"S": "1"}}
    assert get(db, table) == {**KEY, composed: {"S": "1"}}
    sets = put(db, table, s={"SS": [decomposed, composed]})
    assert sorted(get(db, table)["s"]["SS"]) == sorted(sets["s"]["SS"])


def test_keys_that_differ_by_unicode_normalisation(db: Any, table: str) -> None:
    for form in ("NFC", "NFD"):
        key = {"pk": {"S": unicodedata.normalize(form, "caf\u00e9")}}
        db.put_item(TableName=table, Item={**key, "form": {"S": form}})
    found = db.batch_get_item(
        RequestItems={
            table: {
                "Keys": [{"pk": {"S": unicodedata.normalize(form, "caf\u00e9")}} for form in ("NFC", "NFD")],
                "ConsistentRead": True,
            }
        }
    )
    assert sorted(item["form"]["S"] for item in found["Responses"][table]) == ["NFC", "NFD"]
