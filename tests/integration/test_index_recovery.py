"""A log of a table with an index loses its tail, and its partition is recovered: what the log does not tell any more,
and the index has, is swept."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.integration.cluster import RunningCluster, running, wait_until
from tests.integration.indexes import create, is_projection, rows, settles
from tests.integration.test_recovery import KEPT, one_ahead, put, recover, unread, wait_until_frozen, whole

pytestmark = [pytest.mark.broker, pytest.mark.timeout(400)]


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningCluster]:
    monkeypatch.setenv("DYNABUS_INITIAL_PARTITIONS", "2")
    with running(tmp_path, "--throttling", "report") as made:
        yield made


def test_rows_of_what_was_lost_are_swept(cluster: RunningCluster) -> None:
    """No propagator has read what the log lost, deletions and moves; the replica that is left has applied it."""
    create(cluster, "lost")
    put(cluster, 0, KEPT)
    wait_until("the index has them", lambda: is_projection(cluster, "lost"), 60)

    one_ahead(cluster, partial(unread, cluster))
    wait_until_frozen(cluster)
    print(recover(cluster, "--yes"))
    wait_until("whole again", lambda: whole(cluster, 2), 120)
    settles(cluster, "lost")
    assert len(rows(cluster, "lost", "by-v")) == KEPT // 4 + KEPT // 2
    put(cluster, 0, KEPT, version=3)
    settles(cluster, "lost")
