"""Scrubs over LMDB: whole passes while rows change, damage, who is next, and who is told."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import pytest
from tests.unit.core.test_contents import NONE, row
from tests.unit.core.test_scrub import flipped
from tests.unit.storage_node.stand_ins import BODIES, LOG, ME, ORIGIN, PARTITION, read_back

from dynabus.adapters.lmdb import LmdbStore
from dynabus.core.agreement import Difference
from dynabus.core.contents import Contents
from dynabus.core.ids import Incarnation, NodeName, Writer
from dynabus.core.local_indexes import IndexRules
from dynabus.core.replication.effects import Surroundings, Timing, Write
from dynabus.core.replication.place import start_of_log
from dynabus.core.replication.records import CHAIN_START, Envelope, Form, Genesis, Kind, decode_record, encode_record
from dynabus.core.replication.replica import Replica
from dynabus.core.replication.store import Decision, Outcome
from dynabus.core.replication.unresolved import Sender
from dynabus.storage_node.replicas.hosted import Hosted
from dynabus.storage_node.upkeep.scrub_reading import PIECE_ROWS
from dynabus.storage_node.upkeep.scrubbing import FIRST_MS, Scrubs

SENDER = Sender("cli", 1, 1, 0)
PERIOD_S = 3600
FAST_MB = 1000.0
STEP_S = 0.002


def leading(path: Path, rows: int = 0) -> Hosted:
    """A leader over a store on disk, with so many rows of its log."""
    store = LmdbStore(path)
    contents = Contents(store, NONE)
    around = Surroundings(ME, lambda: 0.5, lambda: 11, BODIES, Timing())
    replica = Replica(around, store, start_of_log(ORIGIN), 0.0, contents.follow)
    made = Hosted(PARTITION, LOG, store, replica, contents, IndexRules(NONE, store))
    number, body = BODIES.encode(Kind.GENESIS, Genesis(Form.NEW, b"", None, (NodeName("node-1"),), 0))
    admin = Writer(NodeName("admin"), Incarnation(1))
    genesis = encode_record(Envelope(1, 0, 0, CHAIN_START, 0, admin, 0, Kind.GENESIS), number, body)
    replica.end_offset = 1
    made.read_log([decode_record(0, 0, genesis)], 0.0)
    replica.prefer(0.0)
    made.tick(0.0)
    read_back(made, 1.0)
    for each in range(rows):
        put(made, b"%06d" % each, row(each))
    read_back(made, 2.0)
    made.commit(2.0)
    return made


def put(made: Hosted, key: bytes, new: bytes | None) -> None:
    def evaluate(_old: bytes | None, _wall_ms: int) -> Decision:
        return Decision(True, new, Outcome())

    request = key.rjust(18, b"\0")[-18:]
    made.write(Write(SENDER, request, 1, key, evaluate, 1000), 2.0, 0)


class Desk:
    """Scrubs, and what was answered."""

    def __init__(self, period_s: int = PERIOD_S) -> None:
        self.answers: list[dict[str, Any]] = []
        self.scrubs = Scrubs(ME.node, period_s, FAST_MB, self._respond)

    def _respond(self, sender: Sender, outcome: Outcome) -> None:
        assert sender == SENDER
        self.answers.append(orjson.loads(outcome.body))

    def run(self, replicas: list[Hosted], until: Callable[[], Any], meanwhile: Any = lambda: None) -> None:
        """Turns of a loop until the condition holds."""
        deadline = time.monotonic() + 30
        while not until():
            assert time.monotonic() < deadline
            meanwhile()
            self.scrubs.step(replicas, 5.0)
            time.sleep(STEP_S)


def test_a_whole_replica_is_told_to_be_whole(tmp_path: Path) -> None:
    made, desk = leading(tmp_path / "0", 3 * PIECE_ROWS), Desk()
    desk.scrubs.ask(made, SENDER)
    desk.run([made], lambda: desk.answers)
    (told,) = desk.answers
    assert told["found"] == []
    assert told["whole"] is True
    assert (told["items"], told["checksum"]) == (3 * PIECE_ROWS, f"{made.contents.checksum:016x}")
    # Rows and remembered request ids.
    assert told["entries"] == desk.scrubs.pairs == 6 * PIECE_ROWS
    assert made.contents.watcher is None
    assert made.damage == ""


def test_rows_that_change_meanwhile_do_not_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks of one piece each, so that commits and changes fall between and into them."""
    monkeypatch.setattr("dynabus.storage_node.upkeep.scrub_reading.TRANSACTION_S", 0.001)
    made, desk, count = leading(tmp_path / "0", 5 * PIECE_ROWS), Desk(), 0

    def change() -> None:
        nonlocal count
        for _ in range(7):
            count += 1
            key = b"%06d" % (count * 37 % (6 * PIECE_ROWS))
            put(made, key, None if count % 3 == 0 else row(count))
        read_back(made, 3.0)

    def answered(times: int) -> bool:
        return len(desk.answers) >= times

    for round_ in range(3):
        desk.scrubs.ask(made, SENDER)
        desk.run([made], partial(answered, round_ + 1), change)
    assert count > 100
    assert [told["found"] for told in desk.answers] == [[]] * 3
    assert [told["whole"] for told in desk.answers] == [True] * 3


def flip_value(made: Hosted) -> None:
    key = b"%06d" % PIECE_ROWS
    made.store.put(key, flipped(made.store.get(key) or b""))


def lose_row(made: Hosted) -> None:
    made.store.delete(b"%06d" % PIECE_ROWS)


@pytest.mark.parametrize(("harm", "what"), [(flip_value, (b"%06d" % PIECE_ROWS).hex()), (lose_row, "by the log")])
def test_damage_is_found_and_named(tmp_path: Path, harm: Callable[[Hosted], None], what: str) -> None:
    made, desk = leading(tmp_path / "0", 2 * PIECE_ROWS), Desk()
    harm(made)
    made.store.commit(made.store.place() or b"")
    desk.scrubs.ask(made, SENDER)
    desk.run([made], lambda: desk.answers)
    assert what in desk.answers[0]["found"][0]
    assert what in made.damage
    assert f"damaged at offset {made.replica.place.next_offset}" in made.alarm
    assert desk.scrubs.damage == 1
    assert not made.failed, "it goes on until it can be rebuilt"


def test_the_first_is_due_after_a_minute_and_the_next_after_the_period(tmp_path: Path) -> None:
    made, desk = leading(tmp_path / "0", 3), Desk()
    assert desk.scrubs._due([made], FIRST_MS - 1) is None
    assert desk.scrubs._due([made], FIRST_MS) is made
    desk.scrubs.ask(made)
    desk.run([made], lambda: made.scrubbed_ms is not None)
    assert desk.scrubs._due([made], FIRST_MS + 10) is None
    assert desk.scrubs._due([made], PERIOD_S * 1000 + 5) is made
    assert Desk(period_s=0).scrubs._due([made], 1e12) is None


def test_those_that_are_due_take_turns_after_one_look(tmp_path: Path) -> None:
    made, desk = [leading(tmp_path / str(number), 3) for number in range(4)], Desk()
    for number, each in enumerate(made):
        each.opened_ms = 10.0 - number
    looked: list[int] = []

    def replicas() -> Iterator[Hosted]:
        looked.append(1)
        yield from made

    assert desk.scrubs._due(replicas(), FIRST_MS + 50) is made[3]
    made[2].retire("the table was deleted", FIRST_MS + 51)
    assert desk.scrubs._due(replicas(), FIRST_MS + 51) is made[1]
    made[0].scrubbed_ms = FIRST_MS + 52
    assert desk.scrubs._due(replicas(), FIRST_MS + 53) is None
    assert len(looked) == 1


def test_a_replica_that_is_closed_meanwhile_ends_its_scrub(tmp_path: Path) -> None:
    made, desk = leading(tmp_path / "0", 3), Desk()
    desk.scrubs.ask(made, SENDER)
    desk.scrubs.step([made], 5.0)
    desk.scrubs.step([made], 5.0)
    made.retire("the table was deleted", 6.0)
    desk.run([], lambda: desk.answers)
    assert desk.answers[0]["whole"] is False
    assert desk.answers[0]["found"] == ["the table was deleted"]
    assert made.contents.watcher is None


def test_a_difference_with_others_is_looked_into_once(tmp_path: Path) -> None:
    made, desk = leading(tmp_path / "0", 3), Desk()
    others = Difference(*PARTITION, 1, 4, {"node-2": 1, "node-3": 2})
    mine = Difference(*PARTITION, 1, 4, {"node-1": 1, "node-2": 2})
    desk.scrubs.compare(made, None)
    desk.scrubs.compare(made, others)
    assert desk.scrubs._asked == {}
    desk.scrubs.compare(made, mine)
    desk.run([made], lambda: desk.scrubs.passes == 1)
    desk.scrubs.compare(made, mine)
    assert desk.scrubs._asked == {}


def test_marks_are_taken_at_the_very_offset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However records come in batches, replicas say their checksum at the same offsets."""
    monkeypatch.setattr("dynabus.storage_node.replicas.hosted.EVERY", 10)
    said = []
    for batches in (1, 3):
        made = leading(tmp_path / str(batches))
        for each in range(31):
            put(made, b"%06d" % each, row(each))
            if each % 10 < batches - 1:
                read_back(made, 2.0)
        read_back(made, 2.0)
        assert made.replica.place.next_offset == 33
        said.append(made.statements.say(33, made.contents.checksum))
    assert said[0] == said[1]
    assert said[0][0] == 30
