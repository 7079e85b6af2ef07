"""Logs of a table with a table topic: which records come out, with which checkpoint, what is forgotten."""

from __future__ import annotations

import random
from typing import Any

import orjson
from tests.simulation.histories import TABLE, origin
from tests.simulation.kafka import BODIES
from tests.simulation.table_topics import Items
from tests.unit.core.propagation.test_follower import ROOT, message

from dynabus.core.global_indexes.backfill import Page
from dynabus.core.propagation.owned_log import RECORDS_MOST, Found
from dynabus.core.propagation.propagator import Propagator
from dynabus.core.propagation.table_records import TableRecord
from dynabus.core.propagation.view import DerivedView
from dynabus.core.tables.table_topics import new_table_topic, table_topic_message

PARTITIONS = [{"number": 0, "generation": 1, "lineage": []}]
KEY_SCHEMA = b'[{"AttributeName": "pk", "KeyType": "HASH"}]'


def topic_of(version: int = 8, status: str = "ENABLING") -> Any:
    row = {**new_table_topic("1", 3, [0]), "status": status}
    return table_topic_message(row, TABLE, "music", version, PARTITIONS, [], KEY_SCHEMA)


def history(steps: int = 40) -> Items:
    made = Items(random.Random(3), may_split=False)
    made.begin()
    for _ in range(steps):
        made.step()
    return made


def begun(made: Items, *, stream: bool = False) -> Propagator:
    """It has read all that there is, which comes before the topic."""
    view = DerivedView()
    view.take_table_topic(topic_of())
    if stream:
        view.take(message())
    brain = Propagator(view, BODIES)
    brain.assigned(ROOT, Found(origin(0), 0, None))
    brain.told_place(ROOT, made.place_at(0, 5))
    for partition, _ in brain.wishes():
        brain.told_end(partition, len(made.logs[0]))
    brain.read({ROOT: made.logs[0]})
    brain.outputs()
    brain.confirm()
    return brain


def go_on(brain: Propagator, made: Items, steps: int = 30) -> None:
    for _ in range(steps):
        made.step()
    brain.read({ROOT: made.logs[0]})
    brain.outputs()
    brain.confirm()


def filled(brain: Propagator, made: Items) -> None:
    [wish] = brain.pages()
    items = [{"pk": {"S": key}, "v": {"S": value}} for key, value in sorted(made.items().items())]
    brain.told_page(wish, Page(items, len(made.logs[0]), None))
    brain.confirm()


def values(records: list[TableRecord]) -> dict[str, str | None]:
    return {orjson.loads(each.key)["pk"]["S"]: None if each.item is None else each.item["v"]["S"] for each in records}


def test_what_is_older_comes_as_a_page_with_the_checkpoint_that_says_so() -> None:
    made = history()
    brain = begun(made)
    due = brain.due()
    assert due[ROOT].open == ("topic/1",)
    assert due[ROOT].fills == (("topic/1", b""),)
    brain.commit_done(due)
    filled(brain, made)
    assert brain.due() == {}
    parcel = brain.parcels()[ROOT]
    assert values(parcel.records) == made.items()
    assert parcel.checkpoint.fills == ()
    assert brain.pages() == []


def test_of_each_key_one_record_is_committed_the_last() -> None:
    made = history()
    brain = begun(made)
    filled(brain, made)
    brain.parcels_done(brain.parcels())
    before = made.items()
    go_on(brain, made, 60)
    records = values(brain.parcels()[ROOT].records)
    changed = {each.key for each in made.truth[-60:] if before.get(each.key) != made.items().get(each.key)}
    assert changed <= records.keys()
    assert records == {key: made.items().get(key) for key in records}
    assert None in records.values()


def test_records_that_are_committed_are_no_more_and_a_failure_changes_nothing() -> None:
    made = history()
    brain = begun(made)
    filled(brain, made)
    parcels = brain.parcels()
    brain.fail()
    assert brain.parcels() == parcels
    brain.parcels_done(parcels)
    assert brain.parcels() == {}
    assert brain.due() == {}


def test_what_is_not_confirmed_is_read_again() -> None:
    made = history()
    brain = begun(made)
    filled(brain, made)
    brain.parcels_done(brain.parcels())
    made.change(0)
    made.change(0)
    brain.read({ROOT: made.logs[0]})
    brain.outputs()
    brain.fail()
    assert brain.parcels() == {}
    go_on(brain, made, 0)
    assert values(brain.parcels()[ROOT].records)


def test_a_log_that_is_let_go_of_is_not_committed_without_its_records() -> None:
    made = history()
    brain = begun(made)
    filled(brain, made)
    assert brain.revoked([ROOT]) == {}


def test_a_topic_that_is_gone_needs_nothing() -> None:
    made = history()
    brain = begun(made)
    filled(brain, made)
    brain.view.take_table_topic(topic_of(16, "DELETED"))
    brain.learned()
    assert brain.parcels() == {}
    assert ROOT in brain.due()
    assert brain.view.table_topics() == []
    assert brain.view.live_tables() == set()


def test_a_log_with_too_much_held_is_not_read_on() -> None:
    made = history()
    brain = begun(made)
    filled(brain, made)
    [held] = [log.held for log in brain.logs.values()]
    [one, *_] = held.values()
    held.update({("topic/1", b"%d" % number): one for number in range(RECORDS_MOST)})
    assert brain.positions() == {}
    brain.parcels_done(brain.parcels())
    held.clear()
    assert ROOT in brain.positions()
