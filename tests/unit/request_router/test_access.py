"""A router with a file of access keys: nothing passes unsigned, and the file counts as it is now."""

from __future__ import annotations

import gzip
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.unit.core.signatures.signing import Sent, sign
from tests.unit.request_router.conftest import Start
from tests.unit.request_router.served import AUTHORIZED, Answer, Served, serving

from dynabus.request_router.access import WatchedFiles

SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
"""botocore signs with the one of `signing.KEYS`."""


def write(path: Path, text: str) -> None:
    """Replaced as deployment tools do: whole, by a new file."""
    new = path.with_suffix(".new")
    new.touch(0o600)
    new.write_text(text)
    os.replace(new, path)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "keys.toml"
    write(path, f'AKIDEXAMPLE = "{SECRET}"\n')
    return path


@pytest.fixture
def served(file: Path) -> Iterator[Served]:
    with serving(auth=file) as found:
        yield found


def raw(sent: Sent) -> bytes:
    target = sent.path + (f"?{sent.query}" if sent.query else "")
    lines = [f"{sent.method} {target} HTTP/1.1".encode(), b"Content-Length: %d" % len(sent.body)]
    lines += [name + b": " + value for name, value in sent.headers]
    return b"\r\n".join([*lines, b"", sent.body])


def signed(served: Served, **arguments: Any) -> bytes:
    """A ListTables signed now for this server."""
    headers = {"Content-Type": "application/x-amz-json-1.0", **arguments.pop("headers", {})}
    url = f"http://127.0.0.1:{served.port}/{arguments.pop('path', '')}"
    return raw(sign(url=url, headers=headers, now_s=int(time.time()), **arguments))


def name_of(answer: Answer) -> str:
    assert answer[0] == 400
    return answer[2].decode().partition("#")[2].partition('"')[0]


def test_who_has_a_key_is_served(served: Served) -> None:
    assert served.ask(signed(served))[0] == 200
    assert served.ask(signed(served, presigned_s=60))[0] == 200
    assert served.ask(signed(served, path="a%20b//c/?x=%2F"))[0] == 200
    assert [operation for operation, _ in served.router.reached] == ["ListTables"] * 3


def test_a_compressed_body_is_signed_as_it_is_sent(served: Served) -> None:
    body = gzip.compress(b'{"Limit":2}')
    answer = served.ask(signed(served, body=body, headers={"Content-Encoding": "gzip"}))
    assert answer[0] == 200
    assert served.router.reached == [("ListTables", {"Limit": 2})]


@pytest.mark.parametrize("body", [b'{"Limit":1}', b"{", b"", b"x" * 100_000])
def test_who_has_none_reaches_nothing(served: Served, body: bytes) -> None:
    """Not even the parser: what is wrong with the body is not told."""
    assert name_of(served.ask(signed(served, body=body, secret="wrong"))) == "InvalidSignatureException"
    assert name_of(served.ask(signed(served, body=body, key_id="AKIDNOBODY"))) == "UnrecognizedClientException"
    assert name_of(served.send(body)) == "InvalidSignatureException"  # signed long ago
    assert name_of(served.send(body, extra=b"")) == "MissingAuthenticationTokenException"
    bomb = AUTHORIZED + b"Content-Encoding: gzip\r\n"
    assert name_of(served.send(body, b"Nothing", bomb)) == "InvalidSignatureException"
    assert served.router.reached == []


def test_refusals_after_the_signature_are_the_usual_ones(served: Served) -> None:
    assert name_of(served.ask(signed(served, body=b"{"))) == "SerializationException"
    assert name_of(served.ask(signed(served, headers={"X-Amz-Target": "Nothing"}))) == "UnknownOperationException"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/", 200),
        ("/healthz", 200),
        ("/readyz", 503),
        ("/status", 403),
        ("/metrics", 403),
        ("/subjects", 403),
        ("//subjects", 403),
        ("/%2Fsubjects", 403),
        ("///subjects/x-value/versions/1", 403),
    ],
)
def test_pages_that_name_tables_are_closed(served: Served, path: str, status: int) -> None:
    found, _, body = served.ask(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    assert found == status
    assert (b"port of health and metrics" in body) == (status == 403)


def test_the_file_is_read_again_when_it_changes(served: Served, file: Path) -> None:
    (watched,) = served.door.watched()
    write(file, 'AKIDNEW = "new"\n')
    watched.look()
    assert served.ask(signed(served, key_id="AKIDNEW", secret="new"))[0] == 200
    assert name_of(served.ask(signed(served))) == "UnrecognizedClientException"
    write(file, f'AKIDEXAMPLE = "{SECRET}"\n')
    watched.look()
    assert served.ask(signed(served))[0] == 200


@pytest.mark.parametrize("fault", ["malformed", "empty", "gone", "open to others"])
def test_a_file_that_cannot_be_used_changes_nothing(served: Served, file: Path, fault: str) -> None:
    (watched,) = served.door.watched()
    match fault:
        case "malformed":
            write(file, "AKID = ")
        case "empty":
            write(file, "")
        case "gone":
            file.unlink()
        case "open to others":
            file.chmod(0o644)
    watched.look()
    assert served.ask(signed(served))[0] == 200
    write(file, 'AKIDNEW = "new"\n')
    watched.look()
    assert served.ask(signed(served, key_id="AKIDNEW", secret="new"))[0] == 200


def test_what_did_not_change_is_not_read_again(file: Path) -> None:
    reads: list[None] = []
    watched = WatchedFiles([file], lambda: reads.append(None))
    watched.look()
    assert len(reads) == 0
    write(file, "x")
    watched.look()
    watched.look()
    assert len(reads) == 1


@pytest.mark.parametrize(
    ("text", "mode", "says"),
    [
        ("", 0o600, "no keys in it"),
        ("x", 0o600, "no TOML"),
        ('A = "b"', 0o640, "others than its owner can reach it (mode 640)"),
        (None, 0o600, "No such file or directory"),
    ],
)
def test_a_router_does_not_start_with_it(file: Path, text: str | None, mode: int, says: str, start: Start) -> None:
    if text is None:
        file.unlink()
    else:
        write(file, text)
        file.chmod(mode)
    exit_code, said = start("--auth", str(file))
    assert exit_code == 1
    (line,) = said.splitlines()
    assert line.startswith(f"dynabus request-router: access keys {file}: ")
    assert says in line
