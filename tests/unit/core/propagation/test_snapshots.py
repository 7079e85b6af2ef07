"""Of a page beside the log what is the newest is used, and nothing before its time."""

from __future__ import annotations

from dynabus.core.global_indexes.backfill import Page
from dynabus.core.propagation.snapshots import REMEMBERED_MOST, Offered, Snapshots


def offered(at: int) -> Offered:
    return Offered("topic/1", b"", Page([], at, None))


def test_a_page_waits_until_the_log_is_folded_to_its_place() -> None:
    snapshots = Snapshots()
    assert snapshots.ask(10) == 10
    snapshots.offer(offered(20))
    assert snapshots.ripe(19) is None
    snapshots.changed(b"before", 19)
    snapshots.changed(b"at", 20)
    ripe = snapshots.ripe(21)
    assert ripe is not None
    assert snapshots.is_newest(b"before", ripe)
    assert snapshots.is_newest(b"other", ripe)
    assert not snapshots.is_newest(b"at", ripe)


def test_what_changed_since_a_page_is_left_out() -> None:
    snapshots = Snapshots()
    snapshots.ask(10)
    for key, offset in ((b"old", 11), (b"new", 12), (b"both", 11), (b"both", 13)):
        snapshots.changed(key, offset)
    snapshots.offer(offered(12))
    ripe = snapshots.ripe(14)
    assert ripe is not None
    assert [snapshots.is_newest(key, ripe) for key in (b"old", b"new", b"both")] == [True, False, False]


def test_pages_of_before_it_was_asked_are_no_answer() -> None:
    snapshots = Snapshots()
    snapshots.offer(offered(99))
    assert snapshots.waiting is None
    snapshots.ask(10)
    snapshots.offer(offered(9))
    assert snapshots.waiting is None
    snapshots.offer(offered(10))
    snapshots.offer(offered(30))
    assert snapshots.waiting == offered(10)


def test_too_much_to_remember_is_asked_anew() -> None:
    snapshots = Snapshots()
    snapshots.ask(0)
    for number in range(REMEMBERED_MOST):
        snapshots.changed(b"%d" % number, number)
    assert snapshots.ask(5) == 0
    snapshots.changed(b"one more", REMEMBERED_MOST)
    assert snapshots.ask(REMEMBERED_MOST + 1) == REMEMBERED_MOST + 1
    snapshots.offer(offered(50))
    assert snapshots.waiting is None


def test_nothing_is_remembered_when_nobody_asks() -> None:
    snapshots = Snapshots()
    snapshots.changed(b"a", 5)
    snapshots.ask(1)
    snapshots.offer(offered(3))
    assert snapshots.is_newest(b"a", offered(3))
    snapshots.done()
    assert snapshots.ask(7) == 7


def test_the_look_of_a_sweep_takes_its_time_however_much_changes_meanwhile() -> None:
    snapshots = Snapshots()
    assert snapshots.ask(0, is_sweep=True) == 0
    for number in range(REMEMBERED_MOST + 1):
        snapshots.changed(b"%d" % number, number)
    assert snapshots.ask(REMEMBERED_MOST + 1, is_sweep=True) == 0
    snapshots.offer(offered(0))
    ripe = snapshots.ripe(REMEMBERED_MOST + 1)
    assert ripe is not None
    assert not snapshots.is_newest(b"7", ripe)
    assert snapshots.is_newest(b"untouched", ripe)
