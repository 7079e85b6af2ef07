"""The cap of a partition: what it lets pass, what it charges, and whom it tells no again."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from tests.unit.core.admission.tables import ARN, on_demand, provisioned

from dynabus.core.admission.capacity import READ, WRITE
from dynabus.core.admission.partition import PartitionMeter
from dynabus.core.errors import conditional_check_failed, validation_error
from dynabus.core.local_indexes import noted
from dynabus.core.messages import ReplyStatus, RequestPart
from dynabus.core.operations.calls import Code
from dynabus.core.replication.store import Decision, Outcome

CAPS = (10, 3)


class Desk:
    """A meter, what it wanted to refuse, and whether it may."""

    def __init__(self, described: dict[str, Any] | None = None, reports: bool = False) -> None:
        self.meter = PartitionMeter(described or provisioned(), 1, CAPS, 0.0)
        self.noted: list[tuple[int, int]] = []
        self.reports = reports
        self.evaluated = 0

    def refuses(self, _part: RequestPart, dimension: int, units: int) -> bool:
        self.noted.append((dimension, units))
        return not self.reports

    def write(self, outcome: Outcome, *, size: int = 100, now_ms: float = 0.0) -> Outcome:
        def evaluate(_old: bytes | None, _wall_ms: int) -> Decision:
            self.evaluated += 1
            return Decision(True, b"row", outcome)

        metered = self.meter.evaluation(evaluate, part(Code.PUT, size), self.refuses, now_ms)
        return metered(None, 0).outcome

    def write_to_index(self, size: int) -> Outcome:
        """A propagator's."""
        written = Decision(True, b"row", Outcome(size=size))
        metered = self.meter.evaluation(lambda _old, _ms: written, part(Code.INDEX, size), self.refuses, 0.0)
        return metered(None, 0).outcome

    def read(self, size: int, *, consistent: bool = True, now_ms: float = 0.0) -> Outcome:
        asked = part(Code.GET, 0, consistent=consistent)
        return self.meter.reading(lambda _: Outcome(size=size), asked, self.refuses, now_ms)(object())  # type: ignore[arg-type]


def part(code: Code, size: int, *, consistent: bool = True) -> RequestPart:
    return {
        "operation": code,
        "log": "t-id",
        "partition": 0,
        "generation": 1,
        "consistent": consistent,
        "key": b"k",
        "value": b"",
        "size": size,
        "detail": b"",
    }


def test_a_second_of_the_cap_passes_at_once_and_then_the_rate() -> None:
    desk = Desk()
    statuses = [desk.write(Outcome(size=100)).status for _ in range(4)]
    assert statuses == [ReplyStatus.OK] * 3 + [ReplyStatus.THROTTLED]
    assert desk.evaluated == 3, "what is refused is not evaluated"
    assert desk.write(Outcome(size=100), now_ms=334.0).status == ReplyStatus.OK
    assert desk.noted == [(WRITE, 2)]


def test_the_error_is_that_of_the_table_with_the_key_ranges_reason() -> None:
    for described, member, name in (
        (provisioned(), "ThrottlingReasons", "ProvisionedThroughputExceededException"),
        (on_demand(), "throttlingReasons", "ThrottlingException"),
    ):
        desk = Desk(described)
        desk.meter.buckets[WRITE].charge(1_000_000)
        answer = orjson.loads(desk.write(Outcome(size=1)).body)
        assert answer["__type"].endswith(name)
        assert answer[member] == [{"reason": "TableWriteKeyRangeThroughputExceeded", "resource": ARN}]


def test_failed_conditions_are_charged_and_other_errors_are_not() -> None:
    desk = Desk()
    failed = orjson.dumps(conditional_check_failed().body())
    desk.write(Outcome(ReplyStatus.ERROR, failed, size=2000))
    assert desk.meter.served == [0, 4]
    desk.write(Outcome(ReplyStatus.ERROR, orjson.dumps(validation_error("ConditionalCheckFailed" * 9).body())))
    assert desk.meter.served == [0, 4]


def test_reads_are_charged_what_they_found_and_missing_items_too() -> None:
    desk = Desk()
    desk.read(0)
    desk.read(0, consistent=False)
    desk.read(9000, consistent=True)
    assert desk.meter.served == [2 + 1 + 6, 0]
    assert desk.meter.buckets[READ].level == 20 - 9


def test_a_large_read_leaves_a_debt() -> None:
    desk = Desk()
    assert desk.read(100_000).status == ReplyStatus.OK
    assert desk.read(1).status == ReplyStatus.THROTTLED
    assert desk.read(1, now_ms=1400.0).status == ReplyStatus.THROTTLED
    assert desk.read(1, now_ms=1700.0).status == ReplyStatus.OK


def test_a_report_lets_pass_and_charges_nothing() -> None:
    desk = Desk(reports=True)
    assert all(desk.write(Outcome(size=1)).status == ReplyStatus.OK for _ in range(10))
    assert len(desk.noted) == 7
    assert desk.meter.buckets[WRITE].level == 0
    assert desk.meter.served == [0, 20]


def test_entries_of_indexes_are_charged_to_the_partition() -> None:
    desk = Desk({**provisioned(), "LocalSecondaryIndexes": [{}]})
    desk.write(Outcome(size=100, body=noted({"halves": {"by-time": 4}}, b"")))
    assert desk.meter.served == [0, 6]


@pytest.mark.parametrize("consistent", [True, False])
def test_items_that_a_page_of_an_index_fetched_are_charged_to_the_partition(consistent: bool) -> None:
    desk = Desk({**provisioned(), "LocalSecondaryIndexes": [{}]})
    page = Outcome(size=100, body=noted({"fetched": 3, "fetched_bytes": 9000}, b'{"pk":{"S":"a"}}'))
    asked = part(Code.PAGE, 0, consistent=consistent)
    desk.meter.reading(lambda _: page, asked, desk.refuses, 0.0)(object())  # type: ignore[arg-type]
    assert desk.meter.served == [8 if consistent else 4, 0]


def test_a_changed_table_has_other_caps_at_once() -> None:
    desk = Desk()
    desk.meter.change(on_demand(), 2, CAPS, 0.0)
    assert [bucket.rate for bucket in desk.meter.buckets] == [12_000, 4000]


def test_writes_of_an_index_are_sized_and_never_told_no_for_good() -> None:
    desk = Desk()
    assert desk.write_to_index(2500).status == ReplyStatus.OK
    assert desk.meter.served[WRITE] == 6
    assert desk.write_to_index(2500).status == ReplyStatus.THROTTLED
    assert desk.noted == [(WRITE, 6)]
    desk.meter.buckets[WRITE].set_level(6)
    assert desk.write_to_index(2500).status == ReplyStatus.OK
