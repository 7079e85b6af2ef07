"""What a request says of its signature: one `Authorization` header, or `X-Amz-…` parameters of a query string.

Both at once, neither, and one that is not whole are refused here, in DynamoDB's words (recorded by dynalite).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

from dynabus.core.errors import CORAL, ApiError

USUAL_BEGINNING = b"AWS4-HMAC-SHA256 Credential="
MARK = b"X-Amz-Algorithm"
"""The parameter by which a query string says that it carries the signature."""

PARAMETERS = ("X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature", "X-Amz-SignedHeaders", "X-Amz-Date")
PARTS = ("Credential", "Signature", "SignedHeaders")
PARAMETERS_MOST = 100
"""Of a query string that is looked at: a presigned request has eight."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A signature that is there and whole; nothing of it is checked yet.

    `date` is as the client wrote it. `lifetime_s` and `is_presigned` belong to query strings. `prefix` is what is
    the same for a client's requests of one day: algorithm, credential, names of headers.
    """

    algorithm: str
    credential: str
    signed_headers: str
    signature: str
    date: str
    token: str | None
    lifetime: str | None = None
    is_presigned: bool = False


def require_claim(headers: Mapping[bytes, bytes], query: bytes) -> None:
    """Refuse a request without a whole signature. Headers by their names in lower case. Raises ApiError.

    For routers that take any signature: the usual request is recognised by how SDKs write the header.
    """
    authorization = headers.get(b"authorization")
    if (
        authorization is None
        or query
        or not authorization.startswith(USUAL_BEGINNING)
        or b"SignedHeaders=" not in authorization
        or b"Signature=" not in authorization
        or (b"x-amz-date" not in headers and b"date" not in headers)
    ):
        claim_of(headers, query)


def claim_of(headers: Mapping[bytes, bytes], query: bytes) -> Claim:
    """The signature of a request. Raises ApiError as DynamoDB does where there is none, or half of one."""
    authorization = headers.get(b"authorization", b"").decode("latin-1").strip()
    parameters = _parameters(query) if MARK in query else {}
    if "X-Amz-Algorithm" in parameters:
        if authorization:
            raise invalid("Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP header.")
        return _from_query(parameters)
    if not authorization.startswith("AWS4-"):
        raise ApiError(CORAL + "MissingAuthenticationTokenException", "Request is missing Authentication Token")
    return _from_header(authorization, headers)


def _parameters(query: bytes) -> dict[str, str]:
    """The first value of each parameter. A query string that cannot be read has none."""
    try:
        pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True, max_num_fields=PARAMETERS_MOST)
    except ValueError:
        return {}
    return dict(reversed(pairs))


def _from_query(parameters: Mapping[str, str]) -> Claim:
    missing = [name for name in PARAMETERS if not parameters.get(name)]
    if missing:
        wants = "".join(f"AWS query-string parameters must include '{name}'. " for name in missing)
        raise incomplete(f"{wants}Re-examine the query-string parameters.")
    algorithm, credential, signature, signed_headers, date = (parameters[name] for name in PARAMETERS)
    token, lifetime = parameters.get("X-Amz-Security-Token"), parameters.get("X-Amz-Expires")
    return Claim(algorithm, credential, signed_headers, signature, date, token, lifetime, is_presigned=True)


def _from_header(authorization: str, headers: Mapping[bytes, bytes]) -> Claim:
    algorithm, *fields = authorization.replace(",", " ").split()
    parts = _parts(fields, authorization)
    date = headers.get(b"x-amz-date") or headers.get(b"date") or b""
    wants = [f"'{name}' parameter" for name in PARTS if not parts.get(name)]
    if not date:
        wants.append("existence of either a 'X-Amz-Date' or a 'Date' header")
    if wants:
        said = "".join(f"Authorization header requires {want}. " for want in wants)
        raise incomplete(f"{said}Authorization={authorization}")
    token = headers.get(b"x-amz-security-token")
    return Claim(
        algorithm,
        parts["Credential"],
        parts["SignedHeaders"],
        parts["Signature"],
        date.decode("latin-1").strip(),
        None if token is None else token.decode("latin-1").strip(),
    )


def _parts(fields: list[str], authorization: str) -> dict[str, str]:
    """`Credential=…`, `SignedHeaders=…`, `Signature=…`, in any order, with commas or blanks between them."""
    parts = {}
    for field in fields:
        name, equals, value = field.partition("=")
        if not equals:
            raise incomplete(
                f"'{field}' not a valid key=value pair (missing equal-sign) in Authorization header: "
                f"'{authorization}'."
            )
        parts[name] = value
    return parts


def incomplete(message: str) -> ApiError:
    """The signature cannot be read."""
    return ApiError(CORAL + "IncompleteSignatureException", message)


def invalid(message: str) -> ApiError:
    """It can be read and is not valid."""
    return ApiError(CORAL + "InvalidSignatureException", message)


def unrecognized(message: str) -> ApiError:
    """It is of nobody who is known here."""
    return ApiError(CORAL + "UnrecognizedClientException", message)
