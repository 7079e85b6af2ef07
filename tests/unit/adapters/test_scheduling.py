"""The scheduling policy, in a process of its own: it is the thread's and is inherited."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from dynabus.adapters.scheduling import started_as_batch

pytestmark = pytest.mark.skipif(not hasattr(os, "SCHED_BATCH"), reason="this system has no batch scheduling")

SERVICE = """
import os, threading
from dynabus.adapters.scheduling import schedule_as_batch
schedule_as_batch()
found = []
thread = threading.Thread(target=lambda: found.append(os.sched_getscheduler(0)))
thread.start(); thread.join()
assert found == [os.SCHED_BATCH], found
"""

WITHOUT = """
import os
del os.SCHED_BATCH
from dynabus.adapters.scheduling import schedule_as_batch
schedule_as_batch()
assert os.sched_getscheduler(0) == os.SCHED_OTHER
"""

FORBIDDEN = """
import os
def refuse(*_): raise PermissionError(1, "Operation not permitted")
os.sched_setscheduler = refuse
from dynabus.adapters.scheduling import schedule_as_batch
schedule_as_batch()
assert os.sched_getscheduler(0) == os.SCHED_OTHER
"""


@pytest.mark.parametrize("program", [SERVICE, WITHOUT, FORBIDDEN], ids=["service", "without", "forbidden"])
def test_a_service(program: str) -> None:
    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_child_is_started_as_batch_and_its_parent_stays_as_it_is() -> None:
    before = os.sched_getscheduler(0)
    with started_as_batch():
        child = subprocess.Popen(["sleep", "60"])
    try:
        assert os.sched_getscheduler(child.pid) == os.SCHED_BATCH
        assert os.sched_getscheduler(0) == before
    finally:
        child.kill()
        child.wait()


YIELDS = """
import os
from pathlib import Path
from dynabus.adapters.scheduling import YIELDING, yield_to_others

def shares():
    # Empty for a process that is in no group of a session, as one that the first process of a machine began.
    group = Path("/proc/self/autogroup")
    return group.read_text() if group.exists() else ""

before, session = os.getpriority(os.PRIO_PROCESS, 0), shares()
yield_to_others()
assert os.getpriority(os.PRIO_PROCESS, 0) == min(19, before + YIELDING)
if session and os.getsid(0) == os.getpid():
    assert shares().split()[-1] == str(YIELDING), shares()
else:
    assert shares() == session, "others of the session have no part in it"
"""


@pytest.mark.parametrize("own_session", [True, False])
def test_what_can_wait_yields_and_nobody_else_of_its_session(own_session: bool) -> None:
    done = subprocess.run(
        [sys.executable, "-c", YIELDS], capture_output=True, text=True, check=False, start_new_session=own_session
    )
    assert done.returncode == 0, done.stderr
