"""What DescribeTable shows of a global table's replicas, of its register. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dynabus.core.global_tables.definition import ON_DEMAND
from dynabus.core.global_tables.links import ACTIVE, DELETING
from dynabus.core.global_tables.origins import origin_of
from dynabus.core.global_tables.overrides import units_for
from dynabus.core.global_tables.register import REFUSED, Register, lacks_items, others

VERSION = "2019.11.21"
MEMBERS = ("GlobalTableVersion", "Replicas", "GlobalTableSettingsReplicationMode")
"""Of DescribeTable; all of them are there, or none (ack-api-quirks, DDB-TABLE-231)."""


def described(description: Mapping[str, Any], register: Register) -> dict[str, Any]:
    """With the members about replicas: the other ones, never itself (DDB-TABLE-229)."""
    plain = {name: value for name, value in description.items() if name not in MEMBERS}
    shown = [*others(register), *register["leaving"]] if register else []
    if not shown:
        return plain
    replicas = [replica(register, region) for region in shown]
    values = (VERSION, replicas, "ENABLED_WITH_OVERRIDES")
    return {**plain, **dict(zip(MEMBERS, values, strict=True))}


def replica(register: Register, region: str) -> dict[str, Any]:
    """A ReplicaDescription."""
    said = register["replicas"].get(region, {})
    on_demand = register["definition"].get("BillingMode") == ON_DEMAND
    units = {} if on_demand else units_for(register, region)  # they count again once it is provisioned
    given = {of: {"ProvisionedThroughputOverride": {"ReadCapacityUnits": each}} for of, each in units.items()}
    indexes = [{"IndexName": name, **given[name]} for name in sorted(given) if name]
    why = said.get("why", "")
    return {
        "RegionName": region,
        "ReplicaStatus": status_of(register, region),
        **({"ReplicaStatusDescription": why} if why else {}),
        **given.get("", {}),
        **({"GlobalSecondaryIndexes": indexes} if indexes else {}),
    }


def status_of(register: Register, region: str) -> str:
    """CREATING until it has all items; UPDATING while it gets them again."""
    if region in register["leaving"]:
        return "DELETING"
    link = register["links"].get(region, {})
    if link.get("status") == ACTIVE and not origin_of(register, region):
        # Whatever it refuses since: it has what is written here, and what it was to get of others.
        return "ACTIVE"
    refuses = register["replicas"].get(region, {}).get("status") == REFUSED
    if refuses and link.get("status") in (None, DELETING):
        return "CREATION_FAILED"
    # What it refuses while it gets items is a later word.
    return "UPDATING" if link.get("again") else "CREATING"


def is_busy(register: Register) -> bool:
    """A replica is coming or going, or the one that is here does not have all items yet."""
    if not register:
        return False
    if lacks_items(register):
        return True
    shown = [*others(register), *register["leaving"]]
    return any(status_of(register, each) in ("CREATING", "DELETING") for each in shown)
