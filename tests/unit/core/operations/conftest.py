"""A cluster for each test."""

from __future__ import annotations

import pytest
from tests.unit.core.operations.cluster import Cluster


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()
