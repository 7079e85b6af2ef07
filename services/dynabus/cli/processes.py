"""Processes of a cluster: start them detached, know them again, end them.

A pid alone says nothing: systems use them again. A process is known by its pid together with the time at which
the kernel started it, and a record whose time does not match is a process that is gone.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from dynabus.cli.problem import Problem

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
POLL_S = 0.02


def birth(pid: int) -> str | None:
    """What tells this process from every other that has had its pid; None when it is gone (or a zombie)."""
    if pid <= 0:
        return None
    if _BOOT_ID.exists():
        return _birth_by_proc(pid)
    return _birth_by_ps(pid)


def _birth_by_proc(pid: int) -> str | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    # The command's name, in parentheses, may itself hold spaces and parentheses.
    fields = stat.rpartition(")")[2].split()
    state, start_ticks = fields[0], fields[19]
    return None if state in "ZX" else f"{_BOOT_ID.read_text().strip()}:{start_ticks}"


def _birth_by_ps(pid: int) -> str | None:
    """Where there is no /proc (macOS). Its time is told alike whatever the caller's language and time zone are."""
    command = ["ps", "-o", "stat=,lstart=", "-p", str(pid)]
    environment = {**os.environ, "LC_ALL": "C", "TZ": "UTC"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    state, _, started = done.stdout.strip().partition(" ")
    return None if not state or state.startswith("Z") else started.strip()


LOG_BYTES_MOST = 50_000_000


def begin_log(log: Path) -> None:
    """Before a process is started: a log that has grown too large is put aside, in place of an earlier one."""
    if log.exists() and log.stat().st_size > LOG_BYTES_MOST:
        log.replace(log.with_name(f"{log.name}.1"))


_children: list[subprocess.Popen[bytes]] = []
"""Kept for the command's life: a child object that is dropped while its process runs warns of a leak."""


def spawn(command: Sequence[str], environment: Mapping[str, str], log: Path) -> subprocess.Popen[bytes]:
    """Start a process in a session of its own (no signal of our terminal reaches it), its output to `log`."""
    begin_log(log)
    with log.open("ab") as out:
        return subprocess.Popen(
            list(command),
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )


def keep(child: subprocess.Popen[bytes]) -> None:
    """Until it has ended, or this command has."""
    _children.append(child)


def end_all(born: Mapping[int, str | None], timeout_s: float) -> list[int]:
    """End processes, given as pid -> birth: SIGTERM to all at once, SIGKILL to those left after the time.

    Returns the pids that had to be killed.
    """
    waiting = _alive(born, born)
    _signal_all(waiting, signal.SIGTERM)
    waiting = _wait_until_gone(born, waiting, timeout_s)
    _signal_all(waiting, signal.SIGKILL)
    left = _wait_until_gone(born, waiting, timeout_s)
    _reap()
    if left:
        raise Problem(f"processes {left} do not end, not even when killed: see `ps -o stat,wchan,cmd -p PID`")
    return waiting


def _reap() -> None:
    """Take note of our own children's ends."""
    _children[:] = [child for child in _children if child.poll() is None]


def _alive(born: Mapping[int, str | None], pids: Iterable[int]) -> list[int]:
    return [pid for pid in pids if pid > 0 and birth(pid) is not None and birth(pid) == born[pid]]


def _signal_all(pids: Iterable[int], number: signal.Signals) -> None:
    for pid in pids:
        # It may have ended since it was looked at.
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def _wait_until_gone(born: Mapping[int, str | None], pids: list[int], timeout_s: float) -> list[int]:
    deadline = time.monotonic() + timeout_s
    while True:
        pids = _alive(born, pids)
        if not pids or time.monotonic() > deadline:
            return pids
        time.sleep(POLL_S)
