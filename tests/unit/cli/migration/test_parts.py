"""Journal, answers, progress, patience, manifests of AWS."""

from __future__ import annotations

import fcntl
import hashlib
import io
import os
import pty
import struct
import termios
from base64 import b64encode
from contextlib import suppress
from pathlib import Path
from threading import Event
from typing import Any
from zlib import crc32

import orjson
import pytest

from dynabus.cli.migration import manifest
from dynabus.cli.migration.client import Backoff, Client, Pulse, Stopped
from dynabus.cli.migration.endpoint import Refused, Unreachable, answer, is_aws
from dynabus.cli.migration.journal import Journal, never_begun
from dynabus.cli.migration.pool import run_all
from dynabus.cli.migration.progress import Progress
from dynabus.cli.migration.windows import Row
from dynabus.cli.migration.writing import BATCH_BYTES, batches
from dynabus.cli.problem import Problem


def test_a_journal_goes_on_behind_a_torn_line(tmp_path: Path) -> None:
    path = tmp_path / "state"
    journal = Journal.begin(path, {"work": "w"})
    journal.append({"line": 1})
    journal.close()
    with path.open("ab") as file:
        file.write(b'{"line":')
    journal = Journal.resume(path)
    assert (journal.work, journal.done) == ({"version": 1, "work": "w"}, [{"line": 1}])
    journal.append({"line": 2})
    journal.close()
    journal = Journal.resume(path)
    assert journal.done == [{"line": 1}, {"line": 2}]
    journal.remove()
    assert not path.exists()


def test_one_process_at_a_time(tmp_path: Path) -> None:
    journal = Journal.begin(tmp_path / "state", {})
    with pytest.raises(Problem, match="another process works on this"):
        Journal.resume(tmp_path / "state")
    journal.close()


@pytest.mark.parametrize("content", [b"", b"{", b'{"version":99}\n', b"words\n"])
def test_what_is_no_journal(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "state").write_bytes(content)
    with pytest.raises(Problem, match="is no state file of this version"):
        Journal.resume(tmp_path / "state")


@pytest.mark.parametrize("content", [b"", b"{", b'{"version":1,"wo', b'{"version":1,"work":"w"}'])
def test_a_journal_without_a_whole_first_line_is_begun_anew(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "state"
    path.write_bytes(content)
    assert never_begun(path)
    Journal.begin(path, {"work": "w"}).close()
    assert not never_begun(path)
    journal = Journal.resume(path)
    assert (journal.work, journal.done) == ({"version": 1, "work": "w"}, [])
    journal.close()


@pytest.mark.parametrize("content", [b"words", b"{}", b'{"version":99,"wo', b'{"version":1,"work":"w"}\n{"li'])
def test_no_other_file_is_taken_for_a_journal_that_was_never_begun(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "state"
    path.write_bytes(content)
    assert not never_begun(path)
    with pytest.raises(Problem, match="is there already"):
        Journal.begin(path, {"work": "w"})
    assert path.read_bytes() == content


def test_answers() -> None:
    assert answer(200, b"{}", str(crc32(b"{}"))) == {}
    assert answer(200, b"{}", None) == {}
    with pytest.raises(Unreachable, match="damaged"):
        answer(200, b"{}", "7")
    with pytest.raises(Unreachable, match="no JSON"):
        answer(200, b"<html>", None)
    with pytest.raises(Unreachable, match="HTTP 502"):
        answer(502, b"<html>", None)
    with pytest.raises(Refused, match="this is no DynamoDB endpoint") as refused:
        answer(404, b"<html>", None)
    assert refused.value.status == 404
    with pytest.raises(Refused) as refused:
        answer(400, b'{"__type":"com.amazon.coral#SerializationException","Message":"m"}', None)
    assert (refused.value.code, refused.value.message) == ("SerializationException", "m")


@pytest.mark.parametrize(
    ("host", "aws"),
    [
        ("dynamodb.eu-west-1.amazonaws.com", True),
        ("dynamodb.cn-north-1.amazonaws.com.cn", True),
        ("dynamodb.example.org", False),
        ("localhost:8000", False),
    ],
)
def test_which_endpoints_are_awss(host: str, aws: bool) -> None:
    assert is_aws(f"https://{host}") is aws
    assert is_aws("aws")


class Flaky:
    """Fails so many times, then answers."""

    url = "http://127.0.0.1/"

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.bodies: list[bytes] = []

    def call(self, operation: str, body: bytes) -> Any:
        self.bodies.append(body)
        if self.failures:
            raise self.failures.pop(0)
        return {"answered": operation}


def test_what_is_asked_again() -> None:
    throttled = Refused("ThrottlingException", "slow", 400)
    flaky = Flaky(Unreachable("gone"), throttled, Refused("InternalServerError", "", 500))
    assert Client(flaky, Event()).ask("Scan", {"a": 1}) == {"answered": "Scan"}
    assert flaky.bodies == [b'{"a":1}'] * 4
    with pytest.raises(Refused):
        Client(Flaky(Refused("ValidationException", "m", 400)), Event()).ask("Scan", {})


def test_a_wait_ends_when_the_work_is_stopped() -> None:
    stop = Event()
    stop.set()
    with pytest.raises(Stopped):
        Backoff(stop, Pulse()).wait("why", "where")


def test_the_first_error_stops_the_other_threads_and_is_the_one_that_is_told() -> None:
    stop = Event()

    def fails() -> None:
        raise Problem("the reason")

    def waits() -> None:
        assert stop.wait(10)
        raise Stopped

    with pytest.raises(Problem, match="the reason"):
        run_all([waits, fails, waits], 3, stop)


def test_lines_every_few_seconds_where_there_is_no_terminal() -> None:
    now, stream = [0.0], io.StringIO()
    progress = Progress("import t", 1000, 100, stream, lambda: now[0])
    for second in range(11):
        now[0] = float(second)
        progress.add(10)
    progress.close()
    assert stream.getvalue().splitlines() == [
        "dynabus: import t: 160 of 1,000 items, 12 items/s",
        "dynabus: import t: 210 of 1,000 items, 11 items/s",
    ]
    assert progress.figures() == "110 items in 10.0 s (11 items/s)"


def written_to(terminal: int) -> str:
    """Everything, once nobody writes to it any more; that is an error to a terminal."""
    content = b""
    with os.fdopen(terminal, "rb", buffering=0) as file, suppress(OSError):
        while chunk := file.read(4096):
            content += chunk
    return content.decode()


def test_a_bar_on_a_terminal() -> None:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    with os.fdopen(theirs, "w") as terminal:
        progress = Progress("import t", 1000, 100, terminal)
        progress.add(400)
        progress.note("left out a.json:3")
        progress.close()
    shown = written_to(ours)
    assert "import t:" in shown
    assert "50%" in shown
    assert "dynabus: left out a.json:3" in shown


def test_batches() -> None:
    small, big = Row(b"x", b"", ""), Row(b"x" * BATCH_BYTES, b"", "")
    assert [len(batch) for batch in batches([small] * 60)] == [25, 25, 10]
    assert [len(batch) for batch in batches([small, big, big, small])] == [1, 1, 1, 1]
    assert list(batches([])) == []


def test_a_manifest_of_aws(tmp_path: Path) -> None:
    """As in AWS's guide; its exports name the checksums .md5, and the ETag is that of an upload in parts."""
    files = orjson.dumps(
        {
            "itemCount": 8,
            "md5Checksum": "sQMSpEILNgoQmarvDFonGQ==",
            "etag": "af83d6f217c19b8b0fff8023d8ca4716-1",
            "dataFileS3Key": "2020-Nov/AWSDynamoDB/01693685827463-2d8752fd/data/asdl123dasas.json.gz",
        }
    )
    summary = {"tableArn": "arn:aws:dynamodb:us-east-1:123456789012:table/ProductCatalog", "itemCount": 8}
    (tmp_path / "manifest-files.json").write_bytes(files + b"\n")
    (tmp_path / "manifest-files.md5").write_bytes(b64encode(hashlib.md5(files + b"\n").digest()))
    (tmp_path / "manifest-summary.json").write_bytes(orjson.dumps({**summary, "outputFormat": "DYNAMODB_JSON"}))
    found, entries = manifest.read(tmp_path)
    assert manifest.table_name(found) == "ProductCatalog"
    assert [tuple(entry) for entry in entries] == [
        ("asdl123dasas.json.gz", 8, "sQMSpEILNgoQmarvDFonGQ==", "af83d6f217c19b8b0fff8023d8ca4716-1")
    ]
    (tmp_path / "manifest-files.md5").write_bytes(b"other")
    with pytest.raises(Problem, match="does not have the checksum in manifest-files"):
        manifest.read(tmp_path)


@pytest.mark.parametrize("line", [b"{", b"[]", b"{}", b'{"dataFileS3Key":7,"itemCount":1}'])
def test_what_is_no_manifest(tmp_path: Path, line: bytes) -> None:
    (tmp_path / "manifest-summary.json").write_bytes(b"{}")
    (tmp_path / "manifest-files.json").write_bytes(line)
    with pytest.raises(Problem, match="copy it again"):
        manifest.read(tmp_path)


@pytest.mark.parametrize(
    ("members", "says"),
    [({"outputFormat": "ION"}, "is in ION"), ({"exportType": "INCREMENTAL_EXPORT"}, "is an incremental export")],
)
def test_exports_that_cannot_be_imported(tmp_path: Path, members: dict[str, str], says: str) -> None:
    (tmp_path / "manifest-summary.json").write_bytes(orjson.dumps(members))
    with pytest.raises(Problem, match=says):
        manifest.read(tmp_path)
