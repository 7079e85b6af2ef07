"""Where a replica stands and what it holds, for operators who must choose one to go on from (I9)."""

from __future__ import annotations

from typing import Any

from dynabus.storage_node.replicas.hosted import Hosted


def whereabouts(hosted: Hosted) -> dict[str, Any]:
    """As JSON. `sequence` is the next one of the term, as a place has it; `at_ms` is the log's own time."""
    replica, place = hosted.replica, hosted.replica.place
    return {
        "state": hosted.state,
        "alarm": hosted.alarm,
        "saw_loss": replica.saw_loss,
        "generation": place.group.generation if place.group is not None else 0,
        "term": place.reign.term,
        "next_sequence": place.next_sequence,
        "next_offset": place.next_offset,
        "log_time_ms": place.log_time_ms,
        "chain": place.chain.hex(),
        "checksum": f"{hosted.contents.checksum:016x}",
        "items": hosted.contents.totals[0][0],
        "bytes": hosted.contents.totals[0][1],
    }
