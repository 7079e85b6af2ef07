"""How DynamoDB words refusals, where it depends on the operation. Source: `core.operations.single_writes`."""

from __future__ import annotations

ENVELOPE = "1 validation error detected: "
"""Before what single-item writes find wrong before they look for the table; others leave it out."""

_SINGLE_WRITES = ("put_item", "update_item", "delete_item")


def worded(call: str, message: str) -> str:
    """The message of a refusal by this client method."""
    return ENVELOPE + message if call in _SINGLE_WRITES else message


def bare(call: str, message: str) -> str:
    """The same without the envelope, which is there exactly if it has to be."""
    assert message.startswith(ENVELOPE) == (call in _SINGLE_WRITES), message
    return message.removeprefix(ENVELOPE)
