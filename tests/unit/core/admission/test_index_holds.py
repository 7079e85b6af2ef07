"""Which writes are refused while an index is behind, or one of its partitions is over its cap."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from tests.unit.core.admission.tables import on_demand, provisioned
from tests.unit.core.global_indexes.indexes import described, index, item

from dynabus.core.admission.capacity import Limit
from dynabus.core.admission.index_holds import Hold, held
from dynabus.core.cluster_view import ClusterView
from dynabus.core.global_indexes import global_indexes
from dynabus.core.messages import ReplyStatus
from dynabus.core.published_table import Table
from dynabus.core.replication.store import Decision, Evaluate, Outcome
from dynabus.core.rows import encode_row
from dynabus.core.tables.indexes import OF
from dynabus.core.values import Item

INDEXES = global_indexes(described(index("a"), index("b", name="by-b"), sort=False))
BY_A = INDEXES.all[0]
ARN = "arn:aws:dynamodb:us-east-1:000000000000:table/music/index/by-a"


def own(base: dict[str, Any], *, cut: bytes = b"") -> Table:
    """The index's own partitions: 0, and with a cut 1 from there on."""
    view = ClusterView()
    bounds = [(b"", None)] if not cut else [(b"", cut), (cut, None)]
    partitions = [
        {"number": number, "generation": 1, "lower": lower, "upper": upper, "members": ["n"], "state": "active"}
        for number, (lower, upper) in enumerate(bounds)
    ]
    of = {"Table": "t-id", "TableName": "music", "Name": "by-a"}
    description = {**base, "TableName": "music/index/by-a", "TableArn": ARN, OF: of}
    message = {"id": "i-id", "name": "music/index/by-a", "version": 1, "status": "ACTIVE", "partitions": partitions}
    view.take("table_metadata", {**message, "description": orjson.dumps(description)}, 0.0)
    found = view.index("t-id", "by-a")
    assert found is not None
    return found


def row(of: Item | None) -> bytes | None:
    return None if of is None else encode_row(orjson.dumps(of), 10, 5)


def decided(old: Item | None, new: Item | None, hold: Hold, *, refuse: bool = True) -> tuple[Decision, list[Limit]]:
    noted: list[Limit] = []

    def refused(_index: Table, limit: Limit) -> bool:
        noted.append(limit)
        return refuse

    evaluate: Evaluate = lambda _old, _ms: Decision(True, row(new), Outcome(size=3))  # noqa: E731
    return held(INDEXES, {"by-a": hold}, evaluate, refused)(row(old), 5), noted


A, B = item(a={"S": "a"}), item(a={"S": "b"})
KEYS = sorted(BY_A.row_key(each) for each in (A, B))
LOW, HIGH = (A, B) if BY_A.row_key(A) == KEYS[0] else (B, A)


@pytest.mark.parametrize(
    ("base", "error", "reason"),
    [
        (provisioned(), "ProvisionedThroughputExceededException", "IndexWriteProvisionedThroughputExceeded"),
        (on_demand(), "ThrottlingException", "IndexWriteKeyRangeThroughputExceeded"),
    ],
)
def test_writes_that_touch_an_index_that_is_late_are_refused_in_its_name(
    base: dict[str, Any], error: str, reason: str
) -> None:
    decision, _ = decided(None, A, Hold(own(base), late=True, over=frozenset()))
    assert (decision.write, decision.row, decision.outcome.status) == (False, None, ReplyStatus.THROTTLED)
    body = orjson.loads(decision.outcome.body)
    assert body["__type"].endswith(error)
    assert body.get("ThrottlingReasons", body.get("throttlingReasons")) == [{"reason": reason, "resource": ARN}]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (None, item()),
        (item(), None),
        (A, A),
        (item(b={"N": "1"}), item(b={"N": "2"})),
    ],
)
def test_writes_that_do_not_touch_it_pass(old: Item | None, new: Item | None) -> None:
    """What the other index gets is no concern of this one."""
    decision, noted = decided(old, new, Hold(own(provisioned()), late=True, over=frozenset([0])))
    assert (decision.write, decision.outcome.status, noted) == (True, ReplyStatus.OK, [])


@pytest.mark.parametrize(
    ("old", "new", "refused"),
    [
        (None, LOW, False),
        (None, HIGH, True),
        (LOW, HIGH, True),
        (HIGH, LOW, True),
        (HIGH, None, True),
        (LOW, None, False),
    ],
)
def test_only_rows_of_a_partition_over_its_cap_are_refused(old: Item | None, new: Item | None, refused: bool) -> None:
    decision, noted = decided(old, new, Hold(own(provisioned(), cut=KEYS[1]), late=False, over=frozenset([1])))
    assert decision.write is not refused
    assert noted == ([Limit.KEY_RANGE] if refused else [])
    if refused:
        reason = orjson.loads(decision.outcome.body)["ThrottlingReasons"][0]
        assert reason == {"reason": "IndexWriteKeyRangeThroughputExceeded", "resource": ARN}


def test_a_report_lets_it_pass() -> None:
    decision, noted = decided(None, A, Hold(own(provisioned()), late=True, over=frozenset()), refuse=False)
    assert decision.write
    assert noted == [Limit.PROVISIONED]


def test_what_is_refused_for_another_reason_stays_as_it_is() -> None:
    failed = Decision(False, None, Outcome(ReplyStatus.ERROR, b"{}"))
    hold = Hold(own(provisioned()), late=True, over=frozenset())
    assert held(INDEXES, {"by-a": hold}, lambda _old, _ms: failed, lambda _i, _l: True)(row(A), 5) is failed
