"""One DynamoDB-compatible endpoint, AWS's or another: signed requests and their answers as JSON.

botocore finds credentials, region and address, signs and speaks HTTP. Its client is not used: it turns every
attribute value into Python's types and back, which costs twice what the rest of an export does.
"""

from __future__ import annotations

import importlib.util
import os
import re
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit
from zlib import crc32

import orjson

from dynabus.cli.problem import Problem

if TYPE_CHECKING:
    from botocore.auth import SigV4Auth
    from botocore.httpsession import URLLib3Session
    from botocore.session import Session

AWS = "aws"
"""Instead of an address: AWS's own endpoint of the region."""

LOCAL = "http://127.0.0.1:8000"
"""Where `dynabus up` serves unless told otherwise."""

LOCAL_REGION = "us-east-1"
TARGET = "DynamoDB_20120810."
CONNECT_TIMEOUT_S, READ_TIMEOUT_S = 5, 60
"""botocore's own read timeout; a connection is made within 5 s or the address is wrong."""

_AWS_HOST = re.compile(r"dynamodb\.([a-z0-9-]+)\.(amazonaws\.com(\.cn)?|api\.aws)$")
_OF_AWS_MACHINES = ("iam-role", "container-role")
"""Credential providers that ask a service of Amazon EC2 or ECS; elsewhere nobody answers, and they wait."""


class Where(NamedTuple):
    """An endpoint as the command line says it: an address, or `aws`; region and profile as the AWS CLI has them."""

    url: str | None = None
    region: str | None = None
    profile: str | None = None


class Unreachable(Exception):
    """No answer, or not a whole one. Whether the request was carried out is unknown."""


class Refused(Exception):
    """An error that the endpoint answered: its code (without prefix), its message and the HTTP status."""

    def __init__(self, code: str, message: str, status: int) -> None:
        super().__init__(f"{code}: {message}" if message else code)
        self.code = code
        self.message = message
        self.status = status


class Endpoint:
    """Sends one request at a time and thread; knows nothing of retries."""

    def __init__(self, url: str, signer: SigV4Auth, http: URLLib3Session) -> None:
        self.url = url
        self._signer = signer
        self._http = http

    def call(self, operation: str, body: bytes) -> Any:
        """The parsed answer. Raises Refused, Unreachable, and Problem without credentials."""
        from botocore.awsrequest import AWSRequest
        from botocore.exceptions import BotoCoreError

        headers = {
            "Content-Type": "application/x-amz-json-1.0",
            "X-Amz-Target": TARGET + operation,
            "Accept-Encoding": "identity",
        }
        request = AWSRequest("POST", self.url, headers=headers, data=body)
        self._sign(request)
        try:
            response = self._http.send(request.prepare())
        except BotoCoreError as error:
            raise Unreachable(_reason(error)) from error
        return answer(response.status_code, response.content, response.headers.get("x-amz-crc32"))

    def _sign(self, request: Any) -> None:
        from botocore.exceptions import BotoCoreError

        try:
            self._signer.add_auth(request)
        except BotoCoreError as error:
            raise Problem(f"no credentials for {self.url}: {error}") from error


def answer(status: int, content: bytes, checksum: str | None) -> Any:
    """An answer's JSON, checked by its CRC-32 where one was sent; raises Refused and Unreachable."""
    if checksum is not None and checksum.isdigit() and int(checksum) != crc32(content):
        raise Unreachable("the answer was damaged on the way")
    try:
        parsed = orjson.loads(content)
    except orjson.JSONDecodeError:
        parsed = None
    if status == 200 and isinstance(parsed, dict):
        return parsed
    if isinstance(parsed, dict) and "__type" in parsed:
        code = str(parsed["__type"]).rpartition("#")[2]
        raise Refused(code, str(parsed.get("message") or parsed.get("Message") or ""), status)
    if status >= 500 or status == 200:
        raise Unreachable(f"an answer that is no JSON (HTTP {status})")
    raise Refused(f"HTTP {status}", "this is no DynamoDB endpoint", status)


def connect(where: Where, connections: int) -> Endpoint:
    """The endpoint, ready for so many requests at a time; nothing is sent yet. Raises Problem."""
    for package in ("botocore", "tqdm"):
        if importlib.util.find_spec(package) is None:
            raise Problem(f"{package} is missing: pip install 'dynabus[migrate]'")
    from botocore.auth import SigV4Auth
    from botocore.exceptions import BotoCoreError
    from botocore.session import Session

    given = where.url or os.environ.get("AWS_ENDPOINT_URL_DYNAMODB") or os.environ.get("AWS_ENDPOINT_URL") or LOCAL
    try:
        session = Session(profile=where.profile)
        region = where.region or _region_in(given) or session.get_config_variable("region")
        if region is None and is_aws(given):
            raise Problem("which region of AWS? say --region, or set AWS_REGION")
        region = str(region or LOCAL_REGION)
        credentials = _credentials(session, where.profile, is_aws(given))
        url = _aws_address(session, region) if given == AWS else _checked(given)
        return Endpoint(url, SigV4Auth(credentials, "dynamodb", region), _http(session, url, connections))
    except BotoCoreError as error:
        raise Problem(str(error)) from error


def is_aws(url: str) -> bool:
    """Whether an address is AWS's own, which wants real credentials."""
    return url == AWS or _region_in(url) is not None


def _region_in(url: str) -> str | None:
    found = _AWS_HOST.search(urlsplit(url).hostname or "")
    return found.group(1) if found else None


def _checked(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Problem(f"{url!r} is no endpoint; it looks like {LOCAL}, or is {AWS!r}")
    return url if parts.path else url + "/"


def _aws_address(session: Session, region: str) -> str:
    return str(session.create_client("dynamodb", region_name=region).meta.endpoint_url) + "/"


def _credentials(session: Session, profile: str | None, aws: bool) -> Any:
    """The environment's. Another endpoint than AWS needs a signature, but nobody's in particular."""
    from botocore.credentials import Credentials
    from botocore.exceptions import BotoCoreError

    resolver = session.get_component("credential_provider")
    if not aws:
        for method in _OF_AWS_MACHINES:
            resolver.remove(method)
    try:
        found = resolver.load_credentials()
    except BotoCoreError:
        if aws or profile:
            raise
        found = None
    if found is None and aws:
        raise Problem("no credentials for AWS: run `aws configure`, set AWS_ACCESS_KEY_ID and ..., or say --profile")
    return found or Credentials("dynabus", "dynabus")


def _http(session: Session, url: str, connections: int) -> URLLib3Session:
    from botocore.httpsession import URLLib3Session
    from botocore.utils import get_environ_proxies

    return URLLib3Session(
        verify=session.get_config_variable("ca_bundle") or True,
        proxies=get_environ_proxies(url),
        timeout=(CONNECT_TIMEOUT_S, READ_TIMEOUT_S),  # type: ignore[arg-type]  # the stubs know only one for both
        max_pool_connections=connections,
    )


def _reason(error: Exception) -> str:
    """What happened, in a few words: the error that botocore wraps, and not the address, which is said elsewhere."""
    text = str(getattr(error, "kwargs", {}).get("error") or error)
    if "Connection refused" in text:
        return "connection refused"
    if "Name or service not known" in text or "nodename nor servname" in text:
        return "no such host"
    return text
