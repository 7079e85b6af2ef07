"""Keys are where Java's producer would put them. Vectors: Apache Kafka's own, `UtilsTest.testMurmur2`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dynabus.core.table_topics.partitioner import murmur2, topic_partition

VECTORS: list[dict[str, Any]] = json.loads((Path(__file__).parents[3] / "vectors/murmur2.json").read_text())


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: str(vector["key"]))
def test_vectors(vector: dict[str, Any]) -> None:
    hashed = murmur2(vector["key"].encode())
    assert hashed == vector["murmur2"] % 2**32
    assert topic_partition(vector["key"].encode(), 12) == (hashed & 0x7FFFFFFF) % 12


def test_all_partitions_are_used() -> None:
    found = [topic_partition(b'{"pk":{"S":"%d"}}' % number, 12) for number in range(1200)]
    assert all(60 < found.count(number) < 140 for number in range(12))
