"""ListGlobalTables. https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ListGlobalTables.html"""

from __future__ import annotations

from bisect import bisect_right
from typing import Any

import orjson

from dynabus.core.operations.calls import Context, Request, Steps
from dynabus.core.operations.global_tables import describe_global, global_description
from dynabus.core.operations.shapes import NAME_PATTERN, Member, check

LIMIT_MOST = 100
MEMBERS: dict[str, Member] = {
    "ExclusiveStartGlobalTableName": Member("String", shortest=3, longest=255, pattern=NAME_PATTERN),
    "Limit": Member("Integer", least=1),
    "RegionName": Member("String"),
}


def route(body: Request, context: Context) -> Steps:
    """The router half; asks nobody."""
    request = check(body, MEMBERS)
    found = {name: _regions(name, context) for name in sorted(context.view.tables)}
    wanted = request.get("RegionName")
    names = [name for name, regions in found.items() if regions and (wanted is None or wanted in regions)]
    start = bisect_right(names, request.get("ExclusiveStartGlobalTableName", ""))
    shown = names[start : start + min(request.get("Limit", LIMIT_MOST), LIMIT_MOST)]
    group = {name: [{"RegionName": each} for each in found[name]] for name in shown}
    answer: dict[str, Any] = {
        "GlobalTables": [{"GlobalTableName": name, "ReplicationGroup": group[name]} for name in shown]
    }
    if start + len(shown) < len(names):
        answer["LastEvaluatedGlobalTableName"] = shown[-1]
    yield from ()
    return orjson.dumps(answer)


def _regions(name: str, context: Context) -> list[str]:
    description = global_description(name, context)
    if description is None:
        return []
    return [each["RegionName"] for each in describe_global(description, context.region)["ReplicationGroup"]]
