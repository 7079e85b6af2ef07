"""Files that say what must not be forgotten: on disk when the call is over, whenever the host crashes then."""

from __future__ import annotations

import os
from pathlib import Path


def write_synced(file: Path, content: bytes) -> None:
    """Its content is on disk; its name, once its folder is synced. Raises OSError."""
    with file.open("wb") as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())


def replace_synced(file: Path, content: bytes, part: Path | None = None) -> None:
    """The file is the old one or the new one. `part`: what is written first, else `part_of` it. Raises OSError."""
    made = part or part_of(file)
    write_synced(made, content)
    made.replace(file)
    sync_folder(file.parent)


def sync_folder(folder: Path) -> None:
    """A rename is on disk only when its folder is. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def part_of(file: Path) -> Path:
    """What is written first, and may be left by a write that failed."""
    return file.with_name(file.name + ".new")
