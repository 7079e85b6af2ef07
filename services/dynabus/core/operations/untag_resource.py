"""UntagResource. https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UntagResource.html

Order: dynalite's validations/untagResource (recorded). The answer has no body at all.
"""

from __future__ import annotations

import orjson

from dynabus.core.errors import validation_error
from dynabus.core.operations.arns import tagged_table
from dynabus.core.operations.calls import Context, Control, Request, Steps
from dynabus.core.operations.items import settled
from dynabus.core.operations.shapes import TEXT, Member, detected, fault, read
from dynabus.core.tables.tags import TAGS_MOST, check_key, too_many

MEMBERS: dict[str, Member] = {"ResourceArn": TEXT, "TagKeys": Member("StringList")}


def route(body: Request, context: Context) -> Steps:
    """The router half; auto-admin has the tags."""
    request = read(body, MEMBERS)
    name = tagged_table(request.get("ResourceArn"), context)
    if "TagKeys" not in request:
        raise detected([fault(None, "tagKeys", "Member must not be null")])
    keys = [check_key(key) for key in request["TagKeys"]]
    if not keys:
        raise validation_error("Atleast one Tag Key needs to be provided as Input.")
    if len(keys) > TAGS_MOST:
        raise too_many()
    asked = {"TableName": name, "ResourceArn": request["ResourceArn"], "TagKeys": keys}
    (reply,) = yield Control("UntagResource", orjson.dumps(asked))
    settled(reply)
    return b""
