"""ListTagsOfResource. https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ListTagsOfResource.html

Asked of auto-admin, so that tags are seen as soon as they are set. All 50 of them are one page, and a NextToken is
ignored, on DynamoDB too (ack-api-quirks, DDB-TABLE-108 and 073).
"""

from __future__ import annotations

import orjson

from dynabus.core.operations.arns import tagged_table
from dynabus.core.operations.calls import Context, Control, Request, Steps
from dynabus.core.operations.items import settled
from dynabus.core.operations.shapes import TEXT, Member, read

MEMBERS: dict[str, Member] = {"ResourceArn": TEXT, "NextToken": TEXT}


def route(body: Request, context: Context) -> Steps:
    """The router half; auto-admin has the tags."""
    request = read(body, MEMBERS)
    name = tagged_table(request.get("ResourceArn"), context)
    asked = {"TableName": name, "ResourceArn": request["ResourceArn"]}
    (reply,) = yield Control("ListTagsOfResource", orjson.dumps(asked))
    return bytes(settled(reply)["body"])
