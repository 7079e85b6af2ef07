"""Whoever reads, however slowly, keeps its connection; whoever reads nothing loses it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import pytest

from dynabus.request_router.unread import UNREAD_S, Unread


class Loop:
    """Timers that the test lets run out; also the transport, with so many bytes that are not sent."""

    def __init__(self) -> None:
        self.due: list[Callable[[], None]] = []
        self.left = 0
        self.aborted = False

    def call_later(self, after_s: float, callback: Callable[[], None]) -> Any:
        assert after_s == UNREAD_S
        self.due.append(callback)
        return self

    def cancel(self) -> None:
        self.due.clear()

    def get_write_buffer_size(self) -> int:
        return self.left

    def abort(self) -> None:
        self.aborted = True

    def run_out(self) -> None:
        (look,) = self.due
        self.due.clear()
        look()


@pytest.fixture
def loop() -> Loop:
    return Loop()


def unread(loop: Loop) -> Unread:
    return Unread(cast("Any", loop), cast("Any", loop))


def test_a_client_that_reads_nothing_is_cut_off(loop: Loop) -> None:
    loop.left = 100
    unread(loop).wrote(100)
    loop.run_out()
    assert loop.aborted
    assert loop.due == []


def test_a_client_that_reads_slowly_is_not(loop: Loop) -> None:
    watched = unread(loop)
    loop.left = 100
    watched.wrote(100)
    for left in (99, 98):
        loop.left = left
        loop.run_out()
    loop.left = 598  # it has read nothing, and more was written
    watched.wrote(500)
    assert not loop.aborted
    loop.left = 597
    loop.run_out()
    assert not loop.aborted
    loop.run_out()
    assert loop.aborted


def test_nobody_looks_while_all_is_read(loop: Loop) -> None:
    watched = unread(loop)
    for _ in range(3):
        loop.left = 10
        watched.wrote(10)
    loop.left = 0
    loop.run_out()
    assert loop.due == []
    watched.wrote(10)
    watched.cancel()
    assert loop.due == []
