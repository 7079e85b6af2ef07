"""What every answer must be."""

from __future__ import annotations

import json
from typing import Any

from tests.fuzz.targets import Answer

SILENT = "UnknownOperationException"
"""DynamoDB sends no message with it."""

PLAIN = b"<UnknownOperationException/>\n"
"""Its answer to what is no request of its API: another content type, another method."""

CBOR_STATUS = 415


def fault(answer: Answer) -> str | None:
    """What is wrong with an answer, or None."""
    if answer.defect is not None:
        return f"{type(answer.defect).__name__}: {str(answer.defect)[:500]}"
    if not 200 <= answer.status < 500 or 300 <= answer.status < 400:
        return f"HTTP {answer.status}: {answer.body[:500]!r}"
    if answer.body == PLAIN and answer.status == 404:
        return None
    if answer.status == CBOR_STATUS:
        return None
    return _body_fault(answer)


def _body_fault(answer: Answer) -> str | None:
    body: Any
    try:
        body = json.loads(answer.body)
    except ValueError as error:
        return f"HTTP {answer.status} with a body that is no JSON ({error}): {answer.body[:500]!r}"
    if not isinstance(body, dict):
        return f"HTTP {answer.status} with {str(body)[:500]}"
    if answer.status == 200:
        return "HTTP 200 with an error" if "__type" in body else None
    if not isinstance(body.get("__type"), str):
        return f"HTTP {answer.status} without __type: {str(body)[:500]}"
    message = body.get("message", body.get("Message"))
    if not message and not body["__type"].endswith(SILENT):
        return f"an error without message: {str(body)[:500]}"
    return None


def is_refused(answer: Answer) -> bool:
    return answer.status != 200
