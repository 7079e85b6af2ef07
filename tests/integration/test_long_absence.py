"""A storage node that stood still for longer than requests and heartbeats are kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from dynabus.core.ids import NodeName
from dynabus.core.topics import Topics
from tests.integration.cluster import RunningCluster, client, kill, paused, running, wait_until

pytestmark = pytest.mark.broker

TABLE, TOPICS = "music", Topics("dynabus")


def drop_all(bootstrap: str, *names: str) -> None:
    """As retention does, once all is old. Each gets a record first, so that there is one which nobody has read."""
    producer = Producer({"bootstrap.servers": bootstrap})
    for name in names:
        producer.produce(name, b"nothing that anybody can read", partition=0)
    assert producer.flush(10) == 0
    admin = AdminClient({"bootstrap.servers": bootstrap})
    for future in admin.delete_records([TopicPartition(name, 0, -1) for name in names]).values():
        future.result(10)


def test_it_hears_others_and_answers_requests_again(tmp_path: Path) -> None:
    with running(tmp_path) as cluster:
        cluster.create_table(TABLE)
        leader, _ = cluster.leader(TABLE)
        nodes = cluster.pids("storage-node")
        away = next(name for name in sorted(nodes) if name != leader)
        with paused(nodes[away]):
            drop_all(_bootstrap(cluster), TOPICS.heartbeats().name, TOPICS.requests(NodeName(away)).name)
        for name, pid in nodes.items():
            if name != away:
                kill(pid)
        db = client(cluster.port, max_attempts=1)
        wait_until("it leads, and is asked", lambda: _is_written(db), 60)
        assert cluster.leader(TABLE)[0] == away


def _bootstrap(cluster: RunningCluster) -> str:
    return str(cluster.status()["kafka"]["bootstrap"])


def _is_written(db: Any) -> bool:
    try:
        db.put_item(TableName=TABLE, Item={"pk": {"S": "a"}})
    except (db.exceptions.InternalServerError, db.exceptions.ClientError):
        return False
    return True
