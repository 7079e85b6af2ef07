"""A member of a global table that goes before all others have its writes, over a real broker: three regions of one
Kafka, their RepOut and RepIn as processes, initial copies as ReplAdmin makes them."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, TopicPartition

from dynabus.adapters.codec import decode
from dynabus.adapters.kafka.local import LocalBroker, start_local_broker
from dynabus.adapters.replication_codec import decode_batch
from dynabus.core.global_tables.versions import Stamp
from dynabus.repl_admin.copying import Copies
from tests.integration.replication_stage import Region, Service
from tests.integration.stand_ins import wait_until

pytestmark = [pytest.mark.broker, pytest.mark.slow]

WAIT_S, TABLE = 60.0, "music"
OLD, LATE = 30, 40


class Stage:
    """`ap` reaches `us` and never `eu`; these two reach each other."""

    def __init__(self, folder: Path, broker: LocalBroker) -> None:
        bootstrap, run = broker.identity.bootstrap, time.time_ns()
        self.us, self.eu, self.ap = (Region(bootstrap, name, f"{name}{run}", [TABLE]) for name in ("us", "eu", "ap"))
        self.regions = (self.us, self.eu, self.ap)
        for region in self.regions:
            region.meet_peers(*(each for each in self.regions if each is not region))
        self.ap.publish_link(TABLE, "eu", "DELETING")
        names = [(region, kind) for region in (self.us, self.eu) for kind in ("rep-out", "rep-in")]
        self.services = {
            (region.name, kind): Service(kind, region, folder, f"{kind}-1")
            for region, kind in [*names, (self.ap, "rep-out")]
        }
        self.copies = [Copies(region.kafka, "repl-admin-1", 20_000, 4) for region in (self.us, self.eu)]
        for service in self.services.values():
            service.start()

    def close(self) -> None:
        for each in self.copies:
            each.close()
        for service in self.services.values():
            if service.process is not None and service.process.poll() is None:
                assert service.end(signal.SIGTERM) == 0, service.log.read_text()[-3000:]
        for region in self.regions:
            region.close()

    def by_ap(self, region: Region) -> int:
        return len([1 for _, version in [*region.items.values()] if version.stamp.region == "ap"])

    def is_equal(self) -> bool:
        return shown(self.us) == shown(self.eu)

    def are_copied(self) -> bool:
        for each in self.copies:
            each.turn(0)
        return all(each.jobs and all(job.copy.is_done for job in each.jobs.values()) for each in self.copies)


def shown(region: Region) -> dict[bytes, tuple[Any, Stamp]]:
    return {key: (item, version.stamp) for (_, key), (item, version) in [*region.items.items()]}


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    broker = start_local_broker(tmp_path / "kafka", tmp_path / "kafka.log", lambda _line: None)
    made = Stage(tmp_path, broker)
    try:
        yield made
    finally:
        made.close()
        broker.process.terminate()
        broker.process.wait(60)


def test_what_one_survivor_has_of_a_member_that_is_gone_the_other_gets(stage: Stage) -> None:
    us, eu, ap = stage.regions
    for region in (us, ap):
        region.fill(TABLE, OLD, by="ap")
    for number in range(200):
        ap.write(TABLE, f"k{number}", "ap")
        ap.write(TABLE, f"k{number - 100}", None)
        us.write(TABLE, f"k{number + 150}", "us")
        eu.write(TABLE, f"k{number + 180}", "eu")
    wait_until("ap's changes are in us", lambda: stage.by_ap(us) == stage.by_ap(ap), WAIT_S)
    eu.write(TABLE, "last", "eu")
    us.write(TABLE, "last", "us")
    wait_until("us and eu have each other's", lambda: len(eu.items) >= 200 and "us" in last(eu) + last(us), WAIT_S)
    assert stage.by_ap(eu) == 0
    # What comes behind the copy's rows: it is in us's Kafka, and not decided yet.
    us.throttled.add(TABLE)
    before = delivered(stage)
    for number in range(LATE):
        ap.write(TABLE, f"late{number}", "ap")
    wait_until("they are there", lambda: delivered(stage) >= before + LATE, WAIT_S)
    stage.services["ap", "rep-out"].end(signal.SIGKILL)
    for region, other in ((us, eu), (eu, us)):
        region.publish_table(TABLE, [region.name, other.name, "ap"])
        region.publish_link(TABLE, "ap", "DELETING")
        region.publish_link(TABLE, other.name, "COPYING", former=("ap",))
    wait_until("rows are copied, or wait", lambda: stage.are_copied() or is_sent(stage), WAIT_S)
    us.throttled.clear()
    wait_until("all is copied", stage.are_copied, WAIT_S)
    wait_until("ap's last changes are in us", lambda: stage.by_ap(us) == stage.by_ap(ap), WAIT_S)
    wait_until("us and eu are equal", stage.is_equal, WAIT_S)
    assert stage.by_ap(eu) == stage.by_ap(ap) >= 150 + OLD + LATE
    assert told(us) == {"Destination": "eu"}


def last(region: Region) -> str:
    return "".join(str(item["v"]) for item, _ in [*region.items.values()] if item and item["pk"]["S"] == "last")


def delivered(stage: Stage) -> int:
    """Changes of ap that are in us's Kafka, repeats among them."""
    topic = stage.us.topics.replication("ap")
    consumer = Consumer(stage.us.kafka.loop_consumer())
    consumer.assign([TopicPartition(topic.name, number, 0) for number in range(topic.partitions)])
    count = 0
    try:
        while (message := consumer.poll(2.0)) is not None:
            count += len(decode_batch(message.value()).batch.exports) if message.error() is None else 0
    finally:
        consumer.close()
    return count


def is_sent(stage: Stage) -> bool:
    """From us: eu has what its copy has, and us cannot be written."""
    jobs = [*stage.copies[0].jobs.values()]
    return bool(jobs) and all(job.copy.is_done for job in jobs)


def told(region: Region) -> dict[str, str]:
    """To its auto-admin."""
    control = Consumer(region.kafka.loop_consumer())
    control.assign([TopicPartition(region.topics.control().name, 0, 0)])
    try:
        message = wait_until("auto-admin is told", lambda: control.poll(0.1), WAIT_S)
    finally:
        control.close()
    body = json.loads(decode(message.value())[1]["body"])
    return {"Destination": body["Destination"]}
