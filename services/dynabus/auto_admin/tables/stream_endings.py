"""Decisions that end streams: those of a table that is being deleted, and those whose topics are gone. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from dynabus.auto_admin.tables.decisions import decide, next_revision, read_row
from dynabus.core.replication.store import Decision, Evaluate, Outcome
from dynabus.core.streams.view import DISABLED
from dynabus.core.tables.streams import are_changing, finish_streams


def close(own_id: str) -> Evaluate:
    """The streams of a table that is being deleted have all that they get."""

    def evaluate(old: bytes | None, wall_ms: int) -> Decision:
        state = read_row(old) if old is not None else None
        if state is None or state.id != own_id or state.status != "DELETING" or not are_changing(state.streams):
            return Decision(False, None, Outcome())
        return decide(next_revision(replace(state, streams=finish_streams(state.streams, wall_ms))))

    return evaluate


def drop_streams(own_id: str, labels: Sequence[str]) -> Evaluate:
    """Topics of streams that were disabled long ago are gone."""

    def evaluate(old: bytes | None, _: int) -> Decision:
        state = read_row(old) if old is not None else None
        if state is None or state.id != own_id:
            return Decision(False, None, Outcome())
        kept = [each for each in state.streams if each["label"] not in labels or each["status"] != DISABLED]
        if len(kept) == len(state.streams):
            return Decision(False, None, Outcome())
        return decide(next_revision(replace(state, streams=kept)))

    return evaluate
