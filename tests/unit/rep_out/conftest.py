"""A group for each test."""

from __future__ import annotations

import pytest
from tests.unit.rep_out.shards_kafka import Kafka


@pytest.fixture
def kafka(monkeypatch: pytest.MonkeyPatch) -> Kafka:
    return Kafka(monkeypatch)
