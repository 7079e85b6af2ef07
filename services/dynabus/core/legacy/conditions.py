"""Expected, QueryFilter and ScanFilter: several conditions, all of which must hold, or with OR any."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dynabus.core.errors import ApiError, invalid_parameter
from dynabus.core.legacy.operators import comparison, comparisons
from dynabus.core.legacy.substitutions import Substitutions
from dynabus.core.values import AttributeValue


def filter_text(conditions: Mapping[str, Any], request: Mapping[str, Any], substitutions: Substitutions) -> str:
    """FilterExpression of a QueryFilter or ScanFilter; empty if that is."""
    return _joined(comparisons(conditions, substitutions), request)


def expected_text(expected: Mapping[str, Any], request: Mapping[str, Any], substitutions: Substitutions) -> str:
    """ConditionExpression of an Expected; empty if that is."""
    return _joined(
        [comparison(name, *_operator(name, each), substitutions) for name, each in expected.items()], request
    )


def _joined(tests: list[str], request: Mapping[str, Any]) -> str:
    return f" {request.get('ConditionalOperator', 'AND')} ".join(tests)


def _operator(name: str, expected: Mapping[str, Any]) -> tuple[str, list[AttributeValue]]:
    """Operator and values of one of the two forms; they exclude each other.

    In dynalite's order (validations/index, validateAttributeConditions), recorded from DynamoDB.
    """
    if "AttributeValueList" in expected and "Value" in expected:
        raise _of("Value and AttributeValueList cannot be used together", name)
    if "ComparisonOperator" in expected:
        return expected["ComparisonOperator"], _operands(name, expected)
    if "AttributeValueList" in expected:
        raise _of("AttributeValueList can only be used with a ComparisonOperator", name)
    if not expected.get("Exists", True):
        if "Value" in expected:
            raise _of("Value cannot be used when Exists is false", name)
        return "NULL", []
    if "Value" not in expected:
        raise _of(f"Value must be provided when Exists is {'true' if 'Exists' in expected else 'null'}", name)
    return "EQ", [expected["Value"]]


def _operands(name: str, expected: Mapping[str, Any]) -> list[AttributeValue]:
    """The values beside a ComparisonOperator: a list, or one alone."""
    operator = expected["ComparisonOperator"]
    if "Exists" in expected:
        raise _of("Exists and ComparisonOperator cannot be used together", name)
    if "Value" in expected:
        return [expected["Value"]]
    if "AttributeValueList" not in expected and operator not in ("NULL", "NOT_NULL"):
        raise _of(f"Value or AttributeValueList must be used with ComparisonOperator: {operator}", name)
    return expected.get("AttributeValueList", [])  # type: ignore[no-any-return]


def _of(what: str, name: str) -> ApiError:
    return invalid_parameter(f"{what} for Attribute: {name}")
