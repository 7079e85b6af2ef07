"""A cluster that runs elsewhere, as its topics tell, on librdkafka's mock."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from confluent_kafka import Producer

from dynabus.adapters.codec import encode
from dynabus.adapters.kafka.mock import MockCluster
from dynabus.adapters.kafka.positions import extent_of
from dynabus.adapters.kafka.settings import KafkaSettings
from dynabus.adapters.kafka.topics import TopicAdmin
from dynabus.cli import observation
from dynabus.cli.observation import Observer, observe
from dynabus.cli.problem import Problem
from dynabus.cli.status import render
from dynabus.cli.target import Elsewhere
from dynabus.core.topics import Topics


@pytest.fixture(scope="module")
def kafka() -> Iterator[KafkaSettings]:
    cluster = MockCluster()
    settings = KafkaSettings(cluster.bootstrap, "far", "test", extra={"log_level": "0"})
    TopicAdmin(settings).ensure([*Topics("far").shared()])
    yield settings
    del cluster


DESCRIPTION = {
    "TableName": "t",
    "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
    "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
}


def table(members: list[str]) -> dict[str, Any]:
    partition = {
        "number": 0,
        "generation": 1,
        "lower": b"",
        "upper": None,
        "members": members,
        "preferred": members[0],
        "state": "active",
        "lineage": [],
        "joining": [],
        "plan": 0,
    }
    return {
        "id": "1",
        "name": "t",
        "version": 1,
        "status": "ACTIVE",
        "description": orjson.dumps(DESCRIPTION),
        "partitions": [partition],
    }


def heartbeat(node: str, service: str, replicas: list[dict[str, Any]], number: int = 0) -> dict[str, Any]:
    return {
        "node": node,
        "service": service,
        "zone": "a",
        "incarnation": 1,
        "stopping": False,
        "number": number,
        "whole": not number,
        "replicas": replicas,
    }


def replica(node: str) -> dict[str, Any]:
    return {
        "log": "1",
        "partition": 0,
        "generation": 1,
        "state": "active",
        "leading": node == "node-1",
        "appending": True,
        "term": 3,
        "sequence": 7,
        "next_offset": 9,
        "lag": 0,
        "alarm": "",
        "totals": [],
        "checked": [],
        "plan": 0,
    }


class Said:
    """A message as a consumer delivers it."""

    def __init__(self, topic: str, kind: str, message: dict[str, Any]) -> None:
        self._topic, self._value = topic, encode(kind, message)

    def error(self) -> None:
        return None

    def topic(self) -> str:
        return self._topic

    def value(self) -> bytes:
        return self._value


def test_it_is_complete_when_all_members_told_all() -> None:
    observer = Observer("m")
    observer.loaded = True
    observer.take(Said("m", "table_metadata", table(["node-1", "node-2"])), 0)  # type: ignore[arg-type]
    assert not observer.complete(0)
    for node, number in (("node-1", 0), ("node-2", 4)):
        beat = heartbeat(node, "storage-node", [replica(node)], number)
        observer.take(Said("h", "heartbeat", beat), 0)  # type: ignore[arg-type]
    assert not observer.complete(0)
    observer.take(Said("h", "heartbeat", heartbeat("node-2", "storage-node", [])), 0)  # type: ignore[arg-type]
    assert observer.complete(0)


def test_a_cluster_is_seen_through_its_kafka(kafka: KafkaSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    topics, producer = Topics("far"), Producer(kafka.request_producer())
    producer.produce(topics.metadata().name, encode("table_metadata", table(["node-1"])), "1", 0)
    producer.flush(10)

    def then_speak(*asked: Any) -> tuple[int, int]:
        """Heartbeats come after the place from which they are read was found."""
        found = extent_of(*asked)
        if asked[1] == topics.heartbeats().name:
            for name, service in (("node-1", "storage-node"), ("admin-1", "auto-admin")):
                states = [replica(name)] if service == "storage-node" else []
                value = encode("heartbeat", heartbeat(name, service, states))
                producer.produce(topics.heartbeats().name, value, name, 0)
            producer.flush(10)
        return found

    stream = {
        "table": "1",
        "name": "t",
        "label": "2026-11-28T22:53:32.123",
        "version": 1,
        "status": "ENABLING",
        "view": "NEW_IMAGE",
        "key_schema": b"[]",
        "created_ms": 5,
        "from_start": False,
        "shards": [],
    }
    producer.produce(topics.metadata().name, encode("stream_metadata", stream), "stream/1", 0)
    producer.flush(10)
    monkeypatch.setattr(observation, "extent_of", then_speak)
    began_s = time.monotonic()
    told = observe(Elsewhere(kafka.bootstrap, "far").require())
    assert (time.monotonic() - began_s) * 1000 >= observation.LEAST_MS
    assert [(each["service"], each["name"], each["state"]) for each in told["processes"]] == [
        ("auto-admin", "admin-1", "running"),
        ("storage-node", "node-1", "running"),
    ]
    (partition,) = told["tables"][0]["partitions"]
    assert (partition["leader"], partition["term"]) == ("node-1", 3)
    shown = render(told)
    assert "node-1 (active, 7, 0)" in shown
    assert "far.stream.t.20261128T225332123" in shown
    assert "WAIT   stream 2026-11-28T22:53:32.123 of t is ENABLING: for log propagators" in shown


def test_streams_that_nobody_writes_are_told() -> None:
    observer = Observer("m")
    for label, status in (("a", "ENABLED"), ("b", "DISABLED"), ("c", "DISABLING")):
        stream = {"table": "1", "name": "t", "label": label, "version": 1, "status": status, "view": "NEW_IMAGE"}
        more = {"key_schema": b"[]", "created_ms": 5, "from_start": True, "shards": []}
        observer.take(Said("m", "stream_metadata", stream | more), 0)  # type: ignore[arg-type]
    assert [each["label"] for each in observer.waits(0)] == ["a", "c"]
    assert [each["label"] for each in observer.waits(1)] == ["c"]
    assert [each["label"] for each in observer.waits(None)] == ["c"]


def test_another_namespace_has_no_cluster(kafka: KafkaSettings) -> None:
    with pytest.raises(Problem, match="no cluster of namespace near"):
        observe(Elsewhere(kafka.bootstrap, "near").require())
