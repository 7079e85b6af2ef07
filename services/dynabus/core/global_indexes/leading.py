"""At the leader of a table's partition: an update may not give an index a key that it cannot have.

Puts are checked by the router, which has the whole item; what an update comes to only the leader knows. Values that
an item had before the index are left alone: they keep it out of the index, and other attributes may be changed.
"""

from __future__ import annotations

import orjson

from dynabus.core.errors import ApiError
from dynabus.core.global_indexes.definition import GlobalIndexes
from dynabus.core.messages import ReplyStatus
from dynabus.core.replication.store import Decision, Evaluate, Outcome
from dynabus.core.rows import item_of


def checked(indexes: GlobalIndexes, evaluate: Evaluate) -> Evaluate:
    """The evaluation of an update with these rules behind it."""

    def evaluated(old: bytes | None, wall_ms: int) -> Decision:
        decision = evaluate(old, wall_ms)
        if not decision.write or decision.row is None or decision.outcome.status != ReplyStatus.OK:
            return decision
        before, after = item_of(old) or {}, item_of(decision.row) or {}
        try:
            indexes.check_update({name: value for name, value in after.items() if before.get(name) != value})
        except ApiError as error:
            body = orjson.dumps(error.body())
            return Decision(False, None, Outcome(ReplyStatus.ERROR, body, decision.outcome.size))
        return decision

    return evaluated
