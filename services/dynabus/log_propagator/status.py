"""What a log propagator shows of its work; another thread may ask."""

from __future__ import annotations

from typing import Any

from dynabus.log_propagator.service import LogPropagator


def logs(propagator: LogPropagator) -> list[dict[str, Any]]:
    """Its logs, for `dynabus status`."""
    return [
        {
            "log": partition.log,
            "partition": partition.number,
            "state": log.follower.stage.value,
            "offset": log.follower.place.next_offset if log.follower.place is not None else None,
            **({"held": held} if (held := log.uncommitted) else {}),
            **({"alarm": alarm} if (alarm := log.follower.alarm or propagator.refused.get(partition)) else {}),
        }
        for partition, log in [*propagator.brain.logs.items()]
    ]


def indexes(propagator: LogPropagator) -> list[dict[str, Any]]:
    """Amplification of each index that it writes."""
    tallies = propagator.deliveries.tallies.by_log
    return [
        {**names, **tally.shown()}
        for log, tally in [*tallies.items()]
        if (names := propagator.news.index_names(log)) is not None
    ]
