"""TagResource. https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TagResource.html

Order: dynalite's validations/tagResource (recorded), `core.tables.tags` for the rest. The answer has no body at all.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson

from dynabus.core.errors import serialization_error, validation_error
from dynabus.core.operations.arns import tagged_table
from dynabus.core.operations.calls import Context, Control, Request, Steps
from dynabus.core.operations.items import settled
from dynabus.core.operations.shapes import TEXT, Member, detected, fault, read
from dynabus.core.tables.tags import Tags, check_tags

MEMBERS: dict[str, Member] = {"ResourceArn": TEXT, "Tags": Member("List")}
_TAG: dict[str, Member] = {"Key": TEXT, "Value": TEXT}


def route(body: Request, context: Context) -> Steps:
    """The router half; auto-admin has the tags."""
    request = read(body, MEMBERS)
    given = read_tags(request.get("Tags", ()))
    name = tagged_table(request.get("ResourceArn"), context)
    if "Tags" not in request:
        raise detected([fault(None, "tags", "Member must not be null")])
    if not given:
        raise validation_error("Atleast one Tag needs to be provided as Input.")
    asked = {"TableName": name, "ResourceArn": request["ResourceArn"], "Tags": check_read(given)}
    (reply,) = yield Control("TagResource", orjson.dumps(asked))
    settled(reply)
    return b""


def read_tags(tags: Iterable[Any]) -> list[Request]:
    """Structures of the right JSON types; whether they are tags is another question."""
    return [_read(tag) for tag in tags]


def check_read(tags: Iterable[Request]) -> Tags:
    """Those of `read_tags` as a map. Raises ApiError."""
    return check_tags((tag.get("Key"), tag.get("Value")) for tag in tags)


def _read(tag: Any) -> Request:
    if tag.__class__ is list:
        raise serialization_error("Unrecognized collection type class com.amazonaws.dynamodb.v20120810.Tag")
    return read({} if tag is None else tag, _TAG)
