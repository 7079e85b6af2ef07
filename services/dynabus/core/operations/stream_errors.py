"""Errors that only operations on streams have. Words: the API reference's own ("message" of each error)."""

from __future__ import annotations

from dynabus.core.errors import DYNAMODB, ApiError


def trimmed() -> ApiError:
    """What was asked for is older than what is left of the shard."""
    return ApiError(DYNAMODB + "TrimmedDataAccessException", "The data you are trying to access has been trimmed.")


def expired() -> ApiError:
    """The iterator is older than 15 minutes."""
    return ApiError(DYNAMODB + "ExpiredIteratorException", "The provided iterator exceeds the maximum age allowed.")
