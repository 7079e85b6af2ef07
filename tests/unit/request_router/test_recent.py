"""What was just written, remembered for a moment and within bounds."""

from __future__ import annotations

import pytest

from dynabus.request_router import recent
from dynabus.request_router.recent import RECENT_MS, RecentWrites


def test_keys_are_forgotten_with_time_and_the_last_write_counts() -> None:
    writes = RecentWrites()
    writes.wrote("log", 0, b"a", 0.0)
    writes.wrote("log", 0, b"b", 1.0)
    writes.wrote("log", 0, b"a", RECENT_MS)
    assert writes.has_key("log", b"a", 2 * RECENT_MS)
    assert not writes.has_key("log", b"b", 2 + RECENT_MS)
    assert not writes.has_key("other", b"a", RECENT_MS)
    assert writes.has_partition("log", 0, 2 * RECENT_MS)
    assert not writes.has_partition("log", 1, RECENT_MS)
    writes.wrote("log", 0, b"c", 3 * RECENT_MS)
    assert not writes.has_key("log", b"a", 3 * RECENT_MS)


def test_only_so_many_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent, "REMEMBERED_MOST", 3)
    writes = RecentWrites()
    for number in range(5):
        writes.wrote("log", 0, b"%d" % number, 0.0)
    assert [writes.has_key("log", b"%d" % number, 0.0) for number in range(5)] == [False, False, True, True, True]
