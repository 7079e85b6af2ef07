"""A certificate and its key, as the context in which a server speaks TLS."""

from __future__ import annotations

import re
import ssl
from pathlib import Path

CERTIFICATE = re.compile(rb"^-----BEGIN (TRUSTED |X509 )?CERTIFICATE-----", re.MULTILINE)
PRIVATE_KEY = re.compile(rb"^-----BEGIN [A-Z ]*PRIVATE KEY-----", re.MULTILINE)

OF_ANOTHER = frozenset({"KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH", "NO_CERTIFICATE_ASSIGNED"})
"""OpenSSL's reasons for a key that belongs to another certificate, the last one where it is of another kind."""


class TlsError(Exception):
    """Certificate or key cannot be used; says which and why."""


def server_context(certificate: Path, key: Path | None = None) -> ssl.SSLContext:
    """TLS 1.2 or newer, HTTP/1.1 on top. Both files are PEM; without `key` it is in the certificate's file.

    Raises TlsError.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    load(context, certificate, key)
    return context


def load(context: ssl.SSLContext, certificate: Path, key: Path | None) -> None:
    """Let connections from now on have this certificate. Raises TlsError; the context then keeps what it had."""
    _require(certificate, CERTIFICATE, "certificate")
    _require(key or certificate, PRIVATE_KEY, "private key")
    # A trial first: a context whose certificate was taken and whose key was refused would serve neither.
    _load(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), certificate, key)
    _load(context, certificate, key)


def _require(path: Path, begin: re.Pattern[bytes], what: str) -> None:
    """OpenSSL does not say which of the files it means, nor what it misses there."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise TlsError(f"TLS: {path}: {error.strerror or error}") from error
    if not begin.search(content):
        raise TlsError(f"TLS: {path}: no {what} in PEM form in it")


def _load(context: ssl.SSLContext, certificate: Path, key: Path | None) -> None:
    where = f"certificate {certificate}, key {key or certificate}"
    try:
        context.load_cert_chain(certificate, key, password=_no_password)
    except _EncryptedKey:
        raise TlsError(f"TLS: {where}: the key is encrypted; take its password off") from None
    except ssl.SSLError as error:
        raise TlsError(f"TLS: {where}: {_reason(error)}") from error


class _EncryptedKey(Exception):
    pass


def _no_password() -> str:
    """Asked for when the key is encrypted; OpenSSL would ask at the terminal."""
    raise _EncryptedKey


def _reason(error: ssl.SSLError) -> str:
    reason = str(error.reason)
    return "the key is not the certificate's" if reason in OF_ANOTHER else f"OpenSSL says {reason}"
