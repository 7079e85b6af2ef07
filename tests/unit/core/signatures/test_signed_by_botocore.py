"""What botocore signs is accepted, however odd; what was changed on the way is not."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

import pytest
from tests.unit.core.signatures.signing import KEYS, NOW_S, Sent, sign

from dynabus.core.errors import ApiError
from dynabus.core.signatures import SKEW_S, Verifier
from dynabus.core.signatures import verifier as verification

ODD_HEADERS = {
    "plain": {"X-Amz-Odd": "x"},
    "blanks around and between": {"X-Amz-Odd": "   a    b \t c   "},
    "quotes keep no blanks": {"X-Amz-Odd": '"a    b"'},
    "empty": {"X-Amz-Odd": ""},
    "colons and commas": {"X-Amz-Odd": "a:b, c:,  ,:"},
    "name that sorts between": {"X-Amz-A": "1", "Zz": "2", "Accept-Encoding": "gzip", "A": "3"},
    "name in another case": {"x-AMZ-oDD": "V"},
    "content": {"Content-Type": "application/x-amz-json-1.0", "Content-Length": "11"},
}

URLS = [
    "http://127.0.0.1:8000",
    "http://127.0.0.1:8000/",
    "http://localhost/",
    "https://localhost/",
    "http://127.0.0.1:8000/a/b",
    "http://127.0.0.1:8000/a/b/",
    "http://127.0.0.1:8000/a//b/./c/../d",
    "http://127.0.0.1:8000/../..",
    "http://127.0.0.1:8000/a%20b/%C3%A4/~x/!$&'()*+,;=:@",
    "http://127.0.0.1:8000/%2F/%2f",
]

QUERIES = ["a=1&b=2", "b=2&a=1&a=0", "empty=&none", "x=a%20b%2Fc", "%C3%A4=%E2%82%AC"]


@pytest.mark.parametrize("key_id", list(KEYS))
@pytest.mark.parametrize("presigned_s", [None, 900])
def test_headers_and_query_strings_with_and_without_session_token(key_id: str, presigned_s: int | None) -> None:
    assert sign(key_id, presigned_s=presigned_s).verified() == key_id


@pytest.mark.parametrize("headers", ODD_HEADERS.values(), ids=list(ODD_HEADERS))
@pytest.mark.parametrize("presigned_s", [None, 900])
def test_odd_headers(headers: dict[str, str], presigned_s: int | None) -> None:
    assert sign(headers=headers, presigned_s=presigned_s).verified() == "AKIDEXAMPLE"


@pytest.mark.parametrize("url", URLS)
def test_odd_paths(url: str) -> None:
    assert sign(url=url).verified() == "AKIDEXAMPLE"
    assert sign(url=url, presigned_s=60).verified() == "AKIDEXAMPLE"


@pytest.mark.parametrize("query", QUERIES)
def test_parameters_besides_the_signatures_own(query: str) -> None:
    assert sign(url=f"http://127.0.0.1:8000/?{query}").verified() == "AKIDEXAMPLE"


def test_a_presigned_request_may_have_other_parameters() -> None:
    assert sign(url="http://127.0.0.1:8000/?b=2&a=1%2F", presigned_s=60).verified() == "AKIDEXAMPLE"


@pytest.mark.parametrize("body", [b"", b"{}", b"\x1f\x8b\x00\xff", b"x" * 100_000])
def test_bodies(body: bytes) -> None:
    assert sign(body=body).verified() == "AKIDEXAMPLE"


@pytest.mark.parametrize("region", ["us-east-1", "eu-central-1", "local", "fakeRegion"])
def test_any_region_will_do(region: str) -> None:
    assert sign(region=region).verified() == "AKIDEXAMPLE"


def test_the_hash_that_a_client_claims_is_not_believed() -> None:
    """The body itself is hashed: botocore signs what X-Amz-Content-Sha256 says, true or not."""
    body = b'{"Limit":1}'
    true = sign(body=body, headers={"X-Amz-Content-Sha256": sha256(body).hexdigest()})
    assert true.verified() == "AKIDEXAMPLE"
    for claimed in ("UNSIGNED-PAYLOAD", sha256(b"another").hexdigest()):
        with pytest.raises(ApiError, match="does not match"):
            sign(body=body, headers={"X-Amz-Content-Sha256": claimed}).verified()


def test_one_header_twice() -> None:
    """Joined with commas, in their order."""
    sent = sign(headers={"X-Amz-Odd": "a,b  c"})
    headers = [pair for pair in sent.headers if pair[0] != b"x-amz-odd"]
    halves = [(b"x-amz-odd", b" a"), (b"x-amz-odd", b"b c ")]
    assert replace(sent, headers=[*halves, *headers]).verified() == "AKIDEXAMPLE"


@pytest.mark.parametrize("between", [",", ", ", ",  ", " "])
def test_blanks_between_the_parts_of_the_header(between: str) -> None:
    sent = sign()
    spread = sent.with_header(b"authorization", lambda value: value.replace(b", ", between.encode()))
    assert spread.verified() == "AKIDEXAMPLE"


def test_parts_in_another_order() -> None:
    def turned(value: bytes) -> bytes:
        algorithm, _, parts = value.partition(b" ")
        return algorithm + b" " + b", ".join(reversed(parts.split(b", ")))

    assert sign().with_header(b"authorization", turned).verified() == "AKIDEXAMPLE"


def test_the_date_may_be_https_own() -> None:
    """A `Date` header, which botocore fills in where a request has one, instead of X-Amz-Date."""
    sent = sign(headers={"Date": ""})
    assert b"x-amz-date" not in dict(sent.headers)
    assert dict(sent.headers)[b"date"] == b"Mon, 21 Sep 2026 14:13:20 GMT"
    assert sent.verified() == "AKIDEXAMPLE"
    with pytest.raises(ApiError, match="Signature expired"):
        sent.verified(now_s=NOW_S + 3600)


@pytest.mark.parametrize("off_s", [-SKEW_S, -1, 0, 1, SKEW_S])
def test_clocks_may_differ_by_a_quarter_of_an_hour(off_s: int) -> None:
    assert sign(now_s=NOW_S + off_s).verified() == "AKIDEXAMPLE"


@pytest.mark.parametrize(("lifetime_s", "age_s"), [(1, 1), (3600, 3600), (604_800, 604_800), (60, -SKEW_S)])
def test_a_presigned_request_lives_as_long_as_it_says(lifetime_s: int, age_s: int) -> None:
    assert sign(now_s=NOW_S - age_s, presigned_s=lifetime_s).verified() == "AKIDEXAMPLE"
    with pytest.raises(ApiError, match="Signature"):
        sign(now_s=NOW_S - max(age_s, lifetime_s) - 1, presigned_s=lifetime_s).verified()


def flipped(value: bytes) -> bytes:
    return value[:-1] + (b"1" if value[-1:] != b"1" else b"2")


CHANGES = {
    "body": lambda sent: replace(sent, body=sent.body + b" "),
    "method": lambda sent: replace(sent, method="PUT"),
    "path": lambda sent: replace(sent, path="/x"),
    "query": lambda sent: replace(sent, query="x=1"),
    "target": lambda sent: sent.with_header(b"x-amz-target", lambda _: b"DynamoDB_20120810.DeleteTable"),
    "host": lambda sent: sent.with_header(b"host", flipped),
    "signed header gone": lambda sent: sent.without_header(b"x-amz-odd"),
    "signed header more": lambda sent: replace(sent, headers=[*sent.headers, (b"x-amz-odd", b"more")]),
    "signature": lambda sent: sent.with_header(b"authorization", flipped),
    "signature cut": lambda sent: sent.with_header(b"authorization", lambda value: value[:-2]),
    "signature in capitals": lambda sent: sent.with_header(b"authorization", lambda value: value[:-64] + b"A" * 64),
    "signature no ASCII": lambda sent: sent.with_header(b"authorization", lambda value: value[:-1] + b"\xe4"),
    "region": lambda sent: sent.with_header(b"authorization", lambda value: value.replace(b"east", b"west")),
    "date": lambda sent: sent.with_header(b"x-amz-date", lambda value: value[:-2] + b"9Z"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_was_changed_on_the_way_is_refused(change: str) -> None:
    sent: Sent = CHANGES[change](sign(headers={"X-Amz-Odd": "odd"}))
    with pytest.raises(ApiError) as caught:
        sent.verified()
    assert caught.value.type == "com.amazon.coral.service#InvalidSignatureException"
    assert caught.value.message.startswith(
        "The request signature we calculated does not match the signature you prov"
    )
    assert caught.value.status == 400


def test_a_wrong_secret_is_refused_again_and_again() -> None:
    verifier = Verifier(KEYS)
    for _ in range(3):
        with pytest.raises(ApiError, match="Check your AWS Secret Access Key"):
            sign(secret="wrong").verified(verifier)
        assert sign().verified(verifier) == "AKIDEXAMPLE"


def test_nothing_is_kept_of_what_was_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """An attacker names regions without end; only a valid signature makes a signing key worth keeping."""
    monkeypatch.setattr(verification, "SIGNING_KEYS_MOST", 10)
    verifier = Verifier(KEYS)
    for number in range(20):
        with pytest.raises(ApiError):
            sign(secret="wrong", region=f"r{number}").verified(verifier)
    assert verifier._signing_keys == {}
    for number in range(25):
        sign(region=f"r{number}").verified(verifier)
        assert 1 <= len(verifier._signing_keys) <= 10
