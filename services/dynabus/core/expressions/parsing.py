"""From text to a checked tree, cached by text: parsing is done once, binding on every request."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from dynabus.core.errors import validation_error
from dynabus.core.expressions.grammar import NotParsed, tree_of
from dynabus.core.expressions.static import fault_in

EXPRESSION_BYTES_MOST = 4096
"""In UTF-8. Source: AWS, ServiceQuotas, expression parameters."""

CACHED = 1024
"""Different texts at a time: applications have tens. Trees of the largest texts take 50 KB or so each."""

_STARTS = {
    "ConditionExpression": "condition",
    "FilterExpression": "condition",
    "KeyConditionExpression": "condition",
    "UpdateExpression": "update",
    "ProjectionExpression": "projection",
}


def parse(text: str, kind: str) -> Any:
    """The tree of an expression of this kind, right as far as that is known without placeholders and items.

    Raises ApiError with DynamoDB's message.
    """
    size = len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
    if size > EXPRESSION_BYTES_MOST:
        # Before the cache, which would hold on to it.
        raise validation_error(
            f"Invalid {kind}: Expression size has exceeded the maximum allowed size; expression size: {size}"
        )
    tree = _parse(text, _STARTS[kind])
    if tree.__class__ is str:
        raise validation_error(f"Invalid {kind}: {tree}")
    return tree


@lru_cache(CACHED)
def _parse(text: str, start: str) -> Any:
    """A tree, or what is wrong: mistakes are cached too, since they are repeated like everything else.

    The answer depends on the text alone, never on how deep the caller's stack is: neither the parser nor the check
    recurses.
    """
    if not text.strip():
        return "The expression can not be empty;"
    try:
        tree = tree_of(text, start)
    except NotParsed as refusal:
        return str(refusal)
    return fault_in(tree, start) or tree
