"""DynamoDB's protocol, JSON 1.0 over HTTP/1.1, byte by byte: bad input, and good input in unusual pieces.

Whatever is sent, the answer is DynamoDB's, nothing is changed by what was refused, and the next request is served.
"""

from __future__ import annotations

import gzip
import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any
from zlib import crc32

import pytest

from tests.conformance.wire import CORAL, SIGNED, Answer, Connection, ask, connected, head, post
from tests.integration.cluster import RunningCluster

SERIALIZATION = "SerializationException"
UNKNOWN = ("UnknownOperationException", "")
BODY_BYTES_MOST = 16 * 1024 * 1024
KEY = {"pk": {"S": "protocol"}}


@pytest.fixture(scope="module")
def port(cluster: RunningCluster) -> int:
    return cluster.port


@pytest.fixture
def connection(port: int) -> Iterator[Connection]:
    with connected(port) as opened:
        yield opened


@pytest.fixture(autouse=True)
def _nothing_is_written(db: Any, hash_table: str) -> Iterator[None]:
    """The item that refused requests would have written, and the server after it all."""
    db.delete_item(TableName=hash_table, Key=KEY)
    yield
    assert "Item" not in db.get_item(TableName=hash_table, Key=KEY, ConsistentRead=True)


def get(table: str, pk: str = "nobody") -> bytes:
    return post("GetItem", {"TableName": table, "Key": {"pk": {"S": pk}}, "ConsistentRead": True})


# -- what the body is -------------------------------------------------------------------------------------------

PUT = b'{"TableName":"conformance-hash","Item":{"pk":{"S":"protocol"}%s}}'


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" \n",
        (PUT % b"")[:-1],
        (PUT % b"") + b"}",
        b"\xef\xbb\xbf" + PUT % b"",
        PUT % b',"v":{"S":"\xff"}',
        PUT % b',"v":{"S":"\xc3\x28"}',
        PUT % b',"v":{"S":"\xed\xa0\x80"}',
        PUT % b',"v":{"S":"\\ud800"}',
        PUT % b',"v":{"S":"\x00"}',
        PUT % b',"v":{"N":NaN}',
        PUT % b',"v":{"S":\'x\'}',
        PUT % b',"v":' + b"[" * 100_000,
        b"TableName=conformance-hash",
        b"\x1f\x8b\x08\x00",
    ],
)
def test_what_is_no_json(port: int, hash_table: str, body: bytes) -> None:
    """observed: coral's refusal, with `Message`. Invalid UTF-8 and lone surrogates are no JSON text."""
    answer = ask(port, post("PutItem", body))
    assert answer.error()[0] == SERIALIZATION
    assert answer.json["__type"] == CORAL + SERIALIZATION
    assert answer.json["Message"]


STRUCTURE = "Start of structure or map found where not expected"


@pytest.mark.parametrize(
    ("operation", "body", "message"),
    [
        ("GetItem", [], "Start of list found where not expected"),
        ("GetItem", "text", "Unexpected value type in payload"),
        ("GetItem", 1, "Unexpected value type in payload"),
        ("GetItem", {"TableName": 1}, "NUMBER_VALUE cannot be converted to String"),
        ("GetItem", {"TableName": 1.5}, "DECIMAL_VALUE cannot be converted to String"),
        ("GetItem", {"TableName": True}, "TRUE_VALUE cannot be converted to String"),
        ("GetItem", {"TableName": {}}, STRUCTURE),
        ("GetItem", {"TableName": []}, "Unrecognized collection type class java.lang.String"),
        ("GetItem", {"TableName": "conformance-hash", "Key": []}, None),
        ("GetItem", {"TableName": "conformance-hash", "Key": "x"}, "Unexpected field type"),
        ("GetItem", {"ConsistentRead": "true"}, "Unexpected token received from parser"),
        ("GetItem", {"ConsistentRead": 1}, "NUMBER_VALUE cannot be converted to Boolean"),
        ("Query", {"Limit": "1"}, "STRING_VALUE cannot be converted to Integer"),
        ("Query", {"Limit": True}, "TRUE_VALUE cannot be converted to Integer"),
        ("Scan", {"Segment": {}}, STRUCTURE),
        ("ListTables", {"Limit": []}, "Unrecognized collection type class java.lang.Integer"),
        ("BatchGetItem", {"RequestItems": []}, None),
        ("BatchWriteItem", {"RequestItems": {"conformance-hash": {}}}, STRUCTURE),
        ("CreateTable", {"KeySchema": {}}, STRUCTURE),
        ("CreateTable", {"ProvisionedThroughput": 1}, None),
    ],
)
def test_wrong_json_types(port: int, hash_table: str, operation: str, body: Any, message: str | None) -> None:
    """observed: looked at before any constraint, so that what is missing besides does not matter."""
    name, found = ask(port, post(operation, body)).error()
    assert name == SERIALIZATION
    assert message is None or found == message


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("x", "Unexpected value type in payload"),
        ([], None),
        ({"S": 1}, "NUMBER_VALUE cannot be converted to String"),
        ({"N": 1}, "NUMBER_VALUE cannot be converted to String"),
        ({"BOOL": "true"}, "Unexpected token received from parser"),
        ({"NULL": 0}, "NUMBER_VALUE cannot be converted to Boolean"),
        ({"B": 1}, "only base-64-encoded strings are convertible to bytes"),
        ({"B": "abc"}, "Base64 encoded length is expected a multiple of 4 bytes but found: 3"),
        ({"B": "a*c="}, "Invalid Base64 character: '*'"),
        ({"SS": "x"}, "Unexpected field type"),
        ({"SS": {}}, STRUCTURE),
        ({"NS": [1]}, "NUMBER_VALUE cannot be converted to String"),
        ({"L": {}}, STRUCTURE),
        ({"L": [{"M": {"a": {"S": []}}}]}, "Unrecognized collection type class java.lang.String"),
        ({"M": []}, None),
        ({"M": {"a": "x"}}, "Unexpected value type in payload"),
    ],
)
def test_wrong_json_types_in_values(port: int, hash_table: str, value: Any, message: str | None) -> None:
    """observed: at any depth, before any rule about values."""
    name, found = ask(port, post("PutItem", {"TableName": hash_table, "Item": {**KEY, "v": value}})).error()
    assert name == SERIALIZATION
    assert message is None or found == message


def test_members_that_are_null_or_unknown_are_absent(port: int, hash_table: str) -> None:
    """observed."""
    body = {"TableName": hash_table, "Key": {"pk": {"S": "nobody", "X": 1, "N": None}}, "Nothing": {}, "Limit": "x"}
    answer = ask(port, post("GetItem", {**body, "ConsistentRead": None}))
    assert (answer.status, answer.json) == (200, {})


# -- what the head says -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "target",
    [
        None,
        "",
        "GetItem",
        "DynamoDB_20120810",
        "DynamoDB_20120810.",
        "DynamoDB_20120810.getitem",
        "DynamoDB_20120810.GetItem.x",
        "DynamoDB_20111205.GetItem",
        "dynamodb_20120810.GetItem",
        "Kinesis_20131202.ListStreams",
    ],
)
def test_targets(port: int, hash_table: str, target: str | None) -> None:
    """observed."""
    headers = SIGNED if target is None else {**SIGNED, "X-Amz-Target": target}
    answer = ask(port, post(None, {"TableName": hash_table, "Key": KEY}, headers))
    assert answer.error() == UNKNOWN
    assert answer.json["__type"] == CORAL + "UnknownOperationException"


def test_header_names_have_no_case(port: int, hash_table: str) -> None:
    """RFC 9110."""
    headers = {
        "AUTHORIZATION": SIGNED["Authorization"],
        "x-aMz-DATE": SIGNED["X-Amz-Date"],
        "x-AMZ-target": "DynamoDB_20120810.GetItem",
    }
    assert ask(port, post(None, {"TableName": hash_table, "Key": KEY}, headers)).status == 200


@pytest.mark.parametrize("operation", ["GetItem", "ListTables", "DeleteTable"])
def test_a_missing_signature(port: int, hash_table: str, operation: str) -> None:
    """CommonErrors: MissingAuthenticationTokenException, before anything is done."""
    answer = ask(port, post(operation, {"TableName": hash_table, "Key": KEY}, {}))
    assert answer.error() == ("MissingAuthenticationTokenException", "Request is missing Authentication Token")


@pytest.mark.parametrize(
    ("authorization", "name", "message"),
    [
        ("Basic x", "MissingAuthenticationTokenException", "Request is missing Authentication Token"),
        (
            "AWS4-HMAC-SHA256 Credential=x, SignedHeaders=y",
            "IncompleteSignatureException",
            "Authorization header requires 'Signature' parameter. Authorization header requires existence of either "
            "a 'X-Amz-Date' or a 'Date' header. Authorization=AWS4-HMAC-SHA256 Credential=x, SignedHeaders=y",
        ),
        (
            "AWS4-HMAC-SHA256 Credential",
            "IncompleteSignatureException",
            "'Credential' not a valid key=value pair (missing equal-sign) in Authorization header: "
            "'AWS4-HMAC-SHA256 Credential'.",
        ),
    ],
)
def test_half_a_signature(port: int, authorization: str, name: str, message: str) -> None:
    """observed (dynalite): also where no access keys are; whose signature it is does not matter then."""
    assert ask(port, post("ListTables", {}, {"Authorization": authorization})).error() == (name, message)


PRESIGNED = (
    "/?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=x%2F20260101%2Fus-east-1%2Fdynamodb%2Faws4_request"
    "&X-Amz-Date=20260101T000000Z&X-Amz-SignedHeaders=host&X-Amz-Signature=0"
)


def test_a_signature_in_the_address_will_do(port: int) -> None:
    """Signature version 4 allows both, but not both at once."""
    assert ask(port, post("ListTables", {}, {}, path=PRESIGNED)).status == 200
    assert ask(port, post("ListTables", {}, path=PRESIGNED)).error() == (
        "InvalidSignatureException",
        "Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP header.",
    )
    half = PRESIGNED.replace("&X-Amz-SignedHeaders=host", "")
    assert ask(port, post("ListTables", {}, {}, path=half)).error() == (
        "IncompleteSignatureException",
        "AWS query-string parameters must include 'X-Amz-SignedHeaders'. Re-examine the query-string parameters.",
    )


def test_every_answer_has_an_id_of_its_own(connection: Connection, hash_table: str) -> None:
    """x-amzn-RequestId: 52 letters and digits in capitals, on answers and on refusals."""
    requests = [get(hash_table), post("Nothing", {}), post("GetItem", b"{"), post("ListTables", {}, {})]
    ids = [answered(connection, raw).headers["x-amzn-requestid"] for raw in requests * 3]
    assert len(set(ids)) == len(ids)
    assert all(label.isalnum() and label.isascii() and label == label.upper() for label in ids)


def answered(connection: Connection, raw: bytes) -> Answer:
    """The next answer on this connection, its headers checked."""
    connection.send(raw)
    answer = connection.receive()
    assert isinstance(answer.json, dict)
    return answer


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_health(connection: Connection, method: str) -> None:
    """observed: plain text at the root, and to HEAD its head alone; the connection goes on."""
    for _ in range(2):
        connection.send(f"{method} / HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        answer = connection.receive(head_only=method == "HEAD")
        text = b"healthy: dynamodb.us-east-1.amazonaws.com "
        assert answer.status == 200
        assert answer.headers["content-type"].startswith("text/plain")
        assert int(answer.headers["content-length"]) == len(text)
        assert answer.body == (text if method == "GET" else b"")


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS"])
def test_other_methods(port: int, method: str) -> None:
    """observed."""
    answer = ask(port, f"{method} / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n".encode())
    assert (answer.status, answer.body) == (404, b"<UnknownOperationException/>\n")


def test_a_browser_may_ask(port: int) -> None:
    """observed (dynalite): CORS, with id and checksum for scripts to read."""
    lines = ["OPTIONS / HTTP/1.1", "Host: x", "Origin: http://localhost:3000", "Access-Control-Request-Method: POST"]
    preflight = ask(port, "\r\n".join([*lines, "Access-Control-Request-Headers: x-amz-target", "", ""]).encode())
    assert (preflight.status, preflight.body) == (200, b"")
    assert preflight.headers["access-control-allow-headers"] == "x-amz-target"
    assert preflight.headers["access-control-allow-methods"] == "POST"
    answer = ask(port, post("ListTables", {}, {**SIGNED, "Origin": "http://localhost:3000"}))
    assert answer.status == 200
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["access-control-expose-headers"] == "x-amzn-requestid, x-amz-crc32"


# -- sizes ------------------------------------------------------------------------------------------------------


def padded(table: str, size: int) -> bytes:
    """A GetItem of exactly so many bytes."""
    body = b'{"TableName":"%s","Key":{"pk":{"S":"nobody"}},"Nothing":""}' % table.encode()
    return body[:-2] + b"x" * (size - len(body)) + body[-2:]


def test_a_body_of_16_mb_is_read(port: int, hash_table: str) -> None:
    """LIMITS: it is no more than the most."""
    answer = ask(port, post("GetItem", padded(hash_table, BODY_BYTES_MOST)))
    assert (answer.status, answer.json) == (200, {})


@pytest.mark.parametrize("chunked", [False, True])
def test_a_larger_body_is_refused(connection: Connection, hash_table: str, chunked: bool) -> None:
    """LIMITS. With the whole body read, so that the client gets to see it, and the connection goes on."""
    body = padded(hash_table, BODY_BYTES_MOST + 1)
    if chunked:
        pieces = (body[at : at + 1_000_000] for at in range(0, len(body), 1_000_000))
        connection.send(head("GetItem", None, {**SIGNED, "Transfer-Encoding": "chunked"}))
        connection.send(b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n")
    else:
        connection.send(post("GetItem", body))
    name, message = connection.receive().error(status=413)
    assert (name, message) == ("RequestEntityTooLargeException", "Request size exceeded 16777216 bytes")
    assert answered(connection, get(hash_table)).status == 200


# -- compressed -------------------------------------------------------------------------------------------------


def test_compressed_both_ways(db: Any, port: int, hash_table: str) -> None:
    """observed (ScyllaDB's tests): requests in gzip, answers from 4 KB on; the checksum is of what is sent."""
    item = {"pk": {"S": "compressed"}, "v": {"S": "x" * 100_000}}
    headers = {**SIGNED, "Content-Encoding": "gzip", "Accept-Encoding": "gzip, deflate"}
    put = gzip.compress(json.dumps({"TableName": hash_table, "Item": item}).encode())
    assert ask(port, post("PutItem", put, headers)).json == {}
    request = {"TableName": hash_table, "Key": {"pk": item["pk"]}, "ConsistentRead": True}
    answer = ask(port, post("GetItem", gzip.compress(json.dumps(request).encode()), headers))
    assert answer.headers["content-encoding"] == "gzip"
    assert int(answer.headers["x-amz-crc32"]) == crc32(answer.body)
    assert json.loads(gzip.decompress(answer.body)) == {"Item": item}
    plain = ask(port, post("GetItem", request))
    assert "content-encoding" not in plain.headers
    assert plain.json == {"Item": item}


def test_what_cannot_be_opened_changes_nothing(port: int, hash_table: str) -> None:
    """ours; observed is HTTP 500 (ScyllaDB's tests), which clients try again."""
    put = gzip.compress(json.dumps({"TableName": hash_table, "Item": KEY}).encode())
    for body in (put[:-1], put[:20], b"", b"{}"):
        answer = ask(port, post("PutItem", body, {**SIGNED, "Content-Encoding": "gzip"}))
        assert answer.error()[0] == "SerializationException"


# -- in pieces --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 7, 500])
def test_chunked_bodies(connection: Connection, hash_table: str, size: int) -> None:
    """RFC 9112: in chunks of any size, with extensions and trailers, on a connection that goes on."""
    raw = get(hash_table).partition(b"\r\n\r\n")[2]
    for _ in range(2):
        connection.send(head("GetItem", None, {**SIGNED, "Transfer-Encoding": "chunked"}))
        for at in range(0, len(raw), size):
            piece = raw[at : at + size]
            connection.send(b"%x;name=value\r\n%s\r\n" % (len(piece), piece))
        connection.send(b"0\r\nTrailer: value\r\n\r\n")
        answer = connection.receive()
        assert (answer.status, answer.json) == (200, {})


def test_expect_100_continue(connection: Connection, hash_table: str) -> None:
    """RFC 9110: the client sends its body when it is told to; some SDKs ask for large ones."""
    raw = get(hash_table).partition(b"\r\n\r\n")[2]
    for _ in range(2):
        connection.send(head("GetItem", len(raw), {**SIGNED, "Expect": "100-continue"}))
        assert connection.line().startswith(b"HTTP/1.1 100 ")
        assert connection.line() == b"\r\n"
        connection.send(raw)
        answer = connection.receive()
        assert (answer.status, answer.json) == (200, {})


def test_pipelined_requests(db: Any, connection: Connection, hash_table: str) -> None:
    """RFC 9112: sent at once, answered in their order, refusals among them."""
    for number in range(8):
        db.put_item(TableName=hash_table, Item={"pk": {"S": f"pipelined-{number}"}, "n": {"N": str(number)}})
    bad = post("GetItem", b"{"), post("Nothing", {}), post("GetItem", {"TableName": hash_table}, {})
    requests = [get(hash_table, f"pipelined-{number}") for number in range(8)]
    connection.send(b"".join([*requests[:4], *bad, *requests[4:]]))
    answers = [connection.receive() for _ in range(11)]
    good = [answer for answer in answers if answer.status == 200]
    assert [answer.status for answer in answers] == [200] * 4 + [400] * 3 + [200] * 4
    assert [answer.json["Item"]["n"]["N"] for answer in good] == [str(number) for number in range(8)]
    assert [answer.error()[0] for answer in answers[4:7]] == [
        SERIALIZATION,
        "UnknownOperationException",
        "MissingAuthenticationTokenException",
    ]


def test_a_slow_client_keeps_nobody_waiting(port: int, hash_table: str) -> None:
    """Fifty requests stand half sent, in the head and in the body; another is answered; then each of them is."""
    raw = get(hash_table)
    cuts = [len(raw) * number // 51 for number in range(1, 51)]
    with ExitStack() as opened:
        waiting = [opened.enter_context(connected(port)) for _ in cuts]
        for connection, cut in zip(waiting, cuts, strict=True):
            connection.send(raw[:cut])
        assert ask(port, raw).status == 200
        for connection, cut in zip(waiting, cuts, strict=True):
            connection.send(raw[cut:])
        assert [connection.receive().status for connection in waiting] == [200] * len(cuts)


def test_byte_by_byte(connection: Connection, hash_table: str) -> None:
    """Every cut through a request is one that it may arrive with."""
    for byte in get(hash_table):
        connection.send(bytes([byte]))
    answer = connection.receive()
    assert (answer.status, answer.json) == (200, {})


def test_a_half_closed_connection_is_answered(connection: Connection, hash_table: str) -> None:
    """A client may say that it sends no more, and still read its answer; then the connection ends."""
    connection.send(get(hash_table))
    connection.socket.shutdown(socket.SHUT_WR)
    answer = connection.receive()
    assert (answer.status, answer.json) == (200, {})
    assert connection.is_at_end()


@pytest.mark.parametrize("part", [0.2, 0.6, 0.99])
@pytest.mark.parametrize("closes", ["reads on", "is gone"])
def test_half_a_request_changes_nothing(port: int, hash_table: str, part: float, closes: str) -> None:
    """No answer, no write: the item is looked for after every test of this module."""
    raw = post("PutItem", {"TableName": hash_table, "Item": {**KEY, "v": {"S": "x" * 1000}}})
    with connected(port) as connection:
        connection.send(raw[: int(len(raw) * part)])
        if closes == "reads on":
            connection.socket.shutdown(socket.SHUT_WR)
            assert connection.is_at_end()
    assert ask(port, get(hash_table)).status == 200


@pytest.mark.parametrize(
    "raw",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"GET\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nno colon\r\n\r\n",
    ],
)
def test_what_is_no_http(port: int, hash_table: str, raw: bytes) -> None:
    """RFC 9112: 400, and the connection ends."""
    with connected(port) as connection:
        connection.send(raw)
        assert connection.receive().status == 400
        assert connection.is_at_end()
    assert ask(port, get(hash_table)).status == 200
