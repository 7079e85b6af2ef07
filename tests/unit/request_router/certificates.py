"""Certificates for tests, made by the `openssl` command; tests are skipped where there is none."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from pathlib import Path

import pytest

EC = ("ec", "-pkeyopt", "ec_paramgen_curve:prime256v1")
RSA = ("rsa:2048",)


def certificate(folder: Path, name: str, kind: tuple[str, ...] = EC) -> tuple[Path, Path]:
    """(certificate, key) of localhost, signed by itself."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl command to make a certificate with")
    cert, key = folder / f"{name}.pem", folder / f"{name}.key"
    names = ("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1")
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        *kind,
        "-nodes",
        "-keyout",
        str(key),
        "-out",
        str(cert),
        "-days",
        "2",
        *names,
    ]
    subprocess.run(command, check=True, capture_output=True)
    return cert, key


def encrypted(key: Path) -> Path:
    """The same key under a password."""
    path = key.with_suffix(".encrypted")
    command = ["openssl", "ec", "-in", str(key), "-aes128", "-passout", "pass:x", "-out", str(path)]
    subprocess.run(command, check=True, capture_output=True)
    return path


def trusting(cert: Path) -> ssl.SSLContext:
    """A client that believes this certificate and no other."""
    return ssl.create_default_context(cafile=str(cert))
