"""What regions keep alike of a global table's settings, and the way from what a table has to what it shall. Pure.

| member                 | is kept alike                                                                     |
|------------------------|-----------------------------------------------------------------------------------|
| KeySchema              | never changes; a table with another one is no replica                             |
| LocalSecondaryIndexes  | the same                                                                          |
| AttributeDefinitions   | as far as a key has them                                                          |
| GlobalSecondaryIndexes | by name: key, projection, write units                                             |
| BillingMode            |                                                                                   |
| WriteCapacityUnits     | null where they follow auto scaling, whose settings are kept alike instead         |
| WriteScaling           | auto scaling of writes, by what it is for                                         |
| TimeToLive             | the attribute; empty: none                                                        |
| ReadUnits              | no; what a new replica begins with, of the table ("") and of each of its indexes  |

Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/V2globaltables_HowItWorks.html (settings)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dynabus.core.tables.auto_scaling import WRITE, Scaling, kind_and_index, what_of
from dynabus.core.tables.capacity_changes import billing_mode

Definition = dict[str, Any]
"""JSON, with the members above."""

ON_DEMAND = "PAY_PER_REQUEST"
_SHAPE = ("IndexName", "KeySchema", "Projection")
_SETTINGS = ("MinimumUnits", "MaximumUnits", "PolicyName", "Target")


def definition_of(
    description: Mapping[str, Any], pending: Mapping[str, Any], time_to_live: str, scaling: Scaling
) -> Definition:
    """Of a table whose change so far is `pending`."""
    units = pending.get("ProvisionedThroughput") or description["ProvisionedThroughput"]
    indexes = [e for e in description.get("GlobalSecondaryIndexes", ()) if e["IndexStatus"] != "DELETING"]
    local = [{name: each[name] for name in _SHAPE} for each in description.get("LocalSecondaryIndexes", ())]
    those = {"", *(each["IndexName"] for each in indexes)}
    writes = {
        what: {name: settings[name] for name in _SETTINGS}
        for what, settings in scaling.items()
        if kind_and_index(what)[0] == WRITE and kind_and_index(what)[1] in those
    }
    reads = {each["IndexName"]: each["ProvisionedThroughput"]["ReadCapacityUnits"] for each in indexes}
    found: Definition = {
        "KeySchema": description["KeySchema"],
        "LocalSecondaryIndexes": local,
        "GlobalSecondaryIndexes": {
            each["IndexName"]: {
                **{name: each[name] for name in _SHAPE},
                "WriteCapacityUnits": _units(
                    each["ProvisionedThroughput"], what_of(WRITE, each["IndexName"]), writes
                ),
            }
            for each in indexes
        },
        "BillingMode": billing_mode(description),
        "WriteCapacityUnits": _units(units, WRITE, writes),
        "WriteScaling": writes,
        "TimeToLive": time_to_live,
        "ReadUnits": {"": units["ReadCapacityUnits"], **reads},
    }
    found["AttributeDefinitions"] = _used(found, _types(description["AttributeDefinitions"]))
    return found


def _units(throughput: Mapping[str, Any], what: str, writes: Mapping[str, Any]) -> int | None:
    return None if what in writes else int(throughput["WriteCapacityUnits"])


def _types(definitions: Any) -> dict[str, str]:
    return {each["AttributeName"]: each["AttributeType"] for each in definitions}


def _used(definition: Definition, types: Mapping[str, str]) -> list[dict[str, str]]:
    """Attributes that are in some key, by name."""
    schemas = [definition["KeySchema"], *(each["KeySchema"] for each in definition["LocalSecondaryIndexes"])]
    schemas += [each["KeySchema"] for each in definition["GlobalSecondaryIndexes"].values()]
    names = sorted({key["AttributeName"] for schema in schemas for key in schema})
    return [{"AttributeName": name, "AttributeType": types[name]} for name in names]


def read_definition(said: Mapping[str, Any]) -> Definition:
    """Of another region: with all members, of the right types, and such that a replica can be made of it. Raises
    KeyError, TypeError, ValueError or AttributeError."""
    found: Definition = {
        "KeySchema": _key(said["KeySchema"]),
        "LocalSecondaryIndexes": [_index(each) for each in said["LocalSecondaryIndexes"]],
        "GlobalSecondaryIndexes": {
            str(name): {**_index(each), "WriteCapacityUnits": whole(each["WriteCapacityUnits"])}
            for name, each in said["GlobalSecondaryIndexes"].items()
        },
        "BillingMode": str(said["BillingMode"]),
        "WriteCapacityUnits": whole(said["WriteCapacityUnits"]),
        "WriteScaling": {str(what): _scaled(each) for what, each in said["WriteScaling"].items()},
        "TimeToLive": str(said["TimeToLive"]),
        "ReadUnits": {"": 1} | {str(name): int(units) for name, units in said["ReadUnits"].items()},
    }
    found["AttributeDefinitions"] = _used(found, _types(said["AttributeDefinitions"]))
    if any(name != each["IndexName"] for name, each in found["GlobalSecondaryIndexes"].items()):
        raise ValueError("an index of another name")
    if any(kind_and_index(what)[0] != WRITE for what in found["WriteScaling"]):
        raise ValueError("auto scaling of reads")
    creation_request("", found, {})
    return found


def _key(said: Any) -> list[dict[str, str]]:
    return [{name: str(each[name]) for name in ("AttributeName", "KeyType")} for each in said]


def _index(said: Any) -> dict[str, Any]:
    return {
        "IndexName": str(said["IndexName"]),
        "KeySchema": _key(said["KeySchema"]),
        "Projection": {**said["Projection"], "ProjectionType": str(said["Projection"]["ProjectionType"])},
    }


def whole(said: Any) -> int | None:
    """Units, or none. Raises TypeError or ValueError."""
    return None if said is None else int(said)


def _scaled(said: Any) -> dict[str, Any]:
    units = {name: int(said[name]) for name in ("MinimumUnits", "MaximumUnits")}
    target = {**said["Target"], "TargetValue": float(said["Target"]["TargetValue"])}
    return {**units, "PolicyName": str(said["PolicyName"]), "Target": target}


def is_alike(one: Definition, other: Definition) -> bool:
    """Whether two regions need to tell each other nothing."""
    return {**one, "ReadUnits": None} == {**other, "ReadUnits": None}


def same_keys(one: Definition, other: Definition) -> bool:
    """Whether tables of both can be replicas of each other: key, types and local indexes."""
    names = {key["AttributeName"] for key in one["KeySchema"]}
    names |= {key["AttributeName"] for each in one["LocalSecondaryIndexes"] for key in each["KeySchema"]}
    mine, theirs = _types(one["AttributeDefinitions"]), _types(other["AttributeDefinitions"])
    if one["KeySchema"] != other["KeySchema"] or any(mine.get(name) != theirs.get(name) for name in names):
        return False
    these, those = ({each["IndexName"]: each for each in of["LocalSecondaryIndexes"]} for of in (one, other))
    return these.keys() == those.keys() and all(_same_shape(these[name], those[name]) for name in these)


def _same_shape(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Of two indexes; in which order attributes are named that are projected beside the keys means nothing."""
    return _shape(one) == _shape(other)


def _shape(index: Mapping[str, Any]) -> list[Any]:
    projection = {**index["Projection"]}
    if "NonKeyAttributes" in projection:
        projection["NonKeyAttributes"] = sorted(projection["NonKeyAttributes"])
    return [{**index, "Projection": projection}[member] for member in _SHAPE]


def _key_types(index: Mapping[str, Any], types: Mapping[str, str]) -> list[str | None]:
    return [types.get(key["AttributeName"]) for key in index["KeySchema"]]


def merged(wanted: Definition, before: Definition, after: Definition) -> Definition:
    """`wanted`, with what a request has changed of the table. What of it the table lacks yet is not undone: of an
    index, of auto scaling by what it is for, of a type."""
    was, now = before["GlobalSecondaryIndexes"], after["GlobalSecondaryIndexes"]
    indexes = {
        name: each for name, each in wanted["GlobalSecondaryIndexes"].items() if name in now or name not in was
    }
    for name, each in now.items():
        if name not in was:
            indexes[name] = each
        elif name in indexes:
            indexes[name] = {**indexes[name], **_changed(was[name], each)}
    scaling = {**wanted["WriteScaling"], **_changed(before["WriteScaling"], after["WriteScaling"])}
    kept = [what for what in scaling if what in after["WriteScaling"] or what not in before["WriteScaling"]]
    scaling = {what: scaling[what] for what in kept if kind_and_index(what)[1] in {"", *indexes}}
    found = {
        **wanted,
        **_changed(before, after),
        "GlobalSecondaryIndexes": {
            name: {**each, "WriteCapacityUnits": _unscaled(each, scaling, name)} for name, each in indexes.items()
        },
        "WriteScaling": scaling,
        "ReadUnits": {
            name: units
            for name, units in {**wanted["ReadUnits"], **_changed(before["ReadUnits"], after["ReadUnits"])}.items()
            if name in {"", *indexes}
        },
    }
    found["WriteCapacityUnits"] = _unscaled(found, scaling)
    new = {key["AttributeName"] for name in now.keys() - was.keys() for key in now[name]["KeySchema"]}
    types = {**_types(after["AttributeDefinitions"]), **_types(wanted["AttributeDefinitions"])}
    types |= {name: each for name, each in _types(after["AttributeDefinitions"]).items() if name in new}
    return {**found, "AttributeDefinitions": _used(found, types)}


def _changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Members that are there now, and were not, or were others."""
    return {name: value for name, value in after.items() if name not in before or value != before[name]}


def _unscaled(of: Mapping[str, Any], scaling: Mapping[str, Any], index: str = "") -> int | None:
    """Write units, where they do not follow auto scaling."""
    if what_of(WRITE, index) in scaling:
        return None
    return 1 if of["WriteCapacityUnits"] is None else int(of["WriteCapacityUnits"])


def creation_request(name: str, definition: Definition, read_units: Mapping[str, int]) -> dict[str, Any]:
    """CreateTable of a replica. `read_units`: its own, of the table ("") and of indexes, as far as there are some."""
    provisioned = definition["BillingMode"] != ON_DEMAND
    reads = {**definition["ReadUnits"], **read_units}
    indexes = [
        {
            **{member: each[member] for member in _SHAPE},
            **({"ProvisionedThroughput": _throughput(definition, reads, index)} if provisioned else {}),
        }
        for index, each in definition["GlobalSecondaryIndexes"].items()
    ]
    return {
        "TableName": name,
        "AttributeDefinitions": definition["AttributeDefinitions"],
        "KeySchema": definition["KeySchema"],
        "BillingMode": definition["BillingMode"],
        "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        **({"ProvisionedThroughput": _throughput(definition, reads)} if provisioned else {}),
        **({"LocalSecondaryIndexes": local} if (local := definition["LocalSecondaryIndexes"]) else {}),
        **({"GlobalSecondaryIndexes": indexes} if indexes else {}),
    }


def _throughput(definition: Definition, reads: Mapping[str, int], index: str = "") -> dict[str, int]:
    of = definition["GlobalSecondaryIndexes"][index] if index else definition
    scaled = definition["WriteScaling"].get(what_of(WRITE, index), {})
    writes = of["WriteCapacityUnits"] if of["WriteCapacityUnits"] is not None else scaled["MinimumUnits"]
    return {"ReadCapacityUnits": max(1, reads.get(index, 1)), "WriteCapacityUnits": max(1, writes)}


def next_change(
    wanted: Definition, have: Definition, read_units: Mapping[str, int], write_units: Mapping[str, int]
) -> dict[str, Any] | None:
    """Members of the next UpdateTable that brings a table closer to what is wanted; None: there is none left.

    Both by index, "" for the table: `read_units` that it shall have by an override, as far as there is one;
    `write_units` that it has, scaled or not, which stay where no others are wanted. `have` tells of a table that is
    not changing.
    """
    provisioned = wanted["BillingMode"] != ON_DEMAND
    reads = {**wanted["ReadUnits"], **have["ReadUnits"]} if have["BillingMode"] != ON_DEMAND else wanted["ReadUnits"]
    reads = {**reads, **read_units}
    if wanted["BillingMode"] != have["BillingMode"]:
        return _other_mode(wanted, have, reads, provisioned)
    if provisioned and (_differs(wanted, have) or reads[""] != have["ReadUnits"][""]):
        units = _throughput(wanted, reads)
        if not _differs(wanted, have):
            units["WriteCapacityUnits"] = write_units[""]
        return {"ProvisionedThroughput": units}
    change = _other_indexes(wanted, have, reads, provisioned)
    return change or (_other_reads(have, read_units, write_units) if provisioned else None)


def _differs(wanted: Mapping[str, Any], have: Mapping[str, Any]) -> bool:
    """In write units that are not auto scaling's. An index that was made while its table was on demand has none."""
    units = (wanted["WriteCapacityUnits"], have["WriteCapacityUnits"])
    return None not in units and max(1, units[0]) != units[1]


def _other_mode(wanted: Definition, have: Definition, reads: Mapping[str, int], provisioned: bool) -> dict[str, Any]:
    if not provisioned:
        return {"BillingMode": ON_DEMAND}
    known = wanted["GlobalSecondaryIndexes"]
    indexes = [
        {
            "Update": {
                "IndexName": name,
                "ProvisionedThroughput": _throughput(wanted, reads, name)
                if name in known
                else {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1},
            }
        }
        for name in have["GlobalSecondaryIndexes"]
    ]
    return {
        "BillingMode": "PROVISIONED",
        "ProvisionedThroughput": _throughput(wanted, reads),
        **({"GlobalSecondaryIndexUpdates": indexes} if indexes else {}),
    }


def _other_reads(
    have: Definition, read_units: Mapping[str, int], write_units: Mapping[str, int]
) -> dict[str, Any] | None:
    """Of indexes that were given some."""
    for name in have["GlobalSecondaryIndexes"]:
        reads = read_units.get(name, have["ReadUnits"][name])
        if reads != have["ReadUnits"][name]:
            throughput = {"ReadCapacityUnits": reads, "WriteCapacityUnits": write_units[name]}
            return {
                "GlobalSecondaryIndexUpdates": [{"Update": {"IndexName": name, "ProvisionedThroughput": throughput}}]
            }
    return None


def write_units(description: Mapping[str, Any]) -> dict[str, int]:
    """Of a table ("") and its indexes, as they have them."""
    indexes = {each["IndexName"]: each for each in description.get("GlobalSecondaryIndexes", ())}
    all_of_it = {"": description, **indexes}
    return {name: int(each["ProvisionedThroughput"]["WriteCapacityUnits"]) for name, each in all_of_it.items()}


def _other_indexes(
    wanted: Definition, have: Definition, reads: Mapping[str, int], provisioned: bool
) -> dict[str, Any] | None:
    """One at a time, those that go first: one may come back with another key."""
    those, these = wanted["GlobalSecondaryIndexes"], have["GlobalSecondaryIndexes"]
    types, known = _types(wanted["AttributeDefinitions"]), _types(have["AttributeDefinitions"])
    for name, each in these.items():
        if (
            name not in those
            or not _same_shape(those[name], each)
            or _key_types(those[name], types) != _key_types(each, known)
        ):
            return {"GlobalSecondaryIndexUpdates": [{"Delete": {"IndexName": name}}]}
    for name, each in those.items():
        throughput = {"ProvisionedThroughput": _throughput(wanted, reads, name)} if provisioned else {}
        if name not in these:
            new = {**{member: each[member] for member in _SHAPE}, **throughput}
            definitions = wanted["AttributeDefinitions"]
            return {"AttributeDefinitions": definitions, "GlobalSecondaryIndexUpdates": [{"Create": new}]}
        if provisioned and _differs(each, these[name]):
            return {"GlobalSecondaryIndexUpdates": [{"Update": {"IndexName": name, **throughput}}]}
    return None
