"""The manifests of an export, as DynamoDB writes them.

Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport.Output.html

    <export>/_started                empty
    <export>/data/*.json.gz          data files
    <export>/manifest-files.json     one line per data file: itemCount, md5Checksum (base64), etag, dataFileS3Key
    <export>/manifest-summary.json   about the table and the export; written last, so where it is the export is whole
    <export>/manifest-*.checksum     MD5 of the manifest in base64. AWS's guide calls them so, but its exports name
    <export>/manifest-*.md5          them .md5, and what checks exports looks for that: we write both
    <export>/table-description.json  ours: DescribeTable's `Table`, which AWS's exports lack
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

import orjson

from dynabus.cli.migration.data_file import Entry, write_atomically
from dynabus.cli.problem import Problem

PREFIX = "AWSDynamoDB"
SUMMARY, FILES, DESCRIPTION, STARTED = (
    "manifest-summary.json",
    "manifest-files.json",
    "table-description.json",
    "_started",
)
CHECKSUMS = (".checksum", ".md5")
VERSION = "2020-06-30"
JSON_FORMAT = "DYNAMODB_JSON"


def export_id(now: datetime, unique: str) -> str:
    """14 digits of milliseconds and 8 hexadecimal digits, as in DynamoDB's export ARNs."""
    return f"{int(now.timestamp() * 1000):014d}-{unique}"


def timestamp(moment: datetime) -> str:
    """As the manifests write it: `2020-11-04T07:28:34.028Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def write(export: Path, table: Mapping[str, Any], began: str, ended: str, files: Sequence[Entry]) -> None:
    """Both manifests with their checksums; the summary's last."""
    key = f"{PREFIX}/{export.name}"
    lines = [
        {
            "itemCount": each.items,
            "md5Checksum": each.md5,
            "etag": each.etag,
            "dataFileS3Key": f"{key}/data/{each.name}",
        }
        for each in files
    ]
    _write(export / FILES, b"".join(orjson.dumps(line) + b"\n" for line in lines))
    arn = str(table.get("TableArn", ""))
    summary = {
        "version": VERSION,
        "exportArn": f"{arn}/export/{export.name}",
        "startTime": began,
        "endTime": ended,
        "tableArn": arn,
        "tableId": str(table.get("TableId", "")),
        "exportTime": began,
        "s3Bucket": None,
        "s3Prefix": None,
        "s3SseAlgorithm": None,
        "s3SseKmsKeyId": None,
        "manifestFilesS3Key": f"{key}/{FILES}",
        "billedSizeBytes": 0,
        "itemCount": sum(each.items for each in files),
        "outputFormat": JSON_FORMAT,
        "exportType": "FULL_EXPORT",
    }
    _write(export / SUMMARY, orjson.dumps(summary))


def _write(path: Path, content: bytes) -> None:
    checksum = b64encode(hashlib.md5(content, usedforsecurity=False).digest())
    for suffix in CHECKSUMS:
        write_atomically(path.with_suffix(suffix), checksum)
    write_atomically(path, content)


def read(export: Path) -> tuple[dict[str, Any], list[Entry]]:
    """The summary and the data files of an export, checksums checked where there are some; raises Problem."""
    summary = _parsed(export / SUMMARY, _read(export / SUMMARY))
    if summary.get("outputFormat", JSON_FORMAT) != JSON_FORMAT:
        raise Problem(f"{export} is in {summary['outputFormat']}: export the table again in {JSON_FORMAT}")
    if summary.get("exportType", "FULL_EXPORT") != "FULL_EXPORT":
        raise Problem(f"{export} is an incremental export; only full exports can be imported")
    files = export / FILES
    return summary, [_entry(files, _parsed(files, line)) for line in _read(files).splitlines() if line.strip()]


def _read(path: Path) -> bytes:
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise Problem(f"{path} is missing: copy the whole export folder, or name its data files") from error
    actual = b64encode(hashlib.md5(content, usedforsecurity=False).digest())
    for suffix in CHECKSUMS:
        checksum = path.with_suffix(suffix)
        if checksum.exists() and checksum.read_bytes().strip() != actual:
            raise Problem(f"{path} does not have the checksum in {checksum.name}: it is damaged, copy it again")
    return content


def _parsed(path: Path, text: bytes) -> dict[str, Any]:
    try:
        parsed = orjson.loads(text)
    except orjson.JSONDecodeError:
        parsed = None
    if not isinstance(parsed, dict):
        raise Problem(f"{path} is no manifest of DynamoDB: copy it again")
    return parsed


def _entry(path: Path, line: Mapping[str, Any]) -> Entry:
    key, items = line.get("dataFileS3Key"), line.get("itemCount")
    if not isinstance(key, str) or not isinstance(items, int):
        raise Problem(f"{path} has a line without dataFileS3Key and itemCount: copy it again")
    return Entry(PurePosixPath(key).name, items, str(line.get("md5Checksum") or ""), str(line.get("etag") or ""))


def table_name(summary: Mapping[str, Any]) -> str:
    """Of an export."""
    return str(summary.get("tableArn", "")).rpartition(":table/")[2]
