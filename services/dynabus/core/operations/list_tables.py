"""ListTables. https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ListTables.html"""

from __future__ import annotations

from bisect import bisect_right
from typing import Any

import orjson

from dynabus.core.operations.calls import Context, Request, Steps
from dynabus.core.operations.shapes import Member, check

LIMIT_MOST = 100
MEMBERS: dict[str, Member] = {
    "ExclusiveStartTableName": Member("String", shortest=3, longest=255, pattern="[a-zA-Z0-9_.-]+"),
    "Limit": Member("Integer", least=1, most=LIMIT_MOST),
}


def route(body: Request, context: Context) -> Steps:
    """The router half; asks nobody."""
    request = check(body, MEMBERS)
    names = sorted(context.view.tables)
    start = bisect_right(names, request["ExclusiveStartTableName"]) if "ExclusiveStartTableName" in request else 0
    shown = names[start : start + request.get("Limit", LIMIT_MOST)]
    answer: dict[str, Any] = {"TableNames": shown}
    if start + len(shown) < len(names):
        answer["LastEvaluatedTableName"] = shown[-1]
    yield from ()
    return orjson.dumps(answer)
