"""When a log rests, and what wakes it."""

from __future__ import annotations

from tests.unit.storage_node.stand_ins import hosted, leading

from dynabus.storage_node.replicas.readers import By
from dynabus.storage_node.replicas.resting import REST_MS, TOGETHER_MS, WAKE_APPENDS, Rest


def resting(now_ms: float) -> Rest:
    rest = Rest()
    rest.appended(now_ms - REST_MS, fetched=True)
    rest.look(now_ms, leads=True, idle=True)
    assert rest.now
    return rest


def test_a_log_rests_after_a_while_without_appends() -> None:
    rest = Rest()
    rest.appended(1000.0, fetched=True)
    rest.look(1000.0 + REST_MS - 1.0, leads=True, idle=True)
    assert not rest.now
    rest.look(1000.0 + REST_MS, leads=True, idle=True)
    assert rest.now


def test_it_does_not_rest_while_something_is_unresolved() -> None:
    rest = Rest()
    rest.look(50_000.0, leads=True, idle=False)
    assert not rest.now


def test_a_few_appends_do_not_wake_it_and_many_do() -> None:
    rest = resting(20_000.0)
    for number in range(WAKE_APPENDS - 1):
        rest.appended(20_000.0 + number, fetched=True)
    assert rest.now
    rest.appended(20_010.0, fetched=True)
    assert not rest.now


def test_appends_now_and_then_do_not_wake_it() -> None:
    rest = resting(20_000.0)
    for number in range(3 * WAKE_APPENDS):
        rest.appended(20_000.0 + number * TOGETHER_MS, fetched=True)
    assert rest.now


def test_an_append_that_its_consumer_may_not_fetch_yet_wakes_it() -> None:
    assert resting(20_000.0).appended(20_001.0, fetched=True)
    assert not resting(20_000.0).appended(20_001.0, fetched=False)


def test_who_does_not_lead_rests_no_more() -> None:
    rest = resting(20_000.0)
    rest.look(20_001.0, leads=False, idle=False)
    assert not rest.now


def test_who_leads_reads_back_through_the_consumer_that_fits() -> None:
    leader = leading()
    read_by = [leader.best_read_by]
    leader.rest.appended(1.0, fetched=True)
    leader.tick(1.0 + REST_MS)
    read_by.append(leader.best_read_by)
    assert read_by == [By.MAIN, By.RESTING]
    assert hosted().best_read_by is By.FOLLOWED
