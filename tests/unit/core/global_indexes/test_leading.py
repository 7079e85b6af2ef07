"""What an update may not make of an item that is in an index."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from tests.unit.core.global_indexes.indexes import described, index, item

from dynabus.core.global_indexes import global_indexes
from dynabus.core.global_indexes.leading import checked
from dynabus.core.messages import ReplyStatus
from dynabus.core.replication.store import Decision, Outcome
from dynabus.core.rows import encode_row

INDEXES = global_indexes(described(index("a", "b")))


def row(**more: Any) -> bytes:
    return encode_row(orjson.dumps(item(**more)), 10, 5)


def decide(old: bytes | None, new: bytes | None, *, write: bool = True) -> Decision:
    return checked(INDEXES, lambda _old, _ms: Decision(write, new, Outcome(size=10)))(old, 5)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"N": "1"}, "attempted to update the secondary index key to unsupported type"),
        ({"S": ""}, "secondary index key to a value that is not supported"),
        ({"S": "x" * 2049}, "Size limit exceeded for Index Key a"),
    ],
)
def test_a_key_that_cannot_be_is_refused(value: dict[str, str], words: str) -> None:
    decision = decide(row(), row(a=value))
    assert not decision.write
    assert decision.outcome.status == ReplyStatus.ERROR
    assert decision.outcome.size == 10
    assert words in orjson.loads(decision.outcome.body)["message"]


def test_what_an_item_had_before_the_index_is_left_alone() -> None:
    assert decide(row(a={"N": "1"}), row(a={"N": "1"}, z={"S": "new"})).write
    assert not decide(row(a={"N": "1"}), row(a={"N": "2"})).write


def test_all_else_passes() -> None:
    assert decide(None, row(a={"S": "x"}, b={"N": "1"})).write
    assert decide(row(a={"S": "x"}), None).write
    assert not decide(row(), row(a={"N": "1"}), write=False).write
    assert decide(row(), row(a={"N": "1"}), write=False).outcome.status == ReplyStatus.OK
