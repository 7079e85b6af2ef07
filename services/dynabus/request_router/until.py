"""Waiting in the event loop for what another thread or process brings about."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from dynabus.adapters.clock import monotonic_ms

LOOK_S = 0.005
"""Between two looks."""


async def wait_until(holds: Callable[[], bool], end_ms: float) -> bool:
    """Whether it holds, at that time at the latest."""
    while not holds():
        if monotonic_ms() >= end_ms:
            return False
        await asyncio.sleep(LOOK_S)
    return True
