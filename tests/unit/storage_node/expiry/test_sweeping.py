"""Sweeps of the partitions that a node leads: through the ordinary path, no faster than allowed, nothing twice."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import orjson
import pytest
from tests.unit.storage_node.stand_ins import BODIES, ME, leading

from dynabus.adapters.lmdb import LmdbStore
from dynabus.core.ids import Incarnation, RequestId
from dynabus.core.messages import ReplyStatus
from dynabus.core.replication.effects import Append, Write
from dynabus.core.replication.records import Form, Mutation, decode_record
from dynabus.core.replication.request_ids import encode_request_id
from dynabus.core.replication.store import Decision, Outcome
from dynabus.core.rows import encode_row
from dynabus.storage_node.expiry.sweeping import AGAIN_MS, BUSY_LOOK_MS, LOOK_MS, NOBODY, UNDER_WAY_MOST, Sweeps
from dynabus.storage_node.replicas.hosted import Hosted

WALL_MS = 1_800_000_000_000
NOW_S = WALL_MS // 1000
TABLE = "a" * 32
EXPIRING = {TABLE: "ttl"}
START_MS = 10_000.0


def row(expiry: int) -> bytes:
    return encode_row(orjson.dumps({"pk": {"S": "a"}, "ttl": {"N": str(expiry)}}), 10, 1)


class Node:
    """One replica that leads, and the node's sweeps; time goes on by looks."""

    def __init__(self, replica: Hosted, per_s: int = 1000) -> None:
        self.replica, self.sweeps, self.now_ms = replica, Sweeps(ME, per_s), START_MS
        self.written = 0

    def put(self, key: bytes, expiry: int) -> None:
        """As a client's write, appended and not read back."""
        self.written += 1
        request = encode_request_id(RequestId(Incarnation(99), self.written, 0))
        decide = partial(_put, row(expiry))
        self.replica.write(Write(NOBODY, request, 1, key, decide, 0), self.now_ms, WALL_MS)

    def look(self, expiring: dict[str, str] = EXPIRING) -> list[Hosted]:
        self.now_ms += LOOK_MS
        return self.sweeps.step({(TABLE, 0): self.replica}, expiring, self.now_ms, WALL_MS)

    def appended(self) -> list[Mutation]:
        """What it appended since; it is read back now."""
        values = [each.value for each in self.replica.replica.take_effects() if isinstance(each, Append)]
        offset = self.replica.replica.place.next_offset
        records = [decode_record(offset + index, 0, value) for index, value in enumerate(values)]
        self.replica.read_log(records, self.now_ms)
        found = [BODIES.decode(each.schema_number, each.body) for each in records]
        return [each for each in found if isinstance(each, Mutation)]

    def keys(self) -> list[bytes]:
        return [key for key, _ in self.replica.store.scan(b"", None)]


def _put(new: bytes, old: bytes | None, _: int) -> Decision:
    return Decision(True, new, Outcome())


@pytest.fixture
def store(tmp_path: Path) -> Iterator[LmdbStore]:
    made = LmdbStore(tmp_path / "0")
    yield made
    made.abandon()


@pytest.fixture
def node(store: LmdbStore) -> Node:
    made = Node(leading(store, ("node-1",), real_rows=True))
    made.look()
    return made


def fill(node: Node, count: int, expiry: int = NOW_S - 10) -> None:
    for number in range(count):
        node.put(b"%06d" % number, expiry)
    node.appended()


def test_what_is_over_goes_through_the_log_and_is_marked(node: Node) -> None:
    node.put(b"over", NOW_S - 1)
    node.put(b"not yet", NOW_S)
    node.put(b"far back", 5)
    node.appended()
    assert node.look() == [node.replica]
    (deletion,) = node.appended()
    assert (deletion.key, deletion.new, deletion.status) == (b"over", None, ReplyStatus.EXPIRED)
    assert deletion.old == row(NOW_S - 1)
    assert node.keys() == [b"far back", b"not yet"]
    assert node.look() == []
    assert node.sweeps.deleted == 1


def test_what_a_client_has_prolonged_stays_though_that_is_not_accepted_yet(node: Node) -> None:
    fill(node, 2)
    node.put(b"000000", NOW_S + 100)
    node.look()
    assert [each.key for each in node.appended() if each.new is None] == [b"000001"]
    assert node.keys() == [b"000000"]


def test_what_is_prolonged_after_its_deletion_was_appended_is_written_anew(node: Node) -> None:
    fill(node, 1)
    node.look()
    node.put(b"000000", NOW_S + 100)
    deletion, put = node.appended()
    assert (deletion.new, put.old, put.new) == (None, None, row(NOW_S + 100))
    assert node.keys() == [b"000000"]


def test_nothing_is_sent_twice_while_it_is_under_way(node: Node) -> None:
    fill(node, 3)
    assert node.look() == [node.replica]
    assert (node.look(), node.sweeps.deleted) == ([], 3)
    # Lost with a term, for all that the sweep knows; were it not, the second deletion finds nothing.
    node.now_ms += AGAIN_MS
    assert (node.look(), node.sweeps.deleted) == ([node.replica], 6)
    assert [each.key for each in node.appended()] == [b"000000", b"000001", b"000002"]
    assert node.keys() == []


def test_no_more_go_in_a_second_than_allowed(store: LmdbStore) -> None:
    node = Node(leading(store, ("node-1",), real_rows=True), per_s=50)
    node.look()
    fill(node, 200)
    start_ms, deleted = node.now_ms, 0
    while node.now_ms < start_ms + 2000:
        node.look()
        deleted += sum(each.new is None for each in node.appended())
    assert 95 <= deleted <= 110
    assert len(node.keys()) == 200 - deleted


def test_the_limit_is_the_node_s_and_no_partition_waits_for_ever(tmp_path: Path) -> None:
    nodes = [Node(leading(LmdbStore(tmp_path / str(number)), ("node-1",), real_rows=True)) for number in range(3)]
    for each in nodes:
        each.replica.deadlines.use("ttl")
        each.replica.deadlines.read_on(1, 1)
        fill(each, 100)
    sweeps, hosted = Sweeps(ME, 100), {(TABLE, number): each.replica for number, each in enumerate(nodes)}
    deleted = [0, 0, 0]
    for look in range(1, 13):
        sweeps.step(hosted, EXPIRING, START_MS + look * LOOK_MS, WALL_MS)
        for number, each in enumerate(nodes):
            deleted[number] += len(each.appended())
    assert sum(deleted) <= 12 * 10 + 20
    assert min(deleted) >= 30
    for each in nodes:
        each.replica.store.abandon()


def test_a_rate_below_one_in_a_look(store: LmdbStore) -> None:
    node = Node(leading(store, ("node-1",), real_rows=True), per_s=1)
    node.look()
    fill(node, 10)
    for _ in range(50):
        node.look()
        node.appended()
    assert 4 <= 10 - len(node.keys()) <= 6


def test_clients_go_first_where_much_is_under_way(node: Node) -> None:
    fill(node, 1)
    for number in range(UNDER_WAY_MOST + 1):
        node.put(b"new %d" % number, NOW_S + 100)
    assert node.look() == []
    node.appended()
    assert node.look() == [node.replica]


def test_who_does_not_lead_deletes_nothing_and_has_its_list(store: LmdbStore) -> None:
    node = Node(leading(store, ("node-1",), real_rows=True))
    fill(node, 3)
    node.replica.replica.step_down(node.now_ms)
    node.replica.replica.take_effects()
    node.look()
    assert node.appended() == []
    assert node.replica.deadlines.is_whole
    assert len(node.replica.deadlines.due(NOW_S, 10)) == 3


def test_a_recovery_s_log_gets_its_rows_first(node: Node) -> None:
    """What it holds is compared with what was there before: a deletion meanwhile would make it another."""
    fill(node, 3)
    replica = node.replica.replica
    group = replica.place.group
    assert group is not None
    replica.place = replica.place._replace(group=group._replace(form=Form.RECOVERY, plan=0))
    assert (node.look(), node.appended(), node.sweeps.deleted) == ([], [], 0)
    replica.place = replica.place._replace(group=group._replace(form=Form.RECOVERY, plan=1))
    node.look()
    assert len(node.appended()) == 3


def test_the_backlog_is_the_age_of_the_oldest(store: LmdbStore) -> None:
    node = Node(leading(store, ("node-1",), real_rows=True), per_s=1)
    fill(node, 3, NOW_S - 500)
    seen = 0
    node.look()
    assert (node.sweeps.backlogs_s, node.sweeps.unread) == ({}, 1)
    for _ in range(50):
        node.look()
        node.appended()
        assert node.sweeps.backlogs_s in ({}, {TABLE: 500})
        seen += bool(node.sweeps.backlogs_s)
    assert seen >= 10
    assert (node.sweeps.backlogs_s, node.sweeps.unread) == ({}, 0)


def test_switched_off_and_on_again(node: Node) -> None:
    fill(node, 1)
    for _ in range(12):
        node.look({})
    assert node.replica.deadlines.attribute == ""
    assert node.keys() == [b"000000"]
    for _ in range(12):
        node.look()
        node.appended()
    assert node.keys() == []


def test_a_damaged_row_takes_its_replica_out_and_nothing_else(node: Node) -> None:
    fill(node, 1)
    broken = bytearray(row(NOW_S - 10))
    broken[-4] ^= 1
    node.replica.store.put(b"000000", bytes(broken))
    assert node.look() == [node.replica]
    assert node.replica.failed
    assert "checksum" in node.replica.damage
    assert node.look() == []


def test_it_looks_often_while_there_is_something_to_delete_and_a_little_at_once(node: Node) -> None:
    fill(node, 150)
    assert node.sweeps.due_ms == float("inf")
    node.look()
    assert len(node.appended()) == 100
    assert node.sweeps.due_ms == node.now_ms + BUSY_LOOK_MS
    sizes = []
    while node.keys():
        node.now_ms += BUSY_LOOK_MS - LOOK_MS
        node.look()
        sizes.append(len(node.appended()))
    assert sizes == [20, 20, 10]
    node.look()
    assert node.sweeps.due_ms == float("inf")
