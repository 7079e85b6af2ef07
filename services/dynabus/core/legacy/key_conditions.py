"""KeyConditions: EQ on the partition key, and perhaps one condition on the sort key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from dynabus.core.errors import validation_error
from dynabus.core.legacy.operators import comparisons
from dynabus.core.legacy.substitutions import Substitutions
from dynabus.core.values import AttributeValue, normalise_value

_OPERATORS = {
    "EQ": "=",
    "LT": "<",
    "LE": "<=",
    "GT": ">",
    "GE": ">=",
    "BETWEEN": "BETWEEN",
    "BEGINS_WITH": "begins_with",
}
"""Those that a key condition may have, as expressions write them."""


class LegacyCondition(NamedTuple):
    """A condition on one attribute, as it was sent; `operator` is None if no key condition has it."""

    operator: str | None
    operands: list[AttributeValue]


def key_conditions_text(
    conditions: Mapping[str, Any], request: Mapping[str, Any], substitutions: Substitutions
) -> str:
    """KeyConditionExpression, as far as conditions can be checked without the table."""
    tests = comparisons(conditions, substitutions)
    if not 1 <= len(tests) <= 2:
        raise validation_error("Conditions can be of length 1 or 2 only")
    return " AND ".join(tests)


def legacy_conditions(request: Mapping[str, Any]) -> dict[str, LegacyCondition]:
    """KeyConditions by attribute, of a request that became one with expressions."""
    return {
        name: LegacyCondition(
            _OPERATORS.get(each["ComparisonOperator"]), list(map(normalise_value, each.get("AttributeValueList", [])))
        )
        for name, each in request["KeyConditions"].items()
    }
