"""Logs of a table with an index: which writes come out, what a checkpoint waits for, what is read again."""

from __future__ import annotations

import random
from typing import Any

import orjson
from tests.simulation.histories import TABLE, origin
from tests.simulation.indexes import DESCRIPTION, INDEX_ID, LOG, Items
from tests.simulation.kafka import BODIES
from tests.unit.core.propagation.test_follower import LABEL, ROOT, message

from dynabus.adapters.memory_store import MemoryStore
from dynabus.core.global_indexes import IndexWrite, arrival, arrival_part
from dynabus.core.global_indexes.arrivals import Arrival
from dynabus.core.global_indexes.view import label_of
from dynabus.core.ids import LogId
from dynabus.core.propagation.index_writes import ForIndex
from dynabus.core.propagation.owned_log import UNACKNOWLEDGED_BYTES_MOST, UNACKNOWLEDGED_MOST, Found
from dynabus.core.propagation.propagator import Propagator, Sending, Wish
from dynabus.core.propagation.view import DerivedView
from dynabus.core.rows import Source, is_tombstone
from dynabus.core.tables.indexes import index_message

INDEX_ROW = {"name": "by-i", "id": INDEX_ID, "status": "ENABLED", "from_start": True, "roots": [0]}
ANY = ForIndex(LogId(LOG), IndexWrite(b"k", b"", 0, Source(0, 1, 1)))
NO_FLOORS = MemoryStore()
PARTITIONS = [{"number": 0, "generation": 1, "lineage": []}]


def logs(steps: int = 60, seed: int = 1) -> Items:
    made = Items(random.Random(seed), may_split=False)
    made.begin()
    for _ in range(steps):
        made.step()
    return made


def index_of(version: int = 8, **more: Any) -> Any:
    return {**index_message(INDEX_ROW, TABLE, DESCRIPTION, version, PARTITIONS, []), **more}


def reader(*, stream: bool = False) -> Propagator:
    view = DerivedView()
    view.take_index(index_of())
    if stream:
        view.take(message())
    brain = Propagator(view, BODIES)
    brain.assigned(ROOT, Found(origin(0), 0, None))
    return brain


def rows_after(writes: list[Sending]) -> dict[bytes, bytes]:
    rows: dict[bytes, bytes] = {}
    for each in writes:
        decision = arrival(arrival_part(Arrival(LogId(LOG), 0, 1), each.of.write), NO_FLOORS)(
            rows.get(each.of.write.key), 0
        )
        if decision.row is not None:
            rows[each.of.write.key] = decision.row
    return rows


def test_writes_make_the_projection_of_what_the_log_holds() -> None:
    history = logs()
    brain = reader()
    brain.read({ROOT: history.logs[0]})
    assert brain.outputs() == []
    writes = brain.writes()
    assert {each.of.log for each in writes} == {LOG}
    live = [row for row in rows_after(writes).values() if not is_tombstone(row)]
    held = [value for value in history.items().values() if not value.startswith("|")]
    assert len(live) == len(held)


def test_a_checkpoint_waits_for_the_writes_before_it() -> None:
    history = logs()
    brain = reader()
    middle = len(history.logs[0]) // 2
    brain.read({ROOT: history.logs[0][:middle]})
    brain.outputs()
    brain.confirm()
    first = brain.writes()
    brain.read({ROOT: history.logs[0][middle:]})
    brain.outputs()
    brain.confirm()
    second = brain.writes()
    assert brain.due() == {}
    brain.acknowledged(ROOT, [each.number for each in second])
    assert brain.due() == {}
    brain.acknowledged(ROOT, [each.number for each in first[1:]])
    assert brain.due() == {}
    brain.acknowledged(ROOT, [first[0].number])
    due = brain.due()[ROOT]
    assert due.place.next_offset == len(history.logs[0])
    assert due.open == (label_of(INDEX_ID),)


def test_a_log_without_writes_under_way_is_confirmed_at_once() -> None:
    history = logs(0)
    brain = reader()
    brain.read({ROOT: history.logs[0]})
    brain.outputs()
    brain.confirm()
    assert brain.writes() == []
    assert ROOT in brain.due()


def test_after_a_failure_writes_come_again_under_other_numbers() -> None:
    history = logs()
    brain = reader(stream=True)
    brain.read({ROOT: history.logs[0]})
    brain.outputs()
    old = brain.writes()
    brain.fail()
    brain.read({ROOT: history.logs[0]})
    brain.outputs()
    brain.confirm()
    new = brain.writes()
    assert [each.of for each in new] == [each.of for each in old]
    assert not {each.number for each in new} & {each.number for each in old}
    brain.acknowledged(ROOT, [each.number for each in old])
    assert brain.due() == {}


def test_a_log_with_too_much_under_way_is_not_read_on() -> None:
    brain = reader()
    history = logs(0)
    brain.read({ROOT: history.logs[0]})
    log = brain.logs[ROOT]
    log.unacknowledged = dict.fromkeys(range(UNACKNOWLEDGED_MOST + 1), ANY)
    log.settle()
    assert brain.positions() == {}
    brain.acknowledged(ROOT, range(UNACKNOWLEDGED_MOST // 2))
    assert brain.positions() == {}
    brain.acknowledged(ROOT, [UNACKNOWLEDGED_MOST // 2])
    assert ROOT in brain.positions()


def test_large_rows_fill_it_sooner() -> None:
    brain = reader()
    brain.read({ROOT: logs(0).logs[0]})
    log = brain.logs[ROOT]
    large = ForIndex(LogId(LOG), IndexWrite(b"k", bytes(UNACKNOWLEDGED_BYTES_MOST // 40), 0, Source(0, 1, 1)))
    for number in range(41):
        log.issued(number, large)
    log.settle()
    assert brain.positions() == {}
    brain.acknowledged(ROOT, range(20))
    assert brain.positions() == {}
    brain.acknowledged(ROOT, range(22))
    assert ROOT in brain.positions()
    brain.acknowledged(ROOT, range(100))
    assert log.unacknowledged_bytes == 0


def test_an_index_that_is_taken_away_is_written_no_more() -> None:
    history = logs()
    brain = reader(stream=True)
    brain.view.take_index(index_of(16, status="DELETED"))
    brain.learned()
    brain.read({ROOT: history.logs[0]})
    brain.outputs()
    brain.confirm()
    assert brain.writes() == []
    assert brain.due()[ROOT].open == (LABEL,)


def test_the_last_index_that_is_taken_away_is_written_no_more() -> None:
    """Nothing is derived from the table any more, which is known, too."""
    history = logs()
    brain = reader()
    brain.view.take_index(index_of(16, status="DELETED"))
    brain.learned()
    brain.read({ROOT: history.logs[0]})
    brain.outputs()
    brain.confirm()
    assert brain.writes() == []
    assert (brain.due()[ROOT].open, brain.due()[ROOT].version) == ((), 16)


def test_the_checkpoint_of_an_index_that_is_gone_does_not_keep_the_next_from_beginning() -> None:
    """Nobody needed the log meanwhile, so it was pruned past it."""
    history, brain = logs(), reader()
    brain.read({ROOT: history.logs[0]})
    brain.outputs()
    brain.confirm()
    brain.acknowledged(ROOT, [each.number for each in brain.writes()])
    checkpoint = brain.due()[ROOT]
    assert checkpoint.open == (label_of(INDEX_ID),)
    found = Found(origin(0), checkpoint.place.next_offset + 5, checkpoint)
    other = {"label": label_of("b" * 16), "status": "ENABLING", "from_start": False}
    later = Propagator(DerivedView(), BODIES)
    later.assigned(ROOT, found)
    later.view.take_index(index_of(checkpoint.version - 1, **other))
    later.learned()
    assert later.wishes() == [], "older metadata may lack what is open"
    later.view.take_index(index_of(checkpoint.version + 8, **other))
    later.learned()
    assert later.wishes() == [(ROOT, Wish.PLACE)]
    kept = reader()
    kept.assigned(ROOT, found)
    assert kept.wishes() == []
    assert kept.positions()[ROOT] == checkpoint.place, "of one that is there the loss is told"


def test_metadata_of_an_index_that_is_gone_do_not_bring_it_back() -> None:
    view = DerivedView()
    view.take_index(index_of())
    assert view.live_tables() == {TABLE}
    assert view.index_logs() == {LOG}
    view.take_index(index_of(16, status="DELETED"))
    view.take_index(index_of(24))
    assert view.live_tables() == set()
    assert view.derived(TABLE) == []


def test_streams_and_indexes_have_one_version() -> None:
    view = DerivedView()
    view.take(message(version=8))
    view.take_index(index_of(16))
    view.take_index(index_of(12, definition=orjson.dumps({})))
    assert view.version(TABLE) == 16
    assert len(view.derived(TABLE)) == 2
    assert len(view.of(TABLE)) == 1
