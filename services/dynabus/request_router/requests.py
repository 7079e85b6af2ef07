"""A request as it came over the wire, whole, before anything in it is looked at."""

from __future__ import annotations

from dataclasses import dataclass

from dynabus.core.errors import CORAL, ApiError

BODY_BYTES_MOST = 16 * 1024 * 1024

Named = dict[bytes, bytes]
"""Headers by their names in lower case; of several with one name the last."""


@dataclass(slots=True)
class HttpRequest:
    """Names of headers are in lower case, in the order of the wire. `path` is as it was sent, nothing unquoted.

    `fault` is what the connection found wrong with the body, which is empty then.
    """

    method: bytes
    path: bytes
    query: bytes
    headers: list[tuple[bytes, bytes]]
    named: Named
    body: bytes
    keep_alive: bool
    fault: ApiError | None = None


def too_large() -> ApiError:
    """Compressed or not: DynamoDB lets a compressed body grow to a gigabyte, which no router here could hold."""
    return ApiError(CORAL + "RequestEntityTooLargeException", "Request size exceeded 16777216 bytes", 413)


def too_slow() -> ApiError:
    return ApiError(CORAL + "RequestTimeoutException", "The request timed out.", 408)
