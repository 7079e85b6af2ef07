"""What a person can do about a folder that cannot be written; the error alone often says too little.

LMDB, for one, reports a full volume as an input/output error.
"""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

FULL_BYTES = 64 * 1024
"""Less free space than one commit of a few pages takes."""

NOT_ALLOWED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})


def with_remedy(error: Exception, path: Path) -> str:
    """The error's text, and what to do where the volume of `path` tells it."""
    number = error.errno if isinstance(error, OSError) else None
    if number in NOT_ALLOWED:
        return f"{error}: let user {os.geteuid()} write there"
    if number == errno.ENOSPC or _is_full(path):
        return f"{error}: the volume is full; free space on it or make it larger, then start again"
    return str(error)


def _is_full(path: Path) -> bool:
    try:
        return shutil.disk_usage(path).free < FULL_BYTES
    except OSError:
        return False
