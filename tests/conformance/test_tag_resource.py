"""TagResource."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

Refused = Callable[..., tuple[str, str]]
ACCOUNT = "000000000000"


def pairs(**tags: str) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


@pytest.fixture
def arn(db: Any, make_table: Callable[..., str], request: pytest.FixtureRequest) -> str:
    """Of a table of the test's own."""
    name = make_table("-".join(filter(str.isalnum, request.node.name))[:100], ("pk", "S"))
    return str(db.describe_table(TableName=name)["Table"]["TableArn"])


def test_tags_are_set_and_replaced(db: Any, arn: str) -> None:
    """DDB-TABLE-105, 106: empty values, spaces, letters of any script."""
    tags = {"Env": "", "env": "x", "sp ace": "a b+c-d=e.f_g:h/i@j", "ключ": "表"}
    assert db.tag_resource(ResourceArn=arn, Tags=pairs(**tags))["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert db.list_tags_of_resource(ResourceArn=arn)["Tags"] == pairs(**tags)
    db.tag_resource(ResourceArn=arn, Tags=pairs(env="y", more="z"))
    assert db.list_tags_of_resource(ResourceArn=arn)["Tags"] == pairs(**{**tags, "env": "y", "more": "z"})
    name = arn.rpartition("/")[2]
    assert "Tags" not in db.describe_table(TableName=name)["Table"]


def test_fifty_tags(db: Any, arn: str, refused: Refused) -> None:
    """DDB-TABLE-108: counted over what the table would have."""
    full = ("ValidationException", "Number of Tags exceed the current limit for the provided ResourceArn")
    tags = {f"k{number:02}": "v" for number in range(50)}
    db.tag_resource(ResourceArn=arn, Tags=pairs(**tags))
    assert refused(db.tag_resource, ResourceArn=arn, Tags=pairs(one_more="v")) == full
    assert refused(db.tag_resource, ResourceArn=arn, Tags=pairs(k01="new", one_more="v")) == full
    assert refused(db.tag_resource, ResourceArn=arn, Tags=pairs(**tags, one_more="v")) == full
    db.tag_resource(ResourceArn=arn, Tags=pairs(k01="new"))
    assert db.list_tags_of_resource(ResourceArn=arn)["Tags"] == pairs(**{**tags, "k01": "new"})


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        ([], "Atleast one Tag needs to be provided as Input."),
        ([{}], "The Tag Key provided is invalid, Key: null"),
        ([{"Value": "v"}], "The Tag Key provided is invalid, Key: null"),
        ([{"Key": "k"}], "The Tag Value provided is invalid, Value: null"),
        (pairs(**{"": "v"}), "The Tag Key provided is invalid, Key: "),
        (pairs(**{"k" * 129: "v"}), "The Tag Key provided is invalid, Key: " + "k" * 129),
        (pairs(k="v" * 257), "The Tag Value provided is invalid, Value: " + "v" * 257),
        (pairs(**{"bad#char": "v"}), "The Tag Key provided is invalid, Key: bad#char"),
        (pairs(good="v", k="100%"), "The Tag Value provided is invalid, Value: 100%"),
        (pairs(k="🔑"), "The Tag Value provided is invalid, Value: 🔑"),
        (pairs(**{"aws:foo": "v"}), "Tag Key cannot be prefixed with aws:, Key: aws:foo"),
        (pairs(**{"AWS:foo": "v"}), "Tag Key cannot be prefixed with aws:, Key: AWS:foo"),
        (pairs(dup="1") + pairs(dup="2"), "Duplicate Tag Keys provided as input: Duplicate Tag Key found dup"),
    ],
)
def test_bad_tags(db: Any, hash_table: str, refused: Refused, tags: Any, message: str) -> None:
    """DDB-TABLE-105, 107, 372, 457; observed (dynalite). All or none."""
    arn = db.describe_table(TableName=hash_table)["Table"]["TableArn"]
    assert refused(db.tag_resource, ResourceArn=arn, Tags=tags) == ("ValidationException", message)
    assert db.list_tags_of_resource(ResourceArn=arn)["Tags"] == []


def test_without_tags(db: Any, hash_table: str, refused: Refused) -> None:
    """observed (dynalite)."""
    arn = db.describe_table(TableName=hash_table)["Table"]["TableArn"]
    found = refused(db.tag_resource, ResourceArn=arn)
    assert found == (
        "ValidationException",
        "1 validation error detected: Value null at 'tags' failed to satisfy constraint: Member must not be null",
    )


def test_the_longest_tag(db: Any, arn: str) -> None:
    """LIMITS."""
    db.tag_resource(ResourceArn=arn, Tags=pairs(**{"k" * 128: "v" * 256, "myaws:foo": ""}))


INVALID = "One or more parameter values were invalid: "


@pytest.mark.parametrize("operation", ["tag_resource", "untag_resource", "list_tags_of_resource"])
@pytest.mark.parametrize(
    ("arn", "found"),
    [
        (None, ("ValidationException", "Invalid TableArn")),
        ("not-an-arn", ("ValidationException", INVALID + "ARNs must start with 'arn:': not-an-arn")),
        (
            f"arn:aws:s3:us-east-1:{ACCOUNT}:table/abc",
            (
                "ValidationException",
                INVALID + f"Provided Arn is not a DynamoDB resource arn: arn:aws:s3:us-east-1:{ACCOUNT}:table/abc",
            ),
        ),
        (
            f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/abc/index/i",
            (
                "ValidationException",
                INVALID + "Invalid resource arn provided, only table or stream is accepted. Provided resource arn: "
                f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/abc/index/i",
            ),
        ),
        (
            f"arn:aws:dynamodb:mars-north-1:{ACCOUNT}:table/abc",
            (
                "ValidationException",
                "Invalid TableArn: Invalid ResourceArn provided as input "
                f"arn:aws:dynamodb:mars-north-1:{ACCOUNT}:table/abc",
            ),
        ),
        (
            f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/ab",
            (
                "ValidationException",
                "Invalid TableArn: Invalid ResourceArn provided as input "
                f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/ab",
            ),
        ),
        ("arn:aws:dynamodb:us-east-1:999999999999:table/abc", ("AccessDeniedException", "Access is denied")),
        (
            f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/no-such-table",
            (
                "ResourceNotFoundException",
                "Requested resource not found: ResourceArn: "
                f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/no-such-table not found",
            ),
        ),
    ],
)
def test_other_arns(db: Any, refused: Refused, operation: str, arn: str | None, found: tuple[str, str]) -> None:
    """DDB-TABLE-070, 071, 442; observed (dynalite, ScyllaDB)."""
    needs: dict[str, dict[str, Any]] = {
        "tag_resource": {"Tags": pairs(k="v")},
        "untag_resource": {"TagKeys": ["k"]},
    }
    more = needs.get(operation, {})
    assert refused(getattr(db, operation), ResourceArn=arn, **more) == found


def test_tags_given_together_are_all_there(db: Any, arn: str) -> None:
    """Ours: DynamoDB refuses the second of two changes within two seconds (DDB-TABLE-103)."""
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: db.tag_resource(ResourceArn=arn, Tags=pairs(**{f"k{number}": "v"})), range(16)))
    assert {tag["Key"] for tag in db.list_tags_of_resource(ResourceArn=arn)["Tags"]} == {f"k{n}" for n in range(16)}


def test_with_create_table(db: Any, make_table: Callable[..., str], refused: Refused) -> None:
    """API CreateTable; DDB-TABLE-110: what is no tag makes no table."""
    name = make_table("tagged-from-the-start", ("pk", "S"), BillingMode="PAY_PER_REQUEST", Tags=pairs(a="b", c="d"))
    arn = db.describe_table(TableName=name)["Table"]["TableArn"]
    assert db.list_tags_of_resource(ResourceArn=arn)["Tags"] == pairs(a="b", c="d")
    no_tags: list[list[dict[str, str]]] = [
        pairs(**{"aws:foo": "v"}),
        pairs(**{f"k{n}": "v" for n in range(51)}),
        [{}],
    ]
    for tags in no_tags:
        code, _ = refused(
            db.create_table,
            TableName="never-tagged",
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            BillingMode="PAY_PER_REQUEST",
            Tags=tags,
        )
        assert code == "ValidationException"
    assert "never-tagged" not in db.list_tables()["TableNames"]
