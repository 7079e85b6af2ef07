"""Errors that are answers: what DynamoDB's API says when it refuses a request.

    ApiError                      an answer, part of the API (this module)
    operational errors            definite or indefinite, retried or surfaced (adapters)
    broken invariants             stop the process (`InvariantError`)

The wire form is `{"__type": "<prefix>#<name>", "message": "..."}`. Two prefixes exist: DynamoDB's own and
coral's, the framework in front of it, which answers before DynamoDB sees the request.
Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html
"""

from __future__ import annotations

from typing import Any

DYNAMODB = "com.amazonaws.dynamodb.v20120810#"
CORAL = "com.amazon.coral.service#"
CORAL_VALIDATE = "com.amazon.coral.validate#"
CORAL_AVAILABILITY = "com.amazon.coral.availability#"


class InvariantError(Exception):
    """A rule that the code itself guarantees does not hold; the process stops rather than go on wrongly."""


class ApiError(Exception):
    """An answer that refuses a request and changes nothing.

    `type` is the full `__type`, `status` the HTTP status, `extra` further members of the answer's body
    (for example `Item` with ReturnValuesOnConditionCheckFailure).
    """

    def __init__(self, type: str, message: str, status: int = 400, extra: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.type = type
        self.message = message
        self.status = status
        self.extra = extra

    def body(self) -> dict[str, Any]:
        """The members of the JSON answer; coral writes `Message` with a capital in serialization errors."""
        key = "Message" if self.type.startswith(CORAL) and self.type.endswith("SerializationException") else "message"
        return {"__type": self.type, key: self.message, **(self.extra or {})}


def validation_error(message: str) -> ApiError:
    """The request is well-formed JSON of the right shape but breaks one of DynamoDB's rules."""
    return ApiError(CORAL_VALIDATE + "ValidationException", message)


def invalid_parameter(what: str) -> ApiError:
    """The same about the value of a parameter, in the words that DynamoDB begins with then."""
    return validation_error(f"One or more parameter values were invalid: {what}")


def serialization_error(message: str) -> ApiError:
    """The body is not JSON, or a member has the wrong JSON type."""
    return ApiError(CORAL + "SerializationException", message)


def resource_not_found(message: str) -> ApiError:
    """The table (or other resource) does not exist or is not ACTIVE."""
    return ApiError(DYNAMODB + "ResourceNotFoundException", message)


def no_such_table(name: str) -> ApiError:
    """The same as operations on tables say it; those on items do not name the table."""
    return resource_not_found(f"Requested resource not found: Table: {name} not found")


def resource_in_use(message: str) -> ApiError:
    """The table exists already, or is being created, changed or deleted."""
    return ApiError(DYNAMODB + "ResourceInUseException", message)


def limit_exceeded(message: str) -> ApiError:
    """One of DynamoDB's quotas for operations on tables is used up."""
    return ApiError(DYNAMODB + "LimitExceededException", f"Subscriber limit exceeded: {message}")


def access_denied() -> ApiError:
    """The ARN is of another account. Source: ack-api-quirks (DDB-TABLE-013), observed on DynamoDB."""
    return ApiError(CORAL + "AccessDeniedException", "Access is denied")


def conditional_check_failed(extra: dict[str, Any] | None = None) -> ApiError:
    """A condition evaluated to false; `extra` is `{"Item": ...}` if the caller asked for the old item."""
    return ApiError(DYNAMODB + "ConditionalCheckFailedException", "The conditional request failed", extra=extra)


def idempotent_parameter_mismatch() -> ApiError:
    """A token that was used for another command within ten minutes. The wording is ours.

    Source: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html (Errors)
    """
    return ApiError(
        DYNAMODB + "IdempotentParameterMismatchException",
        "The command has the token of another one that was sent within the last 10 minutes",
    )


def item_collection_too_large() -> ApiError:
    """A write that makes an item collection larger, which has reached its limit (wording as AWS's guide has it).

    Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/LSI.html (item collection size limit)
    """
    return ApiError(DYNAMODB + "ItemCollectionSizeLimitExceededException", "Collection size exceeded.")


CLOCK_AHEAD = "ClockAhead"
"""Time decides it: the write is to be asked for again."""


def clock_ahead(region: str, ahead_ms: int, most_ms: int, *, is_far: bool) -> ApiError:
    """A write of another region of a global table is stamped in the future. Ours: no client sees it.

    `is_far`: too far to be waited for.
    """
    return ApiError(
        DYNAMODB + ("ClockFarAhead" if is_far else CLOCK_AHEAD),
        f"The write is stamped {ahead_ms} ms ahead of this region's clock, {most_ms} ms are allowed: the clock of "
        f"{region} is ahead, or this one is behind",
    )


def unknown_operation() -> ApiError:
    """The X-Amz-Target names no operation that this server has. DynamoDB sends no message with it."""
    return ApiError(CORAL + "UnknownOperationException", "")


def internal_server_error(
    message: str = "The request processing has failed because of an unknown error.",
) -> ApiError:
    """HTTP 500: the fate of a write is unknown; SDKs retry it."""
    return ApiError(DYNAMODB + "InternalServerError", message, status=500)
