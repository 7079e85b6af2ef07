"""Histories of replication logs without the nodes that would write them: what propagators read.

A table's partitions with one writer each, which is deposed now and then; what deposed ones, strangers and retries
leave between its records is void. Mutations have real rows, some change nothing; partitions are split at random. The
writer folds what it has written, so it knows what was accepted without asking those under test.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import orjson

from dynabus.core.ids import Incarnation, LogId, NodeName, PartitionId, Writer
from dynabus.core.replication.fold import Verdict, fold
from dynabus.core.replication.place import Group, Origin, Place, encode_claim, start_of_log
from dynabus.core.replication.records import (
    CHAIN_START,
    NOBODY,
    Body,
    Child,
    Configure,
    Empty,
    Envelope,
    Form,
    Genesis,
    Kind,
    Mutation,
    Record,
    Resign,
    Seal,
    decode_record,
    encode_record,
)
from dynabus.core.replication.succession import child_genesis
from dynabus.core.rows import encode_row
from tests.simulation.kafka import BODIES

TABLE = "0" * 32
MEMBERS = tuple(NodeName(name) for name in ("node-1", "node-2", "node-3"))
KEYS = 16
START_MS = 1_700_000_000_000

FAR = 1_000_000
"""No log here comes up to it; else its record, landing again, would be a second one for one place, against I4."""


@dataclass(frozen=True, slots=True)
class Truth:
    """An accepted mutation that changed something."""

    number: int
    offset: int
    key: str
    old: str | None
    new: str | None


def origin(number: int) -> Origin:
    """Of a partition's log."""
    return Origin("cluster", "topic", PartitionId(LogId(TABLE), number))


@dataclass
class History:
    """Logs by number. `truth` is in the order in which it came."""

    dice: random.Random
    logs: dict[int, list[Record]] = field(default_factory=dict)
    places: dict[int, Place] = field(default_factory=dict)
    truth: list[Truth] = field(default_factory=list)
    lineage: dict[int, list[int]] = field(default_factory=dict)
    ranges: dict[int, tuple[int, int]] = field(default_factory=dict)
    now_ms: int = START_MS
    may_split: bool = True
    lost: set[tuple[int, int]] = field(default_factory=set)
    """(number, offset) of what logs have lost: whoever had read it has it."""
    recovered: dict[int, tuple[int, int]] = field(default_factory=dict)
    """By number of a log that lost records: its successor, and the offset from which that goes on."""
    contents: dict[int, dict[str, str]] = field(default_factory=dict)
    """Of such successors: what they began with."""
    _values: dict[str, str] = field(default_factory=dict)
    _writers: dict[int, Writer] = field(default_factory=dict)
    _runs: int = 0

    def begin(self) -> None:
        """The table's first partition, with strays before its genesis now and then."""
        self.logs[0], self.lineage[0], self.ranges[0] = [], [], (0, KEYS)
        self.places[0] = start_of_log(origin(0))
        if self.dice.random() < 0.5:
            self._land(0, b"stray")
        genesis = Genesis(Form.NEW, b"", None, MEMBERS, 0)
        self._append(0, Kind.GENESIS, genesis, Envelope(1, 0, 0, CHAIN_START, 0, NOBODY, 0, Kind.GENESIS))
        self._claim(0)

    def open_numbers(self) -> list[int]:
        """Partitions that are not sealed."""
        return [number for number, place in self.places.items() if not place.sealed and number not in self.recovered]

    def step(self) -> None:
        """Something happens in one log."""
        number = self.dice.choice(self.open_numbers())
        self.now_ms += self.dice.randrange(-15, 20)
        what = self.dice.random()
        if what < 0.70:
            self.change(number)
        elif what < 0.80:
            self._trouble(number)
        elif what < 0.88:
            self._led(number, Kind.BARRIER, Empty())
        elif what < 0.95:
            if self.dice.random() < 0.5:
                self._led(number, Kind.RESIGN, Resign(True, None))
            self._claim(number)
        elif self.may_split and len(self.logs) < 7:
            self.split(number)

    def split(self, number: int) -> None:
        """Into two, if there is more than one key."""
        lower, upper = self.ranges[number]
        if upper - lower < 2:
            return
        middle = (lower + upper) // 2
        first = max(self.logs) + 1
        generation = self._group(number).generation + 1
        bounds = [bytes([lower]), bytes([middle]), bytes([upper])]
        children = tuple(Child(first + place, generation, bounds[place], bounds[place + 1]) for place in range(2))
        self._led(number, Kind.SEAL, Seal(children))
        for child, span in zip(children, ((lower, middle), (middle, upper)), strict=True):
            self.logs[child.number], self.ranges[child.number] = [], span
            self.lineage[child.number] = [*self.lineage[number], number]
            self.places[child.number] = start_of_log(origin(child.number))
            genesis = child_genesis(self.places[number], child, BODIES)
            for _ in range(self.dice.choice([1, 1, 2])):
                self._land(child.number, genesis)
            self._claim(child.number)
        if self.dice.random() < 0.5:
            self._trouble(number)

    def lose(self, number: int) -> None:
        """The log loses its end; what is there is fenced, and a replica that had read all goes on in another log."""
        log = self.logs[number]
        cut = self.dice.choice([0, self.dice.randrange(0, max(1, min(6, len(log) - 4)))])
        kept = len(log) - cut
        self.lost |= {(number, offset) for offset in range(kept, len(log))}
        self.recovered[number] = (max(self.logs) + 1, len(log))
        del log[kept:]
        fence = self._envelope(number, Kind.CLAIM)._replace(term=2**62, kind=Kind.CLAIM)
        schema, body = BODIES.encode(Kind.CLAIM, Empty())
        log.append(decode_record(len(log), 0, encode_record(fence, schema, body)))
        for _ in range(self.dice.randrange(3)):
            log.append(decode_record(len(log), 0, b"late"))
        self._go_on(number, max(self.logs) + 1)

    def _go_on(self, number: int, successor: int) -> None:
        """The contents first, then the `configure` that says that they are all there."""
        before = self._group(number)
        self.logs[successor], self.ranges[successor] = [], self.ranges[number]
        self.lineage[successor] = []  # as rows have it: the closed partition names it
        self.places[successor] = start_of_log(origin(successor))
        genesis = Genesis(Form.RECOVERY, b"", None, MEMBERS, self.places[number].reign.term)
        envelope = Envelope(before.generation + 1, 0, 0, CHAIN_START, 0, NOBODY, 0, Kind.GENESIS)
        self._append(successor, Kind.GENESIS, genesis, envelope)
        self._claim(successor)
        lower, upper = self.ranges[successor]
        self.contents[successor] = {
            key: value for key, value in sorted(self._values.items()) if lower <= int(key[1:]) < upper
        }
        for key, value in self.contents[successor].items():
            row = self.row(key, value)
            self._led(
                successor, Kind.MUTATION, Mutation(key.encode(), None, row, self.now_ms, b"", 0, 0, b"", 0, b"")
            )
        self._led(successor, Kind.CONFIGURE, Configure(MEMBERS, 1))

    # -- records ----------------------------------------------------------------------------------------------

    def change(self, number: int) -> None:
        """Some item of a partition."""
        key = f"k{self.dice.randrange(*self.ranges[number]):02}"
        old = self._values.get(key)
        new = self.value(old)
        if old is None and new is None:
            return
        rows = [None if value is None else self.row(key, value) for value in (old, new)]
        body = Mutation(key.encode(), rows[0], rows[1], self.now_ms, b"", 0, 0, b"", 0, b"")
        offset = len(self.logs[number])
        self._led(number, Kind.MUTATION, body)
        if new is None:
            del self._values[key]
        else:
            self._values[key] = new
        if old != new:
            self.truth.append(Truth(number, offset, key, old, new))

    def value(self, old: str | None) -> str | None:
        """Of a mutation."""
        return self.dice.choice([old, None, f"v{self.now_ms}", f"v{self.dice.random()}"])

    def row(self, key: str, value: str) -> bytes:
        """Of an item."""
        return _row(key, value, self.now_ms)

    def items(self) -> dict[str, str]:
        """What there is, by key."""
        return dict(self._values)

    def items_at(self, number: int, offset: int) -> dict[str, str]:
        """What a partition's replica has that has applied all before an offset of its log, by key."""
        lower, upper = self.ranges[number]
        items: dict[str, str] = {}
        for ancestor in (*self.lineage[number], number):
            begun = self.contents.get(ancestor, {}).items()
            items |= {key: value for key, value in begun if lower <= int(key[1:]) < upper}
        for each in self.truth:
            counts = each.number in self.lineage[number] or (each.number == number and each.offset < offset)
            if counts and lower <= int(each.key[1:]) < upper:
                if each.new is None:
                    items.pop(each.key, None)
                else:
                    items[each.key] = each.new
        return items

    def place_at(self, number: int, offset: int) -> Place:
        """Of a partition's replica that has read up to an offset of its log."""
        place = start_of_log(origin(number))
        for record in self.logs[number][:offset]:
            place, _ = fold(place, record, BODIES)
        return place

    def _led(self, number: int, kind: Kind, body: Body) -> None:
        """By the term's winner."""
        place = self.places[number]
        if place.reign.resigned or place.reign.leader is None:
            self._claim(number)
            place = self.places[number]
        self._append(number, kind, body, self._envelope(number, kind))

    def _envelope(self, number: int, kind: Kind) -> Envelope:
        place = self.places[number]
        return Envelope(
            self._group(number).generation,
            place.reign.term,
            place.next_sequence,
            place.chain,
            place.log_time_ms + 1,
            self._writers[number],
            0,
            kind,
        )

    def _group(self, number: int) -> Group:
        group = self.places[number].group
        assert group is not None
        return group

    def _claim(self, number: int) -> None:
        self._runs += 1
        writer = Writer(self.dice.choice(MEMBERS), Incarnation(self._runs))
        self._writers[number] = writer
        self._land(number, encode_claim(self.places[number], writer, self._runs, BODIES))

    def _trouble(self, number: int) -> None:
        """Void: a deposed leader's, a stranger's claim, damage, a record again, another generation's."""
        place = self.places[number]
        envelope = self._envelope(number, Kind.MUTATION)
        row = _row("k00", "void", self.now_ms)
        stale = Mutation(b"k00", None, row, self.now_ms, b"", 0, 0, b"", 0, b"")
        schema, body = BODIES.encode(Kind.MUTATION, stale)
        stranger = Writer(NodeName("stranger"), Incarnation(1))
        choices = [
            encode_record(envelope._replace(writer=stranger, term=place.reign.term - 1), schema, body),
            encode_record(envelope._replace(sequence=envelope.sequence + FAR), schema, body),
            encode_record(envelope._replace(generation=99), schema, body),
            encode_claim(place, stranger, 5, BODIES),
            b"damaged",
            self.dice.choice(self.logs[number]).value,
        ]
        self._land(number, self.dice.choice(choices), void=True)

    def _append(self, number: int, kind: Kind, body: Body, envelope: Envelope) -> None:
        schema, encoded = BODIES.encode(kind, body)
        self._land(number, encode_record(envelope, schema, encoded))

    def _land(self, number: int, value: bytes, *, void: bool = False) -> None:
        record = decode_record(len(self.logs[number]), 0, value)
        self.logs[number].append(record)
        self.places[number], verdict = fold(self.places[number], record, BODIES)
        assert verdict in (Verdict.ACCEPTED, Verdict.VOID)
        assert not void or verdict is Verdict.VOID


def _row(key: str, value: str, time_ms: int) -> bytes:
    return encode_row(orjson.dumps({"pk": {"S": key}, "v": {"S": value}}), len(key) + len(value) + 3, time_ms)
