"""A region that is none: metadata, a leader that decides imports by the real rules, and a stream, over a real Kafka.

RepOut and RepIn run beside it as processes, which see no difference. Two namespaces of one broker are two regions.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, cast

import orjson
from confluent_kafka import Consumer, Producer, TopicPartition

from dynabus.adapters.codec import decode, encode
from dynabus.adapters.kafka.settings import KafkaSettings
from dynabus.adapters.kafka.topics import TopicAdmin
from dynabus.adapters.memory_store import MemoryStore
from dynabus.adapters.ports import choose_ports
from dynabus.adapters.stream_codec import encode_output
from dynabus.core.errors import validation_error
from dynabus.core.global_tables.floors import Floors
from dynabus.core.global_tables.leading import note_of
from dynabus.core.global_tables.pages import page
from dynabus.core.global_tables.sending import FOR_GOOD
from dynabus.core.global_tables.versions import Meeting, Version, decode_version, meet, written
from dynabus.core.ids import LogId, NodeName, PartitionId
from dynabus.core.key_schema import KeySchema
from dynabus.core.messages import ReplyStatus, RequestPart
from dynabus.core.operations.calls import Code
from dynabus.core.propagation.outputs import Output
from dynabus.core.replication.place import Group, Origin, start_of_log
from dynabus.core.replication.records import Form
from dynabus.core.replication.request_ids import apply_mutation
from dynabus.core.replication.store import Outcome, no_more
from dynabus.core.rows import encode_global_row
from dynabus.core.streams.changes import Change
from dynabus.core.streams.reading import CHANGE, CLOSED, OPENED
from dynabus.core.streams.sequence import Sequence
from dynabus.core.streams.view import read_stream
from dynabus.core.topics import Topics
from tests.integration.stand_ins import DESCRIPTION

NODE, LABEL, SCHEMA = "node-1", "2026-01-01T00:00:00.000", KeySchema("pk", "S")
CALL_S = 10.0
REFUSED = "refused"
"""Items with this key are never decided."""

Item = dict[str, Any]

PLACE = start_of_log(Origin("cluster", "topic", PartitionId(LogId("log"), 0)), 1)._replace(
    group=Group(1, b"", None, (NodeName(NODE),), Form.NEW)
)


class Region:
    """One of several; `tables` are global in all of them."""

    def __init__(self, bootstrap: str, name: str, namespace: str, tables: list[str], shards: int = 1) -> None:
        self.name = name
        self.kafka = KafkaSettings(bootstrap, namespace, f"stand-in-{name}")
        self.topics, self.tables, self.shards = Topics(namespace), tables, shards
        self.items: dict[tuple[str, bytes], tuple[Item | None, Version]] = {}
        self.meetings: list[tuple[str, Meeting, str]] = []
        """(table, what it was, the source) of each import."""
        self.throttled: set[str] = set()
        self._stored: MemoryStore | None = None
        self._others: frozenset[str] = frozenset()
        """That its logs know."""
        self._offsets: dict[tuple[str, int], int] = {}
        self._version = 0
        self._lock = threading.Lock()
        self.producer = Producer({**self.kafka.request_producer(), "linger.ms": 0})
        streams = [self.topics.stream(table, LABEL, shards + 2, 10**9) for table in tables]
        requests = self.topics.requests(NodeName(NODE))
        TopicAdmin(self.kafka).ensure([*self.topics.shared(), requests, *streams])
        self._consumer = Consumer(self.kafka.loop_consumer())
        self._consumer.assign([TopicPartition(requests.name, 0, 0)])
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._lead, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        self._thread.join()
        self.producer.flush(CALL_S)

    # -- metadata -------------------------------------------------------------------------------------------------

    def publish(self, kind: str, key: str, message: Item) -> None:
        """A record of metadata, newer than the last."""
        self._version += 1
        record = {**message, "version": self._version} if kind != "leader_metadata" else message
        self.producer.produce(self.topics.metadata().name, encode(kind, record), key)
        assert self.producer.flush(CALL_S) == 0

    def meet_peers(self, *others: Region) -> None:
        """Regions, tables, their streams and links, as auto-admin would publish them."""
        self._others = frozenset(peer.name for peer in others)
        for peer in (self, *others):
            where = ("", "") if peer is self else (peer.kafka.bootstrap, peer.kafka.namespace)
            told = {"name": peer.name, "kafka": where[0], "namespace": where[1], "endpoint": ""}
            self.publish("region_metadata", f"region/{peer.name}", {**told, "settings": "{}", "removed": False})
        for table in self.tables:
            self.publish_table(table, [self.name, *(peer.name for peer in others)])
            self.publish_stream(table)
            for peer in others:
                self.publish_link(table, peer.name, "ACTIVE")

    def publish_table(self, table: str, regions: list[str]) -> None:
        """Its one partition is led by this stand-in."""
        partition: Item = {"number": 0, "generation": 1, "lower": b"", "upper": None, "state": "active"}
        partition |= {"members": [NODE], "preferred": NODE, "lineage": [], "joining": []}
        message: Item = {"id": self.table_id(table), "name": table, "status": "ACTIVE", "regions": regions}
        message |= {"description": json.dumps(DESCRIPTION).encode(), "partitions": [partition]}
        self.publish("table_metadata", f"table/{self.table_id(table)}", message)
        leader = {"log": self.table_id(table), "partition": 0, "term": 1, "node": NODE, "incarnation": 1}
        self.publish("leader_metadata", f"leader/{self.table_id(table)}/0", leader)

    def publish_stream(self, table: str, closed: int | None = None) -> None:
        """`closed`: the number of a shard that is split; its children follow behind all of before."""
        roots = range(self.shards)
        shards = [shard(number, 1, -1, number != closed) for number in roots]
        if closed is not None:
            shards += [shard(self.shards + each, 2, closed, True) for each in range(2)]
        self.publish("stream_metadata", f"stream/{self.table_id(table)}/{LABEL}", self.stream_message(table, shards))

    def stream_message(self, table: str, shards: list[Item]) -> Item:
        return {
            "table": self.table_id(table),
            "name": table,
            "label": LABEL,
            "version": self._version,
            "status": "ENABLED",
            "view": "NEW_AND_OLD_IMAGES",
            "key_schema": json.dumps(DESCRIPTION["KeySchema"]).encode(),
            "created_ms": 0,
            "from_start": True,
            "shards": shards,
        }

    def publish_link(self, table: str, destination: str, status: str, *, former: tuple[str, ...] = ()) -> None:
        """`former`: what these regions wrote is copied and sent on; otherwise every row is copied."""
        created_ms = int(time.time() * 1000)
        message: Item = {"table": self.table_id(table), "name": table, "destination": destination, "status": status}
        message |= {"created_ms": created_ms, "whole": not former, "stream": LABEL, "replica": ""}
        message |= {"rows": [*former], "forwards": dict.fromkeys(former, FOR_GOOD)}
        self.publish("link_metadata", f"link/{self.table_id(table)}/{destination}", message)

    def table_id(self, table: str) -> str:
        return f"{table}{self.name}".ljust(32, "0")

    def fill(self, table: str, count: int, by: str = "") -> None:
        """Items that the stream does not have any more, written here or by that region."""
        for number in range(count):
            key = f"old{number}"
            item = {"pk": {"S": key}, "v": {"S": "x" * 100}}
            version = written(None, by or self.name, 1_700_000_000_000 + number)
            self.items[table, SCHEMA.encode_item({"pk": {"S": key}})] = (item, version)

    # -- writes and streams ---------------------------------------------------------------------------------------

    def write(self, table: str, key: str, value: str | None, number: int = 0) -> None:
        """A client's; None deletes."""
        item = {"pk": {"S": key}, "v": {"S": value}} if value is not None else None
        encoded = SCHEMA.encode_item({"pk": {"S": key}})
        with self._lock:
            before = self.items.get((table, encoded))
            if item is None and (before is None or before[0] is None):
                return  # a write that changes nothing has no version
            version = written(before[1] if before else None, self.name, int(time.time() * 1000))
            self._apply(table, encoded, key, item, version, number)

    def _apply(self, table: str, encoded: bytes, key: str, item: Item | None, version: Version, number: int) -> None:
        before = self.items.get((table, encoded), (None, None))[0]
        self.items[table, encoded] = (item, version)
        event = "REMOVE" if item is None else "INSERT" if before is None else "MODIFY"
        if item is not None or before is not None:
            change = Change(event, {"pk": {"S": key}}, before, item, version.stamp.ms)
            self.put(table, number, CHANGE, change, [("dynabus-version", version.encode())])

    def put(
        self, table: str, number: int, kind: str, change: Change | None = None, headers: list[Any] | None = None
    ) -> None:
        """A record of a shard, as propagators write it."""
        at = self._offsets[table, number] = self._offsets.get((table, number), 0) + 1
        now_ms = int(time.time() * 1000)
        stream = read_stream(self.stream_message(table, []))  # type: ignore[arg-type]
        generation = 1 if number < self.shards else 2
        output = Output(stream, number, kind, Sequence(generation, now_ms, at), change)
        message = encode_output(output, now_ms)
        self.producer.produce(
            self.topics.stream_name(table, LABEL),
            message.value,
            message.key,
            number,
            timestamp=message.timestamp_ms,
            headers=[*message.headers, *(headers or [])],
        )
        self.producer.poll(0)

    def split(self, table: str, number: int) -> None:
        """The shard ends, and its children begin."""
        self.put(table, number, CLOSED)
        for child in range(2):
            self.put(table, self.shards + child, OPENED)
        self.publish_stream(table, closed=number)

    # -- the leader -----------------------------------------------------------------------------------------------

    def _lead(self) -> None:
        number, beat_s = 0, 0.0
        while not self._stop.is_set():
            if time.monotonic() > beat_s:
                beat_s, number = time.monotonic() + 1, number + 1
                self._beat(number)
            message = self._consumer.poll(0.1)
            if message is None or message.error() is not None:
                continue
            kind, body = decode(message.value())
            if kind == "request":
                self._answer(body)
        self._consumer.close()

    def _beat(self, number: int) -> None:
        """By which others know that they are not cut off."""
        beat: Item = {"node": NODE, "service": "storage-node", "zone": "a", "incarnation": 1, "stopping": False}
        beat |= {"number": number, "whole": True, "replicas": []}
        self.producer.produce(self.topics.heartbeats().name, encode("heartbeat", beat), NODE)

    def _answer(self, request: Item) -> None:
        with self._lock:
            parts = [self._decide(part).part(index) for index, part in enumerate(request["parts"])]
        reply = {name: request[name] for name in ("incarnation", "counter")}
        value = encode("reply", {**reply, "node": NODE, "parts": parts})
        self.producer.produce(self.topics.replies(request["asker"]).name, value)
        self.producer.poll(0)

    def _decide(self, part: Item) -> Outcome:
        table = next(each for each in self.tables if self.table_id(each) == part["log"])
        if part["operation"] == Code.ROWS:
            return page(cast("RequestPart", part), PLACE, self._rows(table))
        assert part["operation"] == Code.IMPORT
        if table in self.throttled:
            return Outcome(ReplyStatus.THROTTLED, b'{"__type":"x#ThrottlingException","message":""}')
        item, version = orjson.loads(part["value"] or b"null"), decode_version(part["detail"])
        if item is not None and item["pk"]["S"] == REFUSED:
            return Outcome(ReplyStatus.ERROR, orjson.dumps(validation_error("never").body()))
        here = self.items.get((table, part["key"]))
        meeting, after = meet(here[1] if here else None, version)
        self.meetings.append((table, meeting, version.stamp.region))
        if meeting in (Meeting.NEWS, Meeting.WON):
            key = (item or (here or ({},))[0] or {"pk": {"S": "?"}})["pk"]["S"]
            self._apply(table, part["key"], key, item, after, 0)
        elif meeting is Meeting.LOST and here is not None:
            self.items[table, part["key"]] = (here[0], after)
        return Outcome(body=meeting.value.encode())

    def _rows(self, table: str) -> MemoryStore:
        """As its store would have them."""
        if self._stored is None:
            self._stored = MemoryStore()
            apply_mutation(self._stored, note_of(Floors(self.name, self._others)), 1, 0, no_more)
            for (name, key), (item, version) in self.items.items():
                if name == table:
                    body = b"" if item is None else orjson.dumps(item)
                    self._stored.put(key, encode_global_row(body, len(body), version.stamp.ms, version))
        return self._stored


def shard(number: int, generation: int, parent: int, is_open: bool) -> Item:
    return {
        "number": number,
        "generation": generation,
        "parent": parent,
        "open": is_open,
        "successor": -1,
        "recovered_offset": -1,
    }


class Service:
    """`dynabus rep-out` or `dynabus rep-in` of a region."""

    def __init__(self, kind: str, region: Region, folder: Path, name: str, **settings: object) -> None:
        self.module, self.name = f"dynabus.{kind.replace('-', '_')}", name
        self.log = folder / f"{region.name}-{self.name}.log"
        self.ops_port = choose_ports(1)[0]
        self._environment = {
            **os.environ,
            "DYNABUS_KAFKA": region.kafka.bootstrap,
            "DYNABUS_NAMESPACE": region.kafka.namespace,
            "DYNABUS_NAME": self.name,
            "DYNABUS_OPS_PORT": str(self.ops_port),
            "DYNABUS_THROTTLING": "off",
            **{f"DYNABUS_{key.upper()}": str(value) for key, value in settings.items()},
        }
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as out:
            command = [sys.executable, "-P", "-m", self.module]
            self.process = subprocess.Popen(command, env=self._environment, stdout=out, stderr=out)

    def end(self, number: signal.Signals) -> int:
        """Its exit code."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(30)

    def get(self, path: str) -> str:
        """What the ops server says; empty while nobody answers."""
        connection = HTTPConnection("127.0.0.1", self.ops_port, timeout=5)
        try:
            connection.request("GET", path)
            return connection.getresponse().read().decode()
        except OSError:
            return ""
        finally:
            connection.close()

    def status(self) -> Item:
        found: Item = json.loads(self.get("/status") or "{}")
        return found
