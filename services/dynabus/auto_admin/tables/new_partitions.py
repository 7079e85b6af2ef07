"""The partitions with which a table or an index begins, as its row has them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dynabus.auto_admin.placement.planner import Placement
from dynabus.core.tables.descriptions import partition_bounds

FIRST_GENERATION = 1


def first_partitions(placements: Sequence[Placement]) -> list[dict[str, Any]]:
    """Of a new table or index: they divide the space of hashes evenly."""
    bounds = partition_bounds(len(placements))
    return [
        {
            "number": number,
            "generation": FIRST_GENERATION,
            "lower": lower.hex(),
            "upper": None if upper is None else upper.hex(),
            "members": list(placement.members),
            "preferred": placement.preferred,
        }
        for number, ((lower, upper), placement) in enumerate(zip(bounds, placements, strict=True))
    ]
