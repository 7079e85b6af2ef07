"""What a body says that it is. Source: dynalite's recorded answers (test/connection.js), but for CBOR."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from botocore.model import Shape
from botocore.parsers import RpcV2CBORParser
from tests.unit.request_router.served import AUTHORIZED, TYPE, Served, serving

AUTHORIZATION = AUTHORIZED.replace(TYPE, b"")
NO_SHAPE = Shape("Nothing", {"type": "structure"})
AMZ_JSON, JSON = "application/x-amz-json-1.0", "application/json"


@pytest.fixture(scope="module")
def running() -> Iterator[Served]:
    with serving() as found:
        yield found


@pytest.fixture
def served(running: Served) -> Served:
    running.router.reached.clear()
    return running


def typed(kind: str | None) -> bytes:
    return AUTHORIZATION if kind is None else AUTHORIZATION + b"Content-Type: %s\r\n" % kind.encode()


@pytest.mark.parametrize(
    ("kind", "answered"),
    [
        ("application/x-amz-json-1.0", AMZ_JSON),
        ("application/x-amz-json-1.0; charset=utf-8", AMZ_JSON),
        ("application/x-amz-json-1.0;blahblah", AMZ_JSON),
        ("Application/X-AMZ-JSON-1.0", AMZ_JSON),
        ("  application/json  ;   asfd", JSON),
        ("application/json", JSON),
        ("application/json;charset=asfdsaf", JSON),
    ],
)
def test_types_that_are_taken_and_those_of_their_answers(served: Served, kind: str, answered: str) -> None:
    for body in (b"{}", b"{"):
        assert served.send(body, extra=typed(kind))[1]["content-type"] == answered
    assert len(served.router.reached) == 1


@pytest.mark.parametrize(
    "kind",
    [
        None,
        "",
        "whatever",
        "text/plain",
        "application/jsonasdf",
        "application/x-amz-json-1.1",
        "application/x-www-form-urlencoded",
        "application/x-amz-cbor-1.1",
    ],
)
def test_types_that_are_not(served: Served, kind: str | None) -> None:
    for body in (b"{}", b"hi"):
        status, headers, answer = served.send(body, extra=typed(kind))
        assert (status, answer) == (404, b"<UnknownOperationException/>\n")
        assert headers["x-amz-crc32"] == "3552371480"
    assert served.router.reached == []


@pytest.mark.parametrize("kind", [None, "whatever", "application/json", AMZ_JSON])
def test_no_body_needs_no_type(served: Served, kind: str | None) -> None:
    """And is looked at last: its target first, then its signature."""
    coral = "com.amazon.coral.service#"
    status, headers, _ = served.send(b"", extra=typed(kind))
    assert (status, headers["content-type"]) == (400, AMZ_JSON if kind == AMZ_JSON else JSON)
    assert served.post(b"", extra=typed(kind))[1]["__type"] == coral + "SerializationException"
    assert served.post(b"", b"Nothing", typed(kind))[1]["__type"] == coral + "UnknownOperationException"
    assert served.post(b"", extra=b"")[1]["__type"] == coral + "MissingAuthenticationTokenException"


@pytest.mark.parametrize("kind", [b"application/cbor", b"application/cbor;v=2"])
def test_cbor_is_refused_in_cbor(served: Served, kind: bytes) -> None:
    """Ours: an SDK that was told to speak it reads the refusal."""
    lines = b"smithy-protocol: rpc-v2-cbor\r\nAccept: application/cbor\r\nContent-Type: %s\r\n" % kind
    status, headers, body = served.send(b"\xa0", extra=AUTHORIZATION + lines)
    assert headers["content-type"] == "application/cbor"
    assert headers["smithy-protocol"] == "rpc-v2-cbor"
    answer = {"status_code": status, "headers": headers, "body": body}
    parsed = RpcV2CBORParser().parse(answer, NO_SHAPE)
    assert status == 415
    assert parsed["Error"]["Code"] == "UnsupportedMediaTypeException"
    assert "use AWS JSON 1.0" in parsed["Error"]["Message"]
    assert served.router.reached == []


@pytest.mark.parametrize(("path", "status"), [(b"/", 200), (b"/healthz", 200), (b"/nothing", 404)])
@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"PUT", b"DELETE"])
def test_answers_to_other_methods_have_id_and_checksum(
    served: Served, method: bytes, path: bytes, status: int
) -> None:
    found, headers, _ = served.ask(b"%s %s HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n" % (method, path))
    assert found == (status if method in (b"GET", b"HEAD") else 404)
    assert len(headers["x-amzn-requestid"]) == 52
    assert headers["x-amz-crc32"].isdigit()
