"""Stand-ins for the processes around storage nodes: auto-admin makes tables, a router asks and waits.

They speak to nodes over Kafka only, as the real ones do, so that a test can look at storage nodes alone.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, Producer, TopicPartition

from dynabus.adapters.clock import new_incarnation
from dynabus.adapters.codec import decode, encode
from dynabus.adapters.kafka.settings import KafkaSettings
from dynabus.adapters.kafka.topics import TopicAdmin
from dynabus.adapters.log_codec import AvroBodies
from dynabus.adapters.ports import choose_ports
from dynabus.core.ids import Incarnation, LogId, NodeName, Writer
from dynabus.core.messages import ReplyPart, ReplyStatus, RequestPart
from dynabus.core.replication.records import CHAIN_START, Envelope, Form, Genesis, Kind, encode_record
from dynabus.core.topics import Topics

NODE_COMMAND = [sys.executable, "-P", "-m", "dynabus.storage_node"]
ADMIN = Writer(NodeName("admin-1"), Incarnation(1))
DESCRIPTION = {
    "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
    "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
}
RESEND_S = 0.25
"""Routers re-send a request under the same id this often."""

BUDGET_MS = 15_000


def wait_until(what: str, condition: Callable[[], Any], timeout_s: float = 20.0) -> Any:
    """The condition's first true value; fails with `what` when it does not come in time."""
    deadline = time.monotonic() + timeout_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout_s:.0f} s: {what}")
        time.sleep(0.01)


class Node:
    """A storage node's process."""

    def __init__(
        self, bootstrap: str, namespace: str, name: str, zone: str, folder: Path, **settings: object
    ) -> None:
        self.name, self.log = name, folder / f"{name}.log"
        self.ops_port = choose_ports(1)[0]
        self._environment = {
            **os.environ,
            "DYNABUS_KAFKA": bootstrap,
            "DYNABUS_NAMESPACE": namespace,
            "DYNABUS_NAME": name,
            "DYNABUS_ZONE": zone,
            "DYNABUS_DATA": str(folder / name),
            "DYNABUS_OPS_PORT": str(self.ops_port),
            "MALLOC_ARENA_MAX": "2",
            **{f"DYNABUS_{key.upper()}": str(value) for key, value in settings.items()},
        }
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(NODE_COMMAND, env=self._environment, stdout=out, stderr=out)

    def end(self, number: signal.Signals) -> float:
        """Send the signal and wait until the process is gone; seconds that it took."""
        assert self.process is not None
        started = time.monotonic()
        self.process.send_signal(number)
        self.process.wait(30)
        return time.monotonic() - started

    def get(self, path: str) -> tuple[int, str]:
        """(status, body) of the ops server; (0, "") while nobody answers."""
        connection = HTTPConnection("127.0.0.1", self.ops_port, timeout=2)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read().decode()
        except OSError:
            return 0, ""
        finally:
            connection.close()

    def is_ready(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            raise AssertionError(f"{self.name} ended: {self.log.read_text()[-2000:]}")
        return self.get("/readyz")[0] == 200

    def metric(self, name: str) -> float:
        """The sum of a metric over its labels."""
        lines = [line for line in self.get("/metrics")[1].splitlines() if line.startswith(f"dynabus_{name}")]
        return sum(float(line.rpartition(" ")[2]) for line in lines)

    def replica(self, log: str, partition: int = 0) -> dict[str, Any]:
        """What this node knows of its own replica; empty while it does not know it."""
        for table in json.loads(self.get("/status")[1] or '{"tables": []}')["tables"]:
            if table["id"] == log:
                own = [r for r in table["partitions"][partition]["replicas"] if r["node"] == self.name]
                return own[0] if own else {}
        return {}


class AutoAdmin:
    """Makes topics, genesis and metadata records."""

    def __init__(self, settings: KafkaSettings) -> None:
        self.topics = Topics(settings.namespace)
        self.admin = TopicAdmin(settings)
        self.producer = Producer(dict(settings.request_producer()))
        self.admin.ensure([*self.topics.shared()])
        self._version = 0

    def create_table(self, members: Sequence[str], partitions: int = 1) -> str:
        """A table whose partitions all have these members; the first one is preferred. Returns its id."""
        log = LogId(random.randbytes(16).hex())
        topic = self.topics.log(log, partitions)
        self.admin.ensure([topic])
        number, body = AvroBodies().encode(
            Kind.GENESIS, Genesis(Form.NEW, b"", None, tuple(map(NodeName, members)), 0)
        )
        value = encode_record(Envelope(1, 0, 0, CHAIN_START, 0, ADMIN, 0, Kind.GENESIS), number, body)
        for partition in range(partitions):
            self.producer.produce(topic.name, value, partition=partition)
        assert self.producer.flush(10) == 0
        self.publish(log, "ACTIVE", members, partitions)
        return log

    def publish(
        self, log: str, status: str, members: Sequence[str], partitions: int = 1, regions: Sequence[str] = ()
    ) -> None:
        """A metadata record of the table, newer than the last."""
        self._version += 1
        table = {
            "id": log,
            "name": "table",
            "version": self._version,
            "status": status,
            "description": json.dumps(DESCRIPTION).encode(),
            "partitions": [
                {
                    "number": partition,
                    "generation": 1,
                    "lower": b"",
                    "upper": None,
                    "members": list(members),
                    "preferred": members[0],
                    "state": "active",
                    "lineage": [],
                    "joining": [],
                }
                for partition in range(partitions)
            ],
            "regions": list(regions),
        }
        self.producer.produce(self.topics.metadata().name, encode("table_metadata", table), f"table/{log}")
        assert self.producer.flush(10) == 0


class Router:
    """Sends requests to nodes and collects replies; re-sends to whoever leads, under the same request id."""

    def __init__(self, settings: KafkaSettings, nodes: Sequence[str], name: str = "router-1") -> None:
        self.topics, self.nodes = Topics(settings.namespace), list(nodes)
        self.name, self.incarnation, self.counter = name, new_incarnation(), 0
        topic = self.topics.replies(self.name)
        TopicAdmin(settings).ensure([topic])
        self.producer = Producer(dict(settings.request_producer()))
        self.consumer = Consumer(settings.loop_consumer())
        end = self.consumer.get_watermark_offsets(TopicPartition(topic.name, 0), timeout=10)[1]
        self.consumer.assign([TopicPartition(topic.name, 0, end)])
        self.leader = nodes[0]

    def send(self, node: str, counter: int, parts: list[RequestPart], budget_ms: int = BUDGET_MS) -> None:
        request = {
            "asker": self.name,
            "incarnation": self.incarnation,
            "counter": counter,
            "budget_ms": budget_ms,
            "parts": parts,
        }
        self.producer.produce(self.topics.requests(NodeName(node)).name, encode("request", request), partition=0)
        self.producer.poll(0)

    def next_counter(self) -> int:
        self.counter += 1
        return self.counter

    def receive(self, timeout_s: float) -> list[tuple[int, ReplyPart]]:
        """(counter, part) of the replies of one message; empty after the time."""
        message = self.consumer.poll(timeout_s)
        if message is None or message.error() is not None:
            return []
        _, reply = decode(message.value())
        return [(reply["counter"], part) for part in reply["parts"] if reply["incarnation"] == self.incarnation]

    def ask(
        self, part: RequestPart, timeout_s: float = 15.0, node: str | None = None, counter: int | None = None
    ) -> ReplyPart:
        """One part, asked until it is answered; of `node` alone where one is named; `counter`: of an earlier try."""
        counter = counter or self.next_counter()
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            self.send(node or self.leader, counter, [part])
            resend = time.monotonic() + RESEND_S
            while (left := resend - time.monotonic()) > 0:
                for answered, reply in self.receive(left):
                    if answered != counter:
                        continue
                    if node is not None or reply["status"] in (ReplyStatus.OK, ReplyStatus.ERROR):
                        return reply
                    if reply["status"] == ReplyStatus.NOT_LEADER and reply["body"]:
                        self.leader = reply["body"].decode()
                        resend = 0.0
            if node is None and resend:
                self.leader = self.nodes[(self.nodes.index(self.leader) + 1) % len(self.nodes)]
        raise AssertionError(f"no answer within {timeout_s} s")


def put(log: str, key: str, item: dict[str, Any], partition: int = 0) -> RequestPart:
    """PutItem without a condition."""
    value = json.dumps(item).encode()
    return _part(PUT, log, partition, key.encode(), value, len(value))


def get(log: str, key: str, partition: int = 0, consistent: bool = True) -> RequestPart:
    """GetItem of the whole item."""
    return _part(GET, log, partition, key.encode(), consistent=consistent)


PUT, GET = 1, 2


def _part(
    operation: int, log: str, partition: int, key: bytes, value: bytes = b"", size: int = 0, consistent: bool = False
) -> RequestPart:
    return {
        "operation": operation,
        "log": log,
        "partition": partition,
        "generation": 1,
        "consistent": consistent,
        "key": key,
        "value": value,
        "size": size,
        "detail": b"",
    }
