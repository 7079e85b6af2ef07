"""Ask a process of ours over HTTP. `http.client` alone: the command must start in a blink."""

from __future__ import annotations

from http.client import HTTPConnection, HTTPException, HTTPSConnection

TIMEOUT_S = 1.0


def get(
    host: str, port: int, path: str, timeout_s: float = TIMEOUT_S, *, tls: bool = False
) -> tuple[int, bytes] | None:
    """(status, body), or None when nobody answers in time."""
    connection = _over_tls(host, port, timeout_s) if tls else HTTPConnection(host, port, timeout=timeout_s)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read()
    except (OSError, HTTPException):
        return None
    finally:
        connection.close()


def _over_tls(host: str, port: int, timeout_s: float) -> HTTPSConnection:
    """Whoever signed the certificate, and whatever names are in it: only whether it serves is asked."""
    import ssl

    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return HTTPSConnection(host, port, timeout=timeout_s, context=context)
