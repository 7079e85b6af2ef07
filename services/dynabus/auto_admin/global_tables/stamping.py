"""What a change of a table means for its replicas: a new stamp, if regions keep it alike. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from dynabus.core.errors import invalid_parameter
from dynabus.core.global_tables.definition import Definition, definition_of, is_alike, merged
from dynabus.core.global_tables.register import Register, is_global, with_definition, with_members

if TYPE_CHECKING:
    from dynabus.auto_admin.tables.decisions import TableState


def definition_here(state: TableState) -> Definition:
    """What the table has, or will have when what is pending is done."""
    return definition_of(state.description, state.pending, state.time_to_live, state.scaling)


def stamped(before: TableState, after: TableState, wall_ms: int) -> TableState:
    """`after` a request: other regions are told of what has changed of `before`."""
    if not is_global(after.global_table):
        return after
    was, now = definition_here(before), definition_here(after)
    if is_alike(was, now):
        return after
    definition = merged(after.global_table["definition"], was, now)
    return replace(after, global_table=with_definition(after.global_table, definition, wall_ms))


def left(register: Register, wall_ms: int) -> Register:
    """The table is being deleted: it leaves its global table."""
    if not is_global(register):
        return register
    return with_members(register, [each for each in register["members"] if each != register["own"]], wall_ms)


def refuse_stream_change(specification: Mapping[str, Any] | None, register: Register) -> None:
    """Raise the ValidationException for a stream that replication reads (ack-api-quirks, DDB-TABLE-442)."""
    if specification is None or specification["StreamEnabled"] or not register:
        return
    if is_global(register) or register["leaving"]:
        raise invalid_parameter("Disabling Stream is not allowed for a Global Table replica.")
