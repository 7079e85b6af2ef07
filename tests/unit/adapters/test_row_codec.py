"""What is written by hand is what the schemas say: fastavro reads it."""

from __future__ import annotations

import pytest

from dynabus.adapters.codec import decode, encode_body
from dynabus.adapters.log_codec import AvroBodies
from dynabus.adapters.row_codec import encode_index_request
from dynabus.core.global_indexes import Arrival, IndexWrite, arrival_part
from dynabus.core.global_indexes.messages import are_for_index, parts_of
from dynabus.core.ids import LogId
from dynabus.core.replication.records import Kind, Mutation, RowChange, RowChanges
from dynabus.core.rows import Source

LARGE = 1 << 40


@pytest.mark.parametrize("count", [1, 2, 63, 64, 300])
def test_requests_are_read_as_they_were_written(count: int) -> None:
    to = Arrival(LogId("t.é"), 7, 1 << 20)
    writes = [
        IndexWrite(b"%d" % number, b"x" * (number * 50), number * 50, Source(3, 2, LARGE + number))
        for number in range(count)
    ]
    parts = [arrival_part(to, write) for write in writes]
    assert are_for_index(parts)
    kind, message = decode(encode_index_request("propagator-1", (1 << 62) + 5, LARGE, 8000, parts))
    assert kind == "index_request"
    assert parts_of(message) == parts
    asker = (message["asker"], message["incarnation"], message["counter"], message["budget_ms"])
    assert asker == ("propagator-1", (1 << 62) + 5, LARGE, 8000)


@pytest.mark.parametrize("count", [1, 64, 256])
def test_bodies_of_records_are_read_as_they_were_written(count: int) -> None:
    rows = [
        RowChange(b"%d" % number, b"o" * (number % 3) or None, b"n" * (number * 9) or None) for number in range(count)
    ]
    changes = RowChanges(1_700_000_000_000, tuple(rows))
    assert AvroBodies().decode(*AvroBodies().encode(Kind.MUTATION, changes)) == changes


@pytest.mark.parametrize("losing", [None, b"", b"l" * 70])
@pytest.mark.parametrize("row", [None, b"", b"r" * 300])
@pytest.mark.parametrize("number", [0, 63, 64, LARGE])
def test_mutations_are_read_as_they_were_written(losing: bytes | None, row: bytes | None, number: int) -> None:
    small = min(number, 400_000)
    mutation = Mutation(b"k" * small, row, None, number, b"id", number, small % 7, b"a", small, b"d" * 8, losing)
    for each in (mutation, mutation._replace(old=None, new=row, request=b"", answer=b"")):
        number_of_schema, body = AvroBodies().encode(Kind.MUTATION, each)
        assert AvroBodies().decode(number_of_schema, body) == each
        assert body == encode_body("mutation" if losing is None else "conflict_mutation", each._asdict())
