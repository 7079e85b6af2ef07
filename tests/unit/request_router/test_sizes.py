"""Calls in messages, and how much may be under way."""

from __future__ import annotations

import pytest
from tests.unit.request_router.test_asker import view

from dynabus.core.operations.calls import Call, Code
from dynabus.request_router import sizes
from dynabus.request_router.asker import BYTES_MOST
from dynabus.request_router.sizes import bytes_most, grouped


def call(size: int = 0, consistent: bool = True) -> Call:
    return Call(view().tables["t"], b"k", Code.PUT, True, consistent, b"k", b"x" * size)


def test_calls_to_one_partition_travel_together() -> None:
    assert grouped([call(), call(), call(consistent=False), call()]) == [[0, 1, 3], [2]]


def test_a_group_fits_into_a_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sizes, "GROUP_BYTES", 100)
    assert grouped([call(60), call(40), call(1), call(500), call(1)]) == [[0, 1], [2], [3], [4]]


@pytest.mark.parametrize(("limit", "most"), [(None, BYTES_MOST), (256 << 20, 32 << 20), (64 << 30, BYTES_MOST)])
def test_items_under_way_fit_into_the_containers_memory(
    limit: int | None, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sizes, "memory_limit_bytes", lambda _: limit)
    assert bytes_most() == most
