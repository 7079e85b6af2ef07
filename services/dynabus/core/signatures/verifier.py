"""The checks of a signature, in the order in which DynamoDB makes them (recorded by dynalite).

    1  exactly one claim, and whole                      MissingAuthenticationToken, IncompleteSignature, Invalid…
    2  the date can be read, and is within 15 minutes    IncompleteSignature, InvalidSignature
    3  Host is signed, and X-Amz-Target (as AWS's guide demands of all x-amz-* headers)      InvalidSignature
    4  algorithm, five elements in the credential        IncompleteSignature
    5  their region, service, terminator and day         InvalidSignature
    6  the access key is known                           UnrecognizedClient
    7  the signature is the one that its secret gives    InvalidSignature
    8  the session token is the key's                    UnrecognizedClient, ExpiredToken

Until 7 has passed nothing is kept: whoever knows no secret cannot fill a cache.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from hmac import compare_digest, digest
from re import compile as pattern

from dynabus.core.errors import CORAL, ApiError
from dynabus.core.signatures.canonical import TERMINATOR, Pairs, canonical_request, signing_key, string_to_sign
from dynabus.core.signatures.claim import Claim, claim_of, incomplete, invalid, unrecognized

SKEW_S = 15 * 60
"""How far a client's clock may be off: DynamoDB's "15 min."."""

LIFETIME_MOST_S = 7 * 24 * 3600
"""Of a presigned request, as the documentation of X-Amz-Expires has it."""

SIGNING_KEYS_MOST = 1024
"""Kept at once: a few clients, each for its day and region; beyond it all are derived anew (10 µs each)."""

DATE_CHARACTERS_MOST = 64
"""Of a `Date` header that is looked at; HTTP's form has 29."""

ALGORITHM = "AWS4-HMAC-SHA256"
SERVICE = "dynamodb"
"""DynamoDB Streams is signed with the same name."""

INVALID_TOKEN = "The security token included in the request is invalid"
"""Of an unknown access key with a full stop behind it, of a wrong session token without one."""

_BASIC_FORMAT = pattern(r"[0-9]{8}T[0-9]{6}Z")
_REGION = pattern(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class AccessKey:
    """A secret; for temporary credentials also their session token, and their end in seconds since 1970."""

    secret: str = field(repr=False)
    token: str | None = field(default=None, repr=False)
    expires_s: float | None = None


@dataclass(frozen=True, slots=True)
class Signed:
    """A request as it came: path and query percent-encoded, header names in lower case, the body as it was sent."""

    method: str
    path: bytes
    query: bytes
    headers: Pairs
    body: bytes


@dataclass(frozen=True, slots=True)
class Scope:
    """A credential, taken apart; `text` is `day/region/service/aws4_request`."""

    key_id: str
    day: str
    region: str
    text: str


class Verifier:
    """Access keys by their ids, and the signing keys of those that were used."""

    def __init__(self, keys: Mapping[str, AccessKey]) -> None:
        self._keys = dict(keys)
        self._signing_keys: dict[tuple[str, str], bytes] = {}
        self._window = (-1, "", "")

    def verify(self, request: Signed, named: Mapping[bytes, bytes], now_s: int) -> str:
        """The id of the access key that signed the request, `named` being its headers by name.

        Raises ApiError with DynamoDB's words.
        """
        claim = claim_of(named, request.query)
        date = _basic_format(claim.date)
        self._check_time(claim, date, now_s)
        names = _signed_names(claim, named)
        scope = _scope(claim, date)
        key = self._keys.get(scope.key_id)
        if key is None:
            raise unrecognized(f"{INVALID_TOKEN}.")
        self._check_signature(request, claim, date, names, scope, key)
        _check_token(claim, key, now_s)
        return scope.key_id

    def _check_time(self, claim: Claim, date: str, now_s: int) -> None:
        """Dates of the basic format are in the order of their texts."""
        if now_s != self._window[0]:
            self._window = (now_s, _text(now_s - SKEW_S), _text(now_s + SKEW_S))
        _, earliest, latest = self._window
        if date > latest:
            raise invalid(
                f"Signature not yet current: {date} is still later than {latest} ({_text(now_s)} + 15 min.)"
            )
        lifetime_s = SKEW_S
        if claim.lifetime is not None:
            lifetime_s = _lifetime_s(claim.lifetime)
            earliest = _text(now_s - lifetime_s)
        if date < earliest:
            allowed = f"{lifetime_s // 60} min." if lifetime_s % 60 == 0 else f"{lifetime_s} s"
            raise invalid(f"Signature expired: {date} is now earlier than {earliest} ({_text(now_s)} - {allowed})")

    def _check_signature(
        self, request: Signed, claim: Claim, date: str, names: list[bytes], scope: Scope, key: AccessKey
    ) -> None:
        canonical = canonical_request(
            request.method, request.path, request.query, request.headers, names, request.body
        )
        signs = string_to_sign(ALGORITHM, date, scope.text, canonical)
        place = (scope.key_id, scope.text)
        known = self._signing_keys.get(place)
        derived = known or signing_key(key.secret, scope.day, scope.region, SERVICE)
        expected = digest(derived, signs.encode(), "sha256").hex()
        if not compare_digest(expected.encode(), claim.signature.encode()):
            raise _mismatch(canonical, signs)
        if known is None:
            if len(self._signing_keys) >= SIGNING_KEYS_MOST:
                self._signing_keys.clear()
            self._signing_keys[place] = derived


def _basic_format(date: str) -> str:
    """ISO 8601's basic format, which X-Amz-Date has; a `Date` header may have HTTP's own."""
    if _BASIC_FORMAT.fullmatch(date):
        return date
    try:
        moment = parsedate_to_datetime(date[:DATE_CHARACTERS_MOST])
        return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    except (ValueError, OverflowError):
        raise incomplete(
            f"Date must be in ISO-8601 'basic format'. Got '{date}'. See http://en.wikipedia.org/wiki/ISO_8601"
        ) from None


def _text(time_s: int) -> str:
    return datetime.fromtimestamp(time_s, UTC).strftime("%Y%m%dT%H%M%SZ")


def _lifetime_s(text: str) -> int:
    """X-Amz-Expires. DynamoDB's words are not known; these are ours."""
    seconds = int(text) if text.isdecimal() and len(text) <= 6 else 0
    if not 1 <= seconds <= LIFETIME_MOST_S:
        raise incomplete(f"X-Amz-Expires must be a number of seconds from 1 to {LIFETIME_MOST_S}. Got '{text}'.")
    return seconds


def _signed_names(claim: Claim, named: Mapping[bytes, bytes]) -> list[bytes]:
    names = sorted(claim.signed_headers.lower().encode().split(b";"))
    if b"host" not in names:
        raise invalid("'Host' must be a 'SignedHeader' in the AWS Authorization.")
    # Else whoever saw a GetItem could send it again as a DeleteItem. Not seen of DynamoDB; the words are ours.
    if b"x-amz-target" in named and b"x-amz-target" not in names:
        raise invalid("'X-Amz-Target' must be a 'SignedHeader' in the AWS Authorization.")
    return names


def _scope(claim: Claim, date: str) -> Scope:
    if claim.algorithm != ALGORITHM:
        raise incomplete(f"Unsupported AWS 'algorithm': '{claim.algorithm}' (only {ALGORITHM} for now). ")
    elements = claim.credential.rstrip("/").split("/")
    if len(elements) != 5:
        raise incomplete(
            "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, "
            f"got '{claim.credential}'"
        )
    key_id, day, region, service, terminator = elements
    faults = []
    if not _REGION.fullmatch(region):
        faults.append(f"Credential should be scoped to a valid region, not '{region}'. ")
    if service != SERVICE:
        faults.append(f"Credential should be scoped to correct service: '{SERVICE}'. ")
    if terminator != TERMINATOR:
        faults.append(f"Credential should be scoped with a valid terminator: '{TERMINATOR}', not '{terminator}'. ")
    if day != date[:8]:
        faults.append(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
            f"'{day}' != '{date[:8]}', from '{date}'."
        )
    if faults:
        raise invalid("".join(faults))
    return Scope(key_id, day, region, f"{day}/{region}/{service}/{terminator}")


def _check_token(claim: Claim, key: AccessKey, now_s: int) -> None:
    """Temporary credentials are a pair with their token; others have none."""
    if key.token is None:
        if claim.token is not None:
            raise unrecognized(INVALID_TOKEN)
        return
    if claim.token is None:
        raise unrecognized(f"{INVALID_TOKEN}.")
    if not compare_digest(claim.token.encode(), key.token.encode()):
        raise unrecognized(INVALID_TOKEN)
    if key.expires_s is not None and now_s >= key.expires_s:
        raise ApiError(CORAL + "ExpiredTokenException", "The security token included in the request is expired")


def _mismatch(canonical: bytes, signs: str) -> ApiError:
    """What should have been signed tells no secret, and is what finds a proxy that changed a header."""
    request = canonical.decode("latin-1")
    return invalid(
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access "
        "Key and signing method. Consult the service documentation for details.\n\nThe Canonical String for this "
        f"request should have been\n'{request}'\n\nThe String-to-Sign should have been\n'{signs}'\n"
    )
