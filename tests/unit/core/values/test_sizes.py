"""Item sizes by DynamoDB's rule."""

from __future__ import annotations

from typing import Any

import pytest

from dynabus.core.errors import ApiError
from dynabus.core.limits import MAX_ITEM_BYTES
from dynabus.core.values import check_item_size, item_size, value_size


@pytest.mark.parametrize(
    ("value", "size"),
    [
        ({"S": ""}, 0),
        ({"S": "abc"}, 3),
        ({"S": "é\U0001f600"}, 6),
        ({"N": "12.5"}, 3),
        ({"B": ""}, 0),
        ({"B": "AA=="}, 1),
        ({"B": "AAA="}, 2),
        ({"B": "AAAA"}, 3),
        ({"BOOL": False}, 1),
        ({"NULL": True}, 1),
        ({"SS": ["a", "é"]}, 3),
        ({"NS": ["0", "-1"]}, 4),
        ({"BS": ["AA==", "AAAA"]}, 4),
        ({"L": []}, 3),
        ({"L": [{"S": "ab"}, {"NULL": True}]}, 3 + 3 + 2),
        ({"M": {}}, 3),
        ({"M": {"é": {"S": "ab"}}}, 3 + 2 + 2 + 1),
        ({"L": [{"M": {"a": {"L": []}}}]}, 3 + 1 + (3 + 1 + (1 + 3))),
    ],
)
def test_value_size(value: dict[str, Any], size: int) -> None:
    assert value_size(value) == size
    assert item_size({"né": value, "k": {"S": "v"}}) == 3 + size + 2


def test_the_limit_is_inclusive() -> None:
    check_item_size(MAX_ITEM_BYTES)
    with pytest.raises(ApiError, match=r"^Item size has exceeded the maximum allowed size$"):
        check_item_size(MAX_ITEM_BYTES + 1)
    with pytest.raises(ApiError, match=r"^Item size to update has exceeded the maximum allowed size$"):
        check_item_size(MAX_ITEM_BYTES + 1, update=True)


def test_the_largest_item_of_empty_strings() -> None:
    """One byte an element as DynamoDB counts, nine as JSON: a legal item of 3.7 MB."""
    elements = MAX_ITEM_BYTES - len("k") - len("v") - len("l") - 3
    item: dict[str, Any] = {"k": {"S": "v"}, "l": {"L": [{"S": ""}] * elements}}
    assert item_size(item) == MAX_ITEM_BYTES
