"""One log as a propagator reads it: where it begins, what comes out, when it stops."""

from __future__ import annotations

import random
from typing import Any

import pytest
from tests.simulation.histories import MEMBERS, TABLE, History, origin
from tests.simulation.kafka import BODIES

from dynabus.core.ids import LogId, PartitionId
from dynabus.core.propagation.checkpoint import Checkpoint
from dynabus.core.propagation.follower import Follower
from dynabus.core.propagation.outputs import Knowledge, Output, Stage
from dynabus.core.propagation.owned_log import Found
from dynabus.core.propagation.propagator import Propagator, Wish
from dynabus.core.propagation.view import DerivedView
from dynabus.core.replication.place import FOLD_VERSION, start_of_log
from dynabus.core.replication.records import (
    CHAIN_START,
    NOBODY,
    Configure,
    Envelope,
    Form,
    Genesis,
    Kind,
    decode_record,
    encode_record,
)
from dynabus.core.streams.reading import CHANGE, CLOSED, OPENED
from dynabus.core.streams.view import read_stream

ROOT = PartitionId(LogId(TABLE), 0)
LABEL = "2026-11-28T22:53:32.123"


def message(
    status: str = "ENABLED", version: int = 8, from_start: bool = True, shards: dict[int, int] | None = None
) -> Any:
    """`shards`: parents by number; -1 for a root."""
    wanted = shards or {0: -1}
    return {
        "table": TABLE,
        "name": "music",
        "label": LABEL,
        "version": version,
        "status": status,
        "view": "NEW_AND_OLD_IMAGES",
        "key_schema": b'[{"AttributeName": "pk", "KeyType": "HASH"}]',
        "created_ms": 5,
        "from_start": from_start,
        "shards": [_shard(number, parent) for number, parent in wanted.items()],
    }


def _shard(number: int, parent: int) -> dict[str, Any]:
    return {
        "number": number,
        "generation": 1,
        "parent": parent,
        "open": True,
        "successor": -1,
        "recovered_offset": 0,
    }


def propagator(*messages: Any) -> Propagator:
    view = DerivedView()
    for each in messages:
        view.take(each)
    return Propagator(view, BODIES)


def learn(brain: Propagator, *messages: Any) -> None:
    for each in messages:
        brain.view.take(each)
    brain.learned()


def history(steps: int = 40, seed: int = 1) -> History:
    made = History(random.Random(seed), may_split=False)
    made.begin()
    for _ in range(steps):
        made.step()
    return made


def offsets(brain: Propagator) -> dict[PartitionId, int]:
    """Where its logs are to be read on."""
    return {partition: place.next_offset for partition, place in brain.positions().items()}


def types(outputs: list[Output]) -> list[str]:
    return [output.type for output in outputs]


def assign(brain: Propagator, checkpoint: Checkpoint | None = None, low: int = 0, number: int = 0) -> PartitionId:
    where = PartitionId(LogId(TABLE), number)
    brain.assigned(where, Found(origin(number), low, checkpoint))
    return where


def test_a_stream_made_with_its_table_begins_at_the_genesis() -> None:
    logs = history()
    brain = propagator(message())
    assign(brain)
    brain.read({ROOT: logs.logs[0]})
    outputs = brain.outputs()
    assert types(outputs)[0] == OPENED
    assert set(types(outputs)[1:]) == {CHANGE}
    assert [output.sequence.offset for output in outputs[1:]] == [each.offset for each in logs.truth]
    assert [output.sequence for output in outputs] == sorted({output.sequence for output in outputs})


def test_work_that_is_repeated_is_the_same_work() -> None:
    """From any checkpoint on: same records, same numbers."""
    logs = history(80)
    brain = propagator(message())
    assign(brain)
    seen: list[Output] = []
    checkpoints: list[tuple[int, Checkpoint]] = []
    for record in logs.logs[0]:
        brain.read({ROOT: [record]})
        seen += brain.outputs()
        brain.confirm()
        confirmed = brain.logs[ROOT].confirmed
        if confirmed is not None:
            checkpoints.append((len(seen), confirmed))
    for count, checkpoint in checkpoints:
        other = propagator(message())
        assign(other, checkpoint)
        other.read({ROOT: logs.logs[0][checkpoint.place.next_offset :]})
        assert other.outputs() == seen[count:]


def test_a_stream_that_is_switched_on_begins_where_the_log_ended_then() -> None:
    logs = history(30)
    ended = len(logs.logs[0])
    brain = propagator(message("ENABLING", from_start=False))
    assign(brain)
    brain.told_place(ROOT, logs.place_at(0, 10))
    brain.read({ROOT: logs.logs[0]})
    assert brain.wishes() == [(ROOT, Wish.END)]
    brain.told_end(ROOT, ended)
    assert types(brain.outputs()) == [OPENED]
    assert brain.wishes() == []
    for _ in range(30):
        logs.step()
    brain.read({ROOT: logs.logs[0][ended:]})
    assert brain.outputs() == [], "another one that took over now would begin later"
    brain.confirm()
    brain.commit_done(brain.due())
    brain.read({ROOT: logs.logs[0][ended:]})
    assert [output.sequence.offset for output in brain.outputs()] == [
        each.offset for each in logs.truth if each.offset >= ended
    ]
    brain.confirm()
    assert brain.due()[ROOT].open == (LABEL,)


def test_only_a_place_of_this_very_log_counts() -> None:
    logs = history(30)
    brain = propagator(message("ENABLING", from_start=False))
    assign(brain, low=10)
    assert brain.wishes() == [(ROOT, Wish.PLACE)]
    brain.told_place(ROOT, start_of_log(origin(1)))
    brain.told_place(ROOT, logs.places[0]._replace(origin=origin(7)))
    assert brain.wishes() == [(ROOT, Wish.PLACE)]
    brain.told_place(ROOT, logs.places[0])
    brain.told_end(ROOT, len(logs.logs[0]))
    assert types(brain.outputs()) == [OPENED]
    brain.confirm()
    brain.commit_done(brain.due())
    assert offsets(brain) == {ROOT: len(logs.logs[0])}


def test_a_log_that_a_replica_has_read_to_its_seal_is_over_and_its_children_begin() -> None:
    logs = history(30)
    logs.split(0)
    brain = propagator(message("ENABLING", from_start=False))
    assign(brain)
    brain.told_place(ROOT, logs.places[0])
    assert brain.wishes() == []
    assert brain.positions() == {}
    brain.confirm()
    [sealed] = brain.due().values()
    assert (sealed.place.sealed, sealed.open) == (True, ())
    assert [number for number, _ in sealed.marks] == [child.number for child in logs.places[0].children or ()]


def test_a_stream_that_is_switched_off_has_what_the_log_had_by_then() -> None:
    logs = history(40)
    brain = propagator(message())
    assign(brain)
    brain.read({ROOT: logs.logs[0][:5]})
    learn(brain, message("DISABLING", version=16))
    brain.told_end(ROOT, len(logs.logs[0]))
    brain.read({ROOT: logs.logs[0][5:]})
    outputs = brain.outputs()
    assert types(outputs)[-1] == CLOSED
    assert types(outputs).count(CHANGE) == len(logs.truth)
    brain.confirm()
    checkpoint = brain.due()[ROOT]
    assert (checkpoint.open, checkpoint.version) == ((), 16)


def test_a_child_waits_for_the_committed_seal_of_its_parent() -> None:
    logs = history(20)
    logs.split(0)
    brain = propagator(message(shards={0: -1, 1: 0, 2: 0}))
    child = assign(brain, number=1)
    assert brain.wishes() == [(child, Wish.PARENT)]
    assign(brain)
    brain.read({ROOT: logs.logs[0][:-1], child: logs.logs[1]})
    brain.confirm()
    brain.told_parent(child, None)
    brain.told_parent(child, brain.due()[ROOT])
    assert brain.positions().keys() == {ROOT}
    brain.read({ROOT: logs.logs[0][-1:]})
    assert types(brain.outputs())[-1] == CLOSED
    brain.confirm()
    brain.told_parent(child, brain.due()[ROOT])
    brain.read({child: logs.logs[1]})
    first = brain.outputs()[0]
    assert (first.number, first.type) == (1, OPENED)


def test_the_contents_of_a_recovered_partition_are_no_changes() -> None:
    logs = history(1)
    genesis = Genesis(Form.RECOVERY, b"", None, MEMBERS, 0)
    number, body = BODIES.encode(Kind.GENESIS, genesis)
    envelope = Envelope(1, 0, 0, CHAIN_START, 0, NOBODY, 0, Kind.GENESIS)
    logs.logs[0] = []
    logs.places[0] = start_of_log(origin(0))
    logs._land(0, encode_record(envelope, number, body))
    logs._claim(0)
    for _ in range(10):
        logs.change(0)
    logs._led(0, Kind.CONFIGURE, Configure(MEMBERS, 1))
    restored = len(logs.logs[0])
    for _ in range(10):
        logs.change(0)
    brain = propagator(message())
    assign(brain)
    brain.read({ROOT: logs.logs[0]})
    wanted = [each.offset for each in logs.truth if each.offset >= restored]
    assert [output.sequence.offset for output in brain.outputs() if output.type == CHANGE] == wanted


# -- stopping -----------------------------------------------------------------------------------------------------


def checkpoint_of(logs: History, brain: Propagator) -> Checkpoint:
    assign(brain)
    brain.read({ROOT: logs.logs[0]})
    brain.outputs()
    brain.confirm()
    return brain.due()[ROOT]


def test_a_log_that_diverged_stops_and_commits_nothing_more() -> None:
    logs = history(20)
    brain = propagator(message())
    assign(brain)
    brain.read({ROOT: logs.logs[0]})
    brain.confirm()
    before = brain.due()
    number, body = BODIES.encode(Kind.GENESIS, Genesis(Form.NEW, b"", None, MEMBERS, 0))
    ahead = logs._envelope(0, Kind.MUTATION)._replace(term=99)
    strange = [decode_record(len(logs.logs[0]), 0, encode_record(ahead, number, body))]
    brain.read({ROOT: strange})
    brain.confirm()
    follower = brain.logs[ROOT].follower
    assert follower.stage is Stage.STOPPED
    assert "has lost records" in (follower.alarm or "")
    assert brain.due() == before
    brain.commit_done(before)
    brain.fail()
    brain.read({ROOT: strange})
    assert brain.logs[ROOT].follower.stage is Stage.STOPPED


@pytest.mark.parametrize("what", ["topic", "cluster", "fold"])
def test_a_foreign_checkpoint_stops_the_log(what: str) -> None:
    checkpoint = checkpoint_of(history(), propagator(message()))
    place = checkpoint.place
    if what == "fold":
        place = place._replace(fold_version=FOLD_VERSION + 1)
    elif what == "topic":
        place = place._replace(origin=place.origin._replace(topic="another"))
    else:
        place = place._replace(origin=place.origin._replace(cluster="another"))
    brain = propagator(message())
    assign(brain, checkpoint._replace(place=place))
    assert brain.logs[ROOT].follower.stage is Stage.STOPPED
    assert brain.positions() == {}


@pytest.mark.parametrize(
    ("said", "low", "part"),
    [
        (message(from_start=False), 0, "the checkpoint is gone"),
        (message(), 5, "the log's start is needed and was pruned"),
    ],
)
def test_a_lost_checkpoint_is_told_where_the_log_cannot_tell(said: Any, low: int, part: str) -> None:
    brain = propagator(said)
    assign(brain, low=low)
    assert part in (brain.logs[ROOT].follower.alarm or "")
    assert brain.wishes() == []


def test_a_stream_that_a_checkpoint_should_name_and_does_not() -> None:
    checkpoint = checkpoint_of(history(), propagator(message()))
    brain = propagator(message())
    assign(brain, checkpoint._replace(open=()))
    assert "the checkpoint does not say where" in (brain.logs[ROOT].follower.alarm or "")


def test_the_checkpoint_of_a_stream_that_ended_long_ago_does_not_keep_the_next_from_beginning() -> None:
    """The log was pruned past it meanwhile."""
    logs = history()
    checkpoint = checkpoint_of(logs, propagator(message()))._replace(open=())
    low = checkpoint.place.next_offset + 5
    brain = propagator(message("ENABLING", from_start=False))
    assign(brain, checkpoint, low=low)
    assert brain.wishes() == [(ROOT, Wish.PLACE)]
    held = propagator(message())
    assign(held, checkpoint._replace(open=(LABEL,)), low=low)
    # Of one that is open the loss is told: it is read from a place that is not there.
    assert offsets(held) == {ROOT: checkpoint.place.next_offset}


def test_metadata_that_are_behind_a_checkpoint_are_waited_for() -> None:
    checkpoint = checkpoint_of(history(), propagator(message()))
    brain = propagator(message())
    assign(brain, checkpoint._replace(version=80))
    assert brain.positions() == {}
    learn(brain, message(version=80))
    assert offsets(brain) == {ROOT: checkpoint.place.next_offset}


# -- confirmation -------------------------------------------------------------------------------------------------


def test_nothing_is_committed_before_its_outputs_are_confirmed() -> None:
    logs = history(30)
    brain = propagator(message())
    assign(brain)
    brain.read({ROOT: logs.logs[0]})
    assert brain.due() == {}
    assert brain.revoked([ROOT]) == {}


def test_after_a_failure_all_is_produced_again_from_what_is_confirmed() -> None:
    logs = history(60)
    half = len(logs.logs[0]) // 2
    brain = propagator(message())
    assign(brain)
    brain.read({ROOT: logs.logs[0][:half]})
    brain.outputs()
    brain.confirm()
    place = brain.due()[ROOT].place.next_offset
    brain.read({ROOT: logs.logs[0][half:]})
    outputs = brain.outputs()
    brain.fail()
    assert offsets(brain) == {}, "first that it begins here is committed"
    brain.commit_done(brain.due())
    assert offsets(brain) == {ROOT: place}
    brain.read({ROOT: logs.logs[0][place:]})
    assert brain.outputs() == outputs


def test_what_is_confirmed_is_committed_when_a_log_is_let_go_and_not_when_it_is_lost() -> None:
    brain = propagator(message())
    checkpoint = checkpoint_of(history(), brain)
    assert brain.revoked([ROOT]) == {ROOT: checkpoint}
    other = propagator(message())
    checkpoint_of(history(), other)
    other.lost([ROOT])
    assert other.due() == {}
    assert other.revoked([ROOT]) == {}


def test_a_checkpoint_is_due_once() -> None:
    brain = propagator(message())
    checkpoint_of(history(), brain)
    due = brain.due()
    brain.commit_done(due)
    assert brain.due() == {}
    assert brain.revoked([ROOT]) == {}


def test_older_records_that_a_consumer_had_under_way_are_passed_by() -> None:
    logs = history(20)
    brain = propagator(message())
    assign(brain)
    brain.read({ROOT: logs.logs[0]})
    first = brain.outputs()
    brain.read({ROOT: logs.logs[0]})
    assert first
    assert brain.outputs() == []


def test_streams_of_other_tables_are_no_business_of_a_log() -> None:
    follower = Follower(ROOT, BODIES)
    other = read_stream(message(shards={5: -1}))
    follower.begin_later(history(5).places[0])
    follower.know(Knowledge(8, [other]))
    assert follower.stage is Stage.READING
    assert not follower.wants_end
