"""UpdateTimeToLive: by which attribute a table's items expire is decided at once.

DynamoDB takes up to an hour for it, and refuses other changes meanwhile; nothing is refused here for that reason.
"""

from __future__ import annotations

from dataclasses import replace

from dynabus.auto_admin.global_tables.stamping import stamped
from dynabus.auto_admin.tables.decisions import next_revision, read_row, refuse, written
from dynabus.core.errors import ApiError, validation_error
from dynabus.core.replication.store import Decision, Evaluate, Outcome
from dynabus.core.tables.descriptions import refuse_change


def update(name: str, attribute: str, *, enabled: bool) -> Evaluate:
    """The decision."""

    def evaluate(old: bytes | None, wall_ms: int) -> Decision:
        state = read_row(old) if old is not None else None
        refusal = refuse_change(name, None if state is None else state.description)
        if refusal is None and state is not None:
            refusal = _refuse(state.time_to_live, attribute, enabled=enabled)
        if refusal is not None or state is None:
            assert refusal is not None
            return refuse(refusal)
        after = stamped(state, replace(state, time_to_live=attribute if enabled else ""), wall_ms)
        return Decision(True, written(next_revision(after)), Outcome(count=1))

    return evaluate


def _refuse(known: str, attribute: str, *, enabled: bool) -> ApiError | None:
    """DynamoDB's words, as its users quote them."""
    if known and known != attribute:
        return validation_error(
            f"TimeToLive is active on a different AttributeName: current AttributeName is {known}"
        )
    if enabled == bool(known):
        return validation_error(f"TimeToLive is already {'enabled' if enabled else 'disabled'}")
    return None
