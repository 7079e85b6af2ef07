"""Both commands, and what they have in common when they end early."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from dynabus.cli.migration.client import Stopped
from dynabus.cli.migration.exporting import export
from dynabus.cli.migration.importing import copy_table, import_files
from dynabus.cli.problem import Problem


def run(options: argparse.Namespace, say: Callable[[str], None]) -> None:
    """`dynabus export` or `dynabus import`. Raises Problem."""
    try:
        _command(options)(options, say)
    except OSError as error:
        what = error.strerror or str(error)
        raise Problem(f"{error.filename or 'the disk'}: {what}; when that is mended, --resume goes on") from error
    except Stopped as stopped:
        raise Problem("stopped; --resume goes on") from stopped
    except KeyboardInterrupt:
        say("stopped; --resume goes on")
        raise


def _command(options: argparse.Namespace) -> Callable[[argparse.Namespace, Callable[[str], None]], None]:
    if options.command == "export":
        return export
    if bool(options.from_endpoint) != bool(options.from_table):
        raise Problem("a copy wants both --from-endpoint URL and --from-table TABLE")
    if options.from_endpoint and (options.sources or options.create_from):
        raise Problem("import either files or, with --from-endpoint, a table; that table is also what is created")
    if not options.from_endpoint and not options.sources:
        raise Problem("import what? name an export's folder or files, or --from-endpoint URL --from-table TABLE")
    return copy_table if options.from_endpoint else import_files
