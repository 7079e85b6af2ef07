"""What came of a snapshot must be what its manifest says; of whoever wants the rows alone, the rows."""

from __future__ import annotations

import pytest

from dynabus.core.checksum import MASK, change
from dynabus.core.cloning.contents import NotWhole, Received
from dynabus.core.cloning.messages import CloneManifest
from dynabus.core.cloning.position import Pair, Section
from dynabus.core.contents import encode_totals
from dynabus.core.rows import encode_row

ROWS: list[Pair] = [(b"a", encode_row(b'{"n":{"N":"1"}}', 3, 1)), (b"b", encode_row(b'{"n":{"N":"22"}}', 4, 1))]


def manifest() -> CloneManifest:
    checksum = sum(change(key, None, row) for key, row in ROWS) & MASK
    totals = encode_totals([[2, 7], [5, 50]], checksum, b"place")
    return {"clone": 1, "node": "n", "place": b"place", "totals": totals, "requests": 9, "chunks": -1}


def test_rows_alone_are_proved_without_indexes_and_request_ids() -> None:
    received = Received(0)
    received.add(Section.ROWS, ROWS)
    received.check_rows(manifest())


@pytest.mark.parametrize("rows", [ROWS[:1], [ROWS[0], (b"c", ROWS[1][1])], [ROWS[0], (b"b", ROWS[0][1])]])
def test_another_row_or_one_too_few_is_told(rows: list[Pair]) -> None:
    received = Received(0)
    received.add(Section.ROWS, rows)
    with pytest.raises(NotWhole, match="are not those that its source has counted"):
        received.check_rows(manifest())
