"""ListTagsOfResource. What becomes of ARNs is in test_tag_resource."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def test_no_tags(db: Any, hash_table: str) -> None:
    """observed (dynalite)."""
    arn = db.describe_table(TableName=hash_table)["Table"]["TableArn"]
    answer = db.list_tags_of_resource(ResourceArn=arn)
    assert answer["Tags"] == []
    assert "NextToken" not in answer


def test_all_in_one_page(db: Any, make_table: Callable[..., str]) -> None:
    """DDB-TABLE-108, 073: 50 tags without a NextToken, and one that is given is ignored."""
    tags = [{"Key": f"k{number}", "Value": "v"} for number in range(50)]
    name = make_table("conformance-list-tags", ("pk", "S"), BillingMode="PAY_PER_REQUEST", Tags=tags)
    arn = db.describe_table(TableName=name)["Table"]["TableArn"]
    answer = db.list_tags_of_resource(ResourceArn=arn, NextToken="whatever")
    assert answer["Tags"] == tags
    assert "NextToken" not in answer


def test_of_a_table_that_is_being_created(db: Any) -> None:
    """DDB-TABLE-101: not found until the table is ACTIVE, and then with all its tags."""
    name, tags = "conformance-list-early", [{"Key": "a", "Value": "b"}]
    arn = db.create_table(
        TableName=name,
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
        Tags=tags,
    )["TableDescription"]["TableArn"]
    try:
        assert db.list_tags_of_resource(ResourceArn=arn)["Tags"] == tags
    except db.exceptions.ResourceNotFoundException:
        assert db.describe_table(TableName=name)["Table"]["TableName"] == name
    db.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 20})
    assert db.list_tags_of_resource(ResourceArn=arn)["Tags"] == tags
