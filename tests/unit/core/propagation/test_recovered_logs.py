"""Logs that lost records and are recovered in another one, as a propagator reads them."""

from __future__ import annotations

from typing import Any

import pytest
from tests.simulation.histories import History
from tests.simulation.kafka import BODIES
from tests.unit.core.propagation.test_follower import (
    ROOT,
    assign,
    history,
    learn,
    message,
    offsets,
    propagator,
    types,
)

from dynabus.core.propagation.outputs import Stage
from dynabus.core.propagation.propagator import Wish
from dynabus.core.replication.records import Empty, Kind, decode_record, encode_record
from dynabus.core.streams.reading import CHANGE, CLOSED


def recovered(version: int = 16, offset: int = 0) -> Any:
    """Partition 1 goes on from partition 0, whose log lost records."""
    said = message(version=version, shards={0: -1, 1: 0})
    said["shards"][0].update({"open": False, "successor": 1, "recovered_offset": offset})
    return said


def fence(logs: History) -> Any:
    """A claim of a term that nobody can reach, as a recovery writes it into the old log."""
    ahead = logs._envelope(0, Kind.CLAIM)._replace(term=2**62, kind=Kind.CLAIM)
    number, body = BODIES.encode(Kind.CLAIM, Empty())
    return decode_record(len(logs.logs[0]), 0, encode_record(ahead, number, body))


@pytest.mark.parametrize("first", ["the fence", "the recovery"])
def test_the_shard_of_a_log_that_lost_records_ends_where_a_recovery_goes_on(first: str) -> None:
    """Whichever its reader hears of first. The successor's log, contents first, is another shard behind it."""
    logs = history(30)
    brain = propagator(message())
    assign(brain)
    brain.read({ROOT: logs.logs[0]})
    if first == "the recovery":
        learn(brain, recovered(offset=len(logs.logs[0])))
    brain.read({ROOT: [fence(logs)]})
    if first == "the fence":
        assert brain.logs[ROOT].follower.stage is Stage.STOPPED
        learn(brain, recovered(offset=len(logs.logs[0])))
    assert types(brain.outputs())[-1] == CLOSED
    brain.confirm()
    checkpoint = brain.due()[ROOT]
    follower = brain.logs[ROOT].follower
    assert (follower.stage, follower.alarm, follower.note) == (Stage.SEALED, None, None)
    assert checkpoint.place.sealed
    child = assign(brain, number=1)
    brain.told_parent(child, checkpoint)
    assert offsets(brain) == {child: 0}
    other = propagator(recovered())
    assign(other, checkpoint)
    assert other.positions() == {}


def test_a_reader_that_had_passed_the_place_of_the_fence_ends_too() -> None:
    """It has read more than the log has now, and would wait for what comes behind that for ever."""
    logs = history(30)
    brain = propagator(message())
    assign(brain)
    brain.read({ROOT: logs.logs[0]})
    learn(brain, recovered(offset=len(logs.logs[0])))
    assert brain.wishes() == [(ROOT, Wish.END)]
    brain.told_end(ROOT, len(logs.logs[0]) - 2)
    assert types(brain.outputs())[-1] == CLOSED
    assert brain.logs[ROOT].follower.stage is Stage.SEALED


def test_what_is_lost_to_a_stream_is_told() -> None:
    """The replica had read more than the log has now, and more than the propagator had."""
    logs = history(30)
    brain = propagator(recovered(version=8, offset=len(logs.logs[0]) + 3))
    assign(brain)
    brain.read({ROOT: [*logs.logs[0], fence(logs)]})
    follower = brain.logs[ROOT].follower
    assert follower.stage is Stage.SEALED
    assert "are lost to streams" in (follower.note or "")


def test_what_cannot_be_read_is_no_loss() -> None:
    """A record of a later version waits for that version, whatever metadata say."""
    logs = history(10)
    brain = propagator(recovered(version=8))
    assign(brain)
    brain.logs[ROOT].follower.stop("a record that this version cannot read")
    learn(brain, recovered(version=24))
    assert brain.logs[ROOT].follower.stage is Stage.STOPPED
    assert logs.truth


@pytest.mark.parametrize("passed", [True, False])
def test_a_stream_that_is_switched_off_meanwhile_ends_in_the_successor(passed: bool) -> None:
    """Whose changes may be of before the end. Its shard opens only if its parent's checkpoint has the stream."""
    logs = history(30)
    end = len(logs.logs[0])
    brain = propagator(message())
    assign(brain)
    brain.read({ROOT: logs.logs[0] if passed else logs.logs[0][:-1]})
    said = recovered(offset=end)
    learn(brain, {**said, "status": "DISABLING"})
    brain.told_end(ROOT, end)
    brain.read({ROOT: logs.logs[0][-1:]})
    outputs = brain.outputs()
    brain.confirm()
    assert types(outputs)[-1] == CLOSED
    checkpoint = brain.due()[ROOT]
    assert (checkpoint.place.sealed, checkpoint.open) == (True, (said["label"],))


def test_what_failed_of_a_lost_log_is_produced_again_before_its_shard_ends() -> None:
    logs = history(30)
    brain = propagator(message())
    assign(brain)
    brain.read({ROOT: [*logs.logs[0], fence(logs)]})
    outputs = brain.outputs()
    assert brain.logs[ROOT].follower.lost
    brain.fail()
    learn(brain, recovered(offset=len(logs.logs[0])))
    brain.read({ROOT: [*logs.logs[0], fence(logs)]})
    again = brain.outputs()
    assert [each.sequence for each in again[:-1]] == [each.sequence for each in outputs]
    assert types(again)[-2:] == [CHANGE, CLOSED]


def test_a_sealed_log_s_checkpoint_is_of_news_as_new_as_before_whoever_has_it() -> None:
    """Who knows less than that would take what is open for over."""
    logs = history(20)
    logs.split(0)
    brain = propagator(message(version=80, shards={0: -1, 1: 0, 2: 0}))
    assign(brain)
    brain.read({ROOT: logs.logs[0]})
    brain.confirm()
    sealed = brain.due()[ROOT]
    behind = propagator()
    assign(behind, sealed)
    behind.confirm()
    assert behind.due() == {}
    assert sealed.version == 80
