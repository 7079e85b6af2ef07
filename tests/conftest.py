"""Settings of all tests."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from dynabus.adapters.lmdb.store import open_stores

# A cluster of a test lives for seconds: what the optimising compiler gains is less than what it takes.
os.environ.setdefault("KAFKA_JVM_PERFORMANCE_OPTS", "-XX:+UseSerialGC -XX:TieredStopAtLevel=1")

# What is checked is right on a busy machine too: how long an example takes is no property of the code.
settings.register_profile("dynabus", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("dynabus")

LONGEST = ("test_auto_scaling.py", "test_recovery.py", "test_splits.py", "test_index_faults.py")
"""Files that are begun first, so that none of them is left for one worker when the others are done."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """In the order of `LONGEST`, then as they are."""
    place = {name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path.name, len(LONGEST)))


@pytest.fixture(autouse=True)
def stores_end_with_their_test() -> Iterator[None]:
    """As those of a process that dies; in the thread that opened them, which is what LMDB demands."""
    yield
    for store in [*open_stores.values()]:
        store.abandon()
