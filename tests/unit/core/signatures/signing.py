"""Requests that botocore signs, taken apart into what a server receives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import formatdate
from hashlib import sha256
from typing import Any
from unittest.mock import patch
from urllib.parse import urlsplit

from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from dynabus.core.signatures import AccessKey, Signed, Verifier

NOW_S = 1_790_000_000
"""2026-09-21, 14:13:20 in UTC."""

KEYS = {
    "AKIDEXAMPLE": AccessKey("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
    "ASIAEXAMPLE": AccessKey("a secret, with blanks and ü", "a token+/= %41", NOW_S + 60.0),
    "ASIALASTING": AccessKey("another", "token"),
}
TARGET = "DynamoDB_20120810.ListTables"


class PresignedWithBody(SigV4QueryAuth):
    """botocore would move a JSON body into the query string; DynamoDB reads bodies."""

    def __init__(self, *arguments: Any, body: bytes, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self._body = body

    def payload(self, request: AWSRequest) -> str:
        return sha256(self._body).hexdigest()


@dataclass(frozen=True)
class Sent:
    """What goes over the wire."""

    method: str
    path: str
    query: str
    headers: list[tuple[bytes, bytes]]
    body: bytes

    def verified(self, verifier: Verifier | None = None, now_s: int = NOW_S) -> str:
        signed = Signed(self.method, self.path.encode(), self.query.encode(), self.headers, self.body)
        return (verifier or Verifier(KEYS)).verify(signed, dict(self.headers), now_s)

    def with_header(self, name: bytes, change: Callable[[bytes], bytes]) -> Sent:
        """The same with another value of a header that is there."""
        assert name in dict(self.headers)
        return replace(self, headers=[(n, change(v) if n == name else v) for n, v in self.headers])

    def without_header(self, name: bytes) -> Sent:
        return replace(self, headers=[pair for pair in self.headers if pair[0] != name])


def sign(
    key_id: str = "AKIDEXAMPLE",
    *,
    secret: str | None = None,
    body: bytes = b'{"Limit":1}',
    url: str = "http://127.0.0.1:8000/",
    headers: Mapping[str, str] | None = None,
    region: str = "us-east-1",
    service: str = "dynamodb",
    now_s: int = NOW_S,
    token: str | None = "",
    presigned_s: int | None = None,
) -> Sent:
    """A request signed by botocore at `now_s`; `token` empty: the key's own; `presigned_s`: in the query string."""
    key = KEYS.get(key_id, AccessKey("unknown"))
    credentials = Credentials(key_id, secret or key.secret, key.token if token == "" else token)
    request = AWSRequest("POST", url, {"X-Amz-Target": TARGET, **(headers or {})}, data=body)
    if presigned_s is None:
        auth: SigV4Auth = SigV4Auth(credentials, service, region)
    else:
        request.data = b""
        auth = PresignedWithBody(credentials, service, region, expires=presigned_s, body=body)
    with (
        patch("botocore.auth.get_current_datetime", return_value=datetime.fromtimestamp(now_s, UTC)),
        patch("botocore.auth.formatdate", return_value=formatdate(now_s, usegmt=True)),
    ):
        auth.add_auth(request)
    parts = urlsplit(str(request.url))
    pairs = [(name.lower().encode(), value.encode()) for name, value in request.headers.items()]
    if b"host" not in {name for name, _ in pairs}:
        pairs.insert(0, (b"host", parts.netloc.encode()))
    return Sent("POST", parts.path or "/", parts.query, pairs, body)
