"""Small files that say what must not be forgotten: written whole or not at all, on disk when that is done."""

from __future__ import annotations

import os
from pathlib import Path


def write_synced(file: Path, text: str) -> None:
    """Put `text` (UTF-8) in the file's place. Raises OSError, and then what was there is still there."""
    part = part_of(file)
    with part.open("w", encoding="utf-8") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    part.replace(file)
    folder = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def part_of(file: Path) -> Path:
    """What is written first, and may be left by a write that failed."""
    return file.with_name(file.name + ".new")
