"""Splits for throughput: a change that raises it makes partitions before it is done. Pure.

The widest partitions are halved in the space of hashes: throughput is spread over keys that nobody has seen yet, so
neither contents nor load say where. What cannot be halved is not waited for; what only cannot be halved now is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dynabus.auto_admin.splitting import splits
from dynabus.auto_admin.splitting.splits import ACTIVE, SPLITTING, THROUGHPUT, Wish, state_of
from dynabus.auto_admin.tables.decisions import TableState
from dynabus.core.keys.cuts import middle_of_hashes
from dynabus.core.tables.partition_needs import Policy, of_change

AT_ONCE = 4
"""Splits of one table: each pauses writes to its partition for a moment, and copies its rows on every member."""

CHANGING = ("ACTIVE", "UPDATING")
"""Warm throughput rises while the table is ACTIVE."""


def short(state: TableState, policy: Policy, numbers_most: int) -> bool:
    """The change that is under way has to wait for partitions."""
    if state.status not in CHANGING or not state.pending:
        return False
    wanted = of_change(state.description, state.pending, policy)
    if _after(state) < wanted and _cuttable(state, numbers_most):
        return True
    return bool(splits.splitting(state)) and len(state.partitions) - 2 * len(splits.splitting(state)) < wanted


def wishes(state: TableState, policy: Policy, numbers_most: int) -> list[Wish]:
    """Splits to begin now."""
    if not short(state, policy, numbers_most):
        return []
    wanted = of_change(state.description, state.pending, policy)
    room = min(AT_ONCE - len(splits.splitting(state)), wanted - _after(state))
    ready = [each for each in _cuttable(state, numbers_most) if "move" not in each and "frozen" not in each]
    why = f"its table's throughput needs {wanted} partitions"
    return [
        Wish(state.name, each["number"], at, why, THROUGHPUT)
        for each in ready[: max(0, room)]
        if (at := _middle(each)) is not None
    ]


def _after(state: TableState) -> int:
    """Partitions once the splits that are under way are done."""
    return sum(state_of(each) != SPLITTING for each in state.partitions)


def _cuttable(state: TableState, numbers_most: int) -> list[Mapping[str, Any]]:
    """Partitions that can be halved, now or later, the widest first."""
    if splits.highest(state) + 2 >= numbers_most:
        return []
    found = [each for each in state.partitions if state_of(each) == ACTIVE and _middle(each) is not None]
    return sorted(found, key=lambda each: (-_width(each), each["number"]))


def _bounds(partition: Mapping[str, Any]) -> tuple[bytes, bytes | None]:
    upper = partition["upper"]
    return bytes.fromhex(partition["lower"]), None if upper is None else bytes.fromhex(upper)


def _middle(partition: Mapping[str, Any]) -> bytes | None:
    return middle_of_hashes(*_bounds(partition))


def _width(partition: Mapping[str, Any]) -> int:
    """Of the range, in the space of 8-byte hashes."""
    lower, upper = _bounds(partition)
    low = int.from_bytes(lower[:8].ljust(8, b"\0"), "big")
    return (1 << 64 if upper is None else int.from_bytes(upper[:8].ljust(8, b"\0"), "big")) - low
