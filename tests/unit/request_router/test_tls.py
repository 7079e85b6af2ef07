"""HTTPS: certificates that are refused in one line, and a server that speaks TLS."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.request_router.certificates import RSA, certificate, encrypted, trusting
from tests.unit.request_router.conftest import Start
from tests.unit.request_router.served import AUTHORIZED, Served, read_answer, serving

from dynabus.adapters.tls import TlsError, server_context


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tls")
    certificate(folder, "a")
    certificate(folder, "b")
    certificate(folder, "rsa", RSA)
    encrypted(folder / "a.key")
    (folder / "both.pem").write_bytes((folder / "a.pem").read_bytes() + (folder / "a.key").read_bytes())
    (folder / "junk").write_text("hi")
    (folder / "broken.pem").write_text("-----BEGIN CERTIFICATE-----\nhi\n-----END CERTIFICATE-----\n")
    return folder


@pytest.fixture(scope="module")
def served(folder: Path) -> Iterator[Served]:
    with serving(trusting(folder / "a.pem"), tls_cert=folder / "a.pem", tls_key=folder / "a.key") as found:
        yield found


def test_a_key_of_its_own_and_one_in_the_same_file(folder: Path) -> None:
    server_context(folder / "rsa.pem", folder / "rsa.key")
    server_context(folder / "both.pem")


@pytest.mark.parametrize(
    ("cert", "key", "says"),
    [
        ("none.pem", "a.key", "/none.pem: No such file or directory"),
        ("a.pem", "none.key", "/none.key: No such file or directory"),
        ("", "a.key", ": Is a directory"),
        ("junk", "a.key", "/junk: no certificate in PEM form in it"),
        ("a.key", "a.key", "/a.key: no certificate in PEM form in it"),
        ("a.pem", "junk", "/junk: no private key in PEM form in it"),
        ("a.pem", None, "/a.pem: no private key in PEM form in it"),
        ("a.pem", "b.key", "b.key: the key is not the certificate's"),
        ("a.pem", "rsa.key", "rsa.key: the key is not the certificate's"),
        ("rsa.pem", "a.key", "a.key: the key is not the certificate's"),
        ("a.pem", "a.encrypted", "a.encrypted: the key is encrypted; take its password off"),
        ("broken.pem", "a.key", "broken.pem"),
    ],
)
def test_what_cannot_be_served_with(folder: Path, cert: str, key: str | None, says: str, start: Start) -> None:
    with pytest.raises(TlsError) as caught:
        server_context(folder / cert, None if key is None else folder / key)
    assert str(caught.value).startswith("TLS: ")
    assert says in str(caught.value)
    with_key = ["--tls-key", str(folder / key)] if key else []
    assert start("--tls-cert", str(folder / cert), *with_key) == (1, f"dynabus request-router: {caught.value}\n")


def test_a_key_without_certificate(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        start("--tls-key", "x")
    assert exit_.value.code == 2
    assert "--tls-key (DYNABUS_TLS_KEY): " in capsys.readouterr().err


def test_variables_that_are_empty_are_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compose files hand variables on whether they are set or not."""
    for name in ("AUTH", "TLS_CERT", "TLS_KEY"):
        monkeypatch.setenv(f"DYNABUS_{name}", "")
    with serving() as served:
        assert served.door.access is None
        assert served.door.context is None
        assert served.post(b"{}")[0] == 200


def test_requests_over_tls(served: Served) -> None:
    with served.connect() as connection:
        for size in (10, 300_000):
            body = b'{"a":"%s"}' % (b"x" * size)
            head = b"POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: DynamoDB_20120810.GetItem\r\n" + AUTHORIZED
            connection.sendall(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)
            assert read_answer(connection)[0] == 200


def test_a_large_answer_over_tls(served: Served) -> None:
    served.router.outcome = b'"%s"' % (b"x" * 3_000_000)
    assert served.send(b"{}")[2] == served.router.outcome


def test_http_1_1_is_what_is_spoken(folder: Path, served: Served) -> None:
    client = trusting(folder / "a.pem")
    client.set_alpn_protocols(["h2", "http/1.1"])
    plain = socket.create_connection(("127.0.0.1", served.port), timeout=10)
    with client.wrap_socket(plain, server_hostname="localhost") as connection:
        assert connection.selected_alpn_protocol() == "http/1.1"
        assert connection.version() == "TLSv1.3"


def test_old_tls_is_not(folder: Path, served: Served) -> None:
    client = trusting(folder / "a.pem")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        client.minimum_version = client.maximum_version = ssl.TLSVersion.TLSv1_1
    plain = socket.create_connection(("127.0.0.1", served.port), timeout=10)
    with plain, pytest.raises(ssl.SSLError):
        client.wrap_socket(plain, server_hostname="localhost")


def test_a_client_that_speaks_no_tls_harms_nobody(served: Served) -> None:
    with socket.create_connection(("127.0.0.1", served.port), timeout=10) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert connection.recv(100) in (b"", b"\x15\x03\x03\x00\x02\x02\x46", b"\x15\x03\x01\x00\x02\x02\x46")
    assert served.send(b"{}")[0] == 200


def test_a_client_that_ends_its_side_harms_nobody(served: Served) -> None:
    """Whether it is still answered is TLS's business; the next one is."""
    connection = served.connect()
    connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{")
    connection.close()
    assert served.send(b"{}")[0] == 200


def test_a_certificate_that_was_renewed(folder: Path, tmp_path: Path) -> None:
    """New connections get it; one that cannot be used changes nothing."""
    cert, key = tmp_path / "now.pem", tmp_path / "now.key"

    def put(name: str, key_name: str) -> None:
        cert.write_bytes((folder / f"{name}.pem").read_bytes())
        key.write_bytes((folder / f"{key_name}.key").read_bytes())

    put("a", "a")
    with serving(trusting(folder / "a.pem"), tls_cert=cert, tls_key=key) as served:
        (watched,) = served.door.watched()
        for name, key_name, now in (("b", "b", "b"), ("a", "b", "b"), ("a", "a", "a")):
            put(name, key_name)
            watched.look()
            served.client_tls = trusting(folder / f"{now}.pem")
            assert served.send(b"{}")[0] == 200
