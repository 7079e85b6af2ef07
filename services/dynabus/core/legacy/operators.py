"""Comparison operators: what each takes, and the condition that says the same.

Where the attribute is not there, NE is true and NOT_CONTAINS is false. Source: scylladb, Alternator's tests against
DynamoDB (test_expected, test_update_expected_1_ne_true and _not_contains); dynalite has NOT_CONTAINS true.
EQ and NE take every type, lists and maps too. Source: AWS, API_Condition.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dynabus.core.errors import invalid_parameter, validation_error
from dynabus.core.legacy.substitutions import Substitutions
from dynabus.core.values import AttributeValue, compare, normalise_value

_TEXTS = {
    "EQ": "{}={}",
    "NE": "{}<>{}",
    "LE": "{}<={}",
    "LT": "{}<{}",
    "GE": "{}>={}",
    "GT": "{}>{}",
    "BETWEEN": "{} BETWEEN {} AND {}",
    "NOT_NULL": "attribute_exists({})",
    "NULL": "attribute_not_exists({})",
    "CONTAINS": "contains({},{})",
    "NOT_CONTAINS": "(attribute_exists({0}) AND NOT contains({0},{1}))",
    "BEGINS_WITH": "begins_with({},{})",
}

_VALUES_WANTED = {"NOT_NULL": 0, "NULL": 0, "BETWEEN": 2}
"""All others take one, only IN one or more."""

_SCALARS = ("S", "N", "B")
_TYPES = {
    **dict.fromkeys(("IN", "LE", "LT", "GE", "GT", "BETWEEN", "CONTAINS", "NOT_CONTAINS"), _SCALARS),
    "BEGINS_WITH": ("S", "B"),
}


def comparisons(conditions: Mapping[str, Any], substitutions: Substitutions) -> list[str]:
    """Each condition of a map of them (botocore's Condition)."""
    return [
        comparison(name, each["ComparisonOperator"], each.get("AttributeValueList", []), substitutions)
        for name, each in conditions.items()
    ]


def comparison(name: str, operator: str, given: list[AttributeValue], substitutions: Substitutions) -> str:
    """The condition on one attribute as text; raises ApiError for wrong values."""
    values = [normalise_value(value) for value in given]
    _check_values(operator, values)
    attribute = substitutions.name(name)
    placeholders = [substitutions.value(value) for value in values]
    if operator == "IN":
        return f"{attribute} IN ({','.join(placeholders)})"
    return _TEXTS[operator].format(attribute, *placeholders)


def _check_values(operator: str, values: list[AttributeValue]) -> None:
    """In dynalite's order (validations/index, validateConditions), recorded from DynamoDB."""
    if not values if operator == "IN" else len(values) != _VALUES_WANTED.get(operator, 1):
        raise invalid_parameter(f"Invalid number of argument(s) for the {operator} ComparisonOperator")
    kinds = [next(iter(value)) for value in values]
    if len(set(kinds)) > 1:
        raise invalid_parameter("AttributeValues inside AttributeValueList must be of same type")
    for kind in kinds:
        if kind not in _TYPES.get(operator, (kind,)):
            raise invalid_parameter(f"ComparisonOperator {operator} is not valid for {kind} AttributeValue type")
    if operator == "BETWEEN" and compare(*values) > 0:
        raise validation_error(
            "The BETWEEN condition was provided a range where the lower bound is greater than the upper bound"
        )
