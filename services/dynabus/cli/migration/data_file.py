"""One file of an export: lines of `{"Item": {...}}`, gzipped, there whole or not at all.

Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport.Output.html (data objects).
"""

from __future__ import annotations

import hashlib
import os
import zlib
from base64 import b64encode
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from dynabus.adapters.synced_file import replace_synced, sync_folder

GZIP = 31
"""zlib's window bits for a gzip stream of the largest window."""

LEVEL = 4
"""Of zlib: within 6 % of the size of level 6 in two thirds of its time, measured with 100,000 small items."""

UNFINISHED = ".unfinished"


class Entry(NamedTuple):
    """A finished data file, as the manifest lists it: items, MD5 in base64, ETag of S3 (MD5 in hex)."""

    name: str
    items: int
    md5: str
    etag: str


class DataFile:
    """A data file that is being written; under its own name only once it is whole and on the disk."""

    def __init__(self, folder: Path, name: str) -> None:
        self.items = 0
        self.json_bytes = 0
        self._path = folder / name
        self._unfinished = folder / (name + UNFINISHED)
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._gzip = zlib.compressobj(LEVEL, wbits=GZIP)
        self._file = self._unfinished.open("wb")

    def write(self, items: Iterable[dict[str, Any]]) -> None:
        """One line each."""
        lines = [b'{"Item":' + orjson.dumps(item) + b"}\n" for item in items]
        content = b"".join(lines)
        self.items += len(lines)
        self.json_bytes += len(content)
        self._keep(self._gzip.compress(content))

    def finish(self) -> Entry:
        """Flush it to the disk and give it its name."""
        self._keep(self._gzip.flush())
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._unfinished.rename(self._path)
        sync_folder(self._path.parent)
        digest = self._md5.digest()
        return Entry(self._path.name, self.items, b64encode(digest).decode(), digest.hex())

    def discard(self) -> None:
        """Leave nothing behind; does nothing to a finished one."""
        try:
            self._file.close()
        finally:
            self._unfinished.unlink(missing_ok=True)

    def _keep(self, compressed: bytes) -> None:
        self._md5.update(compressed)
        self._file.write(compressed)


def write_atomically(path: Path, content: bytes) -> None:
    """A small file that is there whole or not at all."""
    replace_synced(path, content, path.with_name(path.name + UNFINISHED))
