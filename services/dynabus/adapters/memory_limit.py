"""How much memory this process may have: too little is said at the start, in one line.

Later nobody could say it: the kernel kills a container that asks for more than its limit (exit code 137), without a
word in any log.
"""

from __future__ import annotations

from pathlib import Path

LIMIT_FILES = (
    Path("/sys/fs/cgroup/memory.max"),  # control groups, version 2
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),  # version 1
)

MEMORY_LEAST_MB = 64
"""An idle service takes 40 MB; what it fetches and sends under load comes on top. Less would not live long."""

MB = 1024 * 1024


class MemoryLimitError(Exception):
    """The limit is too low to begin with; one line that says what to do."""


def check_memory(least_mb: int = MEMORY_LEAST_MB) -> None:
    """Raises MemoryLimitError where this process's control group allows less."""
    limit = memory_limit_bytes(LIMIT_FILES)
    if limit is not None and limit < least_mb * MB:
        raise MemoryLimitError(
            f"only {limit // MB} MB of memory are allowed, {least_mb} MB are the least: "
            "raise the container's memory limit (Compose: mem_limit, Kubernetes: resources.limits.memory)"
        )


def memory_limit_bytes(files: tuple[Path, ...]) -> int | None:
    """The limit that the first of these files to be there tells; None without one."""
    for file in files:
        try:
            text = file.read_text().strip()
        except OSError:
            continue
        return int(text) if text.isdigit() else None
    return None
