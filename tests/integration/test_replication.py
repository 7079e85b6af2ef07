"""RepOut and RepIn as processes over a real broker, from one region's stream to another one's leaders."""

from __future__ import annotations

import json
import random
import signal
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, TopicPartition

from dynabus.adapters.codec import decode
from dynabus.adapters.kafka.local import LocalBroker, start_local_broker
from dynabus.adapters.kafka.topics import TopicAdmin, TopicError
from dynabus.adapters.replication_codec import encode_batch
from dynabus.core.global_tables.rep_out import Batch
from dynabus.core.global_tables.versions import Meeting
from dynabus.core.topics import Topic
from dynabus.repl_admin.copying import Copies
from tests.integration.replication_stage import LABEL, REFUSED, Region, Service
from tests.integration.stand_ins import wait_until

pytestmark = [pytest.mark.broker, pytest.mark.slow]

WAIT_S = 60.0


class Stage:
    """Two regions that send to each other."""

    def __init__(self, folder: Path, broker: LocalBroker) -> None:
        self.folder = folder
        bootstrap, run = broker.identity.bootstrap, time.time_ns()
        self.us = Region(bootstrap, "us", f"us{run}", ["music", "films"])
        self.eu = Region(bootstrap, "eu", f"eu{run}", ["music", "films"])
        self.us.meet_peers(self.eu)
        self.eu.meet_peers(self.us)
        self.services: dict[str, Service] = {}

    def run(self, *names: str, **settings: object) -> None:
        """`us.rep-out` and the like; again, if it has ended."""
        for name in names:
            if name not in self.services:
                region, _, kind = name.partition(".")
                self.services[name] = Service(kind, getattr(self, region), self.folder, f"{kind}-1", **settings)
            self.services[name].start()

    def kill(self, name: str) -> None:
        self.services[name].end(signal.SIGKILL)

    def close(self) -> None:
        for service in self.services.values():
            if service.process is not None and service.process.poll() is None:
                assert service.end(signal.SIGTERM) == 0, service.log.read_text()[-3000:]
        self.us.close()
        self.eu.close()

    def is_converged(self) -> bool:
        return self.us.items == self.eu.items

    def wait_until_converged(self) -> None:
        wait_until("regions are equal", self.is_converged, WAIT_S)

    def end_of(self, topic: Topic) -> int:
        admin = TopicAdmin(self.us.kafka)
        return sum(admin.extent(topic.name, number)[1] for number in range(topic.partitions))


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalBroker]:
    folder = tmp_path_factory.mktemp("broker")
    running = start_local_broker(folder / "kafka", folder / "kafka.log", lambda _line: None)
    yield running
    running.process.terminate()
    running.process.wait(60)


@pytest.fixture
def stage(tmp_path: Path, broker: LocalBroker) -> Iterator[Stage]:
    made = Stage(tmp_path, broker)
    try:
        yield made
    finally:
        made.close()


ALL = ("us.rep-out", "us.rep-in", "eu.rep-out", "eu.rep-in")


def test_both_regions_come_to_the_same_and_nothing_is_echoed(stage: Stage) -> None:
    stage.run(*ALL)
    for number in range(200):
        stage.us.write("music", f"k{number % 40}", f"us{number}")
        stage.eu.write("music", f"k{number % 40 + 20}", f"eu{number}")
        stage.us.write("films", f"f{number % 7}", None if number % 3 == 0 else str(number))
    stage.wait_until_converged()
    assert len(stage.us.items) == 67
    for region, other in (("us", "eu"), ("eu", "us")):
        assert {source for _, _, source in getattr(stage, region).meetings} == {other}
        wait_until("all is acknowledged", partial(is_done, stage, region), WAIT_S)
        service = stage.services[f"{region}.rep-out"]
        [told] = wait_until("status", service.status)["destinations"]
        assert told["region"] == other
        assert "alarm" not in told
        metrics = wait_until("metrics", partial(service.get, "/metrics"))
        assert f'dynabus_replication_latency_seconds_count{{destination="{other}",table="music"}}' in metrics
    repeats = [meeting for _, meeting, _ in stage.eu.meetings if meeting is Meeting.REPEAT]
    assert len(stage.eu.meetings) - len(repeats) <= 400


def is_done(stage: Stage, region: str) -> bool:
    return backlog(stage, region) == 0


def backlog(stage: Stage, region: str) -> int | None:
    told = stage.services[f"{region}.rep-out"].status().get("destinations", [{}])
    return told[0].get("backlog") if told else None


def test_whoever_is_killed_nothing_is_lost(stage: Stage) -> None:
    stage.run(*ALL, session_timeout_ms=6000)
    dice = random.Random(5)
    for number in range(2000):
        region = dice.choice((stage.us, stage.eu))
        region.write("music", f"k{dice.randrange(60)}", None if dice.random() < 0.2 else str(number))
        if number % 250 == 100:
            seen = len(region.meetings)
            wait_until("something arrives", lambda: len(region.meetings) > seen, WAIT_S)  # noqa: B023
            name = ALL[number // 250 % 4]
            stage.kill(name)
            stage.run(name)
    stage.wait_until_converged()
    met = {(region, meeting) for region in ("us", "eu") for _, meeting, _ in getattr(stage, region).meetings}
    assert ("eu", Meeting.REPEAT) in met or ("us", Meeting.REPEAT) in met, "the kills came at nobody's expense"


def test_a_destination_that_reads_nothing_gets_each_batch_few_times_and_catches_up(stage: Stage) -> None:
    stage.run("us.rep-out")
    for number in range(3000):
        stage.us.write("music", f"k{number}", "x" * 100)
    replication = stage.eu.topics.replication("us")
    wait_until("batches arrive", lambda: has(stage, replication, 4), WAIT_S)
    time_s = time.monotonic()
    wait_until("one is repeated", lambda: stage.end_of(replication) > 4, WAIT_S)
    assert time.monotonic() - time_s > 3
    assert stage.end_of(replication) <= 8
    [told] = stage.services["us.rep-out"].status()["destinations"]
    assert told["backlog"] == 3000
    stage.run("eu.rep-in")
    stage.wait_until_converged()


def has(stage: Stage, topic: Topic, count: int) -> bool:
    try:
        return stage.end_of(topic) >= count
    except TopicError:
        return False  # it is being made


def test_a_table_that_is_throttled_holds_back_no_other(stage: Stage) -> None:
    stage.eu.throttled.add("music")
    stage.run("us.rep-out", "eu.rep-in")
    for number in range(2000):
        stage.us.write("music", f"k{number}", "x")
    for number in range(50):
        stage.us.write("films", f"f{number}", "x")
    wait_until("films are there", lambda: len(stage.eu.items) == 50, WAIT_S)
    assert all(table == "films" for table, _ in stage.eu.items)
    stage.eu.throttled.clear()
    stage.wait_until_converged()


def test_a_child_shard_comes_after_its_parent(stage: Stage) -> None:
    stage.eu.throttled.add("music")
    stage.run("us.rep-out", "eu.rep-in")
    for number in range(300):
        stage.us.write("music", f"k{number}", "parent")
    stage.us.split("music", 0)
    for number in range(300):
        stage.us.write("music", f"k{number}", "child", 1 + number % 2)
    wait_until("the parent was read", lambda: (backlog(stage, "us") or 0) >= 300, WAIT_S)
    stage.kill("us.rep-out")
    stage.eu.throttled.clear()
    stage.run("us.rep-out")
    stage.wait_until_converged()
    news = [table for table, meeting, _ in stage.eu.meetings if meeting is Meeting.NEWS]
    assert len(news) == 600, "a parent's change came behind its child's, and was a repeat"


def test_what_can_never_be_decided_and_what_cannot_be_read_is_parked(stage: Stage) -> None:
    stage.run("us.rep-out", "eu.rep-in")
    stage.us.write("music", REFUSED, "x")
    stage.us.write("music", "k", "x")
    wait_until("the rest is there", lambda: len(stage.eu.items) == 1, WAIT_S)
    replication = stage.eu.topics.replication("us")
    good = encode_batch("us", "somebody", "music", Batch(1, []))
    stage.us.producer.produce(replication.name, good[:-1] + b"?", partition=3)
    stage.us.producer.produce(replication.name, good, partition=3)
    wait_until("it is told", lambda: len(stage.services["eu.rep-in"].status().get("alarms", ())) == 2, WAIT_S)
    change, batch = parked(stage, stage.eu.topics.parked("music")), parked(stage, stage.eu.topics.parked(None))
    assert (change["source"], change["reason"]) == ("us", "ValidationException: never")
    assert (batch["batch"], batch["reason"]) == (good[:-1] + b"?", "checksum does not match")
    [imports] = stage.services["eu.rep-in"].status()["imports"]
    assert (imports["news"], imports["parked"]) == (1, 1)
    wait_until("all is acknowledged", partial(is_done, stage, "us"), WAIT_S)


def parked(stage: Stage, topic: Topic) -> Any:
    consumer = Consumer(stage.eu.kafka.loop_consumer())
    consumer.assign([TopicPartition(topic.name, 0, 0)])
    try:
        message = wait_until(f"{topic.name} has something", lambda: consumer.poll(1.0), WAIT_S)
        return decode(message.value())[1]
    finally:
        consumer.close()


COPIED = 6000


def test_a_copy_goes_on_whoever_is_killed_and_auto_admin_is_told(stage: Stage) -> None:
    stage.us.fill("music", COPIED)
    stage.us.publish_link("music", "eu", "COPYING")
    control = Consumer(stage.us.kafka.loop_consumer())
    control.assign([TopicPartition(stage.us.topics.control().name, 0, 0)])
    stage.run("eu.rep-in", "us.rep-out")
    first, second = (Copies(stage.us.kafka, "repl-admin-1", 3000, 4) for _ in range(2))
    wait_until("much is there", partial(is_copied, stage, first, COPIED // 4), WAIT_S)
    first.close()
    stage.kill("eu.rep-in")
    stage.us.write("music", "old0", "newer")
    stage.run("eu.rep-in")
    wait_until("all is there", partial(is_copied, stage, second, COPIED), WAIT_S)
    request = wait_until("auto-admin is told", lambda: control.poll(0.1), WAIT_S)
    kind, told = decode(request.value())
    control.close()
    assert (kind, told["operation"]) == ("control_request", "ReplicaCopied")
    assert json.loads(told["body"])["Destination"] == "eu"
    stage.us.publish_link("music", "eu", "ACTIVE")
    wait_until("the copy ends", partial(is_over, second), WAIT_S)
    second.close()
    items = {where: item for where, (item, _) in stage.us.items.items()}
    wait_until("regions are equal", lambda: items == {at: item for at, (item, _) in stage.eu.items.items()}, WAIT_S)


def is_over(copies: Copies) -> bool:
    copies.turn(0)
    return not copies.jobs


def is_copied(stage: Stage, copies: Copies, count: int) -> bool:
    copies.turn(0)
    return len(stage.eu.items) >= count


def test_members_of_the_groups_share_the_work_and_follow_each_other(stage: Stage) -> None:
    stage.run(*ALL)
    for kind in ("rep-out", "rep-in"):
        stage.services[f"us.second-{kind}"] = Service(kind, stage.us, stage.folder, f"{kind}-2")
        stage.services[f"us.second-{kind}"].start()
    for number in range(400):
        stage.us.write("music" if number % 2 else "films", f"k{number}", "x")
        stage.eu.write("music" if number % 2 else "films", f"e{number}", "x")
        if number == 200:
            stage.kill("us.rep-out")
            stage.kill("us.rep-in")
    stage.wait_until_converged()
    assert stage.us.topics.stream_name("music", LABEL)
