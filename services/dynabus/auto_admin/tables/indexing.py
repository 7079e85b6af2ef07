"""Rows of global secondary indexes follow the rows of their tables: made, and given up.

| the table's row     | the index's row          | next decision                                   |
|---------------------|--------------------------|-------------------------------------------------|
| names it            | none                     | CREATING, once there are nodes to place it on   |
| names it            | there                    | (none: its own workflow)                        |
| names it no more    | there, not DELETING      | DELETING                                        |
| DELETING, or none   | there, not DELETING      | DELETING                                        |
| has another throughput for it | there          | the same is pending; done with its partitions   |

A table is CREATING until its indexes are ACTIVE, and is not destroyed before their rows are gone. All of it is judged
from accepted rows, and decided while nothing else is under way, so a successor goes on from any of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from dynabus.adapters.logs import logger
from dynabus.auto_admin.placement.planner import Placement
from dynabus.auto_admin.tables import index_decisions
from dynabus.auto_admin.tables.decisions import TableState, table_key
from dynabus.core.global_indexes import index_log, index_name
from dynabus.core.replication.store import Evaluate
from dynabus.core.tables.descriptions import Description
from dynabus.core.tables.index_changes import DELETING
from dynabus.core.tables.indexes import own_description, placement_request

Place = Callable[[Description, bytes, float], list[Placement]]
"""(as CreateTable would ask, what it is for, now) -> where the partitions go; empty while too few nodes are heard."""

CHANGING = ("ProvisionedThroughput", "OnDemandThroughput", "BillingModeSummary")
"""Members of an index's own description that follow its table's."""

Decide = Callable[[bytes, Evaluate], None]


def index_logs(state: TableState) -> dict[str, str]:
    """Of the indexes that a table's row names, without those that are deleted: ids of their rows, and their names."""
    return {index_log(state.id, each["id"]): each["name"] for each in state.indexes if each["status"] != DELETING}


def are_ready(state: TableState, states: Mapping[str, TableState]) -> bool:
    """All indexes of a table have partitions that are led."""
    rows = (states.get(log) for log in index_logs(state))
    return all(row is not None and row.status == "ACTIVE" for row in rows)


def are_settled(state: TableState, states: Mapping[str, TableState]) -> bool:
    """Rows of indexes are as their table's row wants them: led, with its throughput, or gone."""
    if not are_ready(state, states):
        return False
    gone = [index_log(state.id, each["id"]) for each in state.indexes if each["status"] == DELETING]
    changed = [_wanted(states[log].description, state, name) for log, name in index_logs(state).items()]
    return not any(log in states for log in gone) and not any(changed)


def has_rows(state: TableState, states: Mapping[str, TableState]) -> bool:
    """Some index of the table is still there."""
    return any(each.of_table == state.id for each in states.values())


def follow(states: Mapping[str, TableState], place: Place, now_ms: float, decide: Decide) -> None:
    """Take the next decision of each index that has one."""
    for state in states.values():
        if state.of_table:
            _follow_one(state, states.get(state.of_table), decide)
        elif state.indexes and state.status != "DELETING":
            _make(state, states, place, now_ms, decide)


def _make(state: TableState, states: Mapping[str, TableState], place: Place, now_ms: float, decide: Decide) -> None:
    for log, name in index_logs(state).items():
        if log in states:
            continue
        description = own_description(state.description, state.id, name)
        placements = place(placement_request(description), log.encode(), now_ms)
        if placements:
            logger().info("index", table=state.name, index=name, id=log)
            own = index_name(state.name, name)
            decide(table_key(own), index_decisions.create_index(log, own, state.id, description, placements))


def _follow_one(index: TableState, table: TableState | None, decide: Decide) -> None:
    if index.status == "DELETING":
        return
    name = index_logs(table).get(index.id) if table is not None and table.status != "DELETING" else None
    if table is None or name is None:
        decide(table_key(index.name), index_decisions.delete_index(index.id))
    elif wanted := _wanted({**index.description, **index.pending}, table, name):
        decide(table_key(index.name), index_decisions.change_index(index.id, index.revision, wanted))


def _wanted(description: Description, table: TableState, name: str) -> Description:
    """Members of an index's own description that are others now."""
    own = own_description(table.description, table.id, name)
    return {member: own.get(member) for member in CHANGING if own.get(member) != description.get(member)}
