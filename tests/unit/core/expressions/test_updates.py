"""Updates: what they do to an item, what they answer, and what DynamoDB refuses."""

from __future__ import annotations

from time import thread_time
from typing import Any

import pytest

from dynabus.core.errors import ApiError
from dynabus.core.expressions import Placeholders, Updated, parse_update

NAMES = {"#n": "name", "#d": "a.b"}
VALUES: dict[str, Any] = {
    ":1": {"N": "1"},
    ":2": {"N": "2"},
    ":s": {"S": "x"},
    ":t": {"S": "y"},
    ":ss": {"SS": ["b", "c"]},
    ":ab": {"SS": ["a", "b"]},
    ":ns": {"NS": ["1"]},
    ":l": {"L": [{"S": "x"}]},
    ":m": {"M": {"k": {"S": "v"}}},
    ":38": {"N": "9" * 38},
}
KEY = {"pk": {"S": "k"}}


def n(*numbers: int) -> dict[str, Any]:
    return {"L": [{"N": str(number)} for number in numbers]}


ITEM: dict[str, Any] = {
    "pk": {"S": "k"},
    "a": {"N": "5"},
    "s": {"S": "abc"},
    "ss": {"SS": ["a", "b"]},
    "l": n(0, 1, 2),
    "m": {"M": {"x": {"N": "1"}, "l": n(7, 8), "deep": {"M": {"y": {"S": "z"}}}}},
}


def updated(text: str, item: dict[str, Any] | None = ITEM) -> Updated:
    return parse_update(text, Placeholders(NAMES, VALUES)).apply(item, KEY)


def changed(text: str, item: dict[str, Any] | None = ITEM) -> dict[str, Any]:
    """What is different afterwards; None for what is gone."""
    before, after = item or {}, updated(text, item).item
    return {name: after.get(name) for name in {**before, **after} if before.get(name) != after.get(name)}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SET b = :1", {"b": {"N": "1"}}),
        ("SET #n = :s, #d = :t", {"name": {"S": "x"}, "a.b": {"S": "y"}}),
        ("set a = s", {"a": {"S": "abc"}}),
        ("SET a = a + :1", {"a": {"N": "6"}}),
        ("SET a = :1 - a", {"a": {"N": "-4"}}),
        ("SET a = m.x - l[2]", {"a": {"N": "-1"}}),
        ("SET a = s, s = a", {"a": {"S": "abc"}, "s": {"N": "5"}}),  # from the old item
        ("SET c = if_not_exists(c, :1) + :2", {"c": {"N": "3"}}),
        ("SET a = if_not_exists(a, :1)", {}),
        ("SET c = if_not_exists(c, if_not_exists(d, s))", {"c": {"S": "abc"}}),
        ("SET l = list_append(l, :l)", {"l": {"L": [*n(0, 1, 2)["L"], {"S": "x"}]}}),
        ("SET l = list_append(:l, m.l)", {"l": {"L": [{"S": "x"}, {"N": "7"}, {"N": "8"}]}}),
        ("SET c = list_append(if_not_exists(c, :l), :l)", {"c": {"L": [{"S": "x"}, {"S": "x"}]}}),
        # parentheses
        ("SET c = (a + :1)", {"c": {"N": "6"}}),
        ("SET c = (a) + (:1), d = (s)", {"c": {"N": "6"}, "d": {"S": "abc"}}),
        ("SET c = (if_not_exists(c, (:1))) - :2", {"c": {"N": "-1"}}),
        # inside documents
        ("SET m.deep.y = :1", {"m": {"M": {**ITEM["m"]["M"], "deep": {"M": {"y": {"N": "1"}}}}}}),
        (
            "SET m.#n = :1 REMOVE m.x",
            {"m": {"M": {"l": n(7, 8), "deep": ITEM["m"]["M"]["deep"], "name": {"N": "1"}}}},
        ),
        ("REMOVE a, zz, m.zz, l[7]", {"a": None}),
        # indexes mean the list as it was
        ("SET l[1] = :2", {"l": n(0, 2, 2)}),
        ("SET l[9] = :1", {"l": n(0, 1, 2, 1)}),
        ("SET l[9] = :1, l[4] = :2", {"l": n(0, 1, 2, 2, 1)}),
        ("REMOVE l[0], l[1]", {"l": n(2)}),
        ("REMOVE l[0], l[1], l[2]", {"l": n()}),
        ("SET l[9] = :2 REMOVE l[3]", {"l": n(0, 1, 2, 2)}),
        ("SET l[3] = :2 REMOVE l[4]", {"l": n(0, 1, 2, 2)}),
        ("SET l[9] = :2 REMOVE l[1], l[3]", {"l": n(0, 2, 2)}),
        ("SET l[2] = :1 REMOVE l[0]", {"l": n(1, 1)}),
        ("ADD l[2] :2, l[3] :2", {"l": n(0, 1, 4, 2)}),
        # ADD and DELETE
        ("ADD a :1", {"a": {"N": "6"}}),
        ("ADD b :1, c :ss", {"b": {"N": "1"}, "c": {"SS": ["b", "c"]}}),
        ("ADD ss :ss", {"ss": {"SS": ["a", "b", "c"]}}),
        ("ADD m.x :2", {"m": {"M": {**ITEM["m"]["M"], "x": {"N": "3"}}}}),
        ("DELETE ss :ss", {"ss": {"SS": ["a"]}}),
        ("DELETE ss :ab", {"ss": None}),
        ("DELETE zz :ss", {}),
        (
            "DELETE ss :ss ADD a :1 REMOVE s SET b = a",
            {"ss": {"SS": ["a"]}, "a": {"N": "6"}, "s": None, "b": {"N": "5"}},
        ),
    ],
)
def test_what_it_does(text: str, expected: dict[str, Any]) -> None:
    assert changed(text) == expected


def test_a_new_item_begins_with_its_key() -> None:
    assert updated("SET a = :1 ADD b :2 REMOVE c", None).item == {**KEY, "a": {"N": "1"}, "b": {"N": "2"}}


@pytest.mark.parametrize("text", ["REMOVE a", "REMOVE a.b, l[0]", "DELETE ss :ss", "DELETE m.ss :ss REMOVE b"])
def test_what_only_removes_creates_nothing(text: str) -> None:
    update = parse_update(text, Placeholders(NAMES, VALUES))
    assert update.removes_only
    assert update.apply(None, KEY) == (KEY, {}, {})
    assert not parse_update("SET c = :1 REMOVE a", Placeholders(NAMES, VALUES)).removes_only


@pytest.mark.parametrize(
    ("text", "old", "new"),
    [
        ("SET a = :1, b = :2", {"a": {"N": "5"}}, {"a": {"N": "1"}, "b": {"N": "2"}}),
        ("REMOVE a, zz", {"a": {"N": "5"}}, {}),
        ("SET m.l[1] = :1", {"m": {"M": {"l": n(8)}}}, {"m": {"M": {"l": n(1)}}}),
        (
            "SET m.l[1] = :1, m.x = :2 REMOVE l[2]",
            {"m": {"M": {"l": n(8), "x": {"N": "1"}}}, "l": n(2)},
            {"m": {"M": {"l": n(1), "x": {"N": "2"}}}},
        ),
        ("SET m.q = :1", {}, {"m": {"M": {"q": {"N": "1"}}}}),
        # An element appended beyond the end is not at its path afterwards.
        ("SET l[9] = :1", {}, {}),
        # What moved up to a removed element's place is.
        ("REMOVE l[1]", {"l": n(1)}, {"l": n(2)}),
    ],
)
def test_updated_old_and_new(text: str, old: dict[str, Any], new: dict[str, Any]) -> None:
    after = updated(text)
    assert (after.old, after.new) == (old, new)


def test_attribute_names() -> None:
    update = parse_update("SET m.x = :1, #d = a REMOVE l[3] ADD q :1", Placeholders(NAMES, VALUES))
    assert update.attribute_names() == {"m", "a.b", "l", "q"}


WRONG_PATH = "The document path provided in the update expression is invalid for update"
WRONG_TYPE = "An operand in the update expression has an incorrect data type"
OVERFLOW = "Number overflow. Attempting to store a number with magnitude larger than supported range"
MISSING = "The provided expression refers to an attribute that does not exist in the item"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("SET c = d", MISSING),
        ("SET c = m.zz + :1", MISSING),
        ("SET c = list_append(d, :l)", MISSING),
        ("SET c = s + :1", WRONG_TYPE),
        ("SET c = list_append(s, :l)", WRONG_TYPE),
        ("ADD s :1", WRONG_TYPE),
        ("ADD ss :ns", WRONG_TYPE),
        ("ADD a :ss", WRONG_TYPE),
        ("DELETE a :ss", WRONG_TYPE),
        ("SET zz.b = :1", WRONG_PATH),
        ("SET a.b = :1", WRONG_PATH),
        ("SET a[0] = :1", WRONG_PATH),
        ("SET m[0] = :1", WRONG_PATH),
        ("SET l.x = :1", WRONG_PATH),
        ("SET l[9].x = :1", WRONG_PATH),
        ("SET l[3] = :m REMOVE l[4].k", WRONG_PATH),
        ("SET l[4] = :m REMOVE l[3].k", WRONG_PATH),
        ("REMOVE zz.b", WRONG_PATH),
        ("REMOVE m.zz.b", WRONG_PATH),
        ("DELETE zz.b :ss", WRONG_PATH),
        ("SET a = a + :38", OVERFLOW),
        ("ADD m.l[0] :38", OVERFLOW),
    ],
)
def test_refused_for_the_item(text: str, message: str) -> None:
    with pytest.raises(ApiError) as raised:
        updated(text)
    assert raised.value.message == message


PATHS = "must remove or rewrite one of these paths; path one: "
TYPE = "Incorrect operand type for operator or function; operator"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "The expression can not be empty;"),
        ("SET", 'Syntax error; token: "<EOF>", near: "SET"'),
        ("a = :1", 'Syntax error; token: "a", near: "a ="'),
        ("SET a = :1,", 'Syntax error; token: "<EOF>", near: ","'),
        ("SET a = :1 + :2 + :1", 'Syntax error; token: "+", near: ":2 + :1"'),
        ("SET a = (a + :1) + :1", 'Syntax error; token: "+", near: ") + :1"'),
        ("SET _123 = :1", 'Syntax error; token: "_", near: "SET _123"'),  # as recorded from DynamoDB
        ("ADD hits : incr", 'Syntax error; token: ":", near: "hits : incr"'),  # so is this
        ("INVALID SYNTAX HERE", 'Syntax error; token: "INVALID", near: "INVALID SYNTAX"'),  # and this
        ("SET a <> :1", 'Syntax error; token: "<>", near: "a <> :1"'),
        ("ADD a = :1", 'Syntax error; token: "=", near: "a = :1"'),
        ("ADD a b", 'Syntax error; token: "b", near: "a b"'),
        ("SET a = ((a + :1))", "The expression has redundant parentheses;"),
        ("SET a = ((a)) + :1", "The expression has redundant parentheses;"),
        ("SET a = :1 SET b = :1", 'The "SET" section can only be used once in an update expression;'),
        ("REMOVE a ADD b :1 REMOVE c", 'The "REMOVE" section can only be used once in an update expression;'),
        ("SET name = :1", "Attribute name is a reserved keyword; reserved keyword: name"),
        ("SET a = size(a)", "The function is not allowed in an update expression; function: size"),
        ("SET a = f(a)", "Invalid function name; function: f"),
        (
            "SET a = list_append(l)",
            "Incorrect number of operands for operator or function; "
            "operator or function: list_append, number of operands: 1",
        ),
        ("SET a = #q", "An expression attribute name used in the document path is not defined; attribute name: #q"),
        ("SET a = :q", "An expression attribute value used in expression is not defined; attribute value: :q"),
        ("SET a = :1, a = :2", f"Two document paths overlap with each other; {PATHS}[a], path two: [a]"),
        ("SET l[0] = :1 REMOVE l", f"Two document paths overlap with each other; {PATHS}[l, [0]], path two: [l]"),
        ("REMOVE m ADD m.x :1", f"Two document paths overlap with each other; {PATHS}[m], path two: [m, x]"),
        (
            "SET m.x.y = :1 REMOVE m.x",
            f"Two document paths overlap with each other; {PATHS}[m, x, y], path two: [m, x]",
        ),
        (
            "SET m.x = :1, m[0] = :1",
            f"Two document paths conflict with each other; {PATHS}[m, x], path two: [m, [0]]",
        ),
        ("SET a = :s + :1", f"{TYPE} or function: +, operand type: S"),
        ("SET a = a - :l", f"{TYPE} or function: -, operand type: L"),
        ("SET a = list_append(l, :1)", f"{TYPE} or function: list_append, operand type: N"),
        (
            "SET a = if_not_exists(:1, :1)",
            "Operator or function requires a document path; operator or function: if_not_exists",
        ),
        (
            "SET a = if_not_exists(a, a)",
            "The first operand must be distinct from the remaining operands for this operator or function; "
            "operator: if_not_exists, first operand: [a]",
        ),
        ("ADD a :s", f"{TYPE}: ADD, operand type: STRING, typeSet: ALLOWED_FOR_ADD_OPERAND"),
        ("ADD a :l", f"{TYPE}: ADD, operand type: LIST, typeSet: ALLOWED_FOR_ADD_OPERAND"),
        ("DELETE a :1", f"{TYPE}: DELETE, operand type: NUMBER, typeSet: ALLOWED_FOR_DELETE_OPERAND"),
    ],
)
def test_refused_whatever_the_item(text: str, message: str) -> None:
    with pytest.raises(ApiError) as raised:
        parse_update(text, Placeholders(NAMES, VALUES))
    assert raised.value.message == f"Invalid UpdateExpression: {message}"


def nested(levels: int) -> dict[str, Any]:
    """A value of so many levels."""
    value: dict[str, Any] = {"S": "x"}
    for level in range(levels - 1):
        value = {"M": {"k": value}} if level % 2 else {"L": [value]}
    return value


TOO_DEEP = (
    "Nesting Levels have exceeded supported limits: Attributes in the item have nested levels beyond supported limit"
)


@pytest.mark.parametrize(
    ("text", "item", "value", "fits"),
    [
        ("SET a = :v", {}, nested(32), True),
        ("SET a = :v", {}, nested(33), False),
        ("SET m.a = :v", {"m": {"M": {}}}, nested(31), True),
        ("SET m.a = :v", {"m": {"M": {}}}, nested(32), False),
        ("SET l[4] = :v", {"l": {"L": []}}, nested(32), False),
        ("SET l = list_append(l, :v)", {"l": {"L": []}}, {"L": [nested(31)]}, True),
        ("SET l = list_append(l, :v)", {"l": {"L": []}}, {"L": [nested(32)]}, False),
        ("SET m.a = b REMOVE c", {"m": {"M": {}}, "b": nested(32)}, None, False),
        ("SET m.a = b REMOVE c", {"m": {"M": {}}, "b": nested(31)}, None, True),
        ("SET a" + ".k" * 31 + " = :v", {"a": {}}, {"L": []}, True),  # an empty container is no level more
        ("SET a" + ".k" * 31 + " = :v", {"a": {}}, {"L": [{"S": ""}]}, False),
    ],
)
def test_nesting_of_the_new_item(text: str, item: dict[str, Any], value: Any, fits: bool) -> None:
    if item.get("a") == {}:
        deep: dict[str, Any] = {"M": {}}
        for _ in range(30):
            deep = {"M": {"k": deep}}
        item = {"a": deep}
    update = parse_update(text, Placeholders(None, None if value is None else {":v": value}))
    if fits:
        update.apply(item, KEY)
        return
    with pytest.raises(ApiError) as raised:
        update.apply(item, KEY)
    assert raised.value.message == TOO_DEEP


def test_large_sets_take_time_by_their_members_not_their_square() -> None:
    members = [str(number) for number in range(20_000)]
    item = {"s": {"NS": members}}
    for text in ("ADD s :v", "DELETE s :v"):
        update = parse_update(text, Placeholders(None, {":v": {"NS": members[::-1]}}))
        begun = thread_time()
        update.apply(item, KEY)
        assert thread_time() - begun < 0.5  # some milliseconds; quadratic, it took seconds


def test_a_tower_of_appends_stops_at_the_items_limit() -> None:
    text = "SET a = " + "list_append(l, " * 100 + "l" + ")" * 100
    update = parse_update(text, Placeholders(None, None))
    with pytest.raises(ApiError, match="Item size to update has exceeded the maximum allowed size"):
        update.apply({"l": {"L": [{"NULL": True}] * 100_000}}, KEY)


def test_copies_beyond_the_items_limit_are_refused_at_once() -> None:
    text = "SET " + ",".join(f"a{at}=l" for at in range(500))
    update = parse_update(text, Placeholders(None, None))
    begun = thread_time()
    with pytest.raises(ApiError, match="Item size to update has exceeded the maximum allowed size"):
        update.apply({"l": {"L": [{"S": ""}] * 400_000}}, KEY)
    assert thread_time() - begun < 2  # two walks through the list, not 500
