"""The cluster as one process knows it from metadata and heartbeats: tables, partitions, leaders, nodes.

Pure: fed with decoded messages and the time. A stale view costs a redirect and a re-send, never a wrong answer:
storage nodes check generation and leadership themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from dynabus.core.agreement import Agreement
from dynabus.core.global_indexes import global_indexes
from dynabus.core.heartbeats import ASK_AGAIN_MS, NOT_HEARD, Pulse
from dynabus.core.key_schema import key_schema
from dynabus.core.local_indexes import local_indexes
from dynabus.core.messages import Heartbeat, LeaderMetadata, ReplicaState, TableMetadata
from dynabus.core.published_table import Table
from dynabus.core.tables.indexes import OF

NODE_SILENT_MS = 4500.0
"""Three heartbeats: a node that is silent for longer is asked last."""


DELETED_MOST = 10_000
"""Ids of deleted tables, which are never used again: a late, older record must not bring one back to life."""


@dataclass(slots=True)
class Node:
    """What a storage node's heartbeats said, and when the last was heard.

    `complete`: no heartbeat was missed since one that named all, so `replicas` are all that it has, as they are now.
    """

    name: str
    zone: str
    stopping: bool
    replicas: dict[tuple[str, int], ReplicaState]
    pulse: Pulse

    @property
    def incarnation(self) -> int:
        return self.pulse.incarnation

    @property
    def heard_ms(self) -> float:
        return self.pulse.heard_ms

    @property
    def complete(self) -> bool:
        return self.pulse.whole


class ClusterView:
    """Fed by one thread, read by the same."""

    def __init__(self) -> None:
        self.tables: dict[str, Table] = {}
        """By name; the newest of its name. Indexes are none of them."""
        self.nodes: dict[str, Node] = {}
        self.agreement = Agreement()
        self.expiring: dict[str, str] = {}
        """Attributes by which items expire, by table id."""
        self._by_id: dict[str, Table] = {}
        self._indexes: dict[tuple[str, str], Table] = {}
        """By table id and index name."""
        self._deleted: dict[str, None] = {}
        self._leaders: dict[tuple[str, int], tuple[int, str]] = {}
        self._admin_ms = float("-inf")
        self._asked_ms = float("-inf")

    # -- feeding ----------------------------------------------------------------------------------------------

    def take(self, kind: str, message: Any, now_ms: float) -> None:
        """Any message of the metadata or heartbeats topic; others are ignored."""
        if kind == "heartbeat":
            self._heard(message, now_ms)
        elif kind == "table_metadata":
            self._table(message)
        elif kind == "leader_metadata":
            self._leader(message)

    def _table(self, message: TableMetadata) -> None:
        known = self._by_id.get(message["id"])
        if message["id"] in self._deleted or (known is not None and known.version >= message["version"]):
            return
        if message["status"] == "DELETED":
            self._forget(message["id"])
            return
        description = orjson.loads(message["description"])
        table = Table(
            message["id"],
            message["name"],
            message["version"],
            message["status"],
            description,
            key_schema(description),
            local_indexes(description),
            list(message["partitions"]),
            global_indexes(description),
            time_to_live=message.get("time_to_live", ""),
            ingest=message.get("ingest", False),
            regions=tuple(message.get("regions", ())),
            former=tuple(message.get("former", ())),
            lacks_items=message.get("lacks_items", False),
        )
        self._succeed(table, {partition["number"] for partition in known.sealed} if known is not None else set())
        self._by_id[table.id] = table
        if (of := description.get(OF)) is not None:
            self._indexes[of["Table"], of["Name"]] = table
            return
        self._expires(table)
        named = self.tables.get(table.name)
        if named is None or named.id == table.id or named.version < table.version:
            self.tables[table.name] = table

    def _expires(self, table: Table) -> None:
        if table.time_to_live and table.status != "DELETING":
            self.expiring[table.id] = table.time_to_live
        else:
            self.expiring.pop(table.id, None)

    def _succeed(self, table: Table, sealed: set[int]) -> None:
        """What is known of splits is not unlearned from metadata that was published again."""
        for number, heirs in [*table.heirs.items()]:
            if number in sealed or any((table.id, heir["number"]) in self._leaders for heir in heirs):
                table.succeed(number)

    def sealed(self, log: str, number: int) -> bool:
        """A partition said that it was split. True if that is news, and its children are known."""
        table = self._by_id.get(log)
        return table is not None and table.succeed(number)

    def _forget(self, table_id: str) -> None:
        self._deleted[table_id] = None
        if len(self._deleted) > DELETED_MOST:
            del self._deleted[next(iter(self._deleted))]
        self.agreement.forget(table_id)
        self.expiring.pop(table_id, None)
        known = self._by_id.pop(table_id, None)
        if known is not None:
            of = known.description.get(OF, {"Table": "", "Name": ""})
            if self._indexes.get((of["Table"], of["Name"])) is known:
                del self._indexes[of["Table"], of["Name"]]
            if self.tables.get(known.name) is known:
                del self.tables[known.name]
            for partition in known.partitions:
                self._leaders.pop((table_id, partition["number"]), None)

    def _leader(self, message: LeaderMetadata) -> None:
        self._led(message["log"], message["partition"], message["term"], message["node"])

    def _heard(self, message: Heartbeat, now_ms: float) -> None:
        if message["service"] != "storage-node":
            self._admin_ms = now_ms
            return
        known = self.nodes.get(message["node"])
        if known is not None and known.incarnation > message["incarnation"]:
            return
        told = {(state["log"], state["partition"]): state for state in message["replicas"]}
        if known is not None and known.incarnation == message["incarnation"] and not message["whole"]:
            known.replicas.update(told)
            told = known.replicas
        before = known.pulse if known is not None else NOT_HEARD
        pulse = before.beat(message["incarnation"], message["number"], message["whole"], now_ms)
        self.nodes[message["node"]] = Node(message["node"], message["zone"], message["stopping"], told, pulse)
        for state in message["replicas"]:
            self.agreement.heard(message["node"], state)
            if state["leading"]:
                self._led(state["log"], state["partition"], state["term"], message["node"])

    def _led(self, log: str, partition: int, term: int, node: str) -> None:
        known = self._leaders.get((log, partition))
        if known is None or known[0] <= term:
            self._leaders[log, partition] = (term, node)
        table = self._by_id.get(log)
        if known is None and table is not None and table.heirs:
            # A child leads only after its parent was sealed.
            for number, heirs in [*table.heirs.items()]:
                if any(heir["number"] == partition for heir in heirs):
                    table.succeed(number)

    def wants_heartbeats(self, now_ms: float) -> bool:
        """Whether to ask the nodes to name all their replicas, now: something that one said was missed."""
        missing = any(not node.complete and self.alive(node.name, now_ms) for node in self.nodes.values())
        if not missing or now_ms - self._asked_ms < ASK_AGAIN_MS:
            return False
        self._asked_ms = now_ms
        return True

    # -- asking -----------------------------------------------------------------------------------------------

    def table(self, table_id: str) -> Table | None:
        """By id; None where it is deleted or was not heard of yet."""
        return self._by_id.get(table_id)

    def is_deleted(self, table_id: str) -> bool:
        """It was here, and is gone."""
        return table_id in self._deleted

    @property
    def newest(self) -> int:
        """The highest version of any table; versions rise over all tables."""
        return max((table.version for table in self.tables.values()), default=-1)

    def indexes(self) -> list[Table]:
        """All global secondary indexes that are there."""
        return [*self._indexes.values()]

    def leader(self, log: str, partition: int) -> tuple[int, str] | None:
        """(term, node) of the leader as far as heard; the highest term wins."""
        return self._leaders.get((log, partition))

    def now(self, table: Table) -> Table:
        """The table as it is known now; the given one where there is none of its id any more."""
        return self._by_id.get(table.id, table)

    def index(self, table_id: str, name: str) -> Table | None:
        """The partitions of a global secondary index of a table; None where it is not there, or not yet."""
        return self._indexes.get((table_id, name))

    def totals(self, table: Table) -> list[int]:
        """Items and bytes of the table, then of each of its local secondary indexes, as its leaders said last."""
        sums = [0] * (2 + 2 * len(table.indexes.all))
        for partition in table.partitions:
            led = self.leader(table.id, partition["number"])
            state = self.said(led[1], table.id, partition["number"]) if led is not None else None
            for place, number in enumerate(state["totals"] if state is not None else ()):
                sums[place] += number
        return sums

    def hears_admin(self, now_ms: float) -> bool:
        return now_ms - self._admin_ms < NODE_SILENT_MS

    def alive(self, node: str, now_ms: float) -> bool:
        known = self.nodes.get(node)
        return known is not None and not known.stopping and now_ms - known.heard_ms < NODE_SILENT_MS

    def said(self, node: str, log: str, partition: int) -> ReplicaState | None:
        """What a node said last of its replica of a partition; None where it never said that it has one."""
        known = self.nodes.get(node)
        return known.replicas.get((log, partition)) if known is not None else None

    def replicas_of(self, log: str, partition: int, now_ms: float) -> list[tuple[str, ReplicaState]]:
        """What living nodes say of their replicas of a partition."""
        where = (log, partition)
        return [
            (node.name, node.replicas[where])
            for node in self.nodes.values()
            if where in node.replicas and self.alive(node.name, now_ms)
        ]

    def serves(self, node: str, log: str, partition: int, now_ms: float) -> bool:
        """Alive, with a replica of this partition that is open and follows its log."""
        if not self.alive(node, now_ms):
            return False
        state = self.said(node, log, partition)
        return state is not None and state["state"] == "active"
