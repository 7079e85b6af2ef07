"""How far an index is behind a log: what counts as missing, and from when on."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynabus.core.global_indexes.charges import MARK
from dynabus.core.global_indexes.lag import MARKS_MOST, WIDTH_MS, Backlog, Backlogs
from dynabus.core.messages import ReplyStatus
from dynabus.core.replication.records import Mutation


def mutation(*indexes: str, status: int = ReplyStatus.OK) -> Mutation:
    answer = MARK + orjson.dumps(dict.fromkeys(indexes, 2)) + b"\n{}" if indexes else b"{}"
    return Mutation(b"k", None, b"row", 0, b"", 0, int(status), answer, 3, b"")


def test_lag_is_the_age_of_the_oldest_record_that_is_missing() -> None:
    backlog = Backlog()
    assert backlog.lag_ms(5.0) == 0.0
    backlog.touched(10, 1000.0)
    backlog.touched(20, 3000.0)
    assert backlog.lag_ms(9000.0) == 8000.0
    backlog.acknowledged(10)
    assert backlog.lag_ms(9000.0) == 8000.0, "all before the offset, not the offset itself"
    backlog.acknowledged(11)
    assert backlog.lag_ms(9000.0) == 6000.0
    backlog.acknowledged(21)
    assert backlog.lag_ms(9000.0) == 0.0


def test_what_was_acknowledged_stays_so_whatever_an_older_word_says() -> None:
    backlog = Backlog()
    backlog.touched(10, 0.0)
    backlog.acknowledged(11)
    backlog.acknowledged(3)
    backlog.touched(5, 1.0)
    assert backlog.lag_ms(9000.0) == 0.0


def test_a_replica_that_reads_late_knows_what_it_was_told_before() -> None:
    backlog = Backlog()
    backlog.acknowledged(50)
    backlog.touched(49, 0.0)
    assert backlog.lag_ms(1.0) == 0.0
    backlog.touched(50, 1.0)
    assert backlog.lag_ms(3.0) == 2.0


@given(
    st.lists(st.tuples(st.integers(0, 400), st.booleans()), min_size=1, max_size=3000),
    st.integers(0, 4000),
)
def test_marks_are_few_and_never_say_too_little(steps: list[tuple[int, bool]], next_offset: int) -> None:
    backlog, now_ms, touched = Backlog(), 0.0, {}
    for offset, (pause_ms, touches) in enumerate(steps):
        now_ms += pause_ms
        if touches:
            touched[offset] = now_ms
            backlog.touched(offset, now_ms)
    backlog.acknowledged(next_offset)
    missing = [at_ms for offset, at_ms in touched.items() if offset >= next_offset]
    told = backlog.lag_ms(now_ms)
    if not missing:
        assert told == 0.0
        return
    truth = now_ms - missing[0]
    assert truth <= told <= truth + backlog._width_ms
    assert len(backlog._marks) <= MARKS_MOST
    assert backlog._width_ms <= WIDTH_MS * 2 ** (len(touched) // (MARKS_MOST // 2))


def test_a_record_says_which_indexes_it_touches() -> None:
    backlogs = Backlogs(None)
    backlogs.applied(mutation("by-a"), 1, 10.0, leads=True)
    backlogs.applied(mutation(), 2, 20.0, leads=True)
    backlogs.applied(mutation("by-b", "by-a"), 3, 80.0, leads=True)
    assert backlogs.of("by-a", 100.0).lag_ms(100.0) == 90.0
    assert backlogs.of("by-b", 100.0).lag_ms(100.0) == 20.0
    assert backlogs.of("by-c", 100.0).lag_ms(100.0) == 0.0


def test_an_item_that_expired_may_have_been_in_any() -> None:
    backlogs = Backlogs(None)
    backlogs.of("by-a", 0.0)
    backlogs.applied(mutation(status=ReplyStatus.EXPIRED), 1, 10.0, leads=True)
    assert backlogs.of("by-a", 100.0).lag_ms(100.0) == 90.0


@pytest.mark.parametrize("before", [0, 70])
def test_what_was_not_seen_counts_until_somebody_has_told_of_it(before: int) -> None:
    """After a restart, or in a child of a split: silence must not read as no lag."""
    backlogs = Backlogs(before)
    assert backlogs.of("by-a", 1000.0).lag_ms(9000.0) == 8000.0
    backlogs.of("by-a", 9000.0).acknowledged(before)
    assert backlogs.of("by-a", 9000.0).lag_ms(9000.0) == 8000.0
    backlogs.of("by-a", 9000.0).acknowledged(before + 1)
    assert backlogs.of("by-a", 9000.0).lag_ms(9000.0) == 0.0


def test_an_index_that_is_made_anew_begins_anew() -> None:
    backlogs = Backlogs(None)
    backlogs.applied(mutation("by-a", "by-b"), 1, 10.0, leads=True)
    backlogs.keep_only(["by-b"])
    assert backlogs.of("by-a", 100.0).lag_ms(100.0) == 0.0
    assert backlogs.of("by-b", 100.0).lag_ms(100.0) == 90.0


def test_who_leads_counts_what_writes_cost_indexes_until_that_is_told() -> None:
    backlogs = Backlogs(None)
    backlogs.applied(mutation("by-a", "by-b"), 1, 10.0, leads=True)
    backlogs.applied(mutation("by-a"), 2, 10.0, leads=True)
    backlogs.applied(mutation("by-a"), 3, 10.0, leads=False)
    assert backlogs.take_charged() == {"by-a": 4, "by-b": 2}
    assert backlogs.take_charged() == {}
