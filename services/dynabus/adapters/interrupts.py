"""What asks a command to end: Ctrl-C, SIGTERM, the end of its terminal. All of them are a KeyboardInterrupt.

Between a process that was started and the note of it there must be none: nobody could find that process again. They
cannot be blocked there, since a child has the signals blocked that its parent had.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

_held, _waits = 0, False


@contextmanager
def no_interrupt() -> Iterator[None]:
    """One that comes meanwhile is raised at the end."""
    global _held, _waits
    _held += 1
    try:
        yield
    finally:
        _held -= 1
    if _waits and not _held:
        _waits = False
        raise KeyboardInterrupt


def _interrupt(_number: int, _frame: object) -> None:
    global _waits
    if _held:
        _waits = True
    else:
        raise KeyboardInterrupt


def take_interrupts(then: Callable[[int, object], object] = _interrupt) -> None:
    """From now on, in the main thread. Who asked for a command to outlive its terminal (nohup) has told so."""
    for number in ENDS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, then)
