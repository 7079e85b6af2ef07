"""How far a link is behind, and when that is an alarm."""

from __future__ import annotations

import orjson
import pytest

from dynabus.core.global_tables.backlog import AT_RISK, LOST, UNREAD_MS, Shard, backlog_of, shard

HOUR = 3_600_000.0
NOW, RETENTION = 1000 * HOUR, 24 * HOUR
SINCE_MS = 7


def test_of_a_shard_that_has_ended_nobody_asks_how_long_changes_took() -> None:
    ended, live = shard((0, 9), (9, said("1:ended:-", 900.0))), shard((0, 9), (5, said("1:reading:-", 3.0)))
    assert backlog_of([ended, live], 0.0, 1000.0).latency_ms == 3.0


def said(progress: str, latency_ms: float) -> str:
    return orjson.dumps({"progress": progress, "latency_ms": latency_ms}).decode()


def test_of_a_shard_that_lost_its_end_nothing_is_left_rather_than_less_than_nothing() -> None:
    short, long = shard((0, 990), (1000, "{}")), shard((0, 50), (40, "{}"))
    assert (short.records, long.records) == (0, 10)
    assert backlog_of([short, long], 0.0, 1000.0).records == 10


@pytest.mark.parametrize(
    ("shards", "records", "alarm"),
    [
        ([], 0, ""),
        ([Shard(0, 10, None)], 10, AT_RISK),
        ([Shard(0, 0, None)], 0, ""),
        ([Shard(0, 10, 10, NOW - 100 * HOUR)], 0, ""),
        ([Shard(0, 10, 4, NOW - HOUR)], 6, ""),
        ([Shard(0, 10, 4, NOW - 13 * HOUR)], 6, AT_RISK),
        ([Shard(0, 10, 6, NOW - 13 * HOUR)], 4, ""),
        ([Shard(5, 10, 4, NOW)], 5, LOST),
        ([Shard(5, 10, 5, NOW - 13 * HOUR), Shard(5, 10, 4, NOW)], 10, LOST),
        ([Shard(10, 10, 10, NOW - 100 * HOUR)], 0, ""),
        ([Shard(10, 10, 10, NOW, gap=SINCE_MS)], 0, LOST),
        ([Shard(10, 10, 10, NOW, gap=SINCE_MS - 1)], 0, ""),  # copied since
    ],
)
def test_alarms(shards: list[Shard], records: int, alarm: str) -> None:
    found = backlog_of(shards, NOW, RETENTION, SINCE_MS)
    assert (found.records, found.alarm) == (records, alarm)


def test_a_link_that_has_just_begun_may_have_nothing_acknowledged() -> None:
    assert backlog_of([Shard(0, 10, None)], NOW, RETENTION, int(NOW) - UNREAD_MS).alarm == ""
    assert backlog_of([Shard(0, 10, None)], NOW, RETENTION, int(NOW) - UNREAD_MS - 1).alarm == AT_RISK


def test_the_slowest_shard_counts() -> None:
    assert backlog_of([Shard(0, 1, 1, 0, 40.0), Shard(0, 1, 1, 0, 90.5), Shard(0, 1, 1)], 0, 1).latency_ms == 90.5
    assert backlog_of([Shard(0, 1, 1)], 0, 1).latency_ms is None


@pytest.mark.parametrize("metadata", ["", "{}", "x", "5", "[]", '{"acked_ms":"soon","latency_ms":null}'])
def test_metadata_that_say_nothing(metadata: str) -> None:
    assert shard((2, 8), (4, metadata)) == Shard(2, 8, 4)


def test_a_shard_that_was_acknowledged_to_its_end_has_no_backlog_and_loses_nothing() -> None:
    ended = shard((9, 12), (7, '{"acked_ms":5,"progress":"1:ended:-"}'))
    assert backlog_of([ended], NOW, RETENTION, SINCE_MS) == (0, None, "")
    reading = shard((9, 12), (7, '{"acked_ms":5,"progress":"1:reading:-"}'))
    assert backlog_of([reading], NOW, RETENTION, SINCE_MS).alarm == LOST
    gap = shard((9, 12), (7, '{"progress":"1:ended:-","gap":7}'))
    assert backlog_of([gap], NOW, RETENTION, SINCE_MS).alarm == LOST, "what was missing before its end still is"


def test_metadata_of_a_commit() -> None:
    assert shard((2, 8), (4, '{"acked_ms":5,"latency_ms":41.5}')) == Shard(2, 8, 4, 5.0, 41.5)
    assert shard((2, 8), (4, '{"acked_ms":0,"latency_ms":null,"gap":9}')) == Shard(2, 8, 4, 0.0, None, 9)
    assert shard((2, 8), None) == Shard(2, 8, None)
