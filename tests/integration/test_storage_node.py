"""Storage nodes as processes over a real broker; auto-admin and router are stand-ins."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from confluent_kafka import Producer

from dynabus.adapters.kafka.local import LocalBroker, start_local_broker
from dynabus.adapters.kafka.settings import KafkaSettings
from dynabus.adapters.kafka.topics import TopicAdmin
from dynabus.core.global_tables.pages import ROWS_MOST, rows_of, rows_part
from dynabus.core.messages import ReplyStatus, RequestPart
from dynabus.core.rows import decode_row
from dynabus.core.topics import Topics
from tests.integration.stand_ins import AutoAdmin, Node, Router, get, put, wait_until

pytestmark = [pytest.mark.broker, pytest.mark.alone, pytest.mark.slow]

NAMES = ("node-1", "node-2", "node-3")
FAIL_OVER_S, HAND_OVER_S = 6.0, 0.5


class Group:
    """A broker, three nodes, a stand-in for auto-admin and one for a router."""

    def __init__(self, folder: Path, broker: LocalBroker) -> None:
        self.folder, self.broker = folder, broker
        self.settings = KafkaSettings(broker.identity.bootstrap, f"t{time.time_ns()}", "test")
        self.topics = Topics(self.settings.namespace)
        self.admin = AutoAdmin(self.settings)
        self.nodes = {
            name: Node(broker.identity.bootstrap, self.settings.namespace, name, zone, folder)
            for name, zone in zip(NAMES, "abc", strict=True)
        }
        self.router = Router(self.settings, NAMES)

    def start(self) -> None:
        """Whoever does not run; returns when all are ready."""
        for node in self.nodes.values():
            if node.process is None or node.process.poll() is not None:
                node.start()
        for node in self.nodes.values():
            wait_until(f"{node.name} is ready", node.is_ready)

    def stop(self) -> None:
        for node in self.nodes.values():
            if node.process is not None and node.process.poll() is None:
                node.end(signal.SIGTERM)

    def table(self, *members: str) -> str:
        """A table whose leader serves: the first member, or node-1."""
        log = self.admin.create_table(members or NAMES)
        self.router.leader = (members or NAMES)[0]
        assert self.put(log, "first", 0) == ReplyStatus.OK
        return log

    def put(self, log: str, key: str, version: int) -> int:
        return self.router.ask(put(log, key, {"pk": {"S": key}, "n": {"N": str(version)}}))["status"]

    def version(self, log: str, key: str, node: str | None = None) -> int | None:
        """Of the leader, or what that node's replica has."""
        reply = self.router.ask(get(log, key, consistent=node is None), node=node)
        body: bytes = reply["body"]
        return int(body.rpartition(b'"N": "')[2].partition(b'"')[0]) if reply["count"] else None

    def has(self, log: str, key: str, version: int, node: str) -> bool:
        """Whether that node's replica has this version."""
        return self.version(log, key, node) == version


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalBroker]:
    folder = tmp_path_factory.mktemp("broker")
    broker = start_local_broker(folder / "kafka", folder / "kafka.log", lambda _line: None)
    yield broker
    broker.process.terminate()
    broker.process.wait(60)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, broker: LocalBroker) -> Iterator[Group]:
    group = Group(tmp_path_factory.mktemp("nodes"), broker)
    yield group
    group.stop()


@pytest.fixture
def group(running: Group) -> Group:
    running.start()
    return running


def test_put_and_get(group: Group) -> None:
    log = group.table()
    assert group.put(log, "a", 1) == ReplyStatus.OK
    assert group.version(log, "a") == 1
    assert group.version(log, "b") is None
    for name in NAMES:
        wait_until(f"{name} has it", partial(group.has, log, "a", 1, name))


def test_a_new_table_is_served_within_a_second(group: Group) -> None:
    log = group.admin.create_table(NAMES)
    group.router.leader = NAMES[0]
    started = time.monotonic()
    assert group.put(log, "a", 1) == ReplyStatus.OK
    assert time.monotonic() - started < 1.0


def test_the_leader_gives_its_rows_as_they_are_stored_page_by_page(group: Group) -> None:
    log = group.table()
    for number in range(ROWS_MOST + 5):
        assert group.put(log, f"k{number:04}", number) == ReplyStatus.OK
    group.admin.publish(log, "ACTIVE", NAMES, regions=("eu", "us"))
    first = rows_of(group.router.ask(rows_part(log, 0, 1, b"", "us")))
    assert len(first.rows) == ROWS_MOST
    assert first.behind is not None
    rest = rows_of(group.router.ask(rows_part(log, 0, 1, first.behind, "us")))
    assert rest.behind is None
    found = {key: decode_row(row).item_json for key, row in (*first.rows, *rest.rows)}
    assert len(found) == ROWS_MOST + 6
    assert b'"504"' in found[b"k0504"]
    assert group.router.ask(rows_part(log, 0, 1, b"", "us"), node="node-2")["status"] == ReplyStatus.NOT_LEADER


def test_only_the_leader_takes_writes(group: Group) -> None:
    log = group.table()
    reply = group.router.ask(put(log, "a", {}), node="node-2")
    assert (reply["status"], reply["body"]) == (ReplyStatus.NOT_LEADER, b"node-1")
    reply = group.router.ask(get("0" * 32, "a"), node="node-2")
    assert reply["status"] == ReplyStatus.STALE_ROUTE


def test_a_repeated_request_is_applied_once(group: Group) -> None:
    log, router = group.table(), group.router
    counter = router.next_counter()
    part = put(log, "a", {"n": {"N": "1"}})
    sequence = group.nodes["node-1"].replica(log)["sequence"]
    for _ in range(3):
        router.send("node-1", counter, [part])
        wait_until("answered", lambda: any(c == counter for c, _ in router.receive(1)))
    wait_until("heartbeat", lambda: group.nodes["node-1"].replica(log)["sequence"] > sequence)
    assert group.put(log, "b", 1) == ReplyStatus.OK
    wait_until("three writes in all", lambda: group.nodes["node-1"].replica(log)["sequence"] == 3)


def test_kill_and_restart_keeps_data(group: Group) -> None:
    log = group.table("node-2")
    for version in range(100):
        assert group.put(log, f"k{version}", version) == ReplyStatus.OK
    group.nodes["node-2"].end(signal.SIGKILL)
    group.start()
    assert [group.version(log, f"k{version}") for version in range(100)] == list(range(100))


def test_what_a_host_crash_left_is_rebuilt_from_the_log(group: Group) -> None:
    log = group.table("node-2")
    assert group.put(log, "a", 1) == ReplyStatus.OK
    group.nodes["node-2"].end(signal.SIGKILL)
    state = group.folder / "node-2" / log / "0" / "state"
    left = json.loads(state.read_text())
    assert left["state"] == "dirty"
    state.write_text(json.dumps({**left, "boot_id": "another boot"}))
    group.start()
    assert group.version(log, "a") == 1
    lost = [line for line in group.nodes["node-2"].log.read_text().splitlines() if '"store lost"' in line]
    assert [json.loads(line)["restored"] for line in lost] == [False], "there is no checkpoint of it yet"


def test_the_leader_is_killed(group: Group) -> None:
    log = group.table()
    for version in range(100):
        assert group.put(log, f"k{version}", version) == ReplyStatus.OK
    group.nodes["node-1"].end(signal.SIGKILL)
    started = time.monotonic()
    assert group.put(log, "after", 1) == ReplyStatus.OK
    took = time.monotonic() - started
    print(f"\nfail-over: {took:.2f} s")
    assert took <= FAIL_OVER_S
    assert group.router.leader != "node-1"
    assert [group.version(log, f"k{version}") for version in range(100)] == list(range(100))


def test_planned_stop_hands_over(group: Group) -> None:
    log = group.table()
    wait_until(
        "all are active", lambda: all(group.nodes[name].replica(log).get("state") == "active" for name in NAMES)
    )
    # A log that was only just opened joins its reader's fetches when the parked one is back, after up to 500 ms:
    # records that the followers have read show that this is over.
    for version in range(3):
        assert group.put(log, "before", version) == ReplyStatus.OK
        for name in NAMES[1:]:
            wait_until("the follower has it", partial(group.has, log, "before", version, name))
    started = time.monotonic()
    stopped = group.nodes["node-1"]
    assert stopped.process is not None
    stopped.process.send_signal(signal.SIGTERM)
    wait_until(
        "another leader",
        lambda: any(group.nodes[name].metric("replica_leads") for name in NAMES[1:] if leads(group, name, log)),
        5.0,
    )
    took = time.monotonic() - started
    print(f"\nhand-over: {took:.2f} s")
    assert took <= HAND_OVER_S
    assert stopped.process.wait(10) == 0
    assert b"clean" in (group.folder / "node-1" / log / "0" / "state").read_bytes()
    assert group.put(log, "after", 1) == ReplyStatus.OK


def leads(group: Group, name: str, log: str) -> bool:
    lines = group.nodes[name].get("/metrics")[1].splitlines()
    return any(line.startswith("dynabus_replica_leads") and log in line and line.endswith(" 1.0") for line in lines)


def test_a_restarted_replica_catches_up(group: Group) -> None:
    log = group.table()
    group.nodes["node-3"].end(signal.SIGKILL)
    for version in range(500):
        assert group.put(log, "k", version) == ReplyStatus.OK
    group.start()
    wait_until("caught up", lambda: group.version(log, "k", "node-3") == 499)


def test_rubbish_is_counted_and_skipped(group: Group) -> None:
    log, node = group.table(), group.nodes["node-1"]
    before = node.metric("node_undecodable"), node.metric("node_void_records")
    producer = Producer(dict(group.settings.request_producer()))
    for topic in (group.topics.requests("node-1").name, group.topics.heartbeats().name):  # type: ignore[arg-type]
        producer.produce(topic, b"rubbish")
    producer.produce(group.topics.metadata().name, b"rubbish", b"table/x")
    producer.produce(group.topics.log_name(log), b"rubbish")  # type: ignore[arg-type]
    assert producer.flush(10) == 0
    wait_until("counted", lambda: node.metric("node_undecodable") == before[0] + 3)
    wait_until("void", lambda: node.metric("node_void_records") == before[1] + 1)
    assert group.put(log, "a", 1) == ReplyStatus.OK


def test_requests_out_of_budget_are_dropped(group: Group) -> None:
    log, node = group.table(), group.nodes["node-1"]
    before = node.metric("node_expired")
    group.router.send("node-1", group.router.next_counter(), [put(log, "a", {})], budget_ms=-1)
    wait_until("dropped", lambda: node.metric("node_expired") == before + 1)
    assert group.version(log, "a") is None


def test_a_deleted_table_leaves_nothing(group: Group) -> None:
    log = group.table()
    group.admin.publish(log, "DELETING", NAMES)
    for name in NAMES:
        wait_until("gone", lambda name=name: not (group.folder / name / log).exists())  # type: ignore[misc]
    assert group.router.ask(get(log, "first"), node="node-1")["status"] == ReplyStatus.STALE_ROUTE


def test_a_log_made_anew_freezes_its_replicas(group: Group) -> None:
    log = group.table("node-3")
    group.nodes["node-3"].end(signal.SIGTERM)
    topic = group.topics.log(log, 1)  # type: ignore[arg-type]
    admin = TopicAdmin(group.settings)
    admin.delete([topic.name])
    wait_until("deleted", lambda: topic.name not in admin.names(topic.name))
    admin.ensure([topic])
    group.start()
    wait_until("frozen", lambda: group.nodes["node-3"].replica(log).get("state") == "frozen")
    assert "restore that log" in group.nodes["node-3"].replica(log)["alarm"]
    assert group.router.ask(get(log, "first"), node="node-3")["status"] == ReplyStatus.STALE_ROUTE


def test_a_second_process_is_refused(group: Group) -> None:
    twin = Node(group.broker.identity.bootstrap, group.settings.namespace, "node-1", "a", group.folder)
    twin.log = group.folder / "twin.log"
    twin.start()
    assert twin.process is not None
    assert twin.process.wait(10) == 1
    (line,) = twin.log.read_text().splitlines()
    assert "used by another process" in line


def test_metrics_and_health(group: Group) -> None:
    group.table()
    node = group.nodes["node-1"]
    assert node.get("/healthz")[0] == 200
    assert node.metric("node_accepted_records") > 0
    assert node.metric("node_requests") > 0


def test_the_broker_is_killed_and_comes_back(tmp_path: Path) -> None:
    broker = start_local_broker(tmp_path / "kafka", tmp_path / "kafka.log", lambda _line: None)
    group = Group(tmp_path, broker)
    try:
        group.start()
        log = group.table()
        assert group.put(log, "a", 1) == ReplyStatus.OK
        broker.process.kill()
        broker.process.wait(10)
        broker = start_local_broker(tmp_path / "kafka", tmp_path / "kafka.log", lambda _line: None)
        assert group.router.ask(put(log, "b", {"n": {"N": "2"}}), 30.0)["status"] == ReplyStatus.OK
        assert group.version(log, "a") == 1
    finally:
        group.stop()
        broker.process.terminate()
        broker.process.wait(60)


def _within(timeout_s: float, condition: Callable[[], bool]) -> bool:
    """Whether the condition came true in time."""
    try:
        wait_until("the condition", condition, timeout_s)
    except AssertionError:
        return False
    return True


def test_appends_that_time_out_are_sent_again(group: Group, broker: LocalBroker) -> None:
    """The broker stands still for longer than appends may take: a new producer sends the same records again."""
    log, router, node = group.table(), group.router, group.nodes["node-1"]
    before = node.metric("node_producer_replacements")
    asked: dict[int, RequestPart] = {}
    # Appends must be under way when the broker stops; a quick node may just have none, and then it is tried again.
    for _ in range(10):
        asked = {router.next_counter(): put(log, f"k{number}", {"n": {"N": str(number)}}) for number in range(1000)}
        for counter, part in asked.items():
            router.send("node-1", counter, [part])
        wait_until("some are answered", lambda: router.receive(1))
        broker.process.send_signal(signal.SIGSTOP)
        try:
            replaced = _within(6.0, lambda: node.metric("node_producer_replacements") > before)
        finally:
            broker.process.send_signal(signal.SIGCONT)
        if replaced:
            break
    assert replaced
    for counter, part in asked.items():
        assert router.ask(part, 30.0, counter=counter)["status"] == ReplyStatus.OK
    assert group.version(log, "k999") == 999
