"""Where a shard is read from in another life of its link, and which own changes are passed by."""

from __future__ import annotations

import pytest

from dynabus.core.global_tables.beginning import Begin, begin_anew
from dynabus.core.global_tables.committed import Found
from dynabus.core.streams.consuming import Extent, Mark, Progress

EXTENT = Extent(5, 90)


def at(offset: int, own_behind: int = 0) -> Found:
    return Found(Progress(offset), {"own": own_behind})


ENDED = Found(Progress(90, mark=Mark.ENDED), {})


@pytest.mark.parametrize(
    ("first", "known", "is_open", "copies_own", "forwards", "begin"),
    [
        # A copy with own rows has all that is older.
        (40, None, True, True, False, Begin(40, 40)),
        (40, None, False, True, False, Begin(5, 40)),
        (90, None, False, True, False, Begin(5, 90)),
        (40, at(20), True, True, False, Begin(40, 40)),
        (40, at(20), True, True, True, Begin(40, 40)),
        (40, at(20), False, True, True, Begin(20, 40)),
        (40, at(70), True, True, False, Begin(70, 70)),
        (40, at(70), True, True, True, Begin(40, 70)),
        (40, ENDED, False, True, False, None),
        # One without them has nothing of what is not acknowledged.
        (40, None, True, False, True, Begin(4, 4)),
        (40, at(20), True, False, True, Begin(20, 20)),
        (40, at(70), True, False, True, Begin(40, 70)),
        (40, at(20, 70), True, False, True, Begin(40, 70)),
        (90, at(20), False, False, True, Begin(20, 20)),
        (40, ENDED, False, False, True, Begin(40, 90)),
        (89, ENDED, False, False, True, None),
        (90, ENDED, False, False, True, None),
        # Retention took what may never have been sent; what was, it may take.
        (4, None, True, True, True, Begin(4, 4)),
        (40, at(3), True, True, True, Begin(40, 40)),
        (40, at(3), True, False, True, Begin(3, 3)),
    ],
)
def test_where_it_begins(
    first: int, known: Found | None, is_open: bool, copies_own: bool, forwards: bool, begin: Begin | None
) -> None:
    found = begin_anew(first, EXTENT, known, is_open=is_open, copies_own=copies_own, forwards=forwards)
    assert found == begin


def test_a_shard_of_which_retention_took_nothing_is_whole() -> None:
    found = begin_anew(40, Extent(0, 90), None, is_open=True, copies_own=False, forwards=True)
    assert found == Begin(0, 0)
