"""DynamoDB's words for signatures that are missing, not whole, or not valid.

Source unless a case says otherwise: dynalite's index.js and test/connection.js, recorded of DynamoDB.
"""

from __future__ import annotations

from hashlib import sha256

import pytest
from tests.unit.core.signatures.signing import KEYS, NOW_S, Sent, sign

from dynabus.core.errors import ApiError
from dynabus.core.signatures import Verifier, require_claim

CORAL = "com.amazon.coral.service#"
DATED = {b"x-amz-date": b"20260921T141320Z"}
MISSING = ("MissingAuthenticationTokenException", "Request is missing Authentication Token")
INVALID_TOKEN = "The security token included in the request is invalid"


def refusal(headers: dict[bytes, bytes], query: bytes = b"") -> tuple[str, str]:
    """(name, message) of what a router without access keys says; one with them says the same."""
    found = []
    for check in (
        lambda: require_claim(headers, query),
        lambda: Sent("POST", "/", query.decode(), list(headers.items()), b"").verified(),
    ):
        with pytest.raises(ApiError) as caught:
            check()
        assert caught.value.status == 400
        assert caught.value.type.startswith(CORAL)
        found.append((caught.value.type.removeprefix(CORAL), caught.value.message))
    assert found[0] == found[1]
    return found[0]


@pytest.mark.parametrize(
    "authorization", [None, b"", b"   ", b"X", b"AWS4", b"aws4-hmac-sha256 Credential=a", b"Basic x"]
)
@pytest.mark.parametrize("query", [b"", b"X-Amz-Algorith", b"X-Amz-Credential=a&X-Amz-Signature=b&X-Amz-Date=d"])
def test_missing(authorization: bytes | None, query: bytes) -> None:
    headers = {} if authorization is None else {b"authorization": authorization}
    assert refusal(headers, query) == MISSING


def test_both() -> None:
    assert refusal({b"authorization": b"X"}, b"X-Amz-Algorithm") == (
        "InvalidSignatureException",
        "Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP header.",
    )


CREDENTIAL, SIGNATURE, SIGNED, DATE = (
    "Authorization header requires 'Credential' parameter. ",
    "Authorization header requires 'Signature' parameter. ",
    "Authorization header requires 'SignedHeaders' parameter. ",
    "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. ",
)


@pytest.mark.parametrize(
    ("authorization", "more", "wants"),
    [
        (b"AWS4-", {}, CREDENTIAL + SIGNATURE + SIGNED + DATE),
        (b"AWS4- Signature=b Credential=a", {b"date": b"a"}, SIGNED),
        (b"AWS4- Signature=b,Credential=a", {b"date": b"a"}, SIGNED),
        (b"AWS4- Signature=b, Credential=a", {b"date": b"a"}, SIGNED),
        (b"AWS4-HMAC-SHA256 Credential=a, SignedHeaders=b, Signature=c", {}, DATE),
        (b"AWS4-HMAC-SHA256 Credential=a, SignedHeaders=b", DATED, SIGNATURE),
        (b"AWS4-HMAC-SHA256 signature=a, signedheaders=b, Credential=c", DATED, SIGNATURE + SIGNED),
    ],
)
def test_a_header_that_is_not_whole(authorization: bytes, more: dict[bytes, bytes], wants: str) -> None:
    assert refusal({b"authorization": authorization, **more}) == (
        "IncompleteSignatureException",
        f"{wants}Authorization={authorization.decode()}",
    )


def test_a_part_without_equal_sign() -> None:
    authorization = b"AWS4-HMAC-SHA256 Signature=b,    Credential,    SignedHeaders"
    assert refusal({b"authorization": authorization, **DATED}) == (
        "IncompleteSignatureException",
        "'Credential' not a valid key=value pair (missing equal-sign) in Authorization header: "
        f"'{authorization.decode()}'.",
    )


ALL = ["X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature", "X-Amz-SignedHeaders", "X-Amz-Date"]


@pytest.mark.parametrize(
    ("query", "missing"),
    [
        (b"X-Amz-Algorithm", ALL),
        (b"X-Amz-Algorithm=&X-Amz-Date=", ALL),
        (b"X-Amz-Algorithm=a&X-Amz-Credential=b&X-Amz-Signature=c&X-Amz-Date=d", ALL[3:4]),
    ],
)
def test_a_query_string_that_is_not_whole(query: bytes, missing: list[str]) -> None:
    wants = "".join(f"AWS query-string parameters must include '{name}'. " for name in missing)
    assert refusal({}, query) == ("IncompleteSignatureException", f"{wants}Re-examine the query-string parameters.")


def verification(sent: Sent, now_s: int = NOW_S) -> tuple[str, str]:
    """(name, message) of what a router with access keys says."""
    with pytest.raises(ApiError) as caught:
        sent.verified(now_s=now_s)
    assert caught.value.status == 400
    return caught.value.type.removeprefix(CORAL), caught.value.message


def with_authorization(old: str, new: str) -> Sent:
    return sign().with_header(b"authorization", lambda value: value.replace(old.encode(), new.encode()))


def test_times() -> None:
    """aws-sdk-js issues 254 and 2565."""
    assert verification(sign(now_s=NOW_S - 901)) == (
        "InvalidSignatureException",
        "Signature expired: 20260921T135819Z is now earlier than 20260921T135820Z (20260921T141320Z - 15 min.)",
    )
    assert verification(sign(now_s=NOW_S + 901)) == (
        "InvalidSignatureException",
        "Signature not yet current: 20260921T142821Z is still later than 20260921T142820Z "
        "(20260921T141320Z + 15 min.)",
    )


@pytest.mark.parametrize(
    "date", ["201", "2026-09-21T14:13:20Z", "20260921T141320", "x" * 1000, "٢٠٢٦٠٩٢١T141320Z", "1 2 3"]
)
def test_a_date_that_cannot_be_read(date: str) -> None:
    assert verification(sign().with_header(b"x-amz-date", lambda _: date.encode())) == (
        "IncompleteSignatureException",
        f"Date must be in ISO-8601 'basic format'. Got '{date.encode().decode('latin-1')}'. "
        "See http://en.wikipedia.org/wiki/ISO_8601",
    )


def test_lifetimes_of_presigned_requests() -> None:
    """Ours: X-Amz-Expires counts, as the documentation of signed query strings has it."""
    assert verification(sign(now_s=NOW_S - 121, presigned_s=120))[1] == (
        "Signature expired: 20260921T141119Z is now earlier than 20260921T141120Z (20260921T141320Z - 2 min.)"
    )
    assert verification(sign(now_s=NOW_S - 2, presigned_s=1))[1].endswith("(20260921T141320Z - 1 s)")
    for lifetime_s in (0, -1, 604_801, 10**12):
        name, message = verification(sign(presigned_s=lifetime_s))
        assert name == "IncompleteSignatureException"
        assert message == f"X-Amz-Expires must be a number of seconds from 1 to 604800. Got '{lifetime_s}'."


def test_signed_headers() -> None:
    """The second is ours: the documentation of Signature Version 4 demands it of clients."""
    assert verification(with_authorization("SignedHeaders=host;", "SignedHeaders=")) == (
        "InvalidSignatureException",
        "'Host' must be a 'SignedHeader' in the AWS Authorization.",
    )
    assert verification(with_authorization(";x-amz-target", "")) == (
        "InvalidSignatureException",
        "'X-Amz-Target' must be a 'SignedHeader' in the AWS Authorization.",
    )


@pytest.mark.parametrize("algorithm", ["AWS4-HMAC-SHA25", "AWS4-HMAC-SHA512", "AWS4-ECDSA-P256-SHA256", "AWS4-"])
def test_algorithms(algorithm: str) -> None:
    assert verification(with_authorization("AWS4-HMAC-SHA256", algorithm)) == (
        "IncompleteSignatureException",
        f"Unsupported AWS 'algorithm': '{algorithm}' (only AWS4-HMAC-SHA256 for now). ",
    )


SCOPE = "20260921/us-east-1/dynamodb/aws4_request"


@pytest.mark.parametrize("credential", ["a/b/c/d", "a", "a/b/c/d/e/f", f"AKIDEXAMPLE/x/{SCOPE}", "////"])
def test_credentials_with_another_number_of_elements(credential: str) -> None:
    assert verification(with_authorization(f"AKIDEXAMPLE/{SCOPE}", credential)) == (
        "IncompleteSignatureException",
        "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, "
        f"got '{credential}'",
    )


def test_slashes_at_the_end_of_a_credential_do_not_count() -> None:
    assert with_authorization("aws4_request", "aws4_request//").verified() == "AKIDEXAMPLE"


def test_elements_of_a_credential() -> None:
    assert verification(with_authorization(SCOPE, "b/*/d/e")) == (
        "InvalidSignatureException",
        "Credential should be scoped to a valid region, not '*'. "
        "Credential should be scoped to correct service: 'dynamodb'. "
        "Credential should be scoped with a valid terminator: 'aws4_request', not 'e'. "
        "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
        "'b' != '20260921', from '20260921T141320Z'.",
    )


def test_access_keys() -> None:
    """With a full stop, unlike a wrong token."""
    expected = ("UnrecognizedClientException", f"{INVALID_TOKEN}.")
    assert verification(sign("AKIDNOBODY")) == expected
    assert verification(with_authorization("AKIDEXAMPLE", "akidexample")) == expected
    assert verification(sign("", secret="x")) == expected


def test_session_tokens() -> None:
    wrong = ("UnrecognizedClientException", INVALID_TOKEN)
    for presigned_s in (None, 60):
        assert verification(sign(token="some", presigned_s=presigned_s)) == wrong
        assert verification(sign("ASIAEXAMPLE", token="some", presigned_s=presigned_s)) == wrong
        assert verification(sign("ASIAEXAMPLE", token=None, presigned_s=presigned_s)) == (wrong[0], wrong[1] + ".")


def test_session_tokens_end() -> None:
    """CommonErrors: ExpiredTokenException."""
    assert sign("ASIAEXAMPLE").verified(now_s=NOW_S + 59) == "ASIAEXAMPLE"
    assert verification(sign("ASIAEXAMPLE"), now_s=NOW_S + 60) == (
        "ExpiredTokenException",
        "The security token included in the request is expired",
    )
    assert sign("ASIALASTING").verified(now_s=NOW_S + 600) == "ASIALASTING"


def test_what_should_have_been_signed_is_told() -> None:
    name, message = verification(sign(secret="wrong", body=b""))
    canonical = (
        "POST\n/\n\nhost:127.0.0.1:8000\nx-amz-date:20260921T141320Z\nx-amz-target:DynamoDB_20120810.ListTables\n\n"
        f"host;x-amz-date;x-amz-target\n{sha256(b'').hexdigest()}"
    )
    assert name == "InvalidSignatureException"
    assert message == (
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access "
        "Key and signing method. Consult the service documentation for details.\n\nThe Canonical String for this "
        f"request should have been\n'{canonical}'\n\nThe String-to-Sign should have been\n"
        f"'AWS4-HMAC-SHA256\n20260921T141320Z\n{SCOPE}\n{sha256(canonical.encode()).hexdigest()}'\n"
    )


def test_the_first_fault_in_dynamodbs_order_is_told() -> None:
    """Each step mended, the next fault shows."""
    sent = Sent(
        "POST", "/", "", [(b"x-amz-date", b"x"), (b"authorization", b"AWS4-x Credential=a, Signature=b")], b""
    )
    names = ["requires 'SignedHeaders'"]
    steps = [
        (b"authorization", b"AWS4-x Credential=a, Signature=b, SignedHeaders=c", "Date must be"),
        (b"x-amz-date", b"20200101T000000Z", "Signature expired"),
        (b"x-amz-date", b"20260921T141320Z", "'Host' must be"),
        (b"authorization", b"AWS4-x Credential=a, Signature=b, SignedHeaders=host", "Unsupported AWS 'algorithm'"),
        (b"authorization", b"AWS4-HMAC-SHA256 Credential=a, Signature=b, SignedHeaders=host", "exactly 5"),
        (b"authorization", b"AWS4-HMAC-SHA256 Credential=a/b/c/d/e, Signature=b, SignedHeaders=host", "scoped to"),
        (
            b"authorization",
            f"AWS4-HMAC-SHA256 Credential=a/{SCOPE}, Signature=b, SignedHeaders=host".encode(),
            INVALID_TOKEN,
        ),
        (
            b"authorization",
            f"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/{SCOPE}, Signature=b, SignedHeaders=host".encode(),
            "does not match",
        ),
    ]
    assert names[0] in verification(sent)[1]
    for name, value, expected in steps:
        sent = sent.with_header(name, lambda _, value=value: value)  # type: ignore[misc]
        assert expected in verification(sent)[1]


def test_secrets_are_in_no_text() -> None:
    texts = [repr(KEYS["ASIAEXAMPLE"]), repr(KEYS["AKIDEXAMPLE"]), repr(vars(Verifier(KEYS)))]
    assert not any("wJalr" in text or "with blanks" in text or "token+/=" in text for text in texts)
