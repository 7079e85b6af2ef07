"""Where clients find their cluster: an open one over HTTP, and a closed one that wants signatures and HTTPS."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.clients.story import ARCHIVE, ARCHIVED_BYTES, ARCHIVED_ITEMS
from tests.integration.cluster import running
from tests.unit.request_router.certificates import certificate

TEST_TIMEOUT_S = 600
"""Its packages are fetched and built first, once."""

ACCESS_KEY, SECRET = "AKIDCLIENTS", "a secret / with+what base64 may have="
"""A character in it that is not encoded alike everywhere is a signature that does not match."""

Environment = dict[str, str]
"""All that a client is told: AWS's own variables, as any program that is not changed for Dynabus reads them."""


@pytest.fixture(scope="module")
def open_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Environment]:
    """Any access key will do, over HTTP."""
    with running(tmp_path_factory.mktemp("clients")) as started:
        yield _environment(f"http://127.0.0.1:{started.port}", "any", "any")


@pytest.fixture(scope="module")
def closed_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Environment]:
    """Signatures are verified, over HTTPS with a certificate of our own; with a table too large for one answer."""
    folder = tmp_path_factory.mktemp("closed")
    cert, key = certificate(folder, "server")
    keys = folder / "keys.toml"
    keys.touch(mode=0o600)
    keys.write_text(f'{ACCESS_KEY} = "{SECRET}"\n')
    with running(folder, "--auth", str(keys), "--tls-cert", str(cert), "--tls-key", str(key)) as started:
        told = _environment(f"https://127.0.0.1:{started.port}", ACCESS_KEY, SECRET) | _trust(cert)
        _fill_archive(told)
        yield told


def _environment(endpoint: str, access_key: str, secret: str) -> Environment:
    return {
        "AWS_ENDPOINT_URL_DYNAMODB": endpoint,
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": access_key,
        "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def _trust(cert: Path) -> Environment:
    """How each runtime is told of a certificate that no authority signed; AWS's variable does for Python and Go."""
    told = {"AWS_CA_BUNDLE": str(cert), "NODE_EXTRA_CA_CERTS": str(cert)}
    if shutil.which("keytool"):
        store, password = cert.with_suffix(".p12"), "no secret"
        command = ["keytool", "-importcert", "-noprompt", "-alias", "dynabus", "-storetype", "PKCS12"]
        subprocess.run(
            [*command, "-file", str(cert), "-keystore", str(store), "-storepass", password],
            check=True,
            capture_output=True,
        )
        told["JDK_JAVA_OPTIONS"] = (
            f'-Djavax.net.ssl.trustStore={store} "-Djavax.net.ssl.trustStorePassword={password}"'
            " -Djavax.net.ssl.trustStoreType=PKCS12"
        )
    return told


def _fill_archive(told: Environment) -> None:
    db: Any = boto3.client(
        "dynamodb",
        endpoint_url=told["AWS_ENDPOINT_URL_DYNAMODB"],
        region_name=told["AWS_REGION"],
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET,
        verify=told["AWS_CA_BUNDLE"],
    )
    db.create_table(
        TableName=ARCHIVE,
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "N"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    db.get_waiter("table_exists").wait(TableName=ARCHIVE, WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    for number in range(ARCHIVED_ITEMS):
        db.put_item(TableName=ARCHIVE, Item={"id": {"N": str(number)}, "scan": {"B": bytes(ARCHIVED_BYTES)}})


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What runs a client needs the broker, and the first time much else."""
    for item in items:
        names = getattr(item, "fixturenames", ())
        if "clients" in item.path.parts and ("open_cluster" in names or "closed_cluster" in names):
            item.add_marker(pytest.mark.broker)
            item.add_marker(pytest.mark.slow)
            item.add_marker(pytest.mark.timeout(TEST_TIMEOUT_S))
