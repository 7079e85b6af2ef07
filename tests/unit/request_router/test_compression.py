"""gzip both ways. Every Accept-Encoding is a case that ScyllaDB's tests saw DynamoDB answer so
(test_compressed_response.py)."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from typing import Any

import pytest
from tests.unit.request_router.served import AUTHORIZED, Served, serving

from dynabus.request_router import compression
from dynabus.request_router.compression import chosen
from dynabus.request_router.requests import BODY_BYTES_MOST


@pytest.fixture(scope="module")
def running() -> Iterator[Served]:
    with serving() as found:
        yield found


@pytest.fixture
def served(running: Served) -> Served:
    running.router.reached.clear()
    running.router.outcome = b'{"ok":true}'
    return running


@pytest.mark.parametrize(
    ("accept", "coding"),
    [
        ("gzip", "gzip"),
        ("deflate", "deflate"),
        ("identity", None),
        ("", None),
        ("br", None),
        ("zstd", None),
        ("compress", None),
        ("x-gzip", None),
        ("gzip, deflate", "gzip"),
        ("br, identity, deflate, gzip", "deflate"),
        ("GZIP, identity", "gzip"),
        ("dog, gzip ,, cat", "gzip"),
        ("gzip;q=0.8, deflate;q=0.5", "gzip"),
        ("br, gzip;q=0, deflate; q = 0.5 , identity;q=0", "deflate"),
        ("*", "gzip"),
        ("*, deflate;q=0.5", "gzip"),
        ("*, deflate", "deflate"),
        ("*, identity", "gzip"),
        ("*, gzip;q=0.5", "deflate"),
        ("gzip ;q=0", None),
        ("identity;q=0", None),
        ("*;q=0", None),
        ("*;q=0.5,identity", "gzip"),
        ("gzip;q=0.5,identity;q=0.8", "gzip"),
        ("br;q=0.8,identity;q=0.5,*;q=0", None),
        ('"gzip"', None),
        ("gzip br", None),
        ("gzip:q=1", None),
        ("deflate;q=0.5, gzip;q=31", "gzip"),
        ("gzip;q=31,deflate;q=51", "gzip"),
        ("deflate;q=0.5, gzip;q=0.2", "deflate"),
        ("deflate;q=0.5, gzip;q=1;q=0.2", "gzip"),
        ("deflate;q=0.5,gzip;q=0.", "deflate"),
        ("deflate;q=0.5,gzip;q=0.x", "gzip"),
        ("deflate;q=-0.5,gzip;q=0.2", "gzip"),
        ("gzip;nq=1;q=0 ", None),
        ("gzip;q=0, gzip;q=1, gzip;q=0", "gzip"),
        ("br,identity;q=0.5,gzip;q=0.0001", "gzip"),
        ("gzip;q=nan, deflate;q=inf", "deflate"),
    ],
)
def test_which_coding_a_client_gets(accept: str, coding: str | None) -> None:
    assert chosen(accept.encode()) == coding


def opened(coding: str | None, body: bytes) -> bytes:
    match coding:
        case "gzip":
            return gzip.decompress(body)
        case "deflate":
            return zlib.decompress(body)
        case _:
            return body


@pytest.mark.parametrize("accept", [None, b"gzip", b"deflate", b"identity"])
@pytest.mark.parametrize("size", [2, 4095, 4096, 100_000, 1_500_000])
def test_large_answers_are_compressed_for_those_who_ask(served: Served, size: int, accept: bytes | None) -> None:
    """The checksum is that of the compressed bytes; `send` checks it."""
    answer = b'"%s"' % (b"x" * (size - 2))
    served.router.outcome = answer
    line = b"" if accept is None else b"Accept-Encoding: %s\r\n" % accept
    status, headers, body = served.send(b"{}", extra=AUTHORIZED + line)
    coding = headers.get("content-encoding")
    wanted = accept in (b"gzip", b"deflate") and size >= 4096
    assert (status, coding) == (200, accept.decode() if wanted and accept else None)
    assert opened(coding, body) == answer
    assert len(body) < size / 30 or not wanted


def compressed(served: Served, raw: bytes, coding: bytes = b"gzip") -> tuple[int, Any]:
    return served.post(raw, extra=AUTHORIZED + b"Content-Encoding: %s\r\n" % coding)


BODY = json.dumps({"TableName": "t", "Key": {"pk": {"S": "x" * 5000}}}).encode()


@pytest.mark.parametrize(
    "raw",
    [
        gzip.compress(BODY),
        gzip.compress(BODY, 1),
        gzip.compress(BODY[:10]) + gzip.compress(BODY[10:]),
        b"".join(gzip.compress(BODY[at : at + 400]) for at in range(0, len(BODY), 400)),
        gzip.compress(BODY + b" " * (BODY_BYTES_MOST - len(BODY))),
    ],
    ids=["usual", "quick", "two", "many", "16 MB"],
)
@pytest.mark.parametrize("coding", [b"gzip", b"GZIP", b" gzip "])
def test_compressed_requests(served: Served, raw: bytes, coding: bytes) -> None:
    """Source: ScyllaDB's test_compressed_request.py, and the SDKs' feature-compression."""
    assert compressed(served, raw, coding)[0] == 200
    assert served.router.reached == [("GetItem", json.loads(BODY))]


@pytest.mark.parametrize(
    ("raw", "coding"),
    [
        (b"", b"gzip"),
        (BODY, b"gzip"),
        (gzip.compress(BODY)[:-1], b"gzip"),
        (gzip.compress(BODY)[:20], b"gzip"),
        (gzip.compress(BODY) + b"junk", b"gzip"),
        (gzip.compress(BODY)[:-4] + b"\0\0\0\0", b"gzip"),
        (zlib.compress(BODY), b"gzip"),
        (gzip.compress(b"") * 1000 + gzip.compress(BODY), b"gzip"),
        (zlib.compress(BODY), b"deflate"),
        (BODY, b"garbage"),
        (gzip.compress(gzip.compress(BODY)), b"gzip, gzip"),
    ],
    ids=[
        "empty",
        "as it is",
        "a byte less",
        "the beginning",
        "something behind it",
        "another length",
        "deflate",
        "too many",
        "deflate as deflate",
        "another coding",
        "twice",
    ],
)
def test_what_cannot_be_opened(served: Served, raw: bytes, coding: bytes) -> None:
    """Ours: DynamoDB says HTTP 500 in all cases (the same source), which SDKs try again."""
    status, answer = compressed(served, raw, coding)
    assert (status, answer["__type"]) == (400, "com.amazon.coral.service#SerializationException")
    assert served.router.reached == []


@pytest.mark.parametrize("coding", [b"identity", b""])
def test_a_coding_that_is_none(served: Served, coding: bytes) -> None:
    assert compressed(served, BODY, coding)[0] == 200


def test_a_bomb_is_put_out(served: Served) -> None:
    """A gigabyte in one megabyte: not more than the largest body is ever made of it."""
    opener = zlib.compressobj(9, zlib.DEFLATED, compression.GZIP)
    piece = b" " * (1 << 20)
    bomb = b"".join([opener.compress(piece) for _ in range(64)] + [opener.flush()])
    for raw in (bomb, gzip.compress(BODY + b" " * (BODY_BYTES_MOST + 1 - len(BODY)))):
        status, answer = compressed(served, raw)
        assert (status, answer["__type"]) == (413, "com.amazon.coral.service#RequestEntityTooLargeException")
    assert served.router.reached == []
