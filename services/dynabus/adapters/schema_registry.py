"""Registers schemas with a registry of the operator's own: Confluent's Schema Registry, or what speaks its API.

    POST /subjects/<subject>/versions   {"schema": "...", "schemaType": "AVRO"}   ->   {"id": 7}

To register what is registered already answers with the same id, so nothing needs to be kept. Source: Confluent Schema
Registry, API reference.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import quote, unquote, urlsplit

import orjson

CALL_S = 2.0
"""It answers in milliseconds; whoever waits here polls no consumer group."""

AGAIN_S = 5.0
"""Between two attempts at a registry that does not answer, whichever subject they are for."""

SAID_MOST = 300
"""Characters of what it says that are repeated."""


class RegistryProblem(Exception):
    """It is away, or refuses the schema; one line says why."""


class SchemaRegistry:
    """Used from one thread. `url`: http[s]://[user:password@]host[:port][/path]."""

    def __init__(self, url: str, now_s: Callable[[], float] = time.monotonic) -> None:
        parts = urlsplit(url)
        self._is_tls, self._path = parts.scheme == "https", parts.path.rstrip("/")
        self._host, self._port = parts.hostname or "", parts.port
        self._headers = {"Content-Type": "application/vnd.schemaregistry.v1+json"}
        if parts.username is not None:
            secret = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
            self._headers["Authorization"] = f"Basic {base64.b64encode(secret).decode()}"
        self._now_s = now_s
        self._ids: dict[str, int] = {}
        self._silent_until_s = float("-inf")
        self._why = ""

    def register(self, subject: str, schema: str) -> int:
        """The schema's id, asked for once per subject. Raises RegistryProblem."""
        known = self._ids.get(subject)
        if known is None:
            known = self._ids[subject] = self._register(subject, schema)
        return known

    def _register(self, subject: str, schema: str) -> int:
        if self._now_s() < self._silent_until_s:
            raise RegistryProblem(self._why)
        body = orjson.dumps({"schema": schema, "schemaType": "AVRO"})
        status, content = self._post(f"{self._path}/subjects/{quote(subject, safe='')}/versions", body)
        try:
            said = orjson.loads(content)
        except orjson.JSONDecodeError:
            said = None
        number = said.get("id") if isinstance(said, dict) else None
        if status != 200 or not isinstance(number, int) or not 0 <= number < 2**32:
            words = content[:SAID_MOST].decode("utf-8", "replace")
            raise RegistryProblem(f"the schema registry refuses {subject}: HTTP {status} {words}")
        return number

    def _post(self, path: str, body: bytes) -> tuple[int, bytes]:
        kind = HTTPSConnection if self._is_tls else HTTPConnection
        connection = kind(self._host, self._port, timeout=CALL_S)
        try:
            connection.request("POST", path, body, self._headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (OSError, HTTPException) as error:
            self._silent_until_s = self._now_s() + AGAIN_S
            where = f"{self._host}:{connection.port}"
            self._why = f"the schema registry at {where} does not answer: {error or type(error).__name__}"
            raise RegistryProblem(self._why) from error
        finally:
            connection.close()
