"""The collector's settings, in a process of their own: they are the whole process's."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import gc
from dynabus.adapters.garbage import GENERATIONS, YOUNG_OBJECTS, settle
settle()
assert gc.get_freeze_count() > 1000, gc.get_freeze_count()
assert gc.get_threshold() == (YOUNG_OBJECTS, *GENERATIONS)
assert gc.isenabled()
"""


def test_what_is_there_is_never_looked_at_again() -> None:
    subprocess.run([sys.executable, "-c", PROGRAM], check=True)
