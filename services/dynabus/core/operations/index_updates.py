"""GlobalSecondaryIndexUpdates of UpdateTable: its shape, and what can be refused without the table's row.

Words: ack-api-quirks, `core.tables.index_changes` has those that need the row.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dynabus.core.errors import invalid_parameter
from dynabus.core.operations.calls import Request
from dynabus.core.operations.shapes import Member, faults_of, read
from dynabus.core.operations.table_keys import check_global_index
from dynabus.core.operations.table_shapes import GLOBAL_INDEX, global_index, throughput, throughput_options
from dynabus.core.operations.table_throughput import (
    check_index_throughput,
    check_index_units,
    check_maximums,
    check_warm,
)
from dynabus.core.tables.capacity_changes import CLEAR, billing_mode
from dynabus.core.tables.index_capacity import only_on_demand

NAME = "GlobalSecondaryIndexUpdates"
_ACTIONS: dict[str, Member] = {name: Member("Map") for name in ("Update", "Create", "Delete")}
_MEMBERS: dict[str, dict[str, Member]] = {
    "Create": GLOBAL_INDEX,
    "Update": {name: GLOBAL_INDEX[name] for name in GLOBAL_INDEX if name not in ("KeySchema", "Projection")},
    "Delete": {"IndexName": GLOBAL_INDEX["IndexName"]},
}


def index_updates(request: Request) -> list[str]:
    """Read in place; the faults that were found."""
    faults: list[str] = []
    if not request.get(NAME):
        request.pop(NAME, None)  # an empty list asks for nothing
        return faults
    request[NAME] = [read(each, _ACTIONS) for each in request[NAME]]
    for number, each in enumerate(request[NAME], 1):
        for what in each:
            path = f"globalSecondaryIndexUpdates.{number}.member.{what.lower()}."
            members = each[what] = read(each[what], _MEMBERS[what])
            faults += faults_of(members, _MEMBERS[what], path)
            if what == "Create":
                faults += global_index(members, path)
            elif what == "Update":
                throughput_options(members, keeps="WarmThroughput")  # an empty one is a fault here (`_check_update`)
                faults += throughput(members, path)
    return faults


def check_index_updates(request: Request, table: Mapping[str, Any] | None) -> None:
    """Raise the ValidationException for updates that cannot be done; `table`: its description, if there is one."""
    if NAME not in request:
        return
    updates = request[NAME]
    seen: set[str] = set()
    for each in updates:
        if not each:
            raise invalid_parameter(
                "One of GlobalSecondaryIndexUpdate.Update, GlobalSecondaryIndexUpdate.Create, "
                "GlobalSecondaryIndexUpdate.Delete must not be null"
            )
        if len(each) > 1:
            raise invalid_parameter(
                "Only one global secondary index action is allowed per GlobalSecondaryIndexUpdate object"
            )
        ((what, members),) = each.items()
        name = members["IndexName"]
        if name in seen:
            raise invalid_parameter(
                f"Only one global secondary index update per index is allowed simultaneously. Index: {name}"
            )
        seen.add(name)
        if what == "Create":
            _check_new(members, request, table)
        elif what == "Update":
            _check_update(members, table)


def _check_update(members: Request, table: Mapping[str, Any] | None) -> None:
    """Words: DDB-TABLE-152, 456."""
    name = members["IndexName"]
    if members.get("WarmThroughput") == {}:
        raise invalid_parameter(
            "WarmThroughput must have at least one of ReadUnitsPerSecond or WriteUnitsPerSecond specified for index: "
            f"{name}"
        )
    if len(members) == 1:
        if table is not None and billing_mode(table) == "PAY_PER_REQUEST":
            raise only_on_demand(name)
        raise invalid_parameter(f"ProvisionedThroughput must be specified for index: {name}")
    check_index_units(members)
    check_maximums(members, least=CLEAR, of=f"index : {name}")


def _check_new(index: Request, request: Request, table: Mapping[str, Any] | None) -> None:
    name = index["IndexName"]
    if not request.get("AttributeDefinitions"):
        raise invalid_parameter(f"AttributeDefinitions is not specified for index: {name}")
    check_global_index(index, [each["AttributeName"] for each in request["AttributeDefinitions"]])
    if table is not None:
        on_demand = billing_mode(table) == "PAY_PER_REQUEST"
        check_index_throughput(index, on_demand=on_demand)
        check_warm(index, on_demand=on_demand, of=f"index {name}")
