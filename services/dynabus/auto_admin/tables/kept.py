"""Streams of deleted tables, which stay readable for as long as others that are disabled. Pure.

key    b"kept/" + id of the table
row    as the table's last one (`decisions`), with status DELETED

DELETING --keep, then remove--> DELETED --drop, all of them--> (none)

A row of its own, since the table's name is free at once. DynamoDB keeps the stream of a deleted table for 24 hours
(Developer Guide, "Change data capture for DynamoDB Streams").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from dynabus.auto_admin.tables.decisions import TableState, read_row, written
from dynabus.core.replication.store import Decision, Evaluate, Outcome, Reader
from dynabus.core.tables.streams import Stream

PREFIX, BEHIND = b"kept/", b"kept0"
DELETED = "DELETED"


def kept_key(table_id: str) -> bytes:
    return PREFIX + table_id.encode()


def read_kept(store: Reader) -> dict[str, TableState]:
    """By table id."""
    states = (read_row(row) for _, row in store.scan(PREFIX, BEHIND))
    return {state.id: state for state in states}


def keep(state: TableState) -> Evaluate:
    """The table is destroyed. Decided before its own row goes, so that its streams are in one of the two."""

    def evaluate(old: bytes | None, _: int) -> Decision:
        if old is not None:
            return Decision(False, None, Outcome())
        kept_state = replace(state, status=DELETED, pending={}, indexes=[], table_topic={})
        return Decision(True, written(kept_state), Outcome())

    return evaluate


def drop(labels: Sequence[str]) -> Evaluate:
    """The topics of these streams are gone."""

    def evaluate(old: bytes | None, _: int) -> Decision:
        state = read_row(old) if old is not None else None
        if state is None or not any(each["label"] in labels for each in state.streams):
            return Decision(False, None, Outcome())
        left = [each for each in state.streams if each["label"] not in labels]
        row = written(replace(state, streams=left, revision=state.revision + 1)) if left else None
        return Decision(True, row, Outcome())

    return evaluate


def streams_named(kept: Mapping[str, TableState], name: str) -> list[Stream]:
    """Of all deleted tables of this name."""
    return [stream for state in kept.values() if state.name == name for stream in state.streams]
