"""The head of a request, and what is done to it."""

from __future__ import annotations

from collections.abc import Callable

from tests.model.dice import Dice, chance, choice

Headers = list[tuple[str, str]]
SIGNATURE = (
    "AWS4-HMAC-SHA256 Credential=x/20260101/eu-west-1/dynamodb/aws4_request, SignedHeaders=host, Signature="
    + "0" * 64
)


def usual(operation: str) -> Headers:
    """As SDKs send them."""
    return [
        ("Content-Type", "application/x-amz-json-1.0"),
        ("X-Amz-Target", f"DynamoDB_20120810.{operation}"),
        ("X-Amz-Date", "20260101T000000Z"),
        ("Authorization", SIGNATURE),
    ]


def of(dice: Dice, operation: str) -> Headers:
    """Those of an operation; rarely one is wrong, missing or there twice."""
    headers = usual(operation)
    return choice(dice, _WAYS)(dice, headers) if chance(dice, 4) else headers


VALUES = [
    *("", " ", "x", "application/json", "application/cbor", "text/html; charset=utf-7", "application/x-amz-json-1.1"),
    *(
        "DynamoDB_20120810.",
        "DynamoDB_20120810.putitem",
        "DynamoDBStreams_20120810.ListStreams",
        "DynamoDB_20111205.GetItem",
    ),
    *("AWS4-HMAC-SHA256", "AWS4-HMAC-SHA256 Credential=", "Basic eA==", "a" * 5000, "\xff\xfe", "=,=,="),
]
ADDED: Headers = [
    *(
        ("Content-Encoding", "gzip"),
        ("Content-Encoding", "br"),
        ("Content-Encoding", "identity"),
        ("Accept-Encoding", "gzip"),
    ),
    *(
        ("Accept-Encoding", "gzip;q=x, *;q=0"),
        ("Origin", "null"),
        ("Origin", "x"),
        ("Expect", "100-continue"),
        ("Cookie", "a"),
    ),
    *(("X-Amz-Security-Token", "x" * 2000), ("X-Amz-Content-Sha256", "x"), ("Host", ""), ("X-Amz-Target", "x")),
]


def _changed(dice: Dice, headers: Headers) -> Headers:
    place = dice.below(len(headers))
    return [*headers[:place], (headers[place][0], choice(dice, VALUES)), *headers[place + 1 :]]


def _missing(dice: Dice, headers: Headers) -> Headers:
    place = dice.below(len(headers))
    return headers[:place] + headers[place + 1 :]


def _twice(dice: Dice, headers: Headers) -> Headers:
    return [*headers, choice(dice, headers)]


def _added(dice: Dice, headers: Headers) -> Headers:
    return [*headers, choice(dice, ADDED)]


def _cased(dice: Dice, headers: Headers) -> Headers:
    return [(choice(dice, [name.lower(), name.upper()]), value) for name, value in headers]


_WAYS: list[Callable[[Dice, Headers], Headers]] = [_changed, _changed, _missing, _twice, _added, _added, _cased]
