"""UntagResource."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Refused = Callable[..., tuple[str, str]]


@pytest.fixture(scope="module")
def arn(db: Any, make_table: Callable[..., str]) -> str:
    name = make_table("conformance-untag", ("pk", "S"))
    return str(db.describe_table(TableName=name)["Table"]["TableArn"])


def test_tags_are_taken_away(db: Any, arn: str) -> None:
    """DDB-TABLE-105: keys that are not there are no matter."""
    db.tag_resource(ResourceArn=arn, Tags=[{"Key": key, "Value": "v"} for key in "abc"])
    answer = db.untag_resource(ResourceArn=arn, TagKeys=["b", "absent"])
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert [tag["Key"] for tag in db.list_tags_of_resource(ResourceArn=arn)["Tags"]] == ["a", "c"]
    db.untag_resource(ResourceArn=arn, TagKeys=["a", "c"])
    db.untag_resource(ResourceArn=arn, TagKeys=["a", "c"])
    assert db.list_tags_of_resource(ResourceArn=arn)["Tags"] == []


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ([], "Atleast one Tag Key needs to be provided as Input."),
        ([""], "The Tag Key provided is invalid, Key: "),
        (["k" * 129], "The Tag Key provided is invalid, Key: " + "k" * 129),
        (["aws:foo"], "Tag Key cannot be prefixed with aws:, Key: aws:foo"),
        ([f"k{n}" for n in range(51)], "Number of Tags exceed the current limit for the provided ResourceArn"),
    ],
)
def test_bad_keys(db: Any, arn: str, refused: Refused, keys: Any, message: str) -> None:
    """DDB-TABLE-105, 107, 457; observed (dynalite)."""
    assert refused(db.untag_resource, ResourceArn=arn, TagKeys=keys) == ("ValidationException", message)


def test_without_keys(db: Any, arn: str, refused: Refused) -> None:
    """observed (dynalite)."""
    assert refused(db.untag_resource, ResourceArn=arn) == (
        "ValidationException",
        "1 validation error detected: Value null at 'tagKeys' failed to satisfy constraint: Member must not be null",
    )
