"""A log of a table with a topic loses its tail, and its partition is recovered: what the topic has, and neither the
table has nor the log tells any more, gets its tombstone."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.integration.cluster import RunningCluster, running, wait_until
from tests.integration.table_topics import Materialized, switch, wait_for_full
from tests.integration.test_recovery import KEPT, one_ahead, put, recover, unread, wait_until_frozen, whole

pytestmark = [pytest.mark.broker, pytest.mark.timeout(400)]


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningCluster]:
    monkeypatch.setenv("DYNABUS_INITIAL_PARTITIONS", "2")
    with running(tmp_path, "--throttling", "report") as made:
        yield made


def test_items_of_what_was_lost_get_their_tombstones(cluster: RunningCluster) -> None:
    """No propagator has read what the log lost, deletions and newer versions; the replica that is left has them."""
    cluster.create_table("lost")
    put(cluster, 0, KEPT)
    switch(cluster, "lost", "on")
    wait_for_full(cluster, "lost")
    with Materialized(cluster, "lost") as found:
        found.read_until_equal(60)

        one_ahead(cluster, partial(unread, cluster))
        wait_until_frozen(cluster)
        print(recover(cluster, "--yes"))
        wait_until("whole again", lambda: whole(cluster, 2), 120)
        found.read_until_equal(120)
        assert len(found.items) == KEPT // 4 + KEPT // 2
        assert found.tombstones
        put(cluster, 0, KEPT, version=3)
        found.read_until_equal(60)
        assert len(found.items) == KEPT
