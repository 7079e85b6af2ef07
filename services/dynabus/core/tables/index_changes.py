"""UpdateTable's rules for global secondary indexes: one is added, changed or taken away. Pure.

| action | at once                                            | when done                                       |
|--------|----------------------------------------------------|-------------------------------------------------|
| Create | UPDATING; IndexStatus CREATING, Backfilling        | its partitions are led and it is filled: ACTIVE |
| Update | UPDATING; IndexStatus UPDATING, the new throughput | its own row has it: ACTIVE                      |
| Delete | UPDATING; IndexStatus DELETING, written no more    | its own row is gone: described no more          |
| none: the table's billing mode changes | the same as Update, of all indexes | all their rows have it          |

A table that becomes provisioned says in the same request what each index has (Update); of one that goes on demand no
index keeps units.

Words: ack-api-quirks, and DynamoDB's known LimitExceededException for two at a time. At DynamoDB a table is ACTIVE
again while its index is filled; here it is UPDATING until that is done (ours), so that one change follows the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from dynabus.core.errors import (
    invalid_parameter,
    limit_exceeded,
    resource_not_found,
    validation_error,
)
from dynabus.core.global_indexes.view import ENABLED, ENABLING
from dynabus.core.tables.capacity_changes import Changed, billing_mode, updating
from dynabus.core.tables.descriptions import Description, describe_index, in_use
from dynabus.core.tables.index_capacity import changed_capacity, refuse_other_modes
from dynabus.core.tables.indexes import Index, index_id
from dynabus.core.tables.settled import refuse_unsettled

INDEXES_MOST, PROJECTED_MOST = 20, 100
"""Of one table: its global indexes, and attributes that all of its indexes together name in NonKeyAttributes.
Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html"""

DELETING, UPDATING = "DELETING", "UPDATING"
"""Of an index in its table's row, besides those of `core.global_indexes.view`."""

Action = tuple[str, Mapping[str, Any]]
"""("Create" | "Update" | "Delete", its members)."""


def actions_of(updates: Sequence[Mapping[str, Any]]) -> list[Action]:
    """Of a GlobalSecondaryIndexUpdates that was checked. Raises KeyError or ValueError for what no router sends."""
    found: list[Action] = []
    for each in updates:
        ((what, members),) = each.items()
        str(members["IndexName"])
        found.append((what, members))
    return found


class Asked(Protocol):
    """Of an UpdateTable request: its billing mode, what to do, and its AttributeDefinitions."""

    @property
    def mode(self) -> str | None: ...

    @property
    def indexes(self) -> Sequence[Action]: ...

    @property
    def definitions(self) -> Sequence[Mapping[str, str]]: ...


def change_indexes(
    asked: Asked,
    existing: Description,
    pending: Description,
    indexes: Sequence[Index],
    partitions: Sequence[Mapping[str, Any]],
    request_id: bytes,
    now_s: float,
) -> tuple[Changed, list[Index]]:
    """Raises ApiError. `existing` may have another billing mode already, which the same request asks for."""
    actions, definitions = asked.indexes, asked.definitions
    name = existing["TableName"]
    if existing["TableStatus"] == "UPDATING":
        raise in_use(f"Table is being updated: {name}")
    if sum(what != "Update" for what, _ in actions) > 1:
        raise limit_exceeded("Only 1 online index can be created or deleted simultaneously per table")
    described, rows = existing, [*indexes]
    for what, members in actions:
        if what == "Create":
            described, rows = _create(members, definitions, described, rows, partitions, request_id)
            continue
        _find(described, members["IndexName"], what)
        if what == "Update":
            refuse_other_modes(members, billing_mode(described), is_asked=asked.mode is not None)
            described, rows = _update(members, described, rows, now_s)
        else:
            described, rows = _delete(members, described, rows)
    return updating(described, pending), rows


def changes_mode(mode: str | None, existing: Description) -> bool:
    """Whether a request for this billing mode is one for the table's indexes too."""
    return mode not in (None, billing_mode(existing)) and "GlobalSecondaryIndexes" in existing


def follow_mode(asked: Asked, existing: Description, indexes: Sequence[Index]) -> tuple[Description, Sequence[Index]]:
    """`existing` has the new mode: so do its indexes. Raises ApiError where the request does not say their units."""
    provisioned = billing_mode(existing) == "PROVISIONED"
    given = {
        each["IndexName"] for what, each in asked.indexes if what == "Update" and "ProvisionedThroughput" in each
    }

    def changed(shown: Description) -> Description:
        name = shown["IndexName"]
        if provisioned and name not in given:
            raise invalid_parameter(f"ProvisionedThroughput must be specified for index: {name}")
        none = {"ReadCapacityUnits": 0, "WriteCapacityUnits": 0}
        kept = {member: value for member, value in shown.items() if member != "OnDemandThroughput" or not provisioned}
        return {
            **kept,
            "IndexStatus": "UPDATING",
            "ProvisionedThroughput": {**shown["ProvisionedThroughput"], **none},
        }

    described = {**existing, "GlobalSecondaryIndexes": [changed(each) for each in existing["GlobalSecondaryIndexes"]]}
    return described, [{**each, "status": UPDATING} for each in indexes]


def check_projected(indexes: Iterable[Mapping[str, Any]]) -> None:
    """All indexes of a table together. Raises the ValidationException, whose words are ours."""
    named = sum(len(index["Projection"].get("NonKeyAttributes", ())) for index in indexes)
    if named > PROJECTED_MOST:
        raise invalid_parameter(
            f"Number of NonKeyAttributes of all indexes, {named}, exceeds the per-table limit of {PROJECTED_MOST}"
        )


def _create(
    index: Mapping[str, Any],
    definitions: Sequence[Mapping[str, str]],
    existing: Description,
    rows: list[Index],
    partitions: Sequence[Mapping[str, Any]],
    request_id: bytes,
) -> tuple[Description, list[Index]]:
    name, found = index["IndexName"], existing.get("GlobalSecondaryIndexes", [])
    local = existing.get("LocalSecondaryIndexes", [])
    if any(each["IndexName"] == name for each in (*found, *local)):
        raise validation_error("Attempting to create an index which already exists")
    if len(found) >= INDEXES_MOST:
        raise limit_exceeded(f"GlobalSecondaryIndex count exceeds the per-table limit of {INDEXES_MOST}")
    refuse_unsettled(partitions, existing["TableName"])
    check_projected([*found, *local, index])
    on_demand = billing_mode(existing) == "PAY_PER_REQUEST"
    shown = {**describe_index(index, existing["TableArn"], on_demand=on_demand), "Backfilling": True}
    described = {
        **existing,
        "AttributeDefinitions": _merged(existing["AttributeDefinitions"], definitions, index),
        "GlobalSecondaryIndexes": [*found, shown],
    }
    row = {
        "name": name,
        "id": index_id(request_id, name),
        "status": ENABLING,
        "from_start": False,
        "roots": [int(each["number"]) for each in partitions],
    }
    return described, [*rows, row]


def _merged(
    existing: Sequence[Mapping[str, str]], more: Sequence[Mapping[str, str]], index: Mapping[str, Any]
) -> list[dict[str, str]]:
    """With those of the index's key. An attribute has one type for all indexes."""
    types = {each["AttributeName"]: each["AttributeType"] for each in existing}
    given = {each["AttributeName"]: each["AttributeType"] for each in more}
    for key in index["KeySchema"]:
        attribute = key["AttributeName"]
        kind = given.get(attribute, types.get(attribute))
        if kind is None or types.get(attribute, kind) != kind:
            raise invalid_parameter(
                f"Some index key attributes are not defined in AttributeDefinitions. Keys: [{attribute}], "
                f"AttributeDefinitions: [{', '.join(given)}]"
            )
        types[attribute] = kind
    return [{"AttributeName": attribute, "AttributeType": kind} for attribute, kind in types.items()]


def _find(existing: Description, name: str, what: str) -> None:
    if any(each["IndexName"] == name for each in existing.get("GlobalSecondaryIndexes", ())):
        return
    if any(each["IndexName"] == name for each in existing.get("LocalSecondaryIndexes", ())):
        raise validation_error(f"Cannot {what.lower()} an index that is not a GlobalSecondaryIndex: {name}")
    raise resource_not_found(f"Requested resource not found: Index {name} for table {existing['TableName']}")


def _update(
    members: Mapping[str, Any], existing: Description, rows: list[Index], now_s: float
) -> tuple[Description, list[Index]]:
    name = members["IndexName"]

    def changed(shown: Description) -> Description:
        return {**changed_capacity(members, shown, billing_mode(existing), now_s), "IndexStatus": "UPDATING"}

    return _with(existing, name, changed), _marked(rows, name, UPDATING)


def _delete(members: Mapping[str, Any], existing: Description, rows: list[Index]) -> tuple[Description, list[Index]]:
    name = members["IndexName"]
    gone = _with(existing, name, lambda shown: {**_without_backfill(shown), "IndexStatus": "DELETING"})
    return gone, _marked(rows, name, DELETING)


def _with(existing: Description, name: str, change: Any) -> Description:
    indexes = [change(each) if each["IndexName"] == name else each for each in existing["GlobalSecondaryIndexes"]]
    return {**existing, "GlobalSecondaryIndexes": indexes}


def _marked(rows: Iterable[Index], name: str, status: str) -> list[Index]:
    return [{**each, "status": status} if each["name"] == name else each for each in rows]


def _without_backfill(shown: Description) -> Description:
    return {member: value for member, value in shown.items() if member != "Backfilling"}


def finish_indexes(description: Description, indexes: Sequence[Index]) -> tuple[Description, list[Index]]:
    """What was under way is done: those that are there are ACTIVE, those that were deleted are described no more."""
    if not indexes:
        return description, []
    gone = {each["name"] for each in indexes if each["status"] == DELETING}
    left = [_active(each) for each in description["GlobalSecondaryIndexes"] if each["IndexName"] not in gone]
    described = {member: value for member, value in description.items() if member != "GlobalSecondaryIndexes"}
    if left:
        described["GlobalSecondaryIndexes"] = left
    if gone:
        described["AttributeDefinitions"] = _used(described)
    rows = [{**each, "status": ENABLED} for each in indexes if each["status"] != DELETING]
    return described, rows


def _active(shown: Description) -> Description:
    warm = {"WarmThroughput": {**shown["WarmThroughput"], "Status": "ACTIVE"}} if "WarmThroughput" in shown else {}
    return {**_without_backfill(shown), "IndexStatus": "ACTIVE", **warm}


def _used(description: Description) -> list[dict[str, str]]:
    """Definitions of attributes that are in some key."""
    schemas = [description["KeySchema"]]
    for kind in ("LocalSecondaryIndexes", "GlobalSecondaryIndexes"):
        schemas += [each["KeySchema"] for each in description.get(kind, ())]
    names = {key["AttributeName"] for schema in schemas for key in schema}
    return [each for each in description["AttributeDefinitions"] if each["AttributeName"] in names]


def are_changing(indexes: Iterable[Index]) -> bool:
    """Whether propagators have yet to fill one."""
    return any(each["status"] == ENABLING for each in indexes)
