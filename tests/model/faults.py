"""Faults to plant in Dynabus, each of which the state machine must find."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

FAULTS: dict[str, Callable[[], Any]] = {}


@contextmanager
def planted(name: str) -> Iterator[None]:
    """Dynabus with this fault in it."""
    with FAULTS[name]():
        yield
