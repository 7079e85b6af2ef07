"""A replica that is opened, or stood still, is compared with its log before it counts as one that follows it (I9)."""

from __future__ import annotations

from typing import Any, cast

from tests.unit.storage_node.stand_ins import leading

from dynabus.core.replication.place import Place
from dynabus.storage_node.replicas.following import Following
from dynabus.storage_node.replicas.hosted import Hosted
from dynabus.storage_node.replicas.readers import By, Log, Readers


class Consumers:
    """Remember who reads from where; all logs end at offset 9."""

    def __init__(self) -> None:
        self.catching_up: set[Log] = set()
        self.by: dict[Log, tuple[By, int]] = {}

    def read(self, by: By, logs: list[tuple[Log, Place]]) -> None:
        self.by.update((log, (by, place.next_offset)) for log, place in logs)
        self.catching_up = {log for log, (reader, _) in self.by.items() if reader is By.CATCH_UP}

    def end_offset(self, _log: Log) -> int:
        return 9

    def knows(self, _topic: str) -> bool:
        return True

    def reader_of(self, log: Log) -> By | None:
        return self.by[log][0] if log in self.by else None


def following(replica: Hosted) -> tuple[Following, Consumers]:
    consumers = Consumers()
    return Following(cast("Readers", cast("Any", consumers)), {replica.log: replica}), consumers


def at_the_end() -> Hosted:
    made = leading()
    made.replica.place = made.replica.place._replace(next_offset=9)
    return made


def test_one_at_the_end_waits_for_the_record_before_its_place() -> None:
    replica = at_the_end()
    made, consumers = following(replica)
    made.catch_up(replica, compare=True)
    made.move_caught_up()
    assert consumers.by[replica.log] == (By.CATCH_UP, 8)
    replica.comparing = False  # it came, and is what was read
    made.move_caught_up()
    assert consumers.by[replica.log] == (replica.best_read_by, 9)


def test_who_stood_still_is_compared_again() -> None:
    replica = at_the_end()
    made, consumers = following(replica)
    replica.replica.standstill.missed = True
    made.settle(replica)
    assert consumers.by[replica.log] == (By.CATCH_UP, 8)
    assert not replica.replica.standstill.missed


def test_what_kafka_was_asked_about_needs_no_comparison() -> None:
    replica = at_the_end()
    made, consumers = following(replica)
    made.catch_up(replica)
    made.move_caught_up()
    assert consumers.by[replica.log] == (replica.best_read_by, 9)
