"""By how much an index may be behind its table: an operator decides (`dynabus admin index-lag-limit`).

It is kept in the index's own row, with its throughput, and published with it; leaders of the table's partitions see
to it (`core.admission.index_holds`). It goes with the index.
"""

from __future__ import annotations

from dataclasses import replace

import orjson

from dynabus.auto_admin.tables.decisions import next_revision, read_row, refuse, written
from dynabus.core.errors import resource_not_found
from dynabus.core.replication.store import Decision, Evaluate, Outcome
from dynabus.core.tables.descriptions import refuse_change
from dynabus.core.tables.indexes import LAG_LIMIT, OF


def limit(table: str, index: str, seconds: int) -> Evaluate:
    """The decision; 0: no limit. What is so already is answered as if it were done now."""

    def evaluate(old: bytes | None, _: int) -> Decision:
        state = read_row(old) if old is not None else None
        if state is None or not state.of_table:
            return refuse(resource_not_found(f"Requested resource not found: Index: {index} of table: {table}"))
        refusal = refuse_change(state.name, {**state.description, "TableStatus": state.status})
        if refusal is not None:
            return refuse(refusal)
        of = {**state.description[OF], LAG_LIMIT: seconds}
        outcome = Outcome(body=orjson.dumps({LAG_LIMIT: seconds}))
        if state.description[OF].get(LAG_LIMIT, 0) == seconds:
            return Decision(False, None, outcome)
        changed = replace(state, description={**state.description, OF: of})
        return Decision(True, written(next_revision(changed)), outcome)

    return evaluate
