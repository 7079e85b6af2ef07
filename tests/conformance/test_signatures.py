"""A cluster that demands signatures, over HTTPS: botocore's clients pass, all others are told DynamoDB's words.

The words themselves: tests/unit/core/signatures. Here: that they reach a client, and that nothing else gets through.
"""

from __future__ import annotations

import http.client
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.integration.cluster import RunningCluster, running, wait_until
from tests.unit.core.signatures.signing import Sent, sign
from tests.unit.request_router.certificates import certificate, trusting

SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
KEYS = f"""
AKIDEXAMPLE = "{SECRET}"

[ASIALASTING]
secret = "another"
session_token = "token"
"""
TABLE = "signed"


@dataclass(frozen=True)
class Closed:
    """A cluster with access keys and a certificate."""

    cluster: RunningCluster
    keys: Path
    certificate: Path

    def client(self, key_id: str = "AKIDEXAMPLE", secret: str = SECRET, token: str | None = None, **more: Any) -> Any:
        return boto3.client(
            "dynamodb",
            endpoint_url=f"https://127.0.0.1:{self.cluster.port}",
            region_name=more.pop("region", "us-east-1"),
            aws_access_key_id=key_id,
            aws_secret_access_key=secret,
            aws_session_token=token,
            verify=str(self.certificate),
            config=Config(retries={"total_max_attempts": 1}, **more),
        )

    def send(self, sent: Sent) -> tuple[int, bytes]:
        """What was signed by hand, over the wire."""
        connection = http.client.HTTPSConnection(
            "127.0.0.1", self.cluster.port, context=trusting(self.certificate), timeout=30
        )
        target = sent.path + (f"?{sent.query}" if sent.query else "")
        connection.putrequest(sent.method, target, skip_host=True, skip_accept_encoding=True)
        for name, value in [*sent.headers, (b"content-length", b"%d" % len(sent.body))]:
            connection.putheader(name.decode(), value)
        connection.endheaders(sent.body)
        answer = connection.getresponse()
        found = answer.status, answer.read()
        connection.close()
        return found

    def signed(self, **arguments: Any) -> Sent:
        headers = {"Content-Type": "application/x-amz-json-1.0"}
        url = f"https://127.0.0.1:{self.cluster.port}/{arguments.pop('path', '')}"
        return sign(url=url, headers=headers, now_s=int(time.time()) + arguments.pop("off_s", 0), **arguments)


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Closed]:
    folder = tmp_path_factory.mktemp("signatures")
    cert, key = certificate(folder, "router")
    keys = folder / "keys.toml"
    keys.touch(0o600)
    keys.write_text(KEYS)
    flags = ["--nodes", "1", "--auth", str(keys), "--tls-cert", str(cert), "--tls-key", str(key)]
    with running(folder, *flags) as cluster:
        found = Closed(cluster, keys, cert)
        db = found.client()
        db.create_table(
            TableName=TABLE,
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            BillingMode="PAY_PER_REQUEST",
        )
        db.get_waiter("table_exists").wait(TableName=TABLE, WaiterConfig={"Delay": 1, "MaxAttempts": 30})
        yield found


def refusal(client: Any) -> tuple[int, str, str]:
    with pytest.raises(ClientError) as caught:
        client.list_tables()
    error = caught.value.response
    return error["ResponseMetadata"]["HTTPStatusCode"], error["Error"]["Code"], error["Error"]["Message"]


@pytest.mark.parametrize("size", [1, 5000, 350_000])
@pytest.mark.parametrize("value", ["x", "ä€😀", '"\\\n\x7f'])
def test_items_over_tls(closed: Closed, size: int, value: str) -> None:
    """Signature Version 4: the body is signed, whatever is in it."""
    db, text = closed.client(), value * (size // len(value.encode()) or 1)
    db.put_item(TableName=TABLE, Item={"pk": {"S": "item"}, "v": {"S": text}})
    assert db.get_item(TableName=TABLE, Key={"pk": {"S": "item"}}, ConsistentRead=True)["Item"]["v"]["S"] == text


def test_session_tokens(closed: Closed) -> None:
    """Signature Version 4: temporary credentials are three."""
    assert TABLE in closed.client("ASIALASTING", "another", "token").list_tables()["TableNames"]
    wrong = (400, "UnrecognizedClientException", "The security token included in the request is invalid")
    assert refusal(closed.client("ASIALASTING", "another", "wrong")) == wrong
    assert refusal(closed.client("ASIALASTING", "another")) == (*wrong[:2], f"{wrong[2]}.")
    assert refusal(closed.client(token="token")) == wrong


@pytest.mark.parametrize("region", ["us-east-1", "eu-central-1"])
def test_regions(closed: Closed, region: str) -> None:
    """ours: of any region, as without access keys."""
    assert TABLE in closed.client(region=region).list_tables()["TableNames"]


def test_strangers(closed: Closed) -> None:
    """CommonErrors; observed (dynalite)."""
    status, code, message = refusal(closed.client(secret="wrong"))
    assert (status, code) == (400, "InvalidSignatureException")
    assert message.startswith("The request signature we calculated does not match the signature you provided. Check ")
    assert refusal(closed.client("AKIDNOBODY")) == (
        400,
        "UnrecognizedClientException",
        "The security token included in the request is invalid.",
    )


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({}, None),
        ({"presigned_s": 60}, None),
        ({"path": "a%20b//c/../?x=%2F&a="}, None),
        ({"body": b'{"Limit":1}', "presigned_s": 900}, None),
        ({"off_s": 600}, None),
        ({"off_s": -600}, None),
        ({"off_s": 1000}, b"Signature not yet current: "),
        ({"off_s": -1000}, b"Signature expired: "),
        ({"off_s": -120, "presigned_s": 60}, b"Signature expired: "),
        ({"service": "s3"}, b"Credential should be scoped to correct service: 'dynamodb'. "),
    ],
)
def test_what_is_signed_by_hand(closed: Closed, arguments: dict[str, Any], says: bytes | None) -> None:
    """Signature Version 4: headers and query strings, odd paths, clocks that differ."""
    status, body = closed.send(closed.signed(**arguments))
    assert status == (200 if says is None else 400), body
    assert says is None or says in body


def test_a_request_that_is_sent_again_as_another(closed: Closed) -> None:
    """Its signature is good for one operation and one body."""
    sent = closed.signed()
    assert closed.send(sent)[0] == 200
    other = sent.with_header(b"x-amz-target", lambda _: b"DynamoDB_20120810.DeleteTable")
    status, body = closed.send(other)
    assert (status, b"InvalidSignatureException" in body) == (400, True)


def test_without_a_signature(closed: Closed) -> None:
    """CommonErrors."""
    status, body = closed.send(closed.signed().without_header(b"authorization"))
    assert (status, b"MissingAuthenticationTokenException" in body) == (400, True)


@pytest.mark.parametrize(("path", "status"), [("/", 200), ("/healthz", 200), ("/readyz", 200), ("/status", 403)])
def test_pages(closed: Closed, path: str, status: int) -> None:
    """ours: health for load balancers, nothing that names tables."""
    sent = Sent("GET", path, "", [(b"host", b"x")], b"")
    assert closed.send(sent)[0] == status


def test_status_goes_on(closed: Closed) -> None:
    """ours: the command asks the port of health and metrics, on this machine alone."""
    status = closed.cluster.status()
    assert status["endpoint"].startswith("https://")
    assert [table["name"] for table in status["tables"]] == [TABLE]


def test_keys_come_and_go_while_it_runs(closed: Closed) -> None:
    """ours: the file is looked at every two seconds."""
    closed.keys.write_text('AKIDNEW = "new"\n' + KEYS)
    fresh = closed.client("AKIDNEW", "new")
    wait_until("the new key", lambda: accepted(fresh))
    closed.keys.write_text(KEYS)
    wait_until("the end of the new key", lambda: not accepted(fresh))
    assert accepted(closed.client())


def accepted(client: Any) -> bool:
    try:
        client.list_tables()
    except ClientError as error:
        return error.response["Error"]["Code"] != "UnrecognizedClientException"
    return True


def test_up_again_keeps_it_closed(closed: Closed) -> None:
    """ours: what `up` was told once it keeps."""
    closed.cluster.command("up", "--detach")
    assert refusal(closed.client("AKIDNOBODY"))[1] == "UnrecognizedClientException"
