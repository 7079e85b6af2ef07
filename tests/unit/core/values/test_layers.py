"""Sets in DynamoDB's order, and the two wordings of a bad value.

Source: paritysuite/dynamodb-conformance, error-messages/valueLayers and updateItem/basic (October 2026).
"""

from __future__ import annotations

from typing import Any

import pytest

from dynabus.core.errors import ApiError
from dynabus.core.values import in_older_words, normalise_value

OVERFLOW = "Number overflow. Attempting to store a number with magnitude larger than supported range"
UNDERFLOW = "Number underflow. Attempting to store a number with magnitude smaller than supported range"
NOT_NUMERIC = "The parameter cannot be converted to a numeric value"
INVALID = "One or more parameter values were invalid: "


@pytest.mark.parametrize(
    ("sent", "answered"),
    [
        ({"SS": ["b", "", "a", "\U0001f600", "\uffff"]}, ["", "a", "b", "\uffff", "\U0001f600"]),
        ({"NS": ["10", "9", "-1", "0.5", "1E2"]}, ["-1", "0.5", "9", "10", "100"]),
        ({"BS": ["/w==", "AA==", "", "AAE="]}, ["", "AA==", "AAE=", "/w=="]),
    ],
)
def test_sets_are_in_their_own_order(sent: dict[str, list[str]], answered: list[str]) -> None:
    """SS and BS by bytes (above the surrogates too), NS by value."""
    [kind] = sent
    assert normalise_value(sent) == {kind: answered}
    assert normalise_value({"M": {"nested": {"L": [sent]}}}) == {"M": {"nested": {"L": [{kind: answered}]}}}


@pytest.mark.parametrize(
    ("value", "current", "older"),
    [
        ({"N": "abc"}, f"{NOT_NUMERIC}: abc", f"{NOT_NUMERIC}: abc"),
        ({"N": ""}, f"{NOT_NUMERIC}: ", NOT_NUMERIC),
        ({"N": "1e126"}, OVERFLOW, OVERFLOW),
        ({"N": "1e-131"}, UNDERFLOW, UNDERFLOW),
        ({"N": "1e2147483647"}, OVERFLOW, UNDERFLOW),
        ({"N": "1e2147483648"}, OVERFLOW, f"{NOT_NUMERIC}: 1e2147483648"),
        (
            {"SS": ["b", "a", "b"]},
            INVALID + 'Input collection ["a", "b", "b"] contains duplicates.',
            INVALID + "Input collection [b, a, b] contains duplicates.",
        ),
        (
            {"BS": ["/w==", "AA==", "AA=="]},
            INVALID + 'Input collection ["AA==","/w==","AA=="]of type BS contains duplicates.',
            INVALID + "Input collection [/w==, AA==, AA==]of type BS contains duplicates.",
        ),
        (
            {"NS": ["2", "1", "2"]},
            INVALID + "Input collection contains duplicates.",
            "Input collection contains duplicates",
        ),
        (
            {"SS": []},
            INVALID + "An string set  may not be empty",
            INVALID + "An string set  may not be empty",
        ),
    ],
)
def test_two_wordings(value: Any, current: str, older: str) -> None:
    with pytest.raises(ApiError) as caught:
        normalise_value(value)
    assert caught.value.message == current
    assert in_older_words(caught.value).message == older
    assert in_older_words(caught.value).type == caught.value.type
