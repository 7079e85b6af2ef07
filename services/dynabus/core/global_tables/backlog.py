"""How far a link is behind, from what its consumer group has committed and what its stream has left. Pure.

| of a shard                                                                           | alarm   |
|--------------------------------------------------------------------------------------|---------|
| the stream dropped records that were not acknowledged, since the link began          | lost    |
| more than half of what the stream holds is not acknowledged, and what was last is    | at risk |
| older than half of its retention                                                     |         |
| nobody has acknowledged anything of it for minutes after the link began             | at risk |
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from dynabus.core.global_tables import committed
from dynabus.core.streams.consuming import Mark

LOST, AT_RISK = "lost", "at risk"

UNREAD_MS = 10 * 60 * 1000
"""After so long a link of which nothing is committed has no RepOut, or one that gets nowhere."""


class Shard(NamedTuple):
    """Of a stream: offsets low <= offset < high are there. `committed`: up to where all was acknowledged.

    `acked_ms`: Unix time of the newest change that was; `latency_ms`: how long changes took lately. None: not known.
    `gap`: RepOut found records missing, while its link was of that time.
    """

    low: int
    high: int
    committed: int | None
    acked_ms: float | None = None
    latency_ms: float | None = None
    gap: int | None = None

    @property
    def records(self) -> int:
        """Not acknowledged yet, those of other regions among them, which are passed by."""
        return max(0, self.high - max(self.low, self.committed if self.committed is not None else self.low))


class Backlog(NamedTuple):
    """Of a link. `alarm`: empty, `LOST` or `AT_RISK`."""

    records: int
    latency_ms: float | None
    alarm: str


def shard(extent: tuple[int, int], commit: tuple[int, str] | None) -> Shard:
    """`commit`: (offset, metadata) of the group; metadata that nobody can read say nothing.

    What stands behind the end of a shard that was acknowledged to its end are repeats: nobody reads them.
    """
    if commit is None:
        return Shard(*extent, None)
    found = committed.read(*commit)
    acked, latency = found.beside.get("acked_ms"), found.beside.get("latency_ms")
    low, high = extent
    ended = found.progress.mark is Mark.ENDED
    return Shard(
        high if ended else low,
        high,
        high if ended else commit[0],
        float(acked) if isinstance(acked, int | float) else None,
        float(latency) if isinstance(latency, int | float) and not ended else None,
        found.number("gap"),
    )


def backlog_of(shards: Iterable[Shard], wall_ms: float, retention_ms: float, since_ms: int = 0) -> Backlog:
    """Of a link: the sum, the slowest, the worst. `since_ms`: when it began, or began again."""
    all_shards = list(shards)
    latencies = [each.latency_ms for each in all_shards if each.latency_ms is not None]
    alarms = {_alarm(each, wall_ms, retention_ms, since_ms) for each in all_shards}
    alarm = next((each for each in (LOST, AT_RISK) if each in alarms), "")
    return Backlog(sum(each.records for each in all_shards), max(latencies, default=None), alarm)


def _alarm(each: Shard, wall_ms: float, retention_ms: float, since_ms: int) -> str:
    if each.committed is None:
        return AT_RISK if each.records and wall_ms - since_ms > UNREAD_MS else ""
    if each.committed < each.low or committed.is_lost(each.gap, since_ms):
        return LOST
    most = 2 * each.records > each.high - each.low
    old = each.acked_ms is not None and wall_ms - each.acked_ms > retention_ms / 2
    return AT_RISK if each.records and most and old else ""
