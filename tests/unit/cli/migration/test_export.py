"""`dynabus export`: what is written, and how it goes on after an end that was not foreseen."""

from __future__ import annotations

import errno
import gzip
import hashlib
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from tests.unit.cli.migration.stand_in import StandIn, serving

from dynabus.cli.main import main
from dynabus.cli.migration import manifest
from dynabus.cli.migration.data_file import DataFile

EVERY_TYPE = {
    "pk": {"S": "ключ \u0000 🗝"},
    "n": {"N": "-1.2345678901234567890123456789012345678E+125"},
    "b": {"B": "AAEC/w=="},
    "m": {"M": {"l": {"L": [{"NULL": True}, {"BOOL": False}, {"S": ""}]}}},
    "sets": {"L": [{"SS": ["b", "a"]}, {"NS": ["1", "2"]}, {"BS": ["AA==", "AQ=="]}]},
}
DENIED = {"__type": "com.amazon.coral.service#AccessDeniedException", "message": "not you"}


def large(count: int, kilobytes: int = 40) -> list[dict[str, Any]]:
    return [{"pk": {"S": f"key-{n}"}, "v": {"S": "x" * kilobytes * 1024}} for n in range(count)]


def folder_of(to: Path) -> Path:
    [folder] = (to / "AWSDynamoDB").iterdir()
    return folder


def lines(folder: Path) -> Iterator[dict[str, Any]]:
    for path in sorted((folder / "data").iterdir()):
        for line in gzip.decompress(path.read_bytes()).splitlines():
            yield orjson.loads(line)


def keys(folder: Path) -> list[str]:
    return sorted(line["Item"]["pk"]["S"] for line in lines(folder))


def test_what_is_written_is_dynamodbs_format(endpoint: StandIn, tmp_path: Path) -> None:
    endpoint.cluster.table("all")
    endpoint.put("all", EVERY_TYPE, *large(30, 1))
    assert main(["export", "all", "--to", "out", "--segments", "3"]) == 0
    folder = folder_of(tmp_path / "out")
    assert [each.name for each in sorted(folder.iterdir())] == [
        "_started",
        "data",
        "manifest-files.checksum",
        "manifest-files.json",
        "manifest-files.md5",
        "manifest-summary.checksum",
        "manifest-summary.json",
        "manifest-summary.md5",
        "table-description.json",
    ]
    summary = orjson.loads((folder / "manifest-summary.json").read_bytes())
    assert summary["version"] == "2020-06-30"
    assert (summary["itemCount"], summary["outputFormat"], summary["exportType"]) == (
        31,
        "DYNAMODB_JSON",
        "FULL_EXPORT",
    )
    assert summary["tableArn"].endswith(":table/all")
    assert summary["exportArn"] == f"{summary['tableArn']}/export/{folder.name}"
    assert summary["manifestFilesS3Key"] == f"AWSDynamoDB/{folder.name}/manifest-files.json"
    files = [orjson.loads(line) for line in (folder / "manifest-files.json").read_bytes().splitlines()]
    assert sum(each["itemCount"] for each in files) == 31
    for each in files:
        content = (tmp_path / "out" / each["dataFileS3Key"]).read_bytes()
        assert b64decode(each["md5Checksum"]).hex() == each["etag"] == hashlib.md5(content).hexdigest()
        assert gzip.decompress(content).count(b"\n") == each["itemCount"]
    for name in ("manifest-summary", "manifest-files"):
        digest = hashlib.md5((folder / f"{name}.json").read_bytes()).digest()
        assert b64decode((folder / f"{name}.md5").read_bytes()) == digest
    [found] = [line["Item"] for line in lines(folder) if "sets" in line["Item"]]
    assert found == endpoint.cluster.ask("GetItem", TableName="all", Key={"pk": EVERY_TYPE["pk"]})["Item"]


def test_an_export_that_failed_goes_on_where_it_was(
    endpoint: StandIn, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    endpoint.cluster.table("big")
    endpoint.put("big", *large(200))
    scans: list[Any] = []

    def deny_later(operation: str, body: dict[str, Any]) -> dict[str, Any] | None:
        scans.extend([body] if operation == "Scan" else [])
        return dict(DENIED) if operation == "Scan" and len(scans) > 5 else None

    endpoint.bend = deny_later
    command = ["export", "big", "--to", "out", "--segments", "2", "--file-size", "1", "--resume"]
    assert main(command) == 1
    assert "refuses to scan big: AccessDeniedException: not you" in capsys.readouterr().err
    folder = folder_of(tmp_path / "out")
    assert not (folder / "manifest-summary.json").exists()
    written = {path.name: path.read_bytes() for path in (folder / "data").iterdir()}
    assert written
    assert all(name.endswith(".json.gz") for name in written)
    # As after a kill: a file that was finished but not written down, and half of one.
    (folder / "data" / "00001-00099.json.gz").write_bytes(b"stray")
    (folder / "data" / "00000-00099.json.gz.unfinished").write_bytes(b"half")
    with (folder / "export-state.jsonl").open("ab") as state:
        state.write(b'{"segment":0,"fi')
    endpoint.bend = lambda operation, body: None
    scans.clear()
    assert main(command) == 0
    assert keys(folder) == sorted(f"key-{n}" for n in range(200))
    assert manifest.read(folder)[0]["itemCount"] == 200
    assert all((folder / "data" / name).read_bytes() == content for name, content in written.items())
    assert not (folder / "export-state.jsonl").exists()
    assert main(command) == 0
    assert "is whole" in capsys.readouterr().out


def test_what_was_read_is_kept_where_the_work_fails_or_is_stopped(endpoint: StandIn, tmp_path: Path) -> None:
    endpoint.cluster.table("big")
    endpoint.put("big", *large(200))
    pages = {0: 0, 1: 0}
    slow = {"__type": "x#ProvisionedThroughputExceededException", "message": "slow"}

    def two_pages_each(operation: str, body: dict[str, Any]) -> dict[str, Any] | None:
        if operation != "Scan":
            return None
        segment = body["Segment"]
        if pages[segment] < 2:
            pages[segment] += 1
            return None
        # The one fails once both have two pages; the other waits until it is stopped.
        return dict(DENIED) if segment == 1 and pages[0] == 2 else dict(slow)

    endpoint.bend = two_pages_each
    command = ["export", "big", "--to", "out", "--segments", "2", "--resume"]
    assert main(command) == 1
    folder = folder_of(tmp_path / "out")
    kept = keys(folder)
    assert sorted(path.name for path in (folder / "data").iterdir()) == ["00000-00000.json.gz", "00001-00000.json.gz"]
    assert len(kept) > 50
    begun: list[bool] = []

    def watch(operation: str, body: dict[str, Any]) -> None:
        begun.extend([True] if operation == "Scan" and "ExclusiveStartKey" not in body else [])

    endpoint.bend = watch
    assert main(command) == 0
    assert not begun, "nothing is read again"
    assert keys(folder) == sorted(f"key-{n}" for n in range(200))
    assert manifest.read(folder)[0]["itemCount"] == 200


def test_an_export_that_fails_before_its_first_page_keeps_no_file(endpoint: StandIn, tmp_path: Path) -> None:
    endpoint.cluster.table("any")
    endpoint.bend = lambda operation, body: dict(DENIED) if operation == "Scan" else None
    assert main(["export", "any", "--to", "out"]) == 1
    folder = folder_of(tmp_path / "out")
    assert list((folder / "data").iterdir()) == []
    assert (folder / "export-state.jsonl").read_bytes().count(b"\n") == 1


def test_a_resumed_export_refuses_other_segments_and_another_table(
    endpoint: StandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    endpoint.cluster.table("one")
    endpoint.cluster.table("two")
    endpoint.bend = lambda operation, body: dict(DENIED) if operation == "Scan" else None
    assert main(["export", "one", "--to", "out"]) == 1
    assert main(["export", "one", "--to", "out", "--resume", "--segments", "9"]) == 1
    assert main(["export", "two", "--to", "out", "--resume"]) == 1
    said = capsys.readouterr().err
    assert "was begun with --segments 4" in said
    assert "was begun with another table: one" in said


def test_a_folder_that_is_not_empty(endpoint: StandIn, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    endpoint.cluster.table("any")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").touch()
    assert main(["export", "any", "--to", "out"]) == 1
    assert "out is not empty" in capsys.readouterr().err


def test_a_full_disk(
    endpoint: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    endpoint.cluster.table("any")
    endpoint.put("any", *large(3))

    def full(file: DataFile, compressed: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(DataFile, "_keep", full)
        assert main(["export", "any", "--to", "out"]) == 1
    assert "No space left on device" in (said := capsys.readouterr().err)
    assert "--resume" in said
    assert list((folder_of(tmp_path / "out") / "data").iterdir()) == []
    assert main(["export", "any", "--to", "out", "--resume"]) == 0
    assert len(keys(folder_of(tmp_path / "out"))) == 3


def test_no_such_table(endpoint: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    endpoint.cluster.table("orders")
    assert main(["export", "ordres", "--to", "out"]) == 1
    assert capsys.readouterr().err == f"dynabus: no table 'ordres' at {endpoint.url}; it has orders\n"


def test_an_endpoint_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    with serving() as gone:
        pass
    assert main(["export", "any", "--to", "out", "--endpoint-url", gone.url]) == 1
    assert f"cannot reach {gone.url}: connection refused" in capsys.readouterr().err
    assert not Path("out").exists()


def test_throttling_is_waited_out(endpoint: StandIn, tmp_path: Path) -> None:
    endpoint.cluster.table("any")
    endpoint.put("any", *large(3))
    refusals: list[dict[str, Any]] = [
        {"__type": "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException", "message": "slow"},
        {"__type": "com.amazon.coral.availability#ThrottlingException", "message": "slow"},
        {"__type": "com.amazonaws.dynamodb.v20120810#InternalServerError", "message": "oh", "status": 500},
        {"status": 503},
    ]
    endpoint.bend = lambda operation, body: refusals.pop() if operation == "Scan" and refusals else None
    assert main(["export", "any", "--to", "out", "--segments", "1"]) == 0
    assert len(keys(folder_of(tmp_path / "out"))) == 3
