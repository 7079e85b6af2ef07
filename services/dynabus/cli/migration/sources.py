"""Which files an import reads: those of an export by its manifest, or loose ones."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from dynabus.cli.migration import manifest
from dynabus.cli.migration.data_file import UNFINISHED
from dynabus.cli.migration.exporting import STATE
from dynabus.cli.problem import Problem

LOOSE = (".json", ".json.gz", ".jsonl", ".jsonl.gz", ".ndjson", ".ndjson.gz")
CHUNK_BYTES = 1024 * 1024


class Source(NamedTuple):
    """A file of lines; an export's has the MD5 (base64) and the number of lines of its manifest."""

    path: Path
    md5: str = ""
    items: int | None = None

    def verify(self) -> None:
        """Raises Problem if its content is not what the manifest says."""
        if self.md5 and _md5(self.path) != self.md5:
            raise Problem(f"{self.path} does not have the checksum in the manifest: it is damaged, copy it again")


class Sources(NamedTuple):
    """All files in order, what is known of the table that they hold, and how many items they have."""

    files: list[Source]
    table: str | None = None
    description: dict[str, Any] | None = None
    items: int | None = None


def find(paths: Sequence[Path]) -> Sources:
    """What the command line names: one export, or files and folders of files. Raises Problem."""
    if len(paths) == 1 and (export := _export_in(paths[0])):
        return _of_export(export)
    return Sources([Source(file) for path in paths for file in _loose(path)])


def _export_in(path: Path) -> Path | None:
    """The export that a folder is, or holds as DynamoDB lays it out in a bucket."""
    if (path / manifest.SUMMARY).is_file():
        return path
    candidates = (path / manifest.PREFIX, path)
    found = [summary.parent for folder in candidates for summary in sorted(folder.glob(f"*/{manifest.SUMMARY}"))]
    if len(found) > 1:
        raise Problem(f"{path} holds several exports, name one of them: {', '.join(map(str, found))}")
    if not found and any(path.glob(f"**/{STATE}")):
        raise Problem(f"the export in {path} is not finished: `dynabus export ... --resume` goes on with it")
    return found[0] if found else None


def _of_export(export: Path) -> Sources:
    summary, entries = manifest.read(export)
    files = [Source(_data_file(export, entry.name), entry.md5, entry.items) for entry in entries if entry.items]
    return Sources(files, manifest.table_name(summary) or None, _description(export), summary.get("itemCount"))


def _data_file(export: Path, name: str) -> Path:
    path = export / "data" / name
    if not path.is_file():
        raise Problem(f"{path} is missing: the manifest lists it, copy the whole export folder")
    return path


def _description(export: Path) -> dict[str, Any] | None:
    path = export / manifest.DESCRIPTION
    return read_description(path) if path.is_file() else None


def read_description(path: Path) -> dict[str, Any]:
    """A table's description from a file: DescribeTable's answer, its `Table`, or a CreateTable request."""
    try:
        parsed = orjson.loads(path.read_bytes())
    except OSError as error:
        raise Problem(f"{path}: {error.strerror}") from error
    except orjson.JSONDecodeError as error:
        raise Problem(f"{path} is no JSON: {error}") from error
    table = parsed.get("Table", parsed) if isinstance(parsed, dict) else None
    if not isinstance(table, dict) or not {"AttributeDefinitions", "KeySchema"} <= table.keys():
        raise Problem(f"{path} describes no table: it should be what `aws dynamodb describe-table` prints")
    return table


def _loose(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise Problem(f"no file or folder {path}")
    files = sorted(each for each in path.iterdir() if each.name.endswith(LOOSE) and each.is_file())
    if not files:
        raise Problem(f"{path} holds no export and no file of DynamoDB JSON lines ({', '.join(LOOSE)})")
    unfinished = [each.name for each in path.iterdir() if each.name.endswith(UNFINISHED)]
    if unfinished:
        raise Problem(f"{path} holds {unfinished[0]}: its export is not finished, `dynabus export ... --resume`")
    return files


def _md5(path: Path) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
    return b64encode(digest.digest()).decode()
