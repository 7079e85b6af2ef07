"""What operations on tables wait for in the router's own view, so that clients see what they were told."""

from __future__ import annotations

from typing import Any

import orjson

from dynabus.core.operations.calls import Context, Until

SEEN_MS = 1000.0
"""After a change of a table the router waits so long to see it itself, so that its client does too."""

SETTLED_MS = 2000.0
"""DescribeTable holds its answer so long while the state is about to change. SDKs' waiters look at once and then
every 20 s, which suits a service that takes half a minute to make a table; here it takes half a second (ours)."""

_PASSING = frozenset({"CREATING", "UPDATING", "DELETING"})


def created(context: Context, answer: bytes) -> Until:
    """Until the table of this answer is known."""
    name, table_id = _table(answer)
    return Until(lambda: _is(context, name, table_id), SEEN_MS)


def deleted(context: Context, answer: bytes) -> Until:
    """Until it is known to be going."""
    name, table_id = _table(answer)
    return Until(lambda: not _is(context, name, table_id) or context.view.tables[name].status == "DELETING", SEEN_MS)


def updated(context: Context, answer: bytes, newest: int) -> Until:
    """Until its version is above `newest`, the highest of any table before the request was sent."""
    name, table_id = _table(answer)
    return Until(lambda: not _is(context, name, table_id) or context.view.tables[name].version > newest, SEEN_MS)


def changed(context: Context, name: str, newest: int) -> Until:
    """The same of a table that is known by its name alone."""
    return Until(lambda: name not in context.view.tables or context.view.tables[name].version > newest, SEEN_MS)


def settled_state(context: Context, name: str) -> Until:
    """Until the table is in a state that lasts, or gone."""

    def holds() -> bool:
        table = context.view.tables.get(name)
        return table is None or table.status not in _PASSING

    return Until(holds, SETTLED_MS)


def _table(answer: bytes) -> tuple[str, str]:
    description: dict[str, Any] = orjson.loads(answer)["TableDescription"]
    return description["TableName"], description["TableId"].replace("-", "")


def _is(context: Context, name: str, table_id: str) -> bool:
    table = context.view.tables.get(name)
    return table is not None and table.id == table_id
