"""Kafka and storage nodes in a few lists, for auto-admins under test. Each outside effect is a point to crash at."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from dynabus.adapters.log_codec import AvroBodies
from dynabus.auto_admin.config import AutoAdminSettings
from dynabus.auto_admin.executor import genesis_of, recovery_genesis
from dynabus.auto_admin.outside import Checkpoints, Delivered, Pruned, PruneWish, Stated, StepFailed, Turn, World
from dynabus.auto_admin.recovery.decisions import recovered_of, recovering
from dynabus.auto_admin.service import ADMIN_LOG, AutoAdmin
from dynabus.auto_admin.splitting.splits import highest
from dynabus.auto_admin.tables.decisions import TableState
from dynabus.core.ids import Incarnation, NodeName, PartitionId, Writer
from dynabus.core.messages import Heartbeat, ReplicaState, TableMetadata
from dynabus.core.replication.effects import Surroundings, Timing
from dynabus.core.replication.place import Origin
from dynabus.core.replication.records import decode_record
from dynabus.core.replication.standstill import encode_fence
from dynabus.core.tables.table_topics import is_written

TURN_MS = 50.0
WALL_MS = 1_700_000_000_000
KEPT = (
    "table_metadata",
    "stream_metadata",
    "index_metadata",
    "table_topic_metadata",
    "region_metadata",
    "link_metadata",
)
"""What the metadata topic has of before, for whoever starts."""

NODES = {"node-1": "a", "node-2": "b", "node-3": "c"}


class Crash(Exception):
    """The process is gone, between two lines."""


class Kafka:
    """What outlives every process. `crash_after` counts down with each effect on it."""

    def __init__(self) -> None:
        self.now_ms = 1000.0
        self.admin_log: list[bytes] = []
        self.messages: list[tuple[str, Any]] = []
        """Metadata, heartbeats and control requests, in one order."""
        self.metadata: dict[str, Any] = {}
        """After compaction."""
        self.logs: dict[str, dict[int, list[bytes]]] = {}
        self.streams: dict[tuple[str, str], int] = {}
        self.table_topics: set[str] = set()
        """Tables with a compacted topic."""
        self.ingest: set[str] = set()
        """Tables with topics for commands."""
        """Topic partitions of streams' topics, by table and label."""
        self.checkpoints: dict[tuple[str, int], Stated] = {}
        """What propagators have committed."""
        self.propagators = 1
        """How many are in the group."""
        self.replies: list[Any] = []
        self.orders: list[tuple[str, Any]] = []
        self.effects = 0
        self.crash_after: int | None = None
        self.lose_metadata = 0
        self.out_of_range = False

    def effect(self) -> None:
        self.effects += 1
        if self.crash_after == self.effects:
            raise Crash

    def put_metadata(self, key: str, kind: str, message: Any | None) -> None:
        if message is None:
            self.metadata.pop(key, None)
        else:
            self.metadata[key] = message
            self.messages.append((kind, message))


class FakeBus:
    """One auto-admin's clients."""

    def __init__(self, kafka: Kafka) -> None:
        self._kafka = kafka
        self._log_at, self._at, self._began_at = 0, 0, len(kafka.messages)
        self._reports: list[Callable[[], None]] = []
        self.closed = False

    def poll(self, timeout_s: float) -> Turn:
        kafka = self._kafka
        values, self._log_at = kafka.admin_log[self._log_at :], len(kafka.admin_log)
        first = self._log_at - len(values)
        fresh = list(enumerate(kafka.messages))[self._at :]
        self._at = len(kafka.messages)
        return Turn(
            [decode_record(first + at, 0, value) for at, value in enumerate(values)],
            [message for at, message in fresh if at >= self._began_at or message[0] in KEPT],
            self._log_at,
            kafka.out_of_range,
        )

    def append(self, value: bytes) -> None:
        self._kafka.admin_log.append(value)
        self._kafka.effect()

    def reply(self, asker: str, reply: Any) -> None:
        self._kafka.replies.append(reply)
        self._kafka.effect()

    def metadata(self, key: str, kind: str, message: Any | None, delivered: Delivered) -> None:
        lost = self._kafka.lose_metadata > 0
        if lost:
            self._kafka.lose_metadata -= 1
        else:
            self._kafka.put_metadata(key, kind, message)
        self._reports.append(lambda: delivered(not lost))
        self._kafka.effect()

    def tell(self, node: str, order: Any) -> None:
        self._kafka.orders.append((node, order))
        self._kafka.effect()

    def want_heartbeats(self, asker: str) -> None:
        """Heartbeats here always name all replicas."""
        raise AssertionError(f"{asker} missed a heartbeat")

    def beat(self, heartbeat: Heartbeat) -> None:
        self._kafka.messages.append(("heartbeat", heartbeat))

    def serve(self) -> str | None:
        reports, self._reports = self._reports, []
        for report in reports:
            report()
        return None

    def close(self) -> None:
        self.closed = True


class FakeSteps:
    """Does each step at once; a crash may come between any two of its effects."""

    def __init__(self, kafka: Kafka, me: Writer) -> None:
        self._kafka, self._me = kafka, me
        self.fail = 0

    def build(self, state: TableState) -> Future[None]:
        return self._done(lambda: self._build(state))

    def grow(self, state: TableState) -> Future[None]:
        def add() -> None:
            self._make_streams(state)
            for number in range(highest(state) + 1):
                self._kafka.logs[state.id].setdefault(number, [])
            self._kafka.effect()

        return self._done(add)

    def renew(self, state: TableState) -> Future[None]:
        return self._done(lambda: self._renew(state))

    def _renew(self, state: TableState) -> None:
        logs = self._kafka.logs[state.id]
        for successor in recovering(state):
            recovered, _ = recovered_of(successor)
            logs[recovered.partition].append(encode_fence(recovered.generation, self._me, AvroBodies()))
            self._kafka.effect()
            if not logs[successor["number"]]:
                logs[successor["number"]].append(recovery_genesis(self._me, successor))
                self._kafka.effect()

    def destroy(self, state: TableState) -> Future[None]:
        def take_away() -> None:
            assert all(each["status"] == "DISABLED" for each in state.streams), (
                "their logs are taken from propagators"
            )
            self._kafka.logs.pop(state.id, None)
            self._kafka.ingest.discard(state.name)
            self._kafka.table_topics.discard(state.name)
            self._kafka.effect()

        return self._done(take_away)

    def stream(self, state: TableState) -> Future[None]:
        return self._done(lambda: self._make_topics(state))

    def drop_streams(self, name: str, labels: Sequence[str]) -> Future[None]:
        def take_away() -> None:
            for label in labels:
                self._kafka.streams.pop((name, label), None)
            self._kafka.effect()

        return self._done(take_away)

    def drop_table_topic(self, name: str) -> Future[None]:
        def take_away() -> None:
            self._kafka.table_topics.discard(name)
            self._kafka.effect()

        return self._done(take_away)

    def checkpoints(self, logs: Sequence[tuple[str, int]]) -> Future[Checkpoints]:
        future: Future[Checkpoints] = Future()
        future.set_result({log: self._kafka.checkpoints[log] for log in logs if log in self._kafka.checkpoints})
        return future

    def propagators(self) -> Future[int]:
        future: Future[int] = Future()
        future.set_result(self._kafka.propagators)
        return future

    def prune(self, wishes: list[PruneWish]) -> Future[list[Pruned]]:
        """Nothing is told of any disk in these tests, so nothing may be asked for."""
        assert all(wish.until == 0 for wish in wishes)
        future: Future[list[Pruned]] = Future()
        future.set_result([])
        return future

    def _make_topics(self, state: TableState) -> None:
        self._make_streams(state)
        if is_written(state.table_topic):
            self._kafka.table_topics.add(state.name)
            self._kafka.effect()
        if state.ingest == "on":
            self._kafka.ingest.add(state.name)
            self._kafka.effect()

    def _make_streams(self, state: TableState) -> None:
        for each in state.streams:
            if each["status"] != "DISABLED":
                self._kafka.streams[state.name, each["label"]] = highest(state) + 1
                self._kafka.effect()

    def _build(self, state: TableState) -> None:
        logs = self._kafka.logs.setdefault(state.id, {each["number"]: [] for each in state.partitions})
        self._kafka.effect()
        self._make_streams(state)
        for partition in state.metadata_partitions():
            if not logs[partition["number"]]:
                logs[partition["number"]].append(genesis_of(self._me, partition))
                self._kafka.effect()

    def _done(self, step: Callable[[], None]) -> Future[None]:
        future: Future[None] = Future()
        if self.fail:
            self.fail -= 1
            future.set_exception(StepFailed("not now"))
        else:
            step()
            future.set_result(None)
        return future


class Nodes:
    """Storage nodes: they follow the newest metadata, open replicas of logs that have begun, and say so."""

    def __init__(self, kafka: Kafka, names: dict[str, str] | None = None) -> None:
        self._kafka, self.names = kafka, NODES if names is None else names
        self._tables: dict[str, TableMetadata] = {}
        self._at = self._obeyed = 0
        self.sealed: set[tuple[str, int]] = set()
        self.deaf: set[str] = set()
        """Nodes that are not heard."""
        self.failed: set[str] = set()
        """Nodes whose heirs, or joining replicas, have failed."""
        self.groups: dict[tuple[str, int], tuple[int, list[str]]] = {}
        """(plan, members) of the last configure that counted, by log and partition."""
        self.leaders: dict[tuple[str, int], str] = {}
        """Where it is not the preferred member."""
        self.frozen: dict[int, str] = {}
        """By partition: what its replicas say that they have lost."""
        self.lag = 0
        """Of replicas that join."""
        self.items = 1
        """In each partition."""
        self.sizes: dict[int, int] = {}
        """Bytes by partition."""
        self.middle: bytes | None = b"\x40" * 8

    def turn(self) -> None:
        orders, self._obeyed = self._kafka.orders[self._obeyed :], len(self._kafka.orders)
        for _, order in orders:
            self._obey(order)
        fresh, self._at = self._kafka.messages[self._at :], len(self._kafka.messages)
        for kind, message in fresh:
            if kind == "table_metadata" and message["version"] > self._tables.get(message["id"], _NONE)["version"]:
                self._tables[message["id"]] = message
        for name, zone in self.names.items():
            if name not in self.deaf:
                self._kafka.messages.append(("heartbeat", self._heartbeat(name, zone)))

    def _obey(self, order: Any) -> None:
        place = order["log"], order["partition"]
        if order["kind"] == "configure":
            self._configure(place, order)
        elif order["kind"] == "transfer":
            self.leaders[place] = order["members"][0]
        elif order["kind"] == "middle":
            point = {**order, "at": self.middle, "why": "" if self.middle else "one item collection"}
            self._kafka.messages.append(("split_point", point))
        elif place not in self.sealed:
            children = [each["number"] for each in order["children"]]
            assert all(number in self._kafka.logs[order["log"]] for number in children), "sealed before GROW"
            self.sealed.add(place)

    def _configure(self, place: tuple[str, int], order: Any) -> None:
        """As a leader does: one that is to leave hands over and waits for the next order."""
        assert self.lag <= 256, "a member that has not replayed"
        leader = self._leader(place)
        if leader not in order["members"]:
            self.leaders[place] = next(node for node in order["members"] if node not in self.deaf)
        elif order["plan"] > self.groups.get(place, (0, []))[0]:
            self.groups[place] = order["plan"], order["members"]

    def _leader(self, place: tuple[str, int]) -> str:
        if place in self.leaders and self.leaders[place] not in self.deaf:
            return self.leaders[place]
        each = next(each for each in self._tables[place[0]]["partitions"] if each["number"] == place[1])
        members = self.groups.get(place, (0, each["members"]))[1]
        living = [node for node in (each["preferred"], *members) if node in members and node not in self.deaf]
        return living[0] if living else ""

    def _heartbeat(self, name: str, zone: str) -> Any:
        replicas = [
            self._replica(table, each, name)
            for table in self._tables.values()
            for each in table["partitions"]
            if table["status"] in ("CREATING", "ACTIVE", "UPDATING")
            and (name in each["members"] or name in each["joining"])
            and (each["state"] == "heir" or each["lineage"] or self._begun(table["id"], each))
        ]
        return {
            "node": name,
            "service": "storage-node",
            "zone": zone,
            "incarnation": 1,
            "stopping": False,
            "number": 0,
            "whole": True,
            "replicas": replicas,
        }

    def _replica(self, table: Any, each: Any, name: str) -> ReplicaState:
        """An heir leads once its parent is sealed."""
        waits = each["state"] == "heir" and (table["id"], each["lineage"][-1]) not in self.sealed
        place = table["id"], each["number"]
        said = _replica(*place, self._leader(place) == name and not waits)
        said["plan"], members = self.groups.get(place, (0, each["members"]))
        if name not in members:
            said["state"], said["lag"] = ("failed" if name in self.failed else "joining"), self.lag
        if each["number"] in self.frozen:
            said["state"], said["alarm"], said["leading"] = "frozen", self.frozen[each["number"]], False
        if each["state"] == "restoring":
            assert self._kafka.logs[table["id"]][each["number"]], "published before its log had begun"
            said["plan"], said["generation"] = 1, each["generation"]
        said["totals"] = [self.items, self.sizes.get(each["number"], 0)]
        if waits:
            said["state"] = "failed" if name in self.failed else "heir"
        return said

    def _begun(self, table_id: str, partition: Any) -> bool:
        return bool(self._kafka.logs.get(table_id, {}).get(partition["number"]))


_NONE: Any = {"version": -1}


def _replica(log: str, number: int, leading: bool) -> ReplicaState:
    return {
        "log": log,
        "partition": number,
        "generation": 1,
        "state": "active",
        "leading": leading,
        "appending": leading,
        "term": 1,
        "sequence": 0,
        "next_offset": 2,
        "lag": 0,
        "alarm": "",
        "totals": [],
        "checked": [],
        "plan": 0,
    }


def auto_admin(kafka: Kafka, name: str = "admin-1", run: int = 1, **settings: Any) -> AutoAdmin:
    """A process of that name, in one of its runs."""
    # Incarnations are unique among all processes: request ids rest on them.
    me = Writer(NodeName(name), Incarnation(1000 * run + sum(name.encode())))
    dice = random.Random(f"{name} {run}")
    world = World(
        me=me,
        settings=AutoAdminSettings(
            kafka="127.0.0.1:1", name=name, zone="a", data=Path("unused"), **{"initial_partitions": 2, **settings}
        ),
        around=Surroundings(me, dice.random, lambda: dice.getrandbits(62), AvroBodies(), Timing.without_leases()),
        origin=Origin("cluster", "topic", PartitionId(ADMIN_LOG, 0)),
        bus=FakeBus(kafka),
        steps=FakeSteps(kafka, me),
        now_ms=lambda: kafka.now_ms,
        wall_ms=lambda: WALL_MS,
        partitions_most=4,
        numbers_most=20,
    )
    return AutoAdmin(world)
