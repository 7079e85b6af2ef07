"""From a request with legacy parameters to the same request with expressions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from dynabus.core.errors import ApiError, validation_error
from dynabus.core.expressions.parsing import parse
from dynabus.core.legacy.conditions import expected_text, filter_text
from dynabus.core.legacy.key_conditions import key_conditions_text
from dynabus.core.legacy.projections import projection_text
from dynabus.core.legacy.substitutions import Substitutions
from dynabus.core.legacy.updates import updates_text

_Text = Callable[[Any, Mapping[str, Any], Substitutions], str]

_FORMS: dict[str, tuple[str, _Text]] = {
    "AttributeUpdates": ("UpdateExpression", updates_text),
    "Expected": ("ConditionExpression", expected_text),
    "QueryFilter": ("FilterExpression", filter_text),
    "AttributesToGet": ("ProjectionExpression", projection_text),
    "ScanFilter": ("FilterExpression", filter_text),
    "KeyConditions": ("KeyConditionExpression", key_conditions_text),
}
"""Each parameter's expression, in the order in which DynamoDB looks at them (dynalite, validations)."""

_NAMES = frozenset(_FORMS)


def as_expressions(request: dict[str, Any]) -> dict[str, Any]:
    """The request with the expressions that its legacy parameters mean; itself if it has none.

    The shape of the request has been checked, and which parameters go together. Legacy parameters stay in it, for
    messages; an empty map says nothing. Raises ApiError.
    """
    if _NAMES.isdisjoint(request):
        return request
    substitutions = Substitutions(request)
    expressions: dict[str, Any] = {}
    for member, (kind, form) in _FORMS.items():
        if member in request:
            text = form(request[member], request, substitutions)
            if text:
                _check_fits(text, kind, member)
                expressions[kind] = text
    return {**request, **expressions, **substitutions.members()}


def _check_fits(text: str, kind: str, member: str) -> None:
    """The limits of expressions hold here as well (wording ours: DynamoDB has none here)."""
    try:
        parse(text, kind)
    except ApiError as error:
        raise validation_error(error.message.replace(f"Invalid {kind}", f"Invalid {member}", 1)) from error
