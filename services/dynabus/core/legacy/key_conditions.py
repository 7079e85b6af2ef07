"""KeyConditions: EQ on the partition key, and perhaps one condition on the sort key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dynabus.core.errors import validation_error
from dynabus.core.legacy.operators import comparisons
from dynabus.core.legacy.substitutions import Substitutions

_NOT_INDEXABLE = ("NULL", "NOT_NULL", "NE", "CONTAINS", "NOT_CONTAINS", "IN")


def key_conditions_text(
    conditions: Mapping[str, Any], request: Mapping[str, Any], substitutions: Substitutions
) -> str:
    """KeyConditionExpression, as far as conditions can be checked without the table."""
    tests = comparisons(conditions, substitutions)
    if not 1 <= len(tests) <= 2:
        raise validation_error("Conditions can be of length 1 or 2 only")
    return " AND ".join(tests)


def check_key_conditions(conditions: Mapping[str, Any], hash_name: str, range_name: str | None) -> None:
    """Whether these are conditions on this key. In dynalite's order (actions/query), recorded from DynamoDB."""
    if range_name is None and len(conditions) > 1:
        raise validation_error("Query key condition not supported")
    _check_condition(conditions, hash_name, needed=True)
    if conditions[hash_name]["ComparisonOperator"] != "EQ":
        raise validation_error("Query key condition not supported")
    if range_name is not None:
        _check_condition(conditions, range_name, needed=len(conditions) > 1)


def _check_condition(conditions: Mapping[str, Any], name: str, needed: bool) -> None:
    condition = conditions.get(name)
    if condition is None:
        if needed:
            raise validation_error(f"Query condition missed key schema element: {name}")
    elif condition["ComparisonOperator"] in _NOT_INDEXABLE:
        raise validation_error("Attempted conditional constraint is not an indexable operation")
