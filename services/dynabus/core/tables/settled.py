"""Whether something can begin in a table's partitions: a stream, an index, its topic. It begins in each at a place of
its log, which wants a replica that reads on, and a log that nobody goes on from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dynabus.core.errors import resource_in_use


def refuse_unsettled(partitions: Sequence[Mapping[str, Any]], name: str) -> None:
    """Raises ApiError while partitions are being split, or are frozen."""
    if any(each.get("state", "active") != "active" for each in partitions):
        raise resource_in_use(f"Partitions of the table are being split: wait until that is done: {name}")
    frozen = next((each["number"] for each in partitions if "frozen" in each), None)
    if frozen is not None:
        raise resource_in_use(
            f"Partition {frozen} of the table is frozen: its log lost records (`dynabus admin recover`): {name}"
        )
