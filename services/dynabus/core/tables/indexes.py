"""Global secondary indexes as the control plane keeps them. Pure.

In the table's row: `indexes`, and what DescribeTable shows of each in the description. An index has a row of its own
too, of the form of a table's, since its partitions are placed, split, moved and recovered as a table's are:

    row of            key                           id                      made when
    the table         table/<table>                 32 digits               CreateTable
    its index         table/<table>/index/<index>   <table id>.<16 digits>  the table's row names it

The table's row is the truth; the index's follows it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any

import orjson

from dynabus.core.global_indexes import index_log, index_name
from dynabus.core.global_indexes.messages import IndexMetadata
from dynabus.core.global_indexes.view import ENABLED, ENABLING, label_of
from dynabus.core.tables.capacity_changes import billing_mode
from dynabus.core.tables.descriptions import INDEX_OPTIONS, Description
from dynabus.core.tables.streams import shards_of

Index = dict[str, Any]
"""In a table's row: name, id, status (ENABLING, ENABLED; UPDATING, DELETING), from_start, roots (partitions)."""

OF = "Index"
"""Member of an index's own description: the table's id and name, and the index's name."""


LAG_LIMIT = "LagLimitSeconds"
"""Member of that: by how much the index may be behind its table before writes that touch it are throttled."""


def index_id(request_id: bytes, name: str) -> str:
    """16 hexadecimal digits, the same whenever this request is evaluated again; unique for ever in its table."""
    return blake2b(request_id + name.encode(), digest_size=8, person=b"dynabus-index").hexdigest()


def new_indexes(request: Mapping[str, Any], request_id: bytes, roots: Sequence[int]) -> list[Index]:
    """Of a table that is being made: they begin where its logs begin."""
    return [
        {
            "name": each["IndexName"],
            "id": index_id(request_id, each["IndexName"]),
            "status": ENABLED,
            "from_start": True,
            "roots": list(roots),
        }
        for each in request.get("GlobalSecondaryIndexes", ())
    ]


def own_description(table: Description, table_id: str, name: str) -> Description:
    """What the control plane keeps of an index as of a table: its key, and its throughput in the table's mode.

    KeySchema has the first attribute of each role. It is there for what every table has; reads and writes of an index
    are by `core.global_indexes`.
    """
    index = next(each for each in table["GlobalSecondaryIndexes"] if each["IndexName"] == name)
    by_role: dict[str, Any] = {}
    for each in index["KeySchema"]:
        by_role.setdefault(each["KeyType"], each)
    mode = {"BillingModeSummary": {"BillingMode": billing_mode(table)}} if "BillingModeSummary" in table else {}
    return {
        "AttributeDefinitions": table["AttributeDefinitions"],
        "TableName": index_name(table["TableName"], name),
        "KeySchema": [*by_role.values()],
        "TableStatus": "CREATING",
        "CreationDateTime": table["CreationDateTime"],
        "ProvisionedThroughput": index["ProvisionedThroughput"],
        "TableSizeBytes": 0,
        "ItemCount": 0,
        "TableArn": index["IndexArn"],
        "TableId": table_id,
        "DeletionProtectionEnabled": False,
        **mode,
        **{member: index[member] for member in INDEX_OPTIONS if member in index},
        OF: {"Table": table_id, "TableName": table["TableName"], "Name": name},
    }


def placement_request(description: Description) -> dict[str, Any]:
    """As CreateTable would ask for an index's partitions."""
    request = {
        "BillingMode": billing_mode(description),
        **{m: description[m] for m in INDEX_OPTIONS if m in description},
    }
    return {**request, "ProvisionedThroughput": description["ProvisionedThroughput"]}


def index_message(
    index: Index,
    table_id: str,
    description: Description,
    version: int,
    partitions: Sequence[Mapping[str, Any]],
    ancestors: Sequence[Mapping[str, Any]],
) -> IndexMetadata:
    """As the metadata topic carries it."""
    shown = next(each for each in description["GlobalSecondaryIndexes"] if each["IndexName"] == index["name"])
    definition = {
        "AttributeDefinitions": description["AttributeDefinitions"],
        "KeySchema": description["KeySchema"],
        "Index": {name: shown[name] for name in ("IndexName", "KeySchema", "Projection")},
    }
    return {
        "table": table_id,
        "name": index["name"],
        "label": label_of(index["id"]),
        "version": version,
        "status": ENABLED if index["status"] != ENABLING else ENABLING,
        "log": index_log(table_id, index["id"]),
        "definition": orjson.dumps(definition),
        "from_start": index["from_start"],
        "shards": shards_of(index, partitions, ancestors),
    }
