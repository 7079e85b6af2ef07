"""Ask a process of ours over HTTP. `http.client` alone: the command must start in a blink."""

from __future__ import annotations

from http.client import HTTPConnection, HTTPException

TIMEOUT_S = 1.0


def get(host: str, port: int, path: str, timeout_s: float = TIMEOUT_S) -> tuple[int, bytes] | None:
    """(status, body), or None when nobody answers in time."""
    connection = HTTPConnection(host, port, timeout=timeout_s)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read()
    except (OSError, HTTPException):
        return None
    finally:
        connection.close()
