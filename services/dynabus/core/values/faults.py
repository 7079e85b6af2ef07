"""What is wrong with an attribute value, in the two wordings that DynamoDB has for it.

DynamoDB checks values in one of two layers. GetItem, BatchGetItem, Query and the single-item writes run the current
one; BatchWriteItem and Scan run the older one, which words numbers and duplicates of sets otherwise.
Source: paritysuite/dynamodb-conformance, error-messages/valueLayers (captured in four regions, 2026-10-09).
"""

from __future__ import annotations

from dynabus.core.errors import CORAL_VALIDATE, ApiError


class ValueFault(ApiError):
    """A ValidationException whose text is the current layer's; `older` is that of the older one."""

    def __init__(self, message: str, older: str) -> None:
        super().__init__(CORAL_VALIDATE + "ValidationException", message)
        self.older = older


def in_older_words(error: ApiError) -> ApiError:
    """The same refusal as the older layer words it."""
    return ApiError(error.type, error.older) if isinstance(error, ValueFault) else error
