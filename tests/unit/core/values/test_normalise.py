"""Attribute values from requests: normal form, DynamoDB's messages, coral's messages, any JSON at all."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynabus.core.errors import ApiError
from dynabus.core.values import item_size, normalise_item, normalise_value, value_size

INVALID = "One or more parameter values were invalid: "
EMPTY = "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes"
SEVERAL = (
    "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes"
)
TOO_DEEP = (
    "Nesting Levels have exceeded supported limits: Attributes in the item have nested levels beyond supported limit"
)


def nested(levels: int, leaf: Any = None, kind: str = "M") -> dict[str, Any]:
    value = leaf or {"S": "leaf"}
    for _ in range(levels):
        value = {"M": {"n": value}} if kind == "M" else {"L": [value]}
    return value


@pytest.mark.parametrize(
    "value",
    [
        {"S": ""},
        {"S": "text é \U0001f600 \0"},
        {"N": "-12.5"},
        {"B": ""},
        {"B": "AAECAw=="},
        {"BOOL": True},
        {"BOOL": False},
        {"NULL": True},
        {"SS": ["", "a", "b"]},
        {"NS": ["-3", "1", "2", "10"]},
        {"BS": ["", "AA=="]},
        {"L": []},
        {"L": [{"S": "a"}, {"L": [{"N": "1"}]}]},
        {"M": {}},
        {"M": {"a": {"M": {"b": {"BOOL": False}}}}},
        nested(31),
        nested(31, kind="L"),
        nested(31, {"M": {}}),
    ],
)
def test_a_value_in_normal_form_stays_as_it_is(value: dict[str, Any]) -> None:
    assert normalise_value(value) == value
    assert normalise_item({"name": value}) == {"name": value}


@pytest.mark.parametrize(
    ("raw", "normal"),
    [
        ({"N": "1.50"}, {"N": "1.5"}),
        ({"NS": ["1.0", "2e1"]}, {"NS": ["1", "20"]}),
        ({"L": [{"N": "01"}]}, {"L": [{"N": "1"}]}),
        ({"M": {"a": {"N": "-0"}}}, {"M": {"a": {"N": "0"}}}),
        ({"S": "a", "N": None}, {"S": "a"}),
        ({"S": "a", "Unknown": {"S": 5}}, {"S": "a"}),
        ({"L": [{"S": "a", "X": 1}]}, {"L": [{"S": "a"}]}),
    ],
)
def test_normal_form(raw: dict[str, Any], normal: dict[str, Any]) -> None:
    before = orjson.dumps(raw)
    assert normalise_value(raw) == normal
    assert orjson.dumps(raw) == before


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ({}, EMPTY),
        (None, EMPTY),
        ({"S": None}, EMPTY),
        ({"Unknown": "1"}, EMPTY),
        ({"S": "a", "N": "1"}, SEVERAL),
        ({"S": "a", "N": "abc"}, "The parameter cannot be converted to a numeric value: abc"),
        ({"N": "abc"}, "The parameter cannot be converted to a numeric value: abc"),
        ({"NS": ["1", "abc"]}, "The parameter cannot be converted to a numeric value: abc"),
        ({"NS": [""]}, "The parameter cannot be converted to a numeric value: "),
        ({"NULL": False}, INVALID + "Null attribute value types must have the value of true"),
        ({"SS": []}, INVALID + "An string set  may not be empty"),
        ({"NS": []}, INVALID + "An number set  may not be empty"),
        ({"BS": []}, INVALID + "Binary sets should not be empty"),
        ({"SS": ["x", "x"]}, INVALID + 'Input collection ["x", "x"] contains duplicates.'),
        ({"BS": ["Yg==", "Yg=="]}, INVALID + 'Input collection ["Yg==","Yg=="]of type BS contains duplicates.'),
        ({"NS": ["1", "2", "1.0"]}, INVALID + "Input collection contains duplicates."),
        ({"SS": ["a", None]}, INVALID + "An string set may not have a null string as a member"),
        ({"BS": [None]}, INVALID + "Binary sets may not contain null or empty values"),
        ({"L": [{"S": "a"}, {}]}, EMPTY),
        ({"L": [None]}, EMPTY),
        ({"M": {"a": {}}}, EMPTY),
        ({"M": {"": {"S": "a"}}}, "Empty attribute name"),
        ({"M": {"n" * 65_536: {"S": "a"}}}, "Attribute name is too large, must be less than 65536 bytes"),
        (nested(32), TOO_DEEP),
        (nested(32, kind="L"), TOO_DEEP),
        (nested(400), TOO_DEEP),
        ({"M": {"d": nested(40), "bad": {"N": "abc"}}}, TOO_DEEP),
    ],
)
def test_validation(raw: Any, message: str) -> None:
    for refused in (lambda: normalise_value(raw), lambda: normalise_item({"name": raw})):
        with pytest.raises(ApiError) as caught:
            refused()
        assert caught.value.message == message
        assert caught.value.type == "com.amazon.coral.validate#ValidationException"


VALUE_CLASS = "com.amazonaws.dynamodb.v20120810.AttributeValue"


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ("23", "Unexpected value type in payload"),
        (23, "Unexpected value type in payload"),
        ([], f"Unrecognized collection type class {VALUE_CLASS}"),
        ({"S": True}, "TRUE_VALUE cannot be converted to String"),
        ({"S": False}, "FALSE_VALUE cannot be converted to String"),
        ({"S": 5}, "NUMBER_VALUE cannot be converted to String"),
        ({"N": 34.56}, "DECIMAL_VALUE cannot be converted to String"),
        ({"S": []}, "Unrecognized collection type class java.lang.String"),
        ({"S": {}}, "Start of structure or map found where not expected"),
        ({"BOOL": "23"}, "Unexpected token received from parser"),
        ({"NULL": 23}, "NUMBER_VALUE cannot be converted to Boolean"),
        ({"BOOL": []}, "Unrecognized collection type class java.lang.Boolean"),
        ({"B": True}, "only base-64-encoded strings are convertible to bytes"),
        ({"B": []}, "Unrecognized collection type class java.nio.ByteBuffer"),
        ({"B": {}}, "Start of structure or map found where not expected"),
        ({"B": "23456"}, "Base64 encoded length is expected a multiple of 4 bytes but found: 5"),
        ({"B": "=+/="}, "Invalid last non-pad Base64 character dectected"),
        ({"B": "+/+="}, "Invalid last non-pad Base64 character dectected"),
        ({"B": "a-_="}, "Invalid Base64 character: '-'"),
        ({"B": "éééé"}, "Invalid Base64 character: 'é'"),
        ({"SS": "a"}, "Unexpected field type"),
        ({"SS": {}}, "Start of structure or map found where not expected"),
        ({"SS": [1]}, "NUMBER_VALUE cannot be converted to String"),
        ({"BS": ["a"]}, "Base64 encoded length is expected a multiple of 4 bytes but found: 1"),
        ({"L": "a"}, "Unexpected field type"),
        ({"L": {}}, "Start of structure or map found where not expected"),
        ({"L": [5]}, "Unexpected value type in payload"),
        ({"M": 5}, "Unexpected field type"),
        ({"M": []}, f"Unrecognized collection type java.util.Map<java.lang.String, {VALUE_CLASS}>"),
        ({"M": {"a": {"BS": [1]}}}, "only base-64-encoded strings are convertible to bytes"),
        (nested(400, {"S": 5}), "NUMBER_VALUE cannot be converted to String"),
        ({"L": [{"N": "abc"}, {"S": 1}]}, "NUMBER_VALUE cannot be converted to String"),
    ],
)
def test_serialization(raw: Any, message: str) -> None:
    """Wrong JSON types; they come before what is wrong with an earlier value."""
    for refused in (lambda: normalise_value(raw), lambda: normalise_item({"first": {"NULL": False}, "name": raw})):
        with pytest.raises(ApiError) as caught:
            refused()
        assert caught.value.message == message
        assert caught.value.type == "com.amazon.coral.service#SerializationException"


@pytest.mark.parametrize("raw", [[], "a", 1, True])
def test_an_item_is_a_map(raw: Any) -> None:
    with pytest.raises(ApiError) as caught:
        normalise_item(raw)
    assert caught.value.type == "com.amazon.coral.service#SerializationException"


SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=3))
KINDS = st.sampled_from(["S", "N", "B", "BOOL", "NULL", "SS", "NS", "BS", "L", "M", "X", ""])
ANY_JSON = st.recursive(
    st.one_of(SCALARS, st.sampled_from(["1", "2.0", "YQ==", "abc"])),
    lambda children: st.one_of(
        st.lists(children, max_size=3),
        st.dictionaries(KINDS, children, max_size=2),
    ),
    max_leaves=12,
)


def outcome(normalise: Any, raw: Any) -> Any:
    """The normal form, or the error's type."""
    try:
        return normalise(raw)
    except ApiError as error:
        return error.type.partition("#")[2]


@given(ANY_JSON)
def test_any_json_is_refused_or_brought_to_a_stable_normal_form(raw: Any) -> None:
    for normalise, size_of in ((normalise_value, value_size), (normalise_item, item_size)):
        normal = outcome(normalise, raw)
        if isinstance(normal, str):
            assert normal in ("ValidationException", "SerializationException")
        else:
            assert normalise(normal) == normal
            assert normalise(orjson.loads(orjson.dumps(normal))) == normal
            assert size_of(normal) >= 0
