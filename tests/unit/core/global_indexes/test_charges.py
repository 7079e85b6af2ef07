"""What writes cost indexes, and how an answer tells it."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from tests.unit.core.global_indexes.indexes import described, index, item, the

from dynabus.core.global_indexes import global_indexes
from dynabus.core.global_indexes.charges import charged, charges_of, halves_of
from dynabus.core.messages import ReplyStatus
from dynabus.core.replication.store import Decision, Outcome
from dynabus.core.rows import encode_row
from dynabus.core.values import Item

A = {"S": "a"}


@pytest.mark.parametrize(
    ("old", "new", "halves"),
    [
        (None, None, 0),
        (None, item(), 0),
        (item(), item(a=A), 2),
        (item(a=A), None, 2),
        (item(a=A, d={"S": "x" * 3000}), item(), 6),
        (item(a=A), item(a=A), 0),
        (item(a=A), item(a=A, d={"S": "x" * 3000}), 6),
        (item(a=A, d={"S": "x" * 3000}), item(a=A, d={"S": "y"}), 6),
        (item(a=A, d={"S": "x" * 3000}), item(a={"S": "b"}, d={"S": "y"}), 8),
        (item(a=A), item(a={"N": "1"}), 2),
    ],
)
def test_halves(old: Item | None, new: Item | None, halves: int) -> None:
    assert halves_of(the(index("a")), old, new) == halves


def test_what_is_not_projected_costs_nothing() -> None:
    keys = the(index("a", projection="KEYS_ONLY"))
    assert halves_of(keys, item(a=A, d={"S": "x" * 9000}), item(a=A)) == 0
    assert halves_of(keys, None, item(a=A, d={"S": "x" * 9000})) == 2


INDEXES = global_indexes(described(index("a"), index("b", name="by-b")))


def decide(old: Item | None, new: Item | None, status: int = ReplyStatus.OK, *, write: bool = True) -> Decision:
    outcome = Outcome(status, b'{"x":{"S":"\\n"}}', 10)
    return charged(INDEXES, lambda _old, _ms: Decision(write, _row(new), outcome))(_row(old), 5)


def _row(of: Item | None) -> bytes | None:
    return None if of is None else encode_row(orjson.dumps(of), 10, 5)


def test_an_answer_tells_it_before_its_body() -> None:
    both: Any = item(a=A, b={"N": "1"})
    assert charges_of(decide(None, both).outcome.body) == ({"by-a": 2, "by-b": 2}, b'{"x":{"S":"\\n"}}')
    assert charges_of(decide(both, item(a=A, b={"N": "2"})).outcome.body)[0] == {"by-a": 2, "by-b": 4}


@pytest.mark.parametrize(
    "decision",
    [
        decide(item(a=A), item(a=A)),
        decide(None, item(a=A), write=False),
        decide(None, item(a=A), ReplyStatus.ERROR),
    ],
)
def test_no_answer_is_changed_that_costs_no_index_anything(decision: Decision) -> None:
    assert decision.outcome.body == b'{"x":{"S":"\\n"}}'
    assert charges_of(decision.outcome.body) == ({}, decision.outcome.body)
