"""A region of three, with all its processes, and auto-admin's part in it: metadata, links, splits.

Checked at once: nothing crosses a link but what its source wrote, or the initial copy of who sends all; no change
crosses it in two batches of one sender; no child's before its parent's end was acknowledged; no offset is committed,
of a stream or of a topic of batches, before all that is before it is decided.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from dynabus.adapters.codec import UndecodableMessage
from dynabus.adapters.replication_codec import decode_batch, version_in
from dynabus.core.global_tables.links import ACTIVE, COPYING, KIND, key_of
from dynabus.core.global_tables.rep_out import Export
from dynabus.core.global_tables.sending import forwards_of
from dynabus.core.global_tables.versions import Stamp, Version
from dynabus.core.replication.records import Kind, Mutation, Record
from dynabus.core.streams.consuming import Mark, read_metadata
from dynabus.core.streams.reading import CLOSED, FLOORS
from dynabus.core.tables.streams import new_stream, stream_message
from tests.simulation.global_tables import WALL_MS
from tests.simulation.kafka import BODIES, Log
from tests.simulation.partitions import LOG
from tests.simulation.propagation import KEY_SCHEMA, rebalance
from tests.simulation.region_clients import Stored, Where
from tests.simulation.region_cluster import WALL_BASE_MS, RegionCluster, RegionSplits
from tests.simulation.region_hosts import (
    TOPICS,
    CopiesHost,
    Host,
    PropagatorHost,
    RepInHost,
    RepOutHost,
    StreamWorld,
)
from tests.simulation.region_kafka import BEFORE_MS, LATE_MS, Kafka, Wires
from tests.simulation.region_members import without
from tests.simulation.region_truth import says_so
from tests.simulation.violation import Violation
from tests.simulation.world import World

TABLE = "music"
DESCRIPTION = orjson.dumps(
    {
        "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
    }
)
PROCESSES = 2
"""Of each kind, so that work changes hands."""

CALM_MS = 8000.0
"""After a group was dealt out: until then batches of before may land, whose changes are read and sent again. So is a
repeat that is the first record that retention has left."""

GIVEN_UP_MS = 15_000.0
"""Until nothing of it is taken any more: what comes then is parked."""

PARTED_MS = 4000.0
"""Until a region has heard that another one is gone."""

HEARD_MS = 1500.0
"""Until a region has heard of another one, and that its table there is ACTIVE."""


@dataclass
class Crossed:
    """A change that was in a batch."""

    number: int
    at_ms: float


LATE_MOST_MS = 3000.0
"""Of records of streams."""

Snapshot = dict[bytes, tuple[Stamp, int]]
"""By key: of an item, and how many writes of other regions it had got."""


class Region:
    """`begin` once it is there."""

    def __init__(self, world: World, wires: Wires, name: str, skew_ms: int) -> None:
        self.world, self.wires, self.name = world, wires, name
        self.cluster = RegionCluster(world, name, skew_ms)
        self.truth = self.cluster.truth_here
        self.kafka = Kafka(wires, name, lambda: self.cluster.log.troubles.stalled)
        self.kafka.landed, self.kafka.committed = self._landed, self._committed
        self.others: dict[str, Region] = {}
        self.known: dict[str, Region] = {}
        """Those that went, too."""
        self.former: dict[str, int] = {}
        self.leaving: set[str] = set()
        """Of those, who sends what it has left: until it is given up."""
        self.metadata: list[tuple[str, str, Any]] = []
        self.links: dict[str, dict[str, Any]] = {}
        self._stream = new_stream("NEW_AND_OLD_IMAGES", 0, [0], (), from_start=True)
        self.topic = TOPICS.stream_name(TABLE, self._stream["label"])
        self.streams = StreamWorld(self)
        self.splits = RegionSplits(self.cluster, 2, self.publish)
        self.crossed = 0
        self.batches = 0
        self.dropped_ms = self.parted_ms = float("-inf")
        self._snapshots: dict[str, Snapshot] = {}
        self._sent: dict[tuple[str, bytes, Stamp], Crossed] = {}
        self.propagators = [PropagatorHost(self, number) for number in range(PROCESSES)]
        self.hosts: list[Host] = [
            *self.propagators,
            *(RepOutHost(self, f"rep-out-{number}") for number in range(PROCESSES)),
            *(RepInHost(self, f"rep-in-{number}") for number in range(PROCESSES)),
            CopiesHost(self, "repl-admin-0"),
        ]

    def begin(self) -> None:
        """Nodes, clients and processes start."""
        self.cluster.begin()
        self._say(f"region/{self.name}", "region_metadata", self._peer(self.name, ""))
        self.publish()
        self._land_late()
        for host in self.hosts:
            host.start()

    def _land_late(self) -> None:
        """What propagators produced lands within seconds, or not at all: long before what is older than any link."""
        while self.streams.late:
            self.streams.land_late()
        self.world.after(LATE_MOST_MS, self._land_late)

    # -- metadata ---------------------------------------------------------------------------------------------

    def meet(self, other: Region, whole: bool) -> None:
        """The other region has the table too; a link is made once it is known that it is ACTIVE there."""
        dice = self.world.random
        self.world.after(dice.uniform(0.0, HEARD_MS), self._hear_of, other)
        self.world.after(HEARD_MS + dice.uniform(0.0, HEARD_MS), self._link, other, whole)

    def _hear_of(self, other: Region) -> None:
        self.others[other.name] = self.known[other.name] = other
        self._say(f"region/{other.name}", "region_metadata", self._peer(other.name, other.name))
        self.cluster.told_of(frozenset(self.others))
        self.publish()

    def part(self, other: Region) -> None:
        """The other region is gone for good, which is heard later."""
        self.world.after(self.world.random.uniform(0.0, PARTED_MS), self._hear_of_end, other.name)

    def _hear_of_end(self, gone: str) -> None:
        self.world.note(f"{self.name}: {gone} is gone")
        self.parted_ms = self.world.now_ms
        after = without(self, gone, self._unix_ms())
        del self.others[gone]
        self.former = after["former"]
        self.leaving.add(gone)
        self.world.after(self.world.random.uniform(0.0, GIVEN_UP_MS), self._give_up, gone)
        for name, link in after["links"].items():
            if name == gone:
                del self.links[name]
                self._say(key_of(LOG, name), KIND, None)
            else:
                forwards = forwards_of(after, link, name)
                self.links[name] = {**link, "version": link["version"] + 1, "forwards": forwards}
                self._snapshots[name] = self._snapshot()
                self._say_link(name)
        self.cluster.told_of(frozenset(self.others), frozenset(self.former))
        self.publish()

    def _give_up(self, gone: str) -> None:
        self.leaving.discard(gone)
        self.publish()

    def _peer(self, name: str, kafka: str) -> dict[str, Any]:
        values = {"namespace": "dynabus", "endpoint": "", "settings": "{}", "removed": False}
        return {"name": name, "version": 1, "kafka": kafka, **values}

    def _link(self, other: Region, whole: bool) -> None:
        self.world.note(f"{self.name}: link to {other.name}")
        link = {"table": LOG, "name": TABLE, "destination": other.name, "version": 1, "status": COPYING}
        self.links[other.name] = {
            **link,
            "created_ms": self._unix_ms(),
            "whole": whole,
            "stream": self._stream["label"],
            "rows": [self.name],
            "forwards": {},
            "replica": LOG,
        }
        self._snapshots[other.name] = self._snapshot()
        self._say_link(other.name)

    def _say_link(self, destination: str) -> None:
        self._say(key_of(LOG, destination), KIND, dict(self.links[destination]))

    def admin(self, operation: str, told: dict[str, Any]) -> None:
        """Of ReplAdmin: a link's copy is acknowledged, or its stream has dropped what was not."""
        link = self.links.get(told["Destination"], {"status": "", "created_ms": 0})
        before, after = {"ReplicaCopied": (COPYING, ACTIVE), "LinkLost": (ACTIVE, COPYING)}[operation]
        if (link["status"], link["created_ms"]) != (before, told["CreatedMs"]):
            return
        self.world.note(f"{self.name}: {link['destination']} is {after}")
        link |= {"status": after, "version": link["version"] + 1}
        if after == ACTIVE:
            self._check_copied(link)
        else:
            self.truth.lost_links += 1
            link["created_ms"] = self._unix_ms()
            link["rows"] = sorted({self.name, *self.former})
            self._snapshots[link["destination"]] = self._snapshot()
        self._say_link(link["destination"])

    def _unix_ms(self) -> int:
        return WALL_MS + WALL_BASE_MS + int(self.world.now_ms) + self.cluster.skew_ms

    def drop(self) -> None:
        """Retention takes a part of a shard, whether it is acknowledged or not, but for the last `LATE_MS`: no stream
        keeps less."""
        where = self.topic, self.world.random.randrange(self.kafka.counts[self.topic])
        low, end = self.kafka.extent(where)
        self.dropped_ms = self.world.now_ms
        wanted, late_ms = (
            self.world.random.choice([end, self.world.random.randint(low, end)]),
            self._unix_ms() - LATE_MS,
        )
        records = self.kafka.records[where]
        self.kafka.drop(where, next((at for at in range(low, wanted) if records[at].timestamp_ms > late_ms), wanted))
        self.drop_late(where)

    def drop_late(self, where: Where) -> None:
        """Retention is hours and repeats come within seconds: with a shard's end it takes those behind it."""
        low, end = self.kafka.extent(where)
        if CLOSED.encode() in self._types(where)[:low]:
            self.kafka.drop(where, end)

    def _say(self, key: str, kind: str, message: Any) -> None:
        self.metadata.append((key, kind, message))

    def publish(self) -> None:
        """The table, its partitions and its stream's shards."""
        version = len(self.metadata) + 1
        partitions = self.cluster.partitions.values()
        rows: dict[bool, list[dict[str, Any]]] = {False: [], True: []}
        for each in partitions:
            row = {"number": each.number, "generation": each.generation, "lineage": [*each.lineage]}
            rows[each.closed].append(row)
        stream = stream_message(self._stream, LOG, {"TableName": TABLE}, version, rows[False], rows[True], KEY_SCHEMA)
        self.kafka.ensure(self.topic, len(partitions))
        self.streams.metadata.append([stream])
        self.deal_out()
        self._say(f"stream/{LOG}", "stream_metadata", stream)
        table: dict[str, Any] = {
            "id": LOG,
            "name": TABLE,
            "version": version,
            "status": "ACTIVE",
            "description": DESCRIPTION,
        }
        regions = [self.name, *self.others, *self.leaving] if self.others else []
        said = [self._partition(each.number) for each in partitions if not each.closed]
        table |= {"partitions": said, "regions": regions, "former": [*self.former]}
        self._say(f"table/{LOG}", "table_metadata", table)

    def deal_out(self) -> None:
        """Logs to propagators, some of them anew."""
        for host in self.propagators:
            host.process.awake = not host.is_asleep
        rebalance(self.streams, [host.process for host in self.propagators])

    def _partition(self, number: int) -> dict[str, Any]:
        each = self.cluster.partitions[number]
        is_heir = bool(each.lineage) and not self.cluster.partitions[each.lineage[-1]].closed
        return {
            "number": number,
            "generation": each.generation,
            "lower": each.lower,
            "upper": each.upper,
            "members": [*each.members],
            "preferred": each.preferred,
            "state": "heir" if is_heir else "active",
            "lineage": [*each.lineage],
            "joining": [],
        }

    # -- checks -----------------------------------------------------------------------------------------------

    def _landed(self, topic: str, value: bytes) -> None:
        if not topic.startswith("dynabus.replication."):
            return
        try:
            arrived = decode_batch(value)
        except UndecodableMessage as fault:
            raise Violation(f"a batch cannot be read: {fault}") from fault
        source = self.known[arrived.source]
        source.batches += 1
        link = source.links.get(self.name)
        if link is None:
            return  # this region is gone
        is_copy = "-copy/" in arrived.sender
        for export in arrived.batch.exports:
            stamp = export.version.stamp
            is_sent_on = stamp.region in source.former
            if stamp.region != source.name and not (is_copy and link["whole"]) and not is_sent_on:
                raise Violation(f"an echo: {export} from {source.name} to {self.name}")
            which = (arrived.sender, export.key, stamp)
            group = source.kafka.group(TOPICS.rep_outs(self.name))
            before = source._sent.setdefault(which, Crossed(arrived.batch.number, self.world.now_ms))
            is_calm = before.at_ms > max(group.shared_ms, source.dropped_ms, source.parted_ms) + CALM_MS
            if before.number != arrived.batch.number and is_calm:
                raise Violation(f"{export} crosses the link from {source.name} to {self.name} twice")
            if not is_copy:
                source.crossed += 1
                source.check_parent(self, export.key, export.version)

    def check_parent(self, to: Region, key: bytes, version: Version) -> None:
        """The shard's parent is acknowledged to its end."""
        number = self.truth.shard_of.get((key, version.stamp))
        lineage = () if number is None else self.cluster.partitions[number].lineage
        offsets = self.kafka.group(TOPICS.rep_outs(to.name)).offsets
        for ancestor in reversed(lineage):
            low, end = self.kafka.extent((self.topic, ancestor))
            if low == end:
                return  # retention has taken it, and nobody waits for it, nor for what was before it
            offset, beside = offsets.get((self.topic, ancestor), (0, ""))
            said = orjson.loads(beside or "{}")
            if read_metadata(offset, said.get("progress", "")).mark is Mark.ENDED:
                continue
            # It may be read once more, for what a region that is gone wrote.
            if CLOSED.encode() not in self._types((self.topic, ancestor))[: said.get("own", 0)]:
                raise Violation(f"a change of shard {number} crosses before shard {ancestor} is acknowledged")

    def _committed(self, group: str, where: Where, before: int, after: int, beside: str) -> None:
        if group == TOPICS.rep_ins:
            for stored in self.kafka.records[where][before:after]:
                self._check_decided(stored, f"RepIn of {self.name} commits")
            return
        other = self.known[group.rpartition(".")[2]]
        if other.name not in self.links:
            return  # it is gone
        if read_metadata(after, orjson.loads(beside or "{}").get("progress", "")).mark is Mark.ENDED:
            # Its children may begin, so that all of it must be decided.
            after = max(after, self._types(where).index(CLOSED.encode()))
        # What is older than the link is its copy's.
        least_ms = self.links[other.name]["created_ms"] - BEFORE_MS
        low = self.kafka.low[where]
        # A repeat of what retention took is passed by: what came of that, its copy or who wrote over it brings.
        taken = [(each.key, version_in(dict(each.headers))) for each in self.kafka.records[where][:low]]
        for stored in self.kafka.records[where][max(before, low) : after]:
            version = version_in(dict(stored.headers))
            if version is None or version.stamp.region != self.name or stored.timestamp_ms < least_ms:
                continue
            if (stored.key, version) in taken:
                continue
            key = orjson.loads(stored.key or b"{}")["pk"]["S"].encode()
            if not other.truth.has(key, version.stamp):
                raise Violation(f"RepOut of {self.name} commits what {other.name} has not decided: {key!r} {version}")

    def _snapshot(self) -> Snapshot:
        found = {key: version.stamp for key, version in self.truth.versions.items()}
        # A leader may give pages without what it has not read back yet: that is younger, and the stream brings it.
        least_ms = self._unix_ms() - BEFORE_MS
        old = {key: stamp for key, stamp in found.items() if stamp.ms < least_ms}
        said = {key: stamp for key, stamp in old.items() if (key, stamp) not in self.truth.unsaid}
        return {key: (stamp, self.truth.imported[key]) for key, stamp in said.items()}

    def _check_copied(self, link: dict[str, Any]) -> None:
        """The copy is said to be done: what was here before the link is there, and all that had no version.
        Of what a write of another region was put over meanwhile nothing is known."""
        other, imported = self.others[link["destination"]], self.truth.imported
        of_before = {key: (stamp, 0) for key, (stamp, _) in self.truth.before.items()}
        for key, (stamp, count) in (*self._snapshots[other.name].items(), *of_before.items()):
            is_sent = link["whole"] or stamp.region in link["rows"]
            is_kept = stamp.time > self.truth.gone.get(key, -1)
            if is_sent and is_kept and count == imported[key] and not other.truth.has(key, stamp):
                raise Violation(f"{key!r} of {stamp} is copied from {self.name} and is not in {other.name}")

    def _check_decided(self, stored: Stored, what: str) -> None:
        for export in decode_batch(stored.value).batch.exports:
            if not (self.truth.has(export.key, export.version.stamp) or self.is_parked(export)):
                raise Violation(f"{what} what is not decided: {export}")

    def is_parked(self, export: Export) -> bool:
        """Of a region that is none any more, which sent it before."""
        return export.version.stamp.region in self.former

    # -- the end ----------------------------------------------------------------------------------------------

    def unsent(self) -> str | None:
        """What has not come over all links yet."""
        for name in self.others:
            if self.links.get(name, {}).get("status") != ACTIVE:
                return f"{name} is not ACTIVE in {self.name}"
            offsets = self.kafka.group(TOPICS.rep_outs(name)).offsets
            for number in range(self.kafka.counts[self.topic]):
                where = self.topic, number
                offset, beside = offsets.get(where, (0, ""))
                progress = read_metadata(offset, orjson.loads(beside or "{}").get("progress", ""))
                low, end = self.kafka.low[where], self._end_of_changes(where)
                if progress.mark is not Mark.ENDED and low < end and offset < end:
                    return f"shard {number} of {self.name} is acknowledged by {name} up to {offset} only"
        for number, log in self.cluster.logs.items():
            place = next((c.place for w, c in self.streams.committed.items() if w.number == number), None)
            if place is None or not (place.sealed or place.next_offset >= _end_of_writes(log)):
                return f"log {number} of {self.name} is not in its stream"
        return None

    def _end_of_changes(self, where: Where) -> int:
        """Behind the last record of a shard that is more than a word: of those there is no end."""
        types = self._types(where)
        return next((n + 1 for n in reversed(range(len(types))) if types[n] != FLOORS.encode()), 0)

    def _types(self, where: Where) -> list[bytes]:
        """Of a shard's records, in order."""
        return [dict(each.headers)["type"] for each in self.kafka.records[where]]


def _end_of_writes(log: Log) -> int:
    """Behind the last record of a log that no leader appends now and then."""
    return next((n + 1 for n in reversed(range(len(log.records))) if not _is_regular(log.records[n])), 0)


def _is_regular(record: Record) -> bool:
    if record.kind != Kind.MUTATION:
        return False
    body = BODIES.decode(record.schema_number, record.body)
    return isinstance(body, Mutation) and says_so(body)
