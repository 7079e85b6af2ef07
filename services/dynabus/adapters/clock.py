"""The clocks of a process. Brains get their times as arguments; only shells read these.

Leases need a clock that goes on while the machine sleeps (I7): a laptop that was closed for an hour must not
wake up with a lease that its clock believes to be two seconds old.
"""

from __future__ import annotations

import random
import time

_BOOT_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""Linux: monotonic and counting suspend. Elsewhere (macOS) CLOCK_MONOTONIC itself counts suspend."""


def monotonic_ns() -> int:
    """Nanoseconds on a clock that never goes back and counts the time a machine was suspended."""
    return time.clock_gettime_ns(_BOOT_CLOCK)


def monotonic_ms() -> int:
    """Milliseconds on the same clock."""
    return time.clock_gettime_ns(_BOOT_CLOCK) // 1_000_000


def exact_ms() -> float:
    """Milliseconds with their fractions on the same clock."""
    return monotonic_ns() / 1e6


def unix_ms() -> int:
    """Milliseconds since 1970, as people count them; may jump, so no decision rests on it alone."""
    return time.time_ns() // 1_000_000


def new_incarnation() -> int:
    """One run of a process: `unix milliseconds << 20 | random`, 63 bits.

    Greater than an earlier run's unless the wall clock was set back; the random part tells two runs apart
    that began in the same millisecond.
    """
    return ((time.time_ns() // 1_000_000) << 20) | random.SystemRandom().getrandbits(20)
