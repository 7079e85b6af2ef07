"""The member `tables` of `dynabus status --json`: tables, partitions and replicas as one process knows them. Pure."""

from __future__ import annotations

from typing import Any

from dynabus.core.cluster_view import ClusterView
from dynabus.core.messages import PartitionMetadata
from dynabus.core.published_table import Table
from dynabus.core.tables.indexes import OF


def tables_status(view: ClusterView) -> list[dict[str, Any]]:
    """The member `tables` of `dynabus status --json`, by name. A global secondary index stands behind its table as
    `<table>/index/<index>`, and its partitions say its name."""
    known = sorted((*view.tables.values(), *view.indexes()), key=lambda table: table.name)
    return [_table_status(view, table) for table in known]


def _table_status(view: ClusterView, table: Table) -> dict[str, Any]:
    return {
        "name": table.name,
        "id": table.id,
        "status": table.status,
        "partitions": [_partition_status(view, table, partition) for partition in table.partitions],
        "sealed": [_partition_status(view, table, partition) for partition in table.sealed],
        "restoring": [_partition_status(view, table, partition) for partition in table.restoring],
    }


def _partition_status(view: ClusterView, table: Table, partition: PartitionMetadata) -> dict[str, Any]:
    term, leader = view.leader(table.id, partition["number"]) or (0, None)
    upper = partition["upper"]
    differs = view.agreement.difference(table.id, partition["number"])
    return {
        "id": partition["number"],
        "generation": partition["generation"],
        "index": table.description.get(OF, {}).get("Name"),
        "range": [partition["lower"].hex(), None if upper is None else upper.hex()],
        "leader": leader,
        "term": term,
        "state": partition["state"],
        "lineage": partition["lineage"],
        "replicas": [
            *(_replica_status(view, node, table.id, partition["number"]) for node in partition["members"]),
            *(_joining_status(view, node, table.id, partition["number"]) for node in partition["joining"]),
        ],
        "heirs": [_partition_status(view, table, heir) for heir in table.heirs.get(partition["number"], ())],
        **({"alarm": str(differs)} if differs is not None else {}),
    }


def _joining_status(view: ClusterView, name: str, log: str, number: int) -> dict[str, Any]:
    """Of a node that is no member yet, whatever it is at just now."""
    status = _replica_status(view, name, log, number)
    return status if status["state"] in ("failed", "frozen", "stopped", "unknown") else {**status, "state": "joining"}


def _replica_status(view: ClusterView, name: str, log: str, number: int) -> dict[str, Any]:
    node = view.nodes.get(name)
    state = node.replicas.get((log, number)) if node is not None else None
    if node is None or state is None:
        return {
            "node": name,
            "zone": node.zone if node else None,
            "state": "unknown",
            "sequence": None,
            "lag": None,
        }
    return {
        "node": name,
        "zone": node.zone,
        "state": state["state"],
        "sequence": state["sequence"],
        "lag": None if state["lag"] < 0 else state["lag"],
        **({"alarm": state["alarm"]} if state["alarm"] else {}),
    }
