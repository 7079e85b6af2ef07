"""What a page of a table with local secondary indexes cost."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from dynabus.core.admission.costs import cost
from dynabus.core.local_indexes import noted
from dynabus.core.operations.calls import Call, Code
from dynabus.core.replication.store import Outcome


@pytest.mark.parametrize(
    ("body", "halves"),
    [
        (b'{"fetched":{"S":"x"},"pk":{"S":"a"}}', 2),
        (b'{"fetched":{"S":"x"}},{"fetched":{"S":"y"}}', 2),
        (b"", 2),
        (noted({"fetched": 3, "fetched_bytes": 9000}, b'{"fetched":{"S":"x"}}'), 2 + 6),
    ],
)
def test_items_may_begin_like_a_note(body: bytes, halves: int) -> None:
    table: Any = SimpleNamespace(indexes=SimpleNamespace(all=(object(),)))
    page = Call(table, b"k", Code.PAGE, False, True, b"")
    assert cost(page, Outcome(size=100, body=body).part(0)) == halves
