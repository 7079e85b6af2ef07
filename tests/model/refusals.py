"""Answers that refuse a request."""

from __future__ import annotations

from typing import Any


class Refusal(Exception):
    """`type` is the name after the `#` of `__type`; `message` is None where only the type is documented."""

    def __init__(self, type: str, message: str | None, extra: dict[str, Any] | None = None) -> None:
        super().__init__(f"{type}: {message}")
        self.type, self.message, self.extra = type, message, extra or {}


def invalid(message: str | None) -> Refusal:
    return Refusal("ValidationException", message)
