"""UpdateTable's rules: what a change makes of a table's description, at once and when it is done. Pure.

| change                      | at once                                     | when done                             |
|-----------------------------|---------------------------------------------|---------------------------------------|
| ProvisionedThroughput       | UPDATING, old units, time of the change     | units, decreases, warm throughput     |
| BillingMode PAY_PER_REQUEST | UPDATING, BillingMode, 0 units              | its time, warm throughput of the mode |
| BillingMode PROVISIONED     | UPDATING, BillingMode, units                | warm throughput                       |
| TableClass                  | UPDATING, old class                         | class and its time                    |
| WarmThroughput              | old values, whose own Status is UPDATING    | values                                |
| OnDemandThroughput          | all                                         |                                       |
| DeletionProtectionEnabled   | all                                         |                                       |
| StreamSpecification         | see `core.tables.streams`                   |                                       |
| GlobalSecondaryIndexUpdates | see `core.tables.index_changes`             |                                       |

More throughput may need more partitions: they are made while the change is under way (`partition_needs`). Sources
are DDB-TABLE-n of ack-api-quirks (see `descriptions`) and dynalite's recorded answers (updateTable); "ours" where
there is none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from dynabus.core.streams.changes import View
from dynabus.core.tables.capacity_changes import (
    Changed,
    Units,
    as_of,
    change_capacity,
    change_on_demand,
    refuse_lower_warm,
    updating,
)
from dynabus.core.tables.descriptions import Description, refuse_change, refuse_second_change
from dynabus.core.tables.index_changes import Action, actions_of


class Update(NamedTuple):
    """A checked UpdateTable request."""

    name: str
    mode: str | None
    units: Units | None
    table_class: str | None
    protection: bool | None
    on_demand: Mapping[str, int]
    warm: Mapping[str, int]
    stream: Mapping[str, Any] | None = None
    """A checked StreamSpecification, which `core.tables.streams` has the rules for."""
    indexes: Sequence[Action] = ()
    """Of GlobalSecondaryIndexUpdates, which `core.tables.index_changes` has the rules for."""
    definitions: Sequence[Mapping[str, str]] = ()
    """AttributeDefinitions."""

    @classmethod
    def of(cls, request: Mapping[str, Any]) -> Update:
        """Raises KeyError, TypeError or ValueError for what no router sends."""
        units = request.get("ProvisionedThroughput")
        return cls(
            str(request["TableName"]),
            request.get("BillingMode"),
            None if units is None else (int(units["ReadCapacityUnits"]), int(units["WriteCapacityUnits"])),
            request.get("TableClass"),
            request.get("DeletionProtectionEnabled"),
            {name: int(value) for name, value in request.get("OnDemandThroughput", {}).items()},
            {name: int(value) for name, value in request.get("WarmThroughput", {}).items()},
            _stream(request.get("StreamSpecification")),
            actions_of(request.get("GlobalSecondaryIndexUpdates", ())),
            request.get("AttributeDefinitions", ()),
        )


def _stream(asked: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Raises as `Update.of` does."""
    if asked is None:
        return None
    view = asked.get("StreamViewType")
    return {
        "StreamEnabled": bool(asked["StreamEnabled"]),
        "StreamViewType": None if view is None else View(view).value,
    }


def change(update: Update, existing: Description | None, pending: Description, wall_ms: int) -> Changed:
    """Apply a request to a description, whose change so far is `pending`. Raises ApiError."""
    refusal = refuse_change(update.name, existing)
    if refusal is not None:
        raise refusal
    assert existing is not None
    existing = as_of(existing, wall_ms / 1000)
    if update.units is not None or update.mode is not None:
        return change_capacity(update.mode, update.units, update.on_demand, existing, pending, wall_ms / 1000)
    if update.table_class is not None:
        return _change_class(update.table_class, existing, pending)
    if update.warm:
        return _change_warm(update.warm, existing, pending)
    if update.on_demand:
        return change_on_demand(update.on_demand, existing, pending)
    if update.protection is None or update.protection == existing["DeletionProtectionEnabled"]:
        return Changed(None, pending, existing)
    changed = {**existing, "DeletionProtectionEnabled": update.protection}
    return Changed(changed, pending, changed)


def finish(description: Description, pending: Description, wall_ms: int) -> Description:
    """The change is done: what was pending is described, and the table is ACTIVE."""
    now_s = wall_ms / 1000
    done = {
        name: {key: now_s if value is None else value for key, value in members.items()}
        for name, members in pending.items()
    }
    if "ProvisionedThroughput" in done:
        # It was counted on the day of the request, and is dated now.
        done["ProvisionedThroughput"]["NumberOfDecreasesToday"] -= _of_days_before(description, now_s)
    return {**description, **done, "TableStatus": "ACTIVE"}


def _of_days_before(description: Description, now_s: float) -> int:
    """Decreases that are counted in a description and are not of today."""
    today = as_of(description, now_s)
    return int(
        description["ProvisionedThroughput"]["NumberOfDecreasesToday"]
        - today["ProvisionedThroughput"]["NumberOfDecreasesToday"]
    )


def _change_class(table_class: str, existing: Description, pending: Description) -> Changed:
    refuse_second_change(existing, pending, "update table class")
    if table_class == existing.get("TableClassSummary", {}).get("TableClass", "STANDARD"):
        return Changed(None, pending, {**existing, "TableStatus": "UPDATING"})
    later = {"TableClassSummary": {"TableClass": table_class, "LastUpdateDateTime": None}}
    return updating(existing, {**pending, **later})


def _change_warm(warm: Mapping[str, int], existing: Description, pending: Description) -> Changed:
    """It only rises; of two changes at a time the later one counts (DDB-TABLE-459)."""
    current: Description = existing.get("WarmThroughput", {})
    refuse_lower_warm(warm, current, "table")
    now = {**existing, "WarmThroughput": {**current, "Status": "UPDATING"}}
    before: Description = pending.get("WarmThroughput", current)
    later = {**before, **warm, "Status": "ACTIVE"}
    return Changed(now, {**pending, "WarmThroughput": later}, now)
