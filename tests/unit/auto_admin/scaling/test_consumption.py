"""Minutes of consumption."""

from __future__ import annotations

from dynabus.auto_admin.scaling.consumption import KEPT_MINUTES, LATE_MS, MINUTE_MS, Consumption
from dynabus.core.admission.messages import NodeHeat
from dynabus.core.target_tracking import IN_MINUTES


def told(log: str, reads: int, writes: int, node: str = "node-1") -> NodeHeat:
    """Half units of one period."""
    partition = {"log": log, "partition": 0, "generation": 1, "units": [reads, writes, 0, 0], "heat": []}
    return {"node": node, "period_ms": 5000, "partitions": [{**partition, "at": None, "why": "", "charges": []}]}  # type: ignore[typeddict-item]


def hear(book: Consumption, begin_ms: float, minutes: int, reads: int, writes: int) -> None:
    for period in range(1, minutes * 12 + 1):
        book.told(told("t", reads, writes), begin_ms + period * 5000)


def test_all_replicas_add_up_to_units_a_second() -> None:
    book = Consumption(0.0)
    for node in ("node-1", "node-2"):
        for period in range(1, 13):
            book.told(told("t", 300, 100, node), MINUTE_MS + period * 5000)
    now_ms = 2 * MINUTE_MS + LATE_MS
    assert book.minutes("t", 0, now_ms) == [60.0]
    assert book.minutes("t", 1, now_ms) == [20.0]
    assert book.minutes("other", 1, now_ms) == [0.0]


def test_a_minute_is_known_once_all_is_told_and_the_first_one_that_was_heard_whole() -> None:
    book = Consumption(30_000.0)
    hear(book, 30_000.0, 2, 0, 100)
    assert book.minutes("t", 1, 2 * MINUTE_MS + LATE_MS - 1) == []
    assert book.minutes("t", 1, 2 * MINUTE_MS + LATE_MS) == [10.0]


def test_minutes_without_a_word_are_minutes_without_load() -> None:
    book = Consumption(0.0)
    hear(book, MINUTE_MS, 1, 0, 100)
    assert book.minutes("t", 1, 5 * MINUTE_MS + LATE_MS) == [10.0, 0.0, 0.0, 0.0]


def test_it_keeps_what_is_needed_and_no_more() -> None:
    book = Consumption(0.0)
    hear(book, MINUTE_MS, 60, 0, 100)
    assert book.minutes("t", 1, 61 * MINUTE_MS + LATE_MS) == [10.0] * IN_MINUTES
    assert len(book._minutes["t"]) <= KEPT_MINUTES + 1
    book.told(told("other", 0, 1), 200 * MINUTE_MS)
    assert list(book._minutes) == ["other"]


def test_an_index_consumes_what_writes_of_its_table_cost_it_and_not_what_propagators_write() -> None:
    book, index = Consumption(0.0), "t.1234"
    of_table, of_index = told("t", 0, 100), told(index, 60, 9000)
    of_table["partitions"][0]["charges"] = [{"index": index, "units": 50}]
    for period in range(1, 13):
        book.told(of_table, MINUTE_MS + period * 5000)
        book.told(of_index, MINUTE_MS + period * 5000)
    now_ms = 2 * MINUTE_MS + LATE_MS
    assert (book.minutes(index, 0, now_ms), book.minutes(index, 1, now_ms)) == ([6.0], [5.0])
    assert book.minutes("t", 1, now_ms) == [10.0]
