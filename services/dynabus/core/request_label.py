"""The x-amzn-RequestId of a request: the same in the answer's header and in the logs of every hop."""

from __future__ import annotations

from hashlib import blake2b

_CHECK_BYTES = 10


def request_label(incarnation: int, counter: int) -> str:
    """52 upper-case characters, as DynamoDB's have: router incarnation and counter in hex, and a check over them."""
    plain = f"{incarnation:016X}{counter:016X}"
    return plain + blake2b(plain.encode(), digest_size=_CHECK_BYTES).hexdigest().upper()
