"""Kafka's clients in the simulation of three regions: consumer groups, consumers and producers (`region_kafka`)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple
from zlib import crc32

from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, KafkaError, KafkaException, TopicPartition

from tests.simulation.global_tables import WALL_MS

if TYPE_CHECKING:
    from tests.simulation.region_kafka import Host, Kafka, Wires

Where = tuple[str, int]

SESSION_MS = 6000.0
FETCHED_MOST = 6

LATE_MOST_MS = 14_000.0
"""Until what was produced lands: long after it was produced once more, and what it was deleted by is forgotten."""


class Stored(NamedTuple):
    """A record of a topic partition."""

    value: bytes | None
    key: bytes | None
    headers: list[tuple[str, Any]]
    timestamp_ms: int


class Message(NamedTuple):
    """The same, or an error, as a consumer gives it."""

    where: Where
    at: int
    stored: Stored | None
    problem: KafkaError | None = None

    def topic(self) -> str:
        return self.where[0]

    def partition(self) -> int:
        return self.where[1]

    def offset(self) -> int:
        return self.at

    def error(self) -> KafkaError | None:
        return self.problem

    def value(self) -> bytes | None:
        return None if self.stored is None else self.stored.value

    def key(self) -> bytes | None:
        return None if self.stored is None else self.stored.key

    def headers(self) -> list[tuple[str, Any]]:
        return [] if self.stored is None else self.stored.headers


@dataclass(eq=False)
class Group:
    """A consumer group. `targets`: who shall have each topic partition; who has one lets it go first."""

    kafka: Kafka
    name: str
    members: dict[Consumer, float] = field(default_factory=dict)
    """When each was heard last."""
    targets: dict[Where, Consumer] = field(default_factory=dict)
    owners: dict[Where, Consumer] = field(default_factory=dict)
    offsets: dict[Where, tuple[int, str]] = field(default_factory=dict)
    shared_ms: float = 0.0
    """When it was dealt out last."""
    _shared: set[Where] = field(default_factory=set)

    def serve(self, member: Consumer) -> None:
        """A member polls: it learns what it has lost, has to give, and has got."""
        now_ms = self.kafka.wires.world.now_ms
        wanted = {(topic, n) for each in self.members for topic in each.topics for n in range(self._count(topic))}
        silent = [each for each, at in self.members.items() if now_ms - at > SESSION_MS and each is not member]
        for each in silent:
            self._expel(each)
        if member not in self.members:
            lost, member.owned = member.owned, set()
            if lost:
                member.took(lost, lost=True)
            self.members[member] = now_ms
            self.share()
        elif now_ms - self.members[member] > SESSION_MS:
            self._expel(member)
            self.share()
            return
        elif silent or wanted != self._shared:
            self.share()
        self.members[member] = now_ms
        gone = {where for where in member.owned if self.targets.get(where) is not member}
        if gone:
            member.took(gone, lost=False)
            member.owned -= gone
            for where in gone:
                self.owners.pop(where, None)
        new = {where for where, to in self.targets.items() if to is member and where not in self.owners}
        if new:
            self.owners.update(dict.fromkeys(new, member))
            member.owned |= new
            member.got(new)

    def share(self) -> None:
        """Topic partitions are dealt out, some of them anew."""
        self.shared_ms = self.kafka.wires.world.now_ms
        dice = self.kafka.wires.dice
        self._shared = {
            (topic, n) for each in self.members for topic in each.topics for n in range(self._count(topic))
        }
        old, self.targets = self.targets, {}
        for where in sorted(self._shared):
            able = [each for each in self.members if where[0] in each.topics]
            had = old.get(where)
            keeps = had in able and dice.random() < 0.7
            self.targets[where] = had if keeps and had is not None else dice.choice(able)

    def leave(self, member: Consumer) -> None:
        """In order."""
        if member in self.members:
            self._expel(member)
            self.share()

    def _expel(self, member: Consumer) -> None:
        del self.members[member]
        self.owners = {where: each for where, each in self.owners.items() if each is not member}
        self.targets = {where: each for where, each in self.targets.items() if each is not member}

    def _count(self, topic: str) -> int:
        return self.kafka.counts.get(topic, 0)

    def commit(self, member: Consumer, offsets: list[TopicPartition]) -> None:
        """Raises KafkaException: it is not taken, or is, and nobody hears of it."""
        if member not in self.members:
            raise KafkaException(KafkaError(KafkaError.UNKNOWN_MEMBER_ID))
        dice, refused = self.kafka.wires.dice, self.kafka.wires.troubles.refused
        if self.kafka.is_away() or dice.random() < refused / 2:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT))
        for each in offsets:
            where = each.topic, each.partition
            before = self.offsets.get(where, (0, ""))[0]
            self.kafka.committed(self.name, where, before, each.offset, each.metadata or "")
            self.offsets[where] = (each.offset, each.metadata or "")
        if dice.random() < refused / 2:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT))


class Consumer:
    """A consumer by hand, or a member of a group."""

    def __init__(self, wires: Wires, kafka: Kafka, host: Host, group: str | None) -> None:
        self._wires, self._kafka, self._host = wires, kafka, host
        self._group = None if group is None else kafka.group(group)
        self._at: dict[Where, int] = {}
        self._paused: set[Where] = set()
        self.topics: set[str] = set()
        self.owned: set[Where] = set()
        self._on_assign = self._on_revoke = self._on_lost = _nothing

    # -- the group --------------------------------------------------------------------------------------------------

    def subscribe(self, topics: list[str], *, on_assign: Any, on_revoke: Any, on_lost: Any) -> None:
        self._host.step()
        self.topics = {*topics}
        self._on_assign, self._on_revoke, self._on_lost = on_assign, on_revoke, on_lost

    def unsubscribe(self) -> None:
        self.topics = set()

    def took(self, gone: set[Where], *, lost: bool) -> None:
        (self._on_lost if lost else self._on_revoke)(self, [TopicPartition(*where) for where in sorted(gone)])
        for where in gone:
            self._at.pop(where, None)

    def got(self, new: set[Where]) -> None:
        self._on_assign(self, [TopicPartition(*where) for where in sorted(new)])

    def committed(self, asked: list[TopicPartition], timeout: float) -> list[TopicPartition]:
        self._ask()
        assert self._group is not None
        found = []
        for each in asked:
            offset, metadata = self._group.offsets.get((each.topic, each.partition), (-1001, ""))
            found.append(TopicPartition(each.topic, each.partition, offset, metadata))
        return found

    def commit(self, *, offsets: list[TopicPartition], asynchronous: bool = True) -> list[TopicPartition]:
        self._host.step()
        assert self._group is not None
        self._group.commit(self, offsets)
        self._host.step()
        return offsets

    def close(self) -> None:
        if self._group is not None:
            self._group.leave(self)

    # -- reading ----------------------------------------------------------------------------------------------------

    def assign(self, places: list[TopicPartition]) -> None:
        self._at.clear()
        self.incremental_assign(places)

    def incremental_assign(self, places: list[TopicPartition]) -> None:
        for each in places:
            where = each.topic, each.partition
            if where not in self._kafka.records:
                continue
            low, end = self._kafka.extent(where)
            offset = each.offset
            if offset == OFFSET_BEGINNING:
                offset = low
            elif offset == OFFSET_END:
                offset = end
            elif offset < 0:
                assert self._group is not None
                offset = self._group.offsets.get(where, (low, ""))[0]
            self._at[where] = offset

    def incremental_unassign(self, places: list[TopicPartition]) -> None:
        for each in places:
            del self._at[each.topic, each.partition]

    def pause(self, places: list[TopicPartition]) -> None:
        self._paused |= {(each.topic, each.partition) for each in places}

    def resume(self, places: list[TopicPartition]) -> None:
        self._paused -= {(each.topic, each.partition) for each in places}

    def poll(self, _timeout_s: float = 0) -> Message | None:
        self._host.step()
        if self._group is not None and (self.topics or self.owned) and not self._kafka.is_away():
            self._group.serve(self)
        return next(iter(self._take(1)), None)

    def consume(self, most: int, timeout: float) -> list[Message]:
        return self._take(min(most, self._wires.dice.randint(0, FETCHED_MOST)))

    def _take(self, most: int) -> list[Message]:
        found: list[Message] = []
        if self._kafka.is_away():
            return found
        for where in [*self._at]:
            low, end = self._kafka.extent(where)
            if where in self._paused:
                continue
            if self._at[where] < low:
                found.append(Message(where, 0, None, KafkaError(KafkaError._AUTO_OFFSET_RESET)))
                continue
            while self._at[where] < end and len(found) < most:
                found.append(Message(where, self._at[where], self._kafka.records[where][self._at[where]]))
                self._at[where] += 1
        return found

    # -- questions --------------------------------------------------------------------------------------------------

    def get_watermark_offsets(self, asked: TopicPartition, **_: Any) -> tuple[int, int]:
        self._ask()
        return self._kafka.extent((asked.topic, asked.partition))

    def offsets_for_times(self, asked: list[TopicPartition], timeout: float) -> list[TopicPartition]:
        self._ask()
        found = []
        for each in asked:
            where = each.topic, each.partition
            low, records = self._kafka.low[where], self._kafka.records[where]
            behind = (n for n in range(low, len(records)) if records[n].timestamp_ms >= each.offset)
            found.append(TopicPartition(*where, next(behind, OFFSET_END)))
        return found

    def _ask(self) -> None:
        self._host.step()
        if self._kafka.is_away():
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT))


def _nothing(_consumer: Consumer, _places: list[TopicPartition]) -> None:
    """Nobody has subscribed."""


class Producer:
    """To one region's Kafka; reports are heard in `poll`."""

    def __init__(self, wires: Wires, kafka: Kafka, host: Host) -> None:
        self._wires, self._kafka, self._host = wires, kafka, host
        self._reports: list[tuple[Any, KafkaError | None]] = []

    def produce(
        self, topic: str, value: bytes, key: bytes | None, partition: int, *, headers: Any, on_delivery: Any
    ) -> None:
        self._host.step()
        world, dice, troubles = self._wires.world, self._wires.dice, self._wires.troubles
        if partition < 0:
            partition = crc32(key or b"") % self._kafka.counts.get(topic, 1)
        stored = Stored(value, key, headers or [], WALL_MS + int(world.now_ms))
        fails_ms, what = 500.0, dice.random()
        if what < troubles.lost:
            world.after(fails_ms, self._report, on_delivery, KafkaError(KafkaError.REQUEST_TIMED_OUT))
        elif what < troubles.lost + troubles.late:
            world.after(fails_ms, self._report, on_delivery, KafkaError(KafkaError.REQUEST_TIMED_OUT))
            world.after(dice.uniform(10.0, LATE_MOST_MS), self._land_late, (topic, partition), stored)
        else:
            reported = dice.random() >= troubles.unreported
            world.after(dice.uniform(1.0, 20.0), self._arrive, (topic, partition), stored, on_delivery, reported)

    def _arrive(self, where: Where, stored: Stored, told: Any, reported: bool) -> None:
        landed = self._land(where, stored)
        problem = None if landed and reported else KafkaError(KafkaError.REQUEST_TIMED_OUT)
        delay_ms = self._wires.dice.uniform(1.0, 20.0) if problem is None else 500.0
        self._wires.world.after(delay_ms, self._report, told, problem)

    def _land_late(self, where: Where, stored: Stored) -> None:
        self._land(where, stored)

    def _land(self, where: Where, stored: Stored) -> bool:
        if not self._wires.reaches(self._host.region, self._kafka.region) or where not in self._kafka.records:
            return False
        self._kafka.land(where, stored)
        return True

    def _report(self, told: Any, problem: KafkaError | None) -> None:
        self._reports.append((told, problem))

    def poll(self, _timeout_s: float) -> None:
        self._host.step()
        reports, self._reports = self._reports, []
        for told, problem in reports:
            told(problem, None)

    def flush(self, _timeout_s: float) -> int:
        return 0
