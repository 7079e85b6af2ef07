"""Linux's batch scheduling: a thread that is woken waits until the running one sleeps or has had its turn.

Under the usual policy the thread that is woken takes the processor from the one that woke it. On few cores that cuts
batches to pieces: the first record that a storage node hands to librdkafka wakes the sending thread, which takes over
and sends that one record alone, and so on with each that follows; Kafka then does for single records what it
could do for all of them. Threads with the batch policy get the same share of the processors, and wake up on an idle
one as before. Measured on two cores at concurrency 32: half as many produce requests, a third more puts a second.

Source: sched(7), "SCHED_BATCH". Where there is no such policy, or it is forbidden, nothing changes.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

YIELDING = 5
"""The nice value of processes whose work can wait for clients'."""


def schedule_as_batch() -> None:
    """The calling thread, and all threads and processes that it begins from now on."""
    _schedule("SCHED_BATCH")


def yield_to_others() -> None:
    """This process gets of busy processors what others leave: a third of its share while they are all busy.

    Of a session of its own, since Linux shares out processors by sessions first, where it is told to. Containers are
    given their shares by whoever starts them.
    Sources: nice(2); sched(7), "The autogroup feature".
    """
    with suppress(OSError):
        os.nice(YIELDING)
    if os.getsid(0) == os.getpid():
        with suppress(OSError):
            Path("/proc/self/autogroup").write_text(f"{YIELDING}\n")


@contextmanager
def started_as_batch() -> Iterator[None]:
    """Only what the calling thread begins meanwhile."""
    schedule_as_batch()
    try:
        yield
    finally:
        _schedule("SCHED_OTHER")


def _schedule(policy: str) -> None:
    if hasattr(os, policy):
        with suppress(OSError):
            os.sched_setscheduler(0, getattr(os, policy), os.sched_param(0))
