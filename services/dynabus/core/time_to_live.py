"""Time to live: when an item is over, and the decision that deletes it.

A table names an attribute; an item whose attribute of that name is a number of seconds since 1970 is over once that
time has passed. Whatever else the attribute is, or where it lies five years back or more, the item stays. Who looks
for such items may be late or wrong: the leader decides by the item itself, so one that was given more time in the
meantime stays.
Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/TTL.html
"""

from __future__ import annotations

from decimal import Decimal

import orjson

from dynabus.core.messages import ReplyStatus
from dynabus.core.replication.store import Decision, Evaluate, Outcome
from dynabus.core.rows import decode_row, item_json

OLDEST_S = 5 * 365 * 24 * 3600
"""Further back it is taken for a number that is no time."""

_LATEST_S = (1 << 63) - 1

PRINCIPAL = ("Service", "dynamodb.amazonaws.com")
"""Type and id, as stream records of such deletions name who did it."""


def expiry_s(row: bytes, attribute: str) -> int | None:
    """Unix seconds; once they have passed the item of a row is over. None where it never is.

    The row is not checked: it was just decided or read.
    """
    return _expiry(item_json(row), attribute)


def checked_expiry_s(row: bytes, attribute: str) -> int | None:
    """The same of a row from a store. Raises CorruptRow."""
    return _expiry(decode_row(row).item_json, attribute)


def due_between(now_s: int) -> tuple[int, int]:
    """Items with first <= expiry < second are over."""
    return max(1, now_s - OLDEST_S), now_s


def expire(attribute: str) -> Evaluate:
    """Delete the item if it is over by then. Raises CorruptRow."""

    def evaluate(old: bytes | None, wall_ms: int) -> Decision:
        expiry = None if old is None else checked_expiry_s(old, attribute)
        first, behind = due_between(wall_ms // 1000)
        if expiry is None or not first <= expiry < behind:
            return Decision(False, None, Outcome())
        return Decision(True, None, Outcome(ReplyStatus.EXPIRED))

    return evaluate


def _expiry(item: bytes, attribute: str) -> int | None:
    # Most items of most tables without the attribute need no parser to tell.
    if orjson.dumps(attribute) not in item:
        return None
    value = orjson.loads(item).get(attribute)
    if value is None or "N" not in value:
        return None
    seconds = int(Decimal(value["N"]))
    return seconds if 0 < seconds <= _LATEST_S else None
