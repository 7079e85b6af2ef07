"""`dynabus import`: files, or the table of another endpoint, into a table."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from contextlib import closing
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any

from dynabus.cli.migration import sources, tables
from dynabus.cli.migration.arguments import SEGMENTS
from dynabus.cli.migration.bad_lines import BadLines
from dynabus.cli.migration.client import Client
from dynabus.cli.migration.copying import Copied, copied, pages
from dynabus.cli.migration.endpoint import Where, connect
from dynabus.cli.migration.exporting import THREADS_MOST
from dynabus.cli.migration.journal import Journal, never_begun
from dynabus.cli.migration.pool import pool, run_all
from dynabus.cli.migration.progress import Progress
from dynabus.cli.migration.windows import windows
from dynabus.cli.migration.writing import BATCH_ITEMS, BATCHES_PER_WORKER, Writer
from dynabus.cli.problem import Problem
from dynabus.core.key_schema import key_schema

Say = Callable[[str], None]


def import_files(options: argparse.Namespace, say: Say) -> None:
    """Of an export or loose ones. Raises Problem."""
    found = sources.find(options.sources)
    name = options.table or found.table
    if name is None:
        raise Problem("into which table? say --table NAME")
    client = Client(_target(options, options.workers), Event())
    described = sources.read_description(options.create_from) if options.create_from else found.description
    target = _table(client, name, described, options.strict, say)
    work = {
        "work": "import",
        **_of_target(client, target),
        "files": [[str(each.path.absolute()), each.path.stat().st_size] for each in found.files],
    }
    journal = _journal(options, name, work)
    done = (journal.done[-1]["file"], journal.done[-1]["line"]) if journal.done else (0, 0)
    progress = Progress(f"import {name}", found.items, _lines_before(found, done))
    bad = BadLines(options.skip_bad, progress.note)
    writer = Writer(client, name, bad.report, progress.add)
    items_most = options.workers * BATCHES_PER_WORKER * BATCH_ITEMS
    with closing(journal), closing(progress):
        with pool(options.workers, client.stop) as executor:
            read = windows(found.files, key_schema(target), items_most, done, bad.report)
            writer.pump(read, executor, lambda window: journal.append(window.position))
        journal.remove()
    print(f"imported {progress.figures()} into {name}{bad.summary()}")


def _lines_before(found: sources.Sources, done: tuple[int, int]) -> int:
    """Items that an earlier run acknowledged, as far as it is known."""
    file, line = done
    return sum(each.items or 0 for each in found.files[:file]) + line if found.items else 0


def copy_table(options: argparse.Namespace, say: Say) -> None:
    """From a running endpoint. Raises Problem."""
    stop = Event()
    where = Where(options.from_endpoint, options.region, options.profile)
    source = Client(connect(where, THREADS_MOST), stop)
    table = tables.require(source, options.from_table)
    client = Client(_target(options, options.workers), stop)
    name = options.table or options.from_table
    if (source.url, options.from_table) == (client.url, name):
        raise Problem(f"{name} at {client.url} is both source and target; say --table or --endpoint-url")
    target = _table(client, name, table, options.strict, say)
    work = {
        "work": "copy",
        "source": source.url,
        "source_table": options.from_table,
        "source_id": table.get("TableId"),
        **_of_target(client, target),
        "segments": options.segments or SEGMENTS,
    }
    journal = _journal(options, name, work)
    progress = Progress(f"import {name}", table.get("ItemCount") or None)
    bad = BadLines(options.skip_bad, progress.note)
    writer = Writer(client, name, bad.report, progress.add)
    with closing(journal), closing(progress):
        _copy(source, table, not options.eventually_consistent, writer, options.workers, journal)
        journal.remove()
    print(f"copied {progress.figures()} into {name}{bad.summary()}")


def _copy(
    source: Client, table: Mapping[str, Any], consistent: bool, writer: Writer, workers: int, journal: Journal
) -> None:
    total = journal.work["segments"]
    states = copied(total, journal.done)
    with pool(workers, source.stop) as executor:

        def segment(number: int, state: Copied) -> None:
            windows = pages(source, table, number, total, state.next, consistent)
            writer.pump(windows, executor, lambda window: journal.append(window.position))

        tasks = [partial(segment, number, state) for number, state in states.items() if not state.done]
        run_all(tasks, min(len(tasks), THREADS_MOST) or 1, source.stop)


def _target(options: argparse.Namespace, connections: int) -> Any:
    return connect(Where(options.endpoint_url, options.region, options.profile), connections)


def _of_target(client: Client, target: Mapping[str, Any]) -> dict[str, Any]:
    """A table that was created anew since is another one: nothing of it is done."""
    return {"target": client.url, "table": target["TableName"], "table_id": target.get("TableId")}


def _table(client: Client, name: str, like: Mapping[str, Any] | None, strict: bool, say: Say) -> dict[str, Any]:
    """The target's description, once it serves; created like the described one where it is missing."""
    existing = tables.describe(client, name)
    if existing is None:
        if like is None:
            raise Problem(
                f"no table {name!r} at {client.url}: create it, or say --create-from FILE "
                "(what `aws dynamodb describe-table` prints)"
            )
        say(f"creating table {name} at {client.url}")
        return tables.create(client, tables.creation_request(like, name), strict, say)
    if like is not None and key_schema(dict(like)) != key_schema(existing):
        raise Problem(f"{name} at {client.url} has another key than the source: {_key(existing)}, not {_key(like)}")
    return tables.wait_until_active(client, name)


def _key(description: Mapping[str, Any]) -> str:
    schema = key_schema(dict(description))
    sort = f", {schema.range} ({schema.range_type})" if schema.range else ""
    return f"{schema.hash} ({schema.hash_type}){sort}"


def _journal(options: argparse.Namespace, table: str, work: dict[str, Any]) -> Journal:
    """A new journal, or the one to go on with."""
    path: Path = options.state or Path(f"dynabus-import-{table}.state.jsonl")
    if not path.exists() or never_begun(path):
        return Journal.begin(path, work)
    if not options.resume:
        raise Problem(
            f"an import into {table} was begun and not finished: --resume, or delete {path} to begin anew "
            "(two at the same time want a --state FILE each)"
        )
    journal = Journal.resume(path)
    begun = {name: value for name, value in journal.work.items() if name != "version"}
    differing = [name for name in work if begun.get(name) != work[name]]
    if differing or begun.keys() != work.keys():
        journal.close()
        raise Problem(f"{path} is of another import ({', '.join(differing)}): delete it to begin anew")
    return journal
