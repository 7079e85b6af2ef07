"""How a client's program is run, and what it printed."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from tests.clients.runtimes import UnavailableError, run
from tests.clients.story import ARCHIVE, ARCHIVED_ITEMS

PROGRAM_TIMEOUT_S = 120
"""The slowest, the AWS CLI, starts Python twenty times: 15 s on two free cores, 50 s on busy ones."""


def printed(command: Callable[[], Sequence[str]], table: str, told: Mapping[str, str]) -> Any:
    """What a program printed, parsed. It is given its table's name, the archive's and how many items are in there."""
    try:
        arguments = [*command(), table, ARCHIVE, str(ARCHIVED_ITEMS)]
    except UnavailableError as reason:
        pytest.skip(str(reason))
    return json.loads(_output(arguments, told))


def _output(command: Sequence[str], told: Mapping[str, str]) -> str:
    try:
        done = run(command, PROGRAM_TIMEOUT_S, environment=told)
    except subprocess.TimeoutExpired:
        raise AssertionError(f"{command[0]} did not end within {PROGRAM_TIMEOUT_S} s") from None
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-4000:]}{done.stderr[-8000:]}"
    return done.stdout
