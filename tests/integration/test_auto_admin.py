"""Auto-admin as processes over a real broker with real storage nodes; the router is a stand-in."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from dynabus.adapters.clock import monotonic_ms, new_incarnation
from dynabus.adapters.codec import decode, encode
from dynabus.adapters.kafka.local import LocalBroker, start_local_broker
from dynabus.adapters.kafka.settings import KafkaSettings
from dynabus.adapters.kafka.topics import TopicAdmin
from dynabus.core.ids import LogId
from dynabus.core.messages import ReplyStatus
from dynabus.core.topics import Topics
from tests.integration.stand_ins import Node, wait_until

pytestmark = [pytest.mark.broker, pytest.mark.alone, pytest.mark.slow]

COMMAND = [sys.executable, "-P", "-m", "dynabus.auto_admin"]
ACTIVE_S = 2.0
"""CreateTable to ACTIVE takes half a second; twice the promised second, for machines that do other things too."""

FAIL_OVER_S, HAND_OVER_S = 7.0, 1.5
RESEND_S = 0.25


class Admin(Node):
    """An auto-admin's process."""

    def start(self) -> None:
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(COMMAND, env=self._environment, stdout=out, stderr=out)

    def events(self, name: str) -> int:
        """How often it logged that."""
        return self.log.read_text().count(f'"event":"{name}"')


class Router:
    """Sends control requests as a router does; follows metadata."""

    def __init__(self, settings: KafkaSettings) -> None:
        self.topics, self.name = Topics(settings.namespace), "router-1"
        self.incarnation, self.counter = new_incarnation(), 0
        self.admin = TopicAdmin(settings)
        self.admin.ensure([*self.topics.shared(), self.topics.replies(self.name)])
        self._producer = Producer(dict(settings.request_producer()))
        self._consumer = Consumer(settings.loop_consumer())
        topics = (self.topics.metadata().name, self.topics.replies(self.name).name)
        self._consumer.assign([TopicPartition(topic, 0, OFFSET_BEGINNING) for topic in topics])
        self.replies: dict[int, list[dict[str, Any]]] = {}
        self.metadata: dict[str, Any] = {}

    def _read(self) -> None:
        message = self._consumer.poll(0.01)
        if message is None or message.error() is not None:
            return
        key, value = (message.key() or b"").decode(), message.value()
        if value is None:
            self.metadata.pop(key, None)
            return
        kind, body = decode(value)
        if kind == "reply":
            self.replies.setdefault(body["counter"], []).append(body["parts"][0])
        else:
            self.metadata[key] = body

    def ask(self, operation: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """(status, answer), asked again until it is answered."""
        part = self._part(operation, body)
        return part["status"], orjson.loads(part["body"])

    def tell(self, operation: str, body: dict[str, Any]) -> bytes:
        """The same, where no error is expected and the answer need not be JSON."""
        part = self._part(operation, body)
        assert part["status"] == ReplyStatus.OK, part
        return bytes(part["body"])

    def _part(self, operation: str, body: dict[str, Any]) -> Any:
        counter = self.next_counter()
        self.until("answered", lambda: counter in self.replies, self.request(operation, body, counter))
        return self.replies[counter][0]

    def next_counter(self) -> int:
        self.counter += 1
        return self.counter

    def until(self, what: str, condition: Callable[[], Any], request: bytes | None = None) -> None:
        """Read until the condition holds; a request is sent again all the while, as routers do."""
        resend = 0.0

        def step() -> Any:
            nonlocal resend
            if request is not None and time.monotonic() > resend:
                resend = time.monotonic() + RESEND_S
                self._producer.produce(self.topics.control().name, request)
                self._producer.flush(1)
            self._read()
            return condition()

        wait_until(what, step)

    def request(self, operation: str, body: dict[str, Any], counter: int) -> bytes:
        request = {
            "asker": self.name,
            "incarnation": self.incarnation,
            "counter": counter,
            "budget_ms": 15_000,
            "operation": operation,
            "body": orjson.dumps(body),
        }
        return encode("control_request", request)

    def table(self, name: str) -> dict[str, Any] | None:
        """What metadata says of a table."""
        found = [each for key, each in self.metadata.items() if key.startswith("table/") and each["name"] == name]
        assert len(found) <= 1
        return found[0] if found else None

    def create(self, name: str) -> dict[str, Any]:
        status, answer = self.ask("CreateTable", create_request(name))
        assert status == ReplyStatus.OK, answer
        assert answer["TableDescription"]["TableStatus"] == "CREATING"
        self.wait_for(name, "ACTIVE")
        description: dict[str, Any] = answer["TableDescription"]
        return description

    def wait_for(self, name: str, status: str | None) -> None:
        self.until(f"{name} {status}", lambda: (self.table(name) or {"status": None})["status"] == status)

    def logs(self) -> set[str]:
        """Ids of the tables that have a topic."""
        prefix = self.topics.log_name(LogId(""))
        return {name.removeprefix(prefix) for name in self.admin.names(prefix)}


def create_request(name: str) -> dict[str, Any]:
    return {
        "TableName": name,
        "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
        "BillingMode": "PAY_PER_REQUEST",
    }


class Cluster:
    """Three storage nodes, two auto-admins of which the first runs, a stand-in for a router."""

    def __init__(self, folder: Path, broker: LocalBroker) -> None:
        bootstrap, namespace = broker.identity.bootstrap, f"t{time.time_ns()}"
        self.settings = KafkaSettings(bootstrap, namespace, "test")
        self.router = Router(self.settings)
        self.nodes = [Node(bootstrap, namespace, f"node-{n}", zone, folder) for n, zone in enumerate("abc", 1)]
        self.admins = [
            Admin(bootstrap, namespace, f"admin-{n}", "a", folder, initial_partitions=2) for n in range(1, 3)
        ]

    def start(self, admins: int = 1) -> None:
        """Whoever does not run."""
        for process in [*self.nodes, *self.admins[:admins]]:
            if process.process is None or process.process.poll() is not None:
                process.start()
        for process in [*self.nodes, *self.admins[:admins]]:
            wait_until(f"{process.name} is ready", process.is_ready)

    def stop(self, processes: list[Any] | None = None) -> None:
        for process in processes if processes is not None else [*self.admins, *self.nodes]:
            if process.process is not None and process.process.poll() is None:
                process.end(signal.SIGTERM)


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalBroker]:
    folder = tmp_path_factory.mktemp("broker")
    broker = start_local_broker(folder / "kafka", folder / "kafka.log", lambda _line: None)
    yield broker
    broker.process.terminate()
    broker.process.wait(60)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, broker: LocalBroker) -> Iterator[Cluster]:
    cluster = Cluster(tmp_path_factory.mktemp("processes"), broker)
    yield cluster
    cluster.stop()


@pytest.fixture
def cluster(running: Cluster) -> Iterator[Cluster]:
    running.start()
    yield running
    running.stop(running.admins)


def test_a_table_is_created_and_deleted(cluster: Cluster) -> None:
    router = cluster.router
    router.create("first")
    began = time.monotonic()
    description = router.create("music")
    assert time.monotonic() - began < ACTIVE_S
    table = router.table("music")
    assert table is not None
    log = table["id"]
    assert log == description["TableId"].replace("-", "")
    assert [len(set(each["members"])) for each in table["partitions"]] == [3, 3]
    leaders = {f"leader/{log}/{each['number']}": each["preferred"] for each in table["partitions"]}
    router.until("leaders are published", lambda: leaders.keys() <= router.metadata.keys())
    assert {key: router.metadata[key]["node"] for key in leaders} == leaders

    assert router.ask("CreateTable", create_request("music"))[1]["message"] == "Table already exists: music"
    status, answer = router.ask("DeleteTable", {"TableName": "music"})
    assert (status, answer["TableDescription"]["TableStatus"]) == (ReplyStatus.OK, "DELETING")
    router.wait_for("music", None)
    assert log not in router.logs()
    router.until("leaders are retracted", lambda: not leaders.keys() & router.metadata.keys())
    wait_until("nodes hold nothing of it", lambda: not any(node.replica(log) for node in cluster.nodes))
    status, answer = router.ask("DeleteTable", {"TableName": "music"})
    assert (status, answer["__type"].partition("#")[2]) == (ReplyStatus.ERROR, "ResourceNotFoundException")
    assert router.create("music")["TableId"] != description["TableId"]


MOMENTS: dict[str, Callable[[Router, int, str, set[str]], Any]] = {
    "at once": lambda *_: True,
    "answered": lambda router, counter, _name, _logs: router.replies.get(counter),
    "topic": lambda router, _counter, _name, logs: router.logs() - logs,
    "announced": lambda router, _counter, name, _logs: router.table(name),
    "published": lambda router, _counter, name, _logs: (router.table(name) or {"partitions": []})["partitions"],
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_in_the_middle_of_a_creation(cluster: Cluster, moment: str) -> None:
    router, name = cluster.router, f"killed-{moment.replace(' ', '-')}"
    logs, counter = router.logs(), router.next_counter()
    request = router.request("CreateTable", create_request(name), counter)
    router.until(moment, lambda: MOMENTS[moment](router, counter, name, logs), request)
    cluster.admins[0].end(signal.SIGKILL)
    cluster.start()
    router.until("answered", lambda: counter in router.replies, request)
    router.wait_for(name, "ACTIVE")
    table = router.table(name)
    assert table is not None
    answers = {orjson.loads(reply["body"])["TableDescription"]["TableId"] for reply in router.replies[counter]}
    assert {answer.replace("-", "") for answer in answers} == {table["id"]}
    assert router.logs() - logs == {table["id"]}


@pytest.mark.parametrize("moment", ["at once", "answered", "updating"])
def test_killed_in_the_middle_of_a_change(cluster: Cluster, moment: str) -> None:
    """The successor finishes it, the table keeps its partitions all the while, and it is answered once."""
    router, name = cluster.router, f"changed-{moment.replace(' ', '-')}"
    router.create(name)
    counter = router.next_counter()
    units = {"ReadCapacityUnits": 7, "WriteCapacityUnits": 8}
    request = router.request(
        "UpdateTable", {"TableName": name, "BillingMode": "PROVISIONED", "ProvisionedThroughput": units}, counter
    )
    moments: dict[str, Callable[[], Any]] = {
        "at once": lambda: True,
        "answered": lambda: router.replies.get(counter),
        "updating": lambda: (router.table(name) or {})["status"] == "UPDATING",
    }
    router.until(moment, moments[moment], request)
    cluster.admins[0].end(signal.SIGKILL)
    cluster.start()
    router.until("answered", lambda: counter in router.replies, request)

    def described() -> Any:
        table = router.table(name)
        assert table is not None
        assert [len(each["members"]) for each in table["partitions"]] == [3, 3]
        return orjson.loads(table["description"])

    router.until("done", lambda: described()["TableStatus"] == "ACTIVE" and "WarmThroughput" in described(), request)
    assert described()["ProvisionedThroughput"] == {"NumberOfDecreasesToday": 0, **units}
    answers = {reply["body"] for reply in router.replies[counter]}
    assert len(answers) == 1
    assert orjson.loads(answers.pop())["TableDescription"]["TableStatus"] == "UPDATING"


def test_tags_survive(cluster: Cluster) -> None:
    router = cluster.router
    arn = router.create("tagged")["TableArn"]
    body = {"TableName": "tagged", "ResourceArn": arn}
    assert router.tell("TagResource", {**body, "Tags": {"a": "b", "c": "d"}}) == b""
    cluster.admins[0].end(signal.SIGKILL)
    cluster.start()
    assert router.ask("ListTagsOfResource", body)[1] == {
        "Tags": [{"Key": "a", "Value": "b"}, {"Key": "c", "Value": "d"}]
    }
    assert router.tell("UntagResource", {**body, "TagKeys": ["a"]}) == b""
    assert router.ask("ListTagsOfResource", body)[1] == {"Tags": [{"Key": "c", "Value": "d"}]}


def test_killed_in_the_middle_of_a_deletion(cluster: Cluster) -> None:
    router, logs = cluster.router, cluster.router.logs()
    router.create("short-lived")
    assert router.ask("DeleteTable", {"TableName": "short-lived"})[0] == ReplyStatus.OK
    cluster.admins[0].end(signal.SIGKILL)
    cluster.start()
    router.wait_for("short-lived", None)
    assert router.logs() == logs


def test_a_standby_takes_over(cluster: Cluster) -> None:
    first, second = cluster.admins
    wait_until("the first is active", lambda: first.events("active"))
    cluster.start(admins=2)
    assert second.events("active") == 0
    cluster.router.create("before")

    began = time.monotonic()
    first.end(signal.SIGKILL)
    wait_until("the standby is active", lambda: second.events("active"))
    assert time.monotonic() - began < FAIL_OVER_S
    cluster.router.create("between")

    cluster.start(admins=2)
    terms = first.events("active")
    assert second.end(signal.SIGTERM) < HAND_OVER_S
    assert second.process is not None
    assert second.process.returncode == 0
    began = time.monotonic()
    wait_until("the first is active again", lambda: first.events("active") > terms)
    assert time.monotonic() - began < HAND_OVER_S
    cluster.router.create("after")


def test_two_that_begin_at_once(broker: LocalBroker, tmp_path: Path) -> None:
    cluster = Cluster(tmp_path, broker)
    try:
        cluster.start(admins=2)
        cluster.router.create("table")
        wait_until("one is active", lambda: sum(admin.events("active") for admin in cluster.admins) >= 1)
        assert len(cluster.router.logs()) == 1
    finally:
        cluster.stop()


def test_a_kafka_that_lost_all_and_has_the_id_of_before_is_refused(broker: LocalBroker, tmp_path: Path) -> None:
    cluster = Cluster(tmp_path, broker)
    try:
        cluster.start()
        cluster.router.create("table")
        cluster.stop()
        client = AdminClient(cluster.settings.admin())
        own = f"{cluster.settings.namespace}."
        everything = cluster.router.admin.names(own)
        for future in client.delete_topics([*everything]).values():
            future.result(10)
        wait_until("nothing is left", lambda: not cluster.router.admin.names(own))
        for process in (cluster.nodes[0], cluster.admins[0]):
            process.start()
            assert process.process is not None
            assert process.process.wait(60) == 1
            assert "Start the Kafka that it belongs to, or restore it" in process.log.read_text()
        assert not cluster.router.admin.names(own)
    finally:
        cluster.stop()


def test_an_unsafe_topic_is_refused_by_the_name_of_its_setting(broker: LocalBroker, tmp_path: Path) -> None:
    bootstrap, topics = broker.identity.bootstrap, Topics(f"t{time.time_ns()}")
    new = NewTopic(topics.admin_log().name, 1, 1, config={"cleanup.policy": "compact"})
    client = AdminClient({"bootstrap.servers": bootstrap})
    client.create_topics([new])[new.topic].result(10)
    data = {
        "DYNABUS_NAME": "admin-1",
        "DYNABUS_ZONE": "a",
        "DYNABUS_KAFKA": bootstrap,
        "DYNABUS_NAMESPACE": topics.namespace,
        "DYNABUS_DATA": str(tmp_path / "admin"),
    }
    ended = subprocess.run(COMMAND, env={**os.environ, **data}, capture_output=True, text=True, timeout=30)
    assert ended.returncode == 1
    assert "cleanup.policy" in ended.stderr


def test_idle_costs_next_to_nothing(cluster: Cluster) -> None:
    process = cluster.admins[0].process
    assert process is not None

    def ticks() -> int:
        fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])

    def used() -> float:
        """Of a core, for ten seconds."""
        began_ms, before = monotonic_ms(), ticks()
        wait_until("ten seconds have passed", lambda: monotonic_ms() - began_ms > 10_000)
        return (ticks() - before) / os.sysconf("SC_CLK_TCK") / ((monotonic_ms() - began_ms) / 1000)

    # It may have just started, and each wake-up costs more beside others: what spins does so in all of them.
    seen: list[float] = []
    while not seen or seen[-1] > 0.015:
        assert len(seen) < 6, seen
        seen.append(used())
