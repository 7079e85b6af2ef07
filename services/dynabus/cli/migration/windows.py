"""Lines of files as items to be put, a window at a time.

A window is what is put at once, in any order; the next begins when all of it is acknowledged. So of two lines with
one key the later one wins, as if the lines were put one after the other, and one line number says what is done.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterator, Sequence
from io import BufferedReader
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast

import orjson

from dynabus.cli.migration.sources import Source
from dynabus.cli.problem import Problem
from dynabus.core.errors import ApiError
from dynabus.core.key_schema import KeySchema
from dynabus.core.values import normalise_item

LINE_BYTES_MOST = 16 * 1024 * 1024
"""What DynamoDB takes as one request at most, so no item is longer."""

WINDOW_BYTES = 8 * 1024 * 1024
"""Two windows are in memory at a time."""

_GZIP_MAGIC = b"\x1f\x8b"


class Row(NamedTuple):
    """One item: its JSON, its key's JSON for people, and where it stands (`file:line`)."""

    item: bytes
    key: bytes
    origin: str


class Window(NamedTuple):
    """Items of different keys. `position` is what the journal says when all of them are acknowledged."""

    rows: Sequence[Row]
    position: dict[str, Any]


class BadLine(ValueError):
    """A line that is no item of this table; says why."""


Report = Callable[[str, str], None]
"""Told of an origin and what is wrong with it; raises Problem unless such lines are to be skipped."""


def windows(
    files: Sequence[Source], schema: KeySchema, items_most: int, done: tuple[int, int], report: Report
) -> Iterator[Window]:
    """Everything behind `done` (file, line). Raises Problem for a file that is damaged."""
    first, line = done
    for number in range(first, len(files)):
        files[number].verify()
        yield from _of_file(number, files[number].path, schema, items_most, line if number == first else 0, report)


def _of_file(
    number: int, path: Path, schema: KeySchema, items_most: int, done: int, report: Report
) -> Iterator[Window]:
    rows: dict[bytes, Row] = {}
    size = line_number = 0
    for line_number, line in enumerate(_lines(path), start=1):
        if line_number <= done or not line.strip():
            continue
        origin = f"{path}:{line_number}"
        try:
            encoded, row = parse(line, schema, origin)
        except BadLine as bad:
            report(origin, str(bad))
            continue
        rows[encoded] = row
        size += len(row.item)
        if len(rows) >= items_most or size >= WINDOW_BYTES:
            yield Window([*rows.values()], {"file": number, "line": line_number})
            rows, size = {}, 0
    yield Window([*rows.values()], {"file": number, "line": line_number})


def parse(line: bytes, schema: KeySchema, origin: str) -> tuple[bytes, Row]:
    """(encoded key, row) of one line, with the envelope `{"Item": ...}` of an export or without. Raises BadLine.

    Only the key is looked into; what else is wrong with an item, the endpoint says.
    """
    if len(line) > LINE_BYTES_MOST:
        raise BadLine(f"longer than {LINE_BYTES_MOST:,} bytes, which no item is")
    try:
        parsed = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise BadLine(f"not one JSON object on one line: {error}") from error
    item = _without_envelope(parsed, schema)
    if not isinstance(item, dict):
        raise BadLine("not an item: it should look like " + '{"Item":{"name":{"S":"value"}}}')
    try:
        key = normalise_item({name: item[name] for name in schema.names if name in item})
        encoded = schema.encode_item(key)
    except ApiError as error:
        raise BadLine(error.message) from error
    try:
        return encoded, Row(orjson.dumps(item), orjson.dumps(key), origin)
    except orjson.JSONEncodeError as error:
        raise BadLine(f"no endpoint takes this: {error}") from error


def _without_envelope(parsed: Any, schema: KeySchema) -> Any:
    """An attribute may be called Item too: where the table's key is inside, it is the envelope."""
    if not isinstance(parsed, dict) or len(parsed) != 1 or "Item" not in parsed:
        return parsed
    inner = parsed["Item"]
    is_item = schema.hash == "Item" and isinstance(inner, dict) and "Item" not in inner
    return parsed if is_item else inner


def _lines(path: Path) -> Iterator[bytes]:
    """Each line; of one that is too long its beginning only."""
    try:
        with path.open("rb") as raw, _decompressed(raw) as file:
            while line := file.readline(LINE_BYTES_MOST + 1):
                yield line
                while len(line) > LINE_BYTES_MOST and not line.endswith(b"\n") and line:
                    line = file.readline(LINE_BYTES_MOST + 1)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise Problem(f"{path} is damaged or cut short ({error}): copy it again") from error
    except OSError as error:
        raise Problem(f"{path}: {error.strerror or error}") from error


def _decompressed(file: BufferedReader) -> BinaryIO:
    """Gzip is recognised by its first bytes, whatever the file is called."""
    return cast(BinaryIO, gzip.GzipFile(fileobj=file) if file.peek(2)[:2] == _GZIP_MAGIC else file)
