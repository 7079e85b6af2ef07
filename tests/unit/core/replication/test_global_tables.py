"""Leaders of a global table's partitions: what its log says of regions, and the version of what they write."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import orjson
import pytest
from tests.unit.core.replication.test_replica import Bench, answers, statuses

from dynabus.core.errors import ApiError
from dynabus.core.global_tables.floors import Floors
from dynabus.core.global_tables.forgetting import removal
from dynabus.core.global_tables.leading import floors_in, note_of
from dynabus.core.global_tables.versions import TICKS_PER_MS, Stamp, Version
from dynabus.core.ids import Incarnation, RequestId
from dynabus.core.key_schema import KeySchema
from dynabus.core.messages import ReplyStatus
from dynabus.core.operations import import_item
from dynabus.core.operations.calls import Code, part_to
from dynabus.core.operations.delete_item import node as delete
from dynabus.core.operations.put_item import node as put
from dynabus.core.replication.effects import Effect, Write
from dynabus.core.replication.records import Kind, Mutation, decode_record
from dynabus.core.replication.request_ids import encode_request_id
from dynabus.core.replication.store import Evaluate
from dynabus.core.replication.unresolved import Sender
from dynabus.core.rows import encode_row, is_tombstone, item_of, items_in, version_of
from dynabus.core.values import Item, item_size

WALL_MS = 1_700_000_000_000
SCHEMA = KeySchema("pk", "S", None, None)
KEY = SCHEMA.encode({"pk": {"S": "k"}})
OTHERS = Floors("us", frozenset({"eu", "za"}))


class Told(NamedTuple):
    """What a write came to: its answer, and the mutation, if there is one."""

    status: int
    body: bytes
    mutation: Mutation | None


class Region:
    """A leader whose log says that its table is global, if it is to."""

    def __init__(self, floors: Floors | None = OTHERS) -> None:
        self.bench = Bench().lead()
        self.wall_ms = WALL_MS
        if floors is not None:
            self.say(floors)

    def say(self, floors: Floors) -> None:
        leader = self.bench.replica.leader
        assert leader is not None
        leader.append_unasked(note_of(floors), self.bench.now_ms)
        self.bench.append(self.bench.replica.take_effects())
        self.bench.read()

    def ask(self, evaluate: Evaluate) -> list[Effect]:
        number = next(self.bench.counter)
        request = encode_request_id(RequestId(Incarnation(9), number, 0))
        write = Write(Sender("router", 9, number, 0), request, 1, KEY, evaluate, 10_000)
        self.bench.replica.write(write, self.bench.now_ms, self.wall_ms)
        return self.bench.replica.take_effects()

    def do(self, evaluate: Evaluate) -> Told:
        before = len(self.bench.log)
        effects = self.bench.append(self.ask(evaluate))
        effects += self.bench.read()
        bodies = [decode_record(0, 0, value) for value in self.bench.log[before:]]
        found = [self.bench.replica.around.bodies.decode(each.schema_number, each.body) for each in bodies]
        mutations = [each for each in found if isinstance(each, Mutation)]
        return Told(statuses(effects)[0], answers(effects)[0], mutations[0] if mutations else None)

    def put(self, **attributes: str) -> Told:
        item: Item = {"pk": {"S": "k"}, **{name: {"S": value} for name, value in attributes.items()}}
        return self.do(put(part_to("l", 0, 1, Code.PUT, KEY, orjson.dumps(item), item_size(item))))

    def delete(self) -> Told:
        return self.do(delete(part_to("l", 0, 1, Code.DELETE, KEY)))

    def arrive(self, version: Version, item: Item | None, lead_ms: int = 0) -> Told:
        return self.do(self.importing(version, item, lead_ms))

    def importing(self, version: Version, item: Item | None, lead_ms: int = 0) -> Evaluate:
        body = b"" if item is None else orjson.dumps(item)
        part = part_to("l", 0, 1, Code.IMPORT, KEY, body, 0 if item is None else item_size(item), version.encode())
        return import_item.node(part, import_item.Here(self._floors, SCHEMA, lead_ms))

    def _floors(self) -> Floors | None:
        leader = self.bench.replica.leader
        return None if leader is None else leader.floors

    @property
    def row(self) -> bytes | None:
        return self.bench.disk.get(KEY)

    @property
    def version(self) -> Version:
        assert self.row is not None
        return version_of(self.row, "us")


def of(region: str, ms: int, **seen: int) -> Version:
    time = (WALL_MS + ms) * TICKS_PER_MS
    return Version(
        Stamp(time, region), {**{name: (WALL_MS + at) * TICKS_PER_MS for name, at in seen.items()}, region: time}
    )


def item(value: str) -> Item:
    return {"pk": {"S": "k"}, "v": {"S": value}}


# -- clients' writes ----------------------------------------------------------------------------------------------


def test_each_write_has_a_version_above_all_that_its_item_has_seen() -> None:
    region = Region()
    region.put(v="1")
    assert region.version == of("us", 0)
    region.put(v="2")
    assert region.version.stamp == Stamp(WALL_MS * TICKS_PER_MS + 1, "us")
    region.wall_ms += 5
    region.put(v="3")
    assert region.version == of("us", 5)
    region.wall_ms -= 3
    region.put(v="4")
    assert region.version.stamp == Stamp((WALL_MS + 5) * TICKS_PER_MS + 1, "us"), "its clock went back"


def test_a_write_that_changes_nothing_changes_no_version() -> None:
    region = Region()
    region.put(v="1")
    before = region.row
    region.wall_ms += 5
    told = region.put(v="1")
    assert (told.status, region.row) == (ReplyStatus.OK, before)
    assert told.mutation is None or told.mutation.old == told.mutation.new


def test_the_order_of_a_set_is_no_change() -> None:
    region = Region()
    bodies = [orjson.dumps({"pk": {"S": "k"}, "s": {"SS": names}}) for names in (["a", "b"], ["b", "a"])]
    for body in bodies:
        region.do(put(part_to("l", 0, 1, Code.PUT, KEY, body, 6)))
        region.wall_ms += 5
    assert region.version == of("us", 0)


def test_a_deletion_leaves_a_tombstone_that_is_no_item() -> None:
    region = Region()
    region.put(v="1")
    region.wall_ms += 5
    told = region.delete()
    assert told.mutation is not None
    assert region.row is not None
    assert is_tombstone(region.row)
    assert (items_in(region.row), item_of(region.row), region.version) == (0, None, of("us", 5))
    before = region.row
    assert region.delete().mutation is None, "there is no item"
    assert region.row == before
    region.put(v="2")
    assert region.version.stamp > of("us", 5).stamp


def test_a_row_of_before_the_table_was_global_was_written_here() -> None:
    region = Region(None)
    region.put(v="1")
    assert region.row == encode_row(b'{"pk":{"S":"k"},"v":{"S":"1"}}', 5, WALL_MS)
    region.say(OTHERS)
    region.put(v="2")
    assert region.version.stamp == Stamp(WALL_MS * TICKS_PER_MS + 1, "us")


def test_without_other_regions_versions_go_on() -> None:
    region = Region(Floors("us", frozenset()))
    region.put(v="1")
    assert region.version == of("us", 0)
    region.delete()
    assert region.row is not None
    assert is_tombstone(region.row)


def test_what_is_written_behind_the_record_has_a_version_before_that_is_read_back() -> None:
    region = Region(None)
    leader = region.bench.replica.leader
    assert leader is not None
    leader.append_unasked(note_of(OTHERS), region.bench.now_ms)
    region.put(v="1")
    assert region.version == of("us", 0)


def test_a_successor_knows_it_from_the_log() -> None:
    region = Region()
    region.put(v="1")
    other = Bench("node-b", region.bench.log)
    other.read()
    assert floors_in(other.disk) == OTHERS
    other.replica.election.claim_at_once(other.now_ms)
    other.append(other.tick())
    other.read()
    assert other.replica.leader is not None
    assert other.replica.leader.floors == OTHERS
    other.counter, region.bench = region.bench.counter, other
    other.tick(10_000)
    region.put(v="2")
    assert region.version.stamp == Stamp(WALL_MS * TICKS_PER_MS + 1, "us")


# -- other regions' writes ----------------------------------------------------------------------------------------


def test_news_becomes_the_item_with_what_both_had_seen() -> None:
    region = Region()
    assert region.arrive(of("eu", 0), item("e")).body == b"news"
    assert (item_of(region.row), region.version) == (item("e"), of("eu", 0))
    region.wall_ms += 1
    region.put(v="u")
    assert region.arrive(of("eu", 2, us=1), item("e2"), lead_ms=1).body == b"news"
    assert region.version == of("eu", 2, us=1)


def test_a_repeat_changes_nothing_however_late() -> None:
    region = Region()
    region.arrive(of("eu", 0), item("e"))
    region.wall_ms += 1
    region.put(v="u")
    before = region.row
    told = region.arrive(of("eu", 0), item("e"))
    assert (told.body, told.mutation, region.row) == (b"repeat", None, before)


def test_a_conflict_is_won_by_the_later_stamp_and_the_record_has_who_lost() -> None:
    region = Region()
    region.put(v="u")
    told = region.arrive(of("eu", 1), item("e"), lead_ms=1)
    assert told.body == b"won"
    assert told.mutation is not None
    assert told.mutation.losing == b"", "the old image"
    assert (item_of(region.row), region.version) == (item("e"), of("eu", 1, us=0))


def test_a_row_of_before_the_table_was_global_says_its_version_when_it_loses() -> None:
    region = Region(None)
    region.put(v="u")
    region.say(OTHERS)
    told = region.arrive(of("eu", 1), item("e"), lead_ms=1)
    assert told.body == b"won"
    assert told.mutation is not None
    losing = told.mutation.losing
    assert losing is not None
    assert (item_of(losing), version_of(losing, "another")) == (item("u"), of("us", 0))


def test_a_conflict_that_is_lost_is_kept_in_the_version_alone() -> None:
    region = Region()
    region.put(v="u")
    told = region.arrive(of("eu", -1), item("e"))
    assert told.body == b"lost"
    assert told.mutation is not None
    losing = told.mutation.losing
    assert losing is not None
    assert (item_of(losing), version_of(losing, "us")) == (item("e"), of("eu", -1))
    assert (item_of(region.row), region.version) == (item("u"), of("us", 0, eu=-1))
    assert region.arrive(of("eu", -1), item("e")).body == b"repeat", "it is told once"


def test_a_deletion_arrives_where_there_is_no_item() -> None:
    region = Region()
    assert region.arrive(of("eu", 0), None).body == b"news"
    assert region.row is not None
    assert is_tombstone(region.row)
    told = region.arrive(of("za", -1), item("z"))
    assert told.body == b"lost"
    assert item_of(region.row) is None
    assert region.version == of("eu", 0, za=-1)


def test_what_is_below_what_may_be_forgotten_is_a_repeat_whatever_is_known_of_the_item() -> None:
    floors = Floors("us", frozenset({"eu"}), {"eu": of("eu", 5).stamp.time}, forgotten=of("eu", 0).stamp.time)
    region = Region(floors)
    assert region.arrive(of("eu", 0), item("e")).body == b"repeat"
    assert region.row is None
    assert region.arrive(of("eu", 1), item("e"), lead_ms=1).body == b"news"


def test_a_write_has_a_time_above_what_its_log_has_promised_whatever_clocks_say() -> None:
    region = Region(Floors("us", frozenset({"eu"}), promised=of("us", 700).stamp.time))
    region.put(v="u")
    assert region.version.stamp.time == of("us", 700).stamp.time + 1


def test_a_tombstone_that_may_go_goes_by_a_record_of_its_own_and_what_it_won_against_stays_out() -> None:
    region = Region()
    region.arrive(of("eu", 0), item("e"))
    region.delete()
    assert region.do(removal(OTHERS)).mutation is None, "not yet"
    floors = Floors("us", OTHERS.others, {"eu": of("eu", 0).stamp.time, "za": 1}, forgotten=region.version.stamp.time)
    region.say(floors)
    told = region.do(removal(floors))
    assert told.mutation is not None
    assert (told.mutation.new, region.row) == (None, None)
    assert region.arrive(of("eu", 0), item("e")).body == b"repeat"
    region.put(v="new")
    assert region.do(removal(floors)).mutation is None, "it is an item"


def test_a_stamp_too_far_ahead_is_an_error_and_nothing_changes() -> None:
    region = Region()
    told = region.arrive(of("eu", 1_001), item("e"), lead_ms=1_000)
    assert told.status == ReplyStatus.ERROR
    assert orjson.loads(told.body)["__type"].endswith("#ClockAhead")
    assert region.row is None
    far = import_item.FAR_MS
    for ms, kind in ((far, "#ClockAhead"), (far + 1, "#ClockFarAhead")):
        told = region.arrive(of("eu", ms), item("e"), lead_ms=1_000)
        assert orjson.loads(told.body)["__type"].endswith(kind)
    assert region.arrive(of("eu", far + 1), item("e"), lead_ms=far + 1).body == b"news", "as it was told"
    region = Region()
    assert region.arrive(of("eu", 1_000), item("e"), lead_ms=1_000).body == b"news"
    region.put(v="u")
    assert region.version.stamp > of("eu", 1_000).stamp, "a write goes on from what its item has seen"


def test_it_waits_until_the_log_says_that_the_table_is_global() -> None:
    region = Region(None)
    told = region.arrive(of("eu", 0), item("e"))
    assert (told.status, told.mutation) == (ReplyStatus.BUSY, None)
    region.say(OTHERS)
    assert region.arrive(of("eu", 0), item("e")).body == b"news"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda part: part.update(detail=b""), "without a version"),
        (lambda part: part.update(detail=b"\x05eu"), "without a version"),
        (lambda part: part.update(value=b"{"), "not JSON"),
        (lambda part: part.update(value=b'{"pk":{"S":"other"}}'), "another one"),
        (lambda part: part.update(value=b'{"pk":{"N":"1"}}'), "Type mismatch for key pk"),
        (lambda part: part.update(value=b'{"k":{"S":"1"}}'), "Missing the key pk"),
    ],
)
def test_what_can_never_be_decided_is_refused(change: Callable[[dict[str, object]], None], message: str) -> None:
    part = part_to("l", 0, 1, Code.IMPORT, KEY, orjson.dumps(item("e")), 5, of("eu", 0).encode())
    change(part)  # type: ignore[arg-type]
    with pytest.raises(ApiError, match=message):
        import_item.node(part, import_item.Here(lambda: OTHERS, SCHEMA, 0))


def test_a_conflicts_record_is_one_that_older_versions_do_not_take_for_a_mutation() -> None:
    region = Region()
    region.put(v="u")
    before = len(region.bench.log)
    region.arrive(of("eu", -1), item("e"))
    record = decode_record(0, 0, region.bench.log[before])
    assert (record.kind, record.schema_number) == (Kind.MUTATION, 182)
