"""The canonical request of Signature Version 4, and the key that signs it.

    method \\n path \\n query \\n headers, a line each \\n \\n names of headers \\n SHA-256 of the body, in hex

Bytes throughout: what came over the wire is hashed as it came.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256
from hmac import digest
from urllib.parse import quote, quote_from_bytes, unquote_to_bytes

TERMINATOR = "aws4_request"
SIGNATURE_PARAMETER = b"X-Amz-Signature"

Pairs = Iterable[tuple[bytes, bytes]]


def canonical_request(
    method: str, path: bytes, query: bytes, headers: Pairs, names: Sequence[bytes], body: bytes
) -> bytes:
    """The request in the form that is hashed.

    `path` and `query` as they were sent, percent-encoded; `headers` with names in lower case; `names` those that
    are signed, in lower case and sorted.
    """
    uri = b"/" if path in (b"/", b"") else canonical_path(path)
    lines = [
        method.encode(),
        uri,
        canonical_query(query) if query else b"",
        *canonical_headers(headers, names),
        b"",
        b";".join(names),
        sha256(body).hexdigest().encode(),
    ]
    return b"\n".join(lines)


def canonical_headers(headers: Pairs, names: Sequence[bytes]) -> list[bytes]:
    """`name:value` of each; blanks around and between words are one or none, values of one name are joined."""
    values: dict[bytes, bytes] = {}
    for name, value in headers:
        if name in names:
            words = value.strip()
            if b"  " in words or b"\t" in words:
                words = b" ".join(words.split())
            values[name] = values[name] + b"," + words if name in values else words
    return [b"%s:%s" % (name, values.get(name, b"")) for name in names]


def canonical_path(path: bytes) -> bytes:
    """Without `.`, `..` and empty segments, and encoded once more than it was sent, as all services but S3 do."""
    kept: list[str] = []
    for segment in path.decode("latin-1").split("/"):
        if segment == "..":
            kept = kept[:-1]
        elif segment not in ("", "."):
            kept.append(segment)
    end = "/" if kept and path.endswith(b"/") else ""
    return quote(f"/{'/'.join(kept)}{end}", safe="/~", encoding="latin-1").encode()


def canonical_query(query: bytes) -> bytes:
    """The parameters but the signature itself, encoded anew and sorted by name and value."""
    pairs = []
    for field in query.split(b"&"):
        name, _, value = field.partition(b"=")
        if field and name != SIGNATURE_PARAMETER:
            pairs.append((_encoded(name), _encoded(value)))
    return "&".join(f"{name}={value}" for name, value in sorted(pairs)).encode()


def _encoded(text: bytes) -> str:
    return quote_from_bytes(unquote_to_bytes(text), safe="-_.~")


def string_to_sign(algorithm: str, date: str, scope: str, request: bytes) -> str:
    """What the signing key signs; `scope` is `date/region/service/aws4_request`."""
    return f"{algorithm}\n{date}\n{scope}\n{sha256(request).hexdigest()}"


def signing_key(secret: str, day: str, region: str, service: str) -> bytes:
    """The key of one day, region and service."""
    key = b"AWS4" + secret.encode()
    for part in (day, region, service, TERMINATOR):
        key = digest(key, part.encode(), "sha256")
    return key
