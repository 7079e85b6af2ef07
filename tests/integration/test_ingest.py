"""Tables written through a real Kafka: routers are killed under load, and each command counts once, in order."""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, ConsumerGroupState, Producer
from confluent_kafka.admin import AdminClient

from dynabus.core.topics import Topics
from tests.integration.cluster import RunningCluster, client, kill, running, wait_until
from tests.integration.streams import items_of
from tests.integration.test_splits import numbers, split

pytestmark = pytest.mark.broker


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCluster]:
    with running(tmp_path_factory.mktemp("ingest"), "--routers", "2", "--throttling", "report") as made:
        yield made


class Commands:
    """A producer of commands to a table, and its outcomes as they come."""

    def __init__(self, cluster: RunningCluster, table: str) -> None:
        cluster.create_table(table)
        cluster.command("admin", "ingest", table, "on")
        self.cluster, self.table = cluster, table
        kafka = cluster.status()["kafka"]["bootstrap"]
        self._producer = Producer({"bootstrap.servers": kafka, "enable.idempotence": True})
        topics = self._producer.list_topics
        self.topic, self.outcomes_topic = f"dynabus.ingest.{table}", f"dynabus.outcomes.{table}"
        wait_until("topics", lambda: {self.topic, self.outcomes_topic} <= topics(timeout=5).topics.keys(), 60)
        self.outcomes: dict[tuple[int, int, int], dict[str, Any]] = {}
        self.repeats = 0
        self._consumer = _consumer(kafka, self.outcomes_topic)
        self._dead = _consumer(kafka, "dynabus.dead-letters")
        self.dead: list[tuple[dict[str, bytes], bytes | None]] = []
        self.sent = 0

    def send(self, value: Any, key: str = "k") -> None:
        raw = value if isinstance(value, bytes) else json.dumps(value).encode()
        self._producer.produce(self.topic, raw, key)
        self.sent += len(value) if isinstance(value, list) else 1
        self._producer.poll(0)

    def flush(self) -> None:
        assert self._producer.flush(30) == 0

    def read(self, wait_s: float = 0.2) -> int:
        """Outcomes so far; a repeat must say the same."""
        for message in self._consumer.consume(1000, timeout=wait_s):
            assert message.error() is None, message.error()
            told = json.loads(message.value() or b"")
            known = self.outcomes.setdefault((told["partition"], told["offset"], told["index"]), told)
            self.repeats += known is not told
            assert {**known, "seen": None} == {**told, "seen": None}
        return len(self.outcomes)

    def read_dead(self) -> int:
        for message in self._dead.consume(1000, timeout=0.2):
            assert message.error() is None, message.error()
            headers: Any = message.headers()
            self.dead.append((dict(headers), message.value()))
        return len(self.dead)

    def wait(self, timeout_s: float = 120) -> None:
        self.flush()
        wait_until(f"outcomes of all {self.sent}", lambda: self.read() >= self.sent, timeout_s)
        assert len(self.outcomes) == self.sent

    def close(self) -> None:
        self._consumer.close()
        self._dead.close()

    def __enter__(self) -> Commands:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _consumer(kafka: str, topic: str) -> Consumer:
    consumer = Consumer(
        {"bootstrap.servers": kafka, "group.id": f"test-{topic}-{time.time()}", "auto.offset.reset": "earliest"}
    )
    consumer.subscribe([topic])
    return consumer


def put(key: str, **more: Any) -> dict[str, Any]:
    return {"operation": "PutItem", "request": {"Item": {"pk": {"S": key}, "n": {"N": "0"}}}, **more}


def add(key: str, number: int, **more: Any) -> dict[str, Any]:
    """Counts, and notes the order: the condition is that the one before was the last."""
    request = {
        "Key": {"pk": {"S": key}},
        "UpdateExpression": "ADD n :one SET seen = list_append(if_not_exists(seen, :none), :number)",
        "ExpressionAttributeValues": {
            ":one": {"N": "1"},
            ":none": {"L": []},
            ":number": {"L": [{"N": str(number)}]},
        },
    }
    return {"operation": "UpdateItem", "request": request, **more}


def test_commands_and_their_outcomes(cluster: RunningCluster) -> None:
    with Commands(cluster, "first") as commands:
        commands.send([put("a", correlation_id="1"), add("a", 1), put("b")])
        failing = put("a", correlation_id="2")
        failing["request"]["ConditionExpression"] = "attribute_not_exists(pk)"
        commands.send(failing)
        commands.send({"operation": "UpdateItem", "request": {"Key": {"pk": {"N": "1"}}}})
        commands.send({"operation": "DeleteItem", "request": {"Key": {"pk": {"S": "b"}}, "ReturnValues": "ALL_OLD"}})
        commands.wait()
        told = [each for _, each in sorted(commands.outcomes.items())]
        assert [each["status"] for each in told] == ["APPLIED"] * 3 + ["REFUSED"] * 2 + ["APPLIED"]
        assert [each["correlation_id"] for each in told] == ["1", None, None, "2", None, None]
        assert told[3]["answer"]["__type"].endswith("#ConditionalCheckFailedException")
        assert told[4]["answer"]["__type"].endswith("#ValidationException")
        assert told[5]["answer"]["Attributes"] == {"pk": {"S": "b"}, "n": {"N": "0"}}
        assert items_of(cluster.port, "first") == {
            "a": {"pk": {"S": "a"}, "n": {"N": "1"}, "seen": {"L": [{"N": "1"}]}}
        }


def test_a_token_counts_once_and_for_one_command(cluster: RunningCluster) -> None:
    with Commands(cluster, "tokens") as commands:
        for _ in range(5):
            commands.send(add("a", 1, token="once"))
        commands.send(add("a", 2, token="once"))
        commands.wait()
        told = [each for _, each in sorted(commands.outcomes.items())]
        assert [each["status"] for each in told] == ["APPLIED"] * 5 + ["REFUSED"]
        assert told[5]["answer"]["__type"].endswith("#IdempotentParameterMismatchException")
        assert items_of(cluster.port, "tokens")["a"]["n"] == {"N": "1"}


def test_poison_is_buried_and_what_follows_goes_on(cluster: RunningCluster) -> None:
    with Commands(cluster, "poisoned") as commands:
        before = commands.read_dead()
        commands.send(b"\x00rubbish")
        commands.send(b"{")
        commands.send([put("a"), {"operation": "Scan", "request": {}, "correlation_id": "c"}])
        commands.send(put("b"))
        commands.flush()
        wait_until("three dead letters", lambda: commands.read_dead() >= before + 3, 60)
        wait_until("outcomes", lambda: commands.read() >= 3, 60)
        headers, value = commands.dead[-1]
        assert headers["topic"] == commands.topic.encode()
        assert headers["error"].startswith(b"operation is not one of")
        assert json.loads(value or b"") == {"operation": "Scan", "request": {}, "correlation_id": "c"}
        statuses = sorted(each["status"] for each in commands.outcomes.values())
        assert statuses == ["APPLIED", "APPLIED", "UNREADABLE"]
        assert items_of(cluster.port, "poisoned").keys() == {"a", "b"}


def names_nobody(dead: list[tuple[dict[str, bytes], bytes | None]]) -> bool:
    return any(b"no-such-table" in (value or b"") for _, value in dead)


def test_the_common_topic(cluster: RunningCluster) -> None:
    with Commands(cluster, "named") as commands:
        commands.topic = "dynabus.ingest"

        def is_decided() -> bool:
            # Until its router knows the table a command here is a dead letter.
            commands.send([put("a", table="named"), put("a", table="no-such-table")])
            commands.flush()
            return commands.read(1.0) >= 1

        wait_until("an outcome", is_decided, 60)
        wait_until("its dead letter", lambda: commands.read_dead() and names_nobody(commands.dead), 60)
        assert items_of(cluster.port, "named").keys() == {"a"}


def test_each_command_counts_once_in_order_whoever_is_killed(cluster: RunningCluster) -> None:
    """Routers, a leader, and a split, under load. Half have tokens, and some of these are sent twice; of the others
    only a command's place is its identity."""
    dice, keys = random.Random(5), [f"k{number}" for number in range(40)]
    count = dict.fromkeys(keys, 0)
    with Commands(cluster, "loaded") as commands:

        def load(seconds: float) -> None:
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                key = dice.choice(keys)
                batch, has_tokens = [], dice.random() < 0.5
                for _ in range(dice.randint(1, 5)):
                    count[key] += 1
                    token = {"token": f"{key}/{count[key]}"} if has_tokens else {}
                    batch.append(add(key, count[key], **token))
                for _ in range(dice.randint(1, 2) if has_tokens else 1):
                    commands.send(batch if len(batch) > 1 else batch[0], key)
                commands.read(0.01)

        load(4)
        for _ in range(2):
            kill(dice.choice([*cluster.pids("request-router").values()]))
            load(4)
            cluster.up()
            load(2)
        split(cluster, "loaded", numbers(cluster, "loaded")[0])
        load(2)
        kill(cluster.pids("storage-node")[_leader(cluster, "loaded")])
        load(6)
        cluster.up()
        commands.wait(240)
        items = items_of(cluster.port, "loaded")
        for key, sent in count.items():
            if sent:
                seen = [int(each["N"]) for each in items[key]["seen"]["L"]]
                assert seen == list(range(1, sent + 1)), key
                assert items[key]["n"] == {"N": str(sent)}
        print(f"{commands.sent} commands, {commands.repeats} outcomes came again")


def test_the_documents_producer_works(cluster: RunningCluster) -> None:
    """An ingest producer in ten lines, as docs/ingest.md has it."""
    document = (Path(__file__).parents[2] / "docs" / "ingest.md").read_text()
    program = re.findall(r"```python\n(.*?)```", document, re.DOTALL)[0]
    with Commands(cluster, "music"):
        kafka = cluster.status()["kafka"]["bootstrap"]
        program = program.replace("127.0.0.1:9092", kafka)
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, timeout=90, check=False
        )
    assert '"status":"APPLIED"' in done.stdout, done.stderr
    assert items_of(cluster.port, "music").keys() == {"Nina Simone"}


def _leader(cluster: RunningCluster, table: str) -> str:
    """Of a child of the split."""
    led: str = wait_until(
        "a child has a leader", lambda: cluster.partition(table, numbers(cluster, table)[-1]).get("leader"), 60
    )
    return led


def is_read(cluster: RunningCluster, table: str) -> bool:
    """By a router, as far as its group is settled."""
    admin = AdminClient({"bootstrap.servers": cluster.status()["kafka"]["bootstrap"], "log_level": 0})
    group = Topics("dynabus").ingesters
    found = admin.describe_consumer_groups([group])[group].result()
    topics = {each.topic for member in found.members for each in member.assignment.topic_partitions}
    is_settled = found.state in (ConsumerGroupState.STABLE, ConsumerGroupState.EMPTY)
    return not is_settled or f"dynabus.ingest.{table}" in topics


def test_off_and_on_again(cluster: RunningCluster) -> None:
    with Commands(cluster, "switched") as commands:
        commands.send(put("a"))
        commands.wait()
        cluster.command("admin", "ingest", "switched", "off")
        wait_until("no router reads commands of the table", lambda: not is_read(cluster, "switched"), 60)
        commands.send(put("b"))
        commands.flush()
        time.sleep(3)
        assert commands.read() == 1
        cluster.command("admin", "ingest", "switched", "on")
        commands.wait()
        client(cluster.port).delete_table(TableName="switched")
        client(cluster.port).get_waiter("table_not_exists").wait(TableName="switched", WaiterConfig={"Delay": 1})
        wait_until("its topics are gone", lambda: commands.topic not in _topics(commands), 60)


def _topics(commands: Commands) -> set[str]:
    return set(commands._producer.list_topics(timeout=5).topics)
