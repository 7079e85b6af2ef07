"""A node's part of admission: caps of its replicas, and leases of the tables whose first partition it leads."""

from __future__ import annotations

from typing import Any, cast
from unittest.mock import Mock

import orjson
from tests.unit.core.admission.tables import on_demand, provisioned
from tests.unit.storage_node.stand_ins import PARTITION, hosted, leading, regions
from tests.unit.storage_node.test_inbox import PUT, Message, Operations, request

from dynabus.adapters.codec import decode, encode
from dynabus.adapters.memory_store import MemoryStore
from dynabus.core.admission import Mode
from dynabus.core.admission.messages import LeaseRequest, TokenLease
from dynabus.core.ids import NodeName
from dynabus.core.messages import ReplyStatus, RequestPart
from dynabus.core.operations.calls import Code
from dynabus.core.replication.effects import Respond
from dynabus.core.replication.records import decode_record
from dynabus.core.replication.store import Decision, Outcome
from dynabus.storage_node.capacity.admission import NodeAdmission
from dynabus.storage_node.inbox import Inbox
from dynabus.storage_node.replicas.hosted import Hosted
from dynabus.storage_node.replicas.readers import Arrival


class Desk:
    """A node with one replica, caps of 2 read and 1 write units, and the leases that it sent."""

    def __init__(self, described: dict[str, Any], mode: Mode = Mode.ON, replica: Hosted | None = None) -> None:
        self.sent: list[tuple[str, TokenLease]] = []
        self.admission = NodeAdmission(
            mode, (2, 1), NodeName("node-1"), lambda *lease: self.sent.append(lease), regions()
        )
        self.replica = replica or leading()
        self.describe(described, 1)

    def describe(self, described: dict[str, Any], version: int, first: int = 0) -> None:
        partition = {
            "number": first,
            "generation": 1,
            "lower": b"",
            "upper": None,
            "members": ["node-1"],
            "preferred": "node-1",
            "state": "ACTIVE",
        }
        message = {
            "id": PARTITION.log,
            "name": "t",
            "version": version,
            "status": "ACTIVE",
            "description": orjson.dumps(described),
            "partitions": [partition],
        }
        self.admission.view.take("table_metadata", message, 0.0)

    def write(self, now_ms: float = 2.0) -> int:
        def evaluate(_old: bytes | None, _wall_ms: int) -> Decision:
            return Decision(True, b"row", Outcome(size=3))

        metered = self.admission.evaluation(self.replica, evaluate, part(Code.PUT), now_ms)
        return metered(None, 0).outcome.status

    def read(self, now_ms: float = 2.0) -> int:
        reading = self.admission.reading(self.replica, lambda _: Outcome(size=3), part(Code.GET), now_ms)
        return reading(MemoryStore()).status

    def lease(self, now_ms: float = 2.0, **more: Any) -> TokenLease | None:
        """The lease that a request is answered with."""
        sent = len(self.sent)
        self.admission.lease(self.replica, {**lease_request(), **more}, now_ms)  # type: ignore[typeddict-item]
        return self.sent[-1][1] if len(self.sent) > sent else None


def part(code: Code) -> RequestPart:
    return {
        "operation": code,
        "log": PARTITION.log,
        "partition": 0,
        "generation": 1,
        "consistent": True,
        "key": b"\0" * 8 + b"pk\0\0",
        "value": b"",
        "size": 3,
        "detail": b"",
    }


def lease_request() -> LeaseRequest:
    told = {"spent": 0, "confirmed": 0, "wanted": 100, "level": 0, "capacity": 0}
    return {
        "asker": "router-1",
        "incarnation": 5,
        "number": 1,
        "log": PARTITION.log,
        "partition": 0,
        "age_ms": -1,
        "shares": [dict(told), dict(told)],  # type: ignore[list-item]
    }


def test_a_partition_refuses_what_exceeds_its_cap_and_lists_it() -> None:
    desk = Desk(provisioned())
    assert [desk.write() for _ in range(2)] == [ReplyStatus.OK, ReplyStatus.THROTTLED]
    assert [desk.read() for _ in range(3)] == [ReplyStatus.OK, ReplyStatus.OK, ReplyStatus.THROTTLED]
    events = desk.admission.throttled.shown()["events"]
    assert [(event["table"], event["key"], event["reason"]) for event in events] == [
        ("t", "pk", "TableWriteKeyRangeThroughputExceeded"),
        ("t", "pk", "TableReadKeyRangeThroughputExceeded"),
    ]


def test_a_report_refuses_nothing() -> None:
    desk = Desk(provisioned(), Mode.REPORT)
    assert {desk.write() for _ in range(5)} == {ReplyStatus.OK}
    assert desk.admission.throttled.counts == {("t", "TableWriteKeyRangeThroughputExceeded"): 4}


def test_off_measures_nothing_and_still_grants_leases() -> None:
    desk = Desk(provisioned(), Mode.OFF)
    assert {desk.write() for _ in range(5)} == {ReplyStatus.OK}
    assert desk.replica.meter is None
    assert desk.lease() is not None


def test_a_changed_table_changes_caps() -> None:
    desk = Desk(provisioned())
    desk.write()
    desk.describe(on_demand(), 2)
    assert {desk.write(now_ms=1000.0) for _ in range(3900)} == {ReplyStatus.OK}


def test_the_leader_of_the_first_partition_grants_leases() -> None:
    desk = Desk(provisioned(read=7, write=5))
    lease = desk.lease()
    assert lease is not None
    assert desk.sent[0][0] == "router-1"
    assert [grant["granted"] for grant in lease["shares"]] == [100, 100]
    assert [grant["level"] for grant in lease["shares"]] == [7 * 600, 5 * 600]


def test_a_changed_table_changes_its_buckets() -> None:
    desk = Desk(provisioned(write=5))
    desk.lease()
    desk.describe(provisioned(write=50), 2)
    lease = desk.lease(number=2)
    assert lease is not None
    assert (lease["shares"][1]["capacity"], lease["shares"][1]["level"]) == (100, 30_000)


def test_others_do_not_answer() -> None:
    follower = Desk(provisioned(), replica=hosted())
    assert follower.lease() is None
    desk = Desk(provisioned())
    assert desk.lease(log="f" * 32) is None
    desk.describe(provisioned(), 2, first=3)
    assert desk.lease(number=9) is None, "another partition is the first one now"
    desk.admission.lease(None, lease_request(), 2.0)
    assert desk.sent == []


def test_a_leader_after_another_believes_what_routers_heard() -> None:
    desk = Desk(provisioned(write=5))
    desk.lease()
    leader = desk.replica.replica.leader
    assert leader is not None
    leader.seat = leader.seat._replace(term=2, accepted_ms=10_000.0)
    told = {"spent": 900, "confirmed": 900, "wanted": 500, "level": 40, "capacity": 10}
    lease = desk.lease(now_ms=11_000.0, number=7, age_ms=2000, shares=[told, told])
    assert lease is not None
    assert lease["shares"][1]["level"] == 40 + 2 * 10


def test_who_is_the_first_since_a_lower_partition_was_split_believes_what_routers_heard() -> None:
    """It may have led for long, by a claim that was its log's first."""
    desk = Desk(provisioned(write=5))
    replica = desk.replica.replica
    origin = replica.place.origin
    replica.place = replica.place._replace(origin=origin._replace(partition=origin.partition._replace(number=3)))
    desk.describe(provisioned(write=5), 2, first=3)
    told = {"spent": 900, "confirmed": 900, "wanted": 500, "level": 40, "capacity": 10}
    lease = desk.lease(now_ms=3_600_000.0, partition=3, number=7, age_ms=2000, shares=[told, told])
    assert lease is not None
    assert lease["shares"][1]["level"] == 40 + 2 * 10


def inbox_of(desk: Desk) -> Inbox:
    """That finds the desk's replica and asks its admission; the rest goes nowhere."""
    return Inbox(
        cast("Any", Operations),
        lambda *_: desk.replica,
        lambda *_: None,
        Mock(),
        desk.admission,
        Mock(),
        Mock(),
        Mock(),
        Mock(),
    )


def test_a_resend_of_what_is_under_way_or_applied_is_never_refused() -> None:
    desk = Desk(provisioned())
    inbox = inbox_of(desk)
    replica = desk.replica.replica
    replica.take_effects()

    def statuses(counter: int) -> list[int]:
        inbox.take(cast("Arrival", Message(request(PUT, counter=counter))), 2.0, 0)
        return [effect.outcome.status for effect in replica.take_effects() if isinstance(effect, Respond)]

    inbox.take(cast("Arrival", Message(request(PUT, counter=1))), 2.0, 0)
    assert statuses(1) == [], "its record is not accepted yet, and no second one was made"
    assert replica.leader is not None
    assert len(replica.leader.unresolved) == 1
    appended = [sent.value for sent in replica.leader.unresolved.records]
    offset = replica.place.next_offset
    desk.replica.read_log([decode_record(offset, 0, appended[0])], 2.0)
    assert [effect.outcome.status for effect in replica.take_effects() if isinstance(effect, Respond)] == [0]
    assert statuses(1) == [ReplyStatus.OK]
    assert statuses(2) == [ReplyStatus.THROTTLED]
    assert statuses(2) == [ReplyStatus.THROTTLED]


def test_requests_for_leases_and_leases_travel_as_they_are() -> None:
    desk = Desk(provisioned())
    inbox = inbox_of(desk)
    inbox.take(cast("Arrival", Message(encode("lease_request", lease_request()))), 2.0, 0)
    ((asker, lease),) = desk.sent
    assert asker == "router-1"
    assert decode(encode("lease", lease)) == ("lease", lease)
