"""What the command line may say about exports and imports."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"

SEGMENTS_MOST = 1_000_000
"""DynamoDB's limit of TotalSegments."""

SEGMENTS = 4
"""Enough to keep two cores busy; AWS advises one per 2 GB.
Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Scan.html (parallel scan)"""

WORKERS, WORKERS_MOST = 16, 256
"""Batches under way. On a cluster of two cores 8 wrote 2,800 items/s, 16 wrote 4,900 and 32 wrote 6,300, and a
cluster that also serves others should not have all of it taken."""

FILE_MIB, FILE_MIB_MOST = 64, 1024
"""JSON in a data file: so much is read again after a kill, and 50,000 files (what AWS takes at once) hold 3 TB.
Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/BulkPutItems.BestPractices.html"""


def add_commands(commands: Commands) -> None:
    """`export` and `import`."""
    _add_export(commands)
    _add_import(commands)


def _add_export(commands: Commands) -> None:
    command = commands.add_parser("export", help="a table into files, in DynamoDB's export format")
    command.add_argument("table", type=_table_name, metavar="TABLE")
    command.add_argument("--to", type=Path, required=True, metavar="DIR", help="a new or empty folder")
    command.add_argument(
        "--file-size",
        type=_up_to(FILE_MIB_MOST),
        default=FILE_MIB,
        metavar="MIB",
        help=f"JSON in a data file, before it is compressed (default: {FILE_MIB})",
    )
    _add_endpoint(command, "the table's endpoint")
    _add_scan(command)


def _add_import(commands: Commands) -> None:
    command = commands.add_parser("import", help="files, or a table of another endpoint, into a table")
    command.add_argument(
        "sources", nargs="*", type=Path, metavar="SOURCE", help="an export's folder, or files of DynamoDB JSON lines"
    )
    command.add_argument(
        "--table", type=_table_name, metavar="TABLE", help="where to (default: the name of the source's table)"
    )
    command.add_argument(
        "--create-from", type=Path, metavar="FILE", help="create the table like this describe-table says"
    )
    command.add_argument("--from-endpoint", metavar="URL", help="copy from here; 'aws' is AWS's of the region")
    command.add_argument("--from-table", type=_table_name, metavar="TABLE", help="the table to copy")
    command.add_argument(
        "--strict", action="store_true", help="create the table with all that the source has, or fail"
    )
    command.add_argument("--skip-bad", action="store_true", help="list and count what cannot be imported, and go on")
    command.add_argument(
        "--workers",
        type=_up_to(WORKERS_MOST),
        default=WORKERS,
        metavar="N",
        help=f"batches under way (default: {WORKERS})",
    )
    command.add_argument("--state", type=Path, metavar="FILE", help="default: dynabus-import-TABLE.state.jsonl, here")
    _add_endpoint(command, "where to")
    _add_scan(command)


def _add_endpoint(command: argparse.ArgumentParser, what: str) -> None:
    command.add_argument(
        "--endpoint-url",
        metavar="URL",
        help=f"{what}; 'aws' is AWS's of the region (default: AWS_ENDPOINT_URL, http://127.0.0.1:8000)",
    )
    command.add_argument("--region", metavar="REGION", help="of AWS")
    command.add_argument("--profile", metavar="NAME", help="of the AWS configuration")
    command.add_argument("--resume", action="store_true", help="go on with what was begun, or begin")


def _add_scan(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--segments", type=_up_to(SEGMENTS_MOST), metavar="N", help=f"of the parallel scan (default: {SEGMENTS})"
    )
    command.add_argument(
        "--eventually-consistent", action="store_true", help="scan at half the price; may miss the latest writes"
    )


def _up_to(most: int) -> Callable[[str], int]:
    """A count from 1 to `most`."""

    def count(text: str) -> int:
        if not text.isdigit() or not 1 <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to {most}")
        return int(text)

    return count


def _table_name(text: str) -> str:
    """No ARN: state files are called by the name, and an endpoint has one account."""
    if not re.fullmatch(r"[a-zA-Z0-9_.-]+", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a table's name (letters, digits, _, . and - only)")
    return text
