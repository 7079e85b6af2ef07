"""Whether a table takes commands from Kafka: an operator decides (`dynabus admin ingest`).

| row  | topics                                 | routers                        |
|------|----------------------------------------|--------------------------------|
|      | none                                   |                                |
| on   | made before metadata say that it is on | read them                      |
| off  | stay, with what was not read           | do not; later they go on there |

They go with their table, so that a table of the same name does not get commands that were meant for another.
"""

from __future__ import annotations

from dataclasses import replace

import orjson

from dynabus.auto_admin.tables.decisions import TableState, next_revision, read_row, refuse, written
from dynabus.core.errors import validation_error
from dynabus.core.replication.store import Decision, Evaluate, Outcome
from dynabus.core.tables.descriptions import refuse_change

ON, OFF = "on", "off"

TOPICS = "ingest"
"""Among the labels of a table's streams, which are times: its ingest topics."""


def switch(name: str, *, enabled: bool) -> Evaluate:
    """The decision; what is so already is answered as if it were done now."""

    def evaluate(old: bytes | None, _: int) -> Decision:
        state = read_row(old) if old is not None else None
        refusal = refuse_change(name, None if state is None else state.description)
        if refusal is None and state is not None and state.of_table:
            refusal = validation_error("An index takes no commands")
        if refusal is not None or state is None:
            assert refusal is not None
            return refuse(refusal)
        wanted = ON if enabled else OFF
        outcome = Outcome(body=orjson.dumps({"Ingest": wanted}))
        if state.ingest == wanted or (wanted == OFF and not state.ingest):
            return Decision(False, None, outcome)
        return Decision(True, written(next_revision(replace(state, ingest=wanted))), outcome)

    return evaluate


def labels(state: TableState) -> frozenset[str]:
    """What `workflow` is to see made before it publishes."""
    return frozenset([TOPICS]) if state.ingest == ON else frozenset()
