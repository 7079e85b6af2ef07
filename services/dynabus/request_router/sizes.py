"""How many bytes of items are under way at once, in all and in one message."""

from __future__ import annotations

from dynabus.adapters.memory_limit import LIMIT_FILES, memory_limit_bytes
from dynabus.core.operations.calls import Call
from dynabus.core.topic_settings import MESSAGE_LIMIT_BYTES
from dynabus.request_router.asker import BYTES_MOST

GROUP_BYTES = MESSAGE_LIMIT_BYTES // 2
"""Of the items in one message; keys and details of a batch are far below the other half."""

MEMORY_SHARE = 8
"""Of a container's memory limit the items under way get one part in so many: each is there as the body that came,
parsed, encoded, and in Kafka's queue, and what is no item needs room too."""


def bytes_most() -> int:
    """How many bytes of items may be under way at once."""
    limit = memory_limit_bytes(LIMIT_FILES)
    return BYTES_MOST if limit is None else min(BYTES_MOST, limit // MEMORY_SHARE)


def grouped(calls: list[Call]) -> list[list[int]]:
    """Which calls travel together, as positions: those to one partition, as far as they fit into a message."""
    groups: list[list[int]] = []
    open_groups: dict[tuple[str, int, bool], tuple[list[int], int]] = {}
    for index, call in enumerate(calls):
        where = (call.table.id, call.table.partition_of(call.route)["number"], call.consistent)
        group, size = open_groups.get(where, ([], 0))
        size += len(call.value)
        if not group or size > GROUP_BYTES:
            group, size = [], len(call.value)
            groups.append(group)
        group.append(index)
        open_groups[where] = (group, size)
    return groups
