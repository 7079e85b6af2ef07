"""`dynabus export`: a parallel scan into the files of a DynamoDB export.

Each segment of the scan writes data files of its own, one after the other. A finished file goes to the journal
together with the key behind its last item; a run that goes on begins each segment behind that key. Where the work
fails or is stopped the files end early, for a page may have cost minutes of the table's throughput; only after a kill
what was in a file that was not finished is read again. Segment and number are in a file's name, so that a file that
was finished but not written down is overwritten and never counted twice.
"""

from __future__ import annotations

import argparse
import secrets
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any, NamedTuple

import orjson

from dynabus.cli.migration import manifest, tables
from dynabus.cli.migration.arguments import SEGMENTS
from dynabus.cli.migration.client import Client, Stopped
from dynabus.cli.migration.data_file import UNFINISHED, DataFile, Entry, write_atomically
from dynabus.cli.migration.endpoint import Where, connect
from dynabus.cli.migration.journal import Journal, never_begun
from dynabus.cli.migration.pool import run_all
from dynabus.cli.migration.progress import Progress
from dynabus.cli.migration.scanning import scan
from dynabus.cli.problem import Problem

STATE = "export-state.jsonl"
THREADS_MOST = 32
"""More segments than that take turns."""

DATA = "data"
_FILES_OF_BEGIN = frozenset({manifest.STARTED, manifest.DESCRIPTION, manifest.DESCRIPTION + UNFINISHED, STATE})


class Segment(NamedTuple):
    """How far one segment is: the key behind its last item, the files that are finished."""

    start: dict[str, Any] | None = None
    files: tuple[Entry, ...] = ()
    done: bool = False


class Export:
    """One export in its folder, new or gone on with."""

    def __init__(self, folder: Path, journal: Journal, table: dict[str, Any], segments: dict[int, Segment]) -> None:
        self.folder = folder
        self.journal = journal
        self.table = table
        self.segments = segments

    @property
    def files(self) -> list[Entry]:
        return sorted(entry for segment in self.segments.values() for entry in segment.files)

    @property
    def items(self) -> int:
        return sum(entry.items for entry in self.files)

    def run(self, client: Client, consistent: bool, progress: Progress) -> None:
        """Scan what is missing, and write the manifests."""
        open_ones = [number for number, segment in self.segments.items() if not segment.done]
        tasks = [partial(self._segment, number, client, consistent, progress.add) for number in open_ones]
        run_all(tasks, min(len(tasks), THREADS_MOST) or 1, client.stop)
        now = manifest.timestamp(datetime.now(UTC))
        manifest.write(self.folder, self.table, self.journal.work["began"], now, self.files)
        self.journal.remove()

    def _segment(self, number: int, client: Client, consistent: bool, counted: Callable[[int], None]) -> None:
        while not self.segments[number].done:
            self._file(number, client, consistent, counted)

    def _file(self, number: int, client: Client, consistent: bool, counted: Callable[[int], None]) -> None:
        """The next data file of a segment."""
        before, total = self.segments[number], len(self.segments)
        file = DataFile(self.folder / DATA, f"{number:05d}-{len(before.files):05d}.json.gz")
        start = before.start
        try:
            for page in scan(client, self.table["TableName"], number, total, before.start, consistent):
                file.write(page.items)
                start = page.next
                counted(len(page.items))
                if file.json_bytes >= self.journal.work["file_bytes"]:
                    break
            self._finish(number, file, start)
        except (Problem, Stopped):
            if start != before.start:
                self._finish(number, file, start)
            raise
        finally:
            file.discard()

    def _finish(self, number: int, file: DataFile, start: dict[str, Any] | None) -> None:
        """End a data file that holds everything up to the key `start`, and write it down."""
        entry, done = file.finish(), start is None
        self.journal.append({"segment": number, "file": list(entry), "next": start, "done": done}, sync=True)
        self.segments[number] = Segment(start, (*self.segments[number].files, entry), done)


def begin(to: Path, table: dict[str, Any], url: str, segments: int, file_mib: int) -> Export:
    """A new export in an empty or new folder; raises Problem."""
    if to.exists() and (not to.is_dir() or any(to.iterdir())):
        goes_on = _unfinished(to) or any(map(_is_never_begun, to.glob(f"{manifest.PREFIX}/*")))
        hint = ", or --resume the export that was begun there" if goes_on else ""
        raise Problem(f"{to} is not empty: choose another folder{hint}")
    began = datetime.now(UTC)
    folder = to / manifest.PREFIX / manifest.export_id(began, secrets.token_hex(4))
    (folder / DATA).mkdir(parents=True)
    (folder / manifest.STARTED).touch()
    write_atomically(folder / manifest.DESCRIPTION, orjson.dumps({"Table": table}, option=orjson.OPT_INDENT_2))
    work = {
        "work": "export",
        "endpoint": url,
        "table": table["TableName"],
        "table_id": table.get("TableId"),
        "segments": segments,
        "file_bytes": file_mib * 1024 * 1024,
        "began": manifest.timestamp(began),
    }
    return Export(folder, Journal.begin(folder / STATE, work), table, dict.fromkeys(range(segments), Segment()))


def resume(folder: Path, table: dict[str, Any], segments: int | None) -> Export:
    """The export that was begun in this folder; raises Problem if it is another table's."""
    journal = Journal.resume(folder / STATE)
    begun = journal.work
    if (begun["table"], begun["table_id"]) != (table["TableName"], table.get("TableId")):
        journal.close()
        raise Problem(f"{folder} was begun with another table: {begun['table']} ({begun['table_id']})")
    if segments not in (None, begun["segments"]):
        journal.close()
        raise Problem(f"this export was begun with --segments {begun['segments']}, and goes on with as many")
    found = dict.fromkeys(range(begun["segments"]), Segment())
    for line in journal.done:
        before = found[line["segment"]]
        found[line["segment"]] = Segment(line["next"], (*before.files, Entry(*line["file"])), line["done"])
    export = Export(folder, journal, table, found)
    _clear(folder / DATA, {entry.name for entry in export.files})
    return export


def _clear(data: Path, finished: set[str]) -> None:
    """Remove what was not written down: it is read again."""
    for path in data.iterdir():
        if path.name not in finished:
            path.unlink()


def _unfinished(to: Path) -> Path | None:
    found = sorted(state for state in to.glob(f"{manifest.PREFIX}/*/{STATE}") if not never_begun(state))
    return found[-1].parent if found else None


def _remove_never_begun(to: Path) -> None:
    """What is left of exports that ended before their journal was begun; nothing where there is anything else."""
    for folder in filter(_is_never_begun, [*to.glob(f"{manifest.PREFIX}/*")]):
        for path in [*folder.iterdir()]:
            if path.name == DATA:
                path.rmdir()
            else:
                path.unlink()
        folder.rmdir()
    if (to / manifest.PREFIX).is_dir() and not any((to / manifest.PREFIX).iterdir()):
        (to / manifest.PREFIX).rmdir()


def _is_never_begun(folder: Path) -> bool:
    """Whether it holds only what `begin` makes, or a part of that."""
    if not folder.is_dir():
        return False
    found = {path.name: path for path in folder.iterdir()}
    data = found.pop(DATA, None)
    return (
        found.keys() <= _FILES_OF_BEGIN
        and (data is None or (data.is_dir() and not any(data.iterdir())))
        and (STATE not in found or never_begun(found[STATE]))
    )


def _finished(to: Path) -> bool:
    return any(to.glob(f"{manifest.PREFIX}/*/{manifest.SUMMARY}"))


def export(options: argparse.Namespace, say: Callable[[str], None]) -> None:
    """The command. Raises Problem."""
    begun = _unfinished(options.to) if options.resume else None
    if options.resume and begun is None and _finished(options.to):
        print(f"the export in {options.to} is whole")
        return
    where = Where(options.endpoint_url, options.region, options.profile)
    client = Client(connect(where, THREADS_MOST), Event())
    table = tables.require(client, options.table)
    if begun is not None:
        work = resume(begun, table, options.segments)
        say(f"going on with {work.folder}: {work.items:,} items are there")
    else:
        if options.resume:
            _remove_never_begun(options.to)
        work = begin(options.to, table, client.url, options.segments or SEGMENTS, options.file_size)
    progress = Progress(f"export {options.table}", table.get("ItemCount") or None, work.items)
    with closing(work.journal), closing(progress):
        work.run(client, not options.eventually_consistent, progress)
    print(f"exported {progress.figures()}, {work.items:,} items in all, to {work.folder}")
