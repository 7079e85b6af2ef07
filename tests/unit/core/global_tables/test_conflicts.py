"""What a mutation says of a conflict, and what a propagator makes of it."""

from __future__ import annotations

import orjson
import pytest
from tests.simulation.kafka import BODIES
from tests.unit.core.propagation.test_follower import ROOT, assign, history, message, propagator, types

from dynabus.adapters.stream_codec import encode_output
from dynabus.core.global_tables.conflicts import Conflict, Side, conflict_of
from dynabus.core.global_tables.floors import Floors
from dynabus.core.global_tables.leading import note_of
from dynabus.core.global_tables.versions import Stamp, Version
from dynabus.core.replication.records import Kind, Mutation, Resign, decode_record, encode_record
from dynabus.core.rows import encode_global_row
from dynabus.core.streams.reading import CHANGE, CONFLICT, FLOORS, OPENED
from dynabus.core.values import Item

KEY: Item = {"pk": {"S": "k"}}
HERE, THERE = Stamp(9, "us"), Stamp(7, "eu")
MET = Version(HERE, {"us": 9, "eu": 7})


def row(item: Item | None, version: Version) -> bytes:
    return encode_global_row(b"" if item is None else orjson.dumps(item), 3, 5, version)


def of(stamp: Stamp) -> Version:
    return Version(stamp, {stamp.region: stamp.time})


def mutation(old: bytes | None, new: bytes | None, losing: bytes | None) -> Mutation:
    return Mutation(b"k", old, new, 77, b"request", 0, 0, b"lost", 0, b"digest", losing)


ONE: Item = {**KEY, "v": {"N": "1"}}
TWO: Item = {**KEY, "v": {"N": "2"}}


def test_who_arrived_has_lost() -> None:
    told = conflict_of(mutation(row(ONE, of(HERE)), row(ONE, MET), row(TWO, of(THERE))), ["pk"])
    assert told == Conflict(KEY, Side(HERE, ONE), Side(THERE, TWO), 77)


def test_what_was_here_has_lost() -> None:
    told = conflict_of(mutation(row(TWO, of(THERE)), row(ONE, MET), b""), ["pk"])
    assert told == Conflict(KEY, Side(HERE, ONE), Side(THERE, TWO), 77)


@pytest.mark.parametrize(("winner", "loser"), [(None, TWO), (ONE, None)])
def test_one_of_them_may_be_a_deletion(winner: Item | None, loser: Item | None) -> None:
    told = conflict_of(mutation(row(loser, of(THERE)), row(winner, MET), b""), ["pk"])
    assert told == Conflict(KEY, Side(HERE, winner), Side(THERE, loser), 77)


def test_no_conflict_and_two_deletions_tell_nothing() -> None:
    assert conflict_of(mutation(row(TWO, of(THERE)), row(ONE, MET), None), ["pk"]) is None
    assert conflict_of(mutation(row(None, of(THERE)), row(None, MET), b""), ["pk"]) is None


def test_a_propagator_tells_it_in_the_order_of_the_log_beside_the_change() -> None:
    """And where the item stays as it is, there is no change."""
    made = history(0)
    made._led(0, Kind.MUTATION, mutation(row(ONE, of(HERE)), row(ONE, MET), row(TWO, of(THERE))))
    made._led(0, Kind.MUTATION, mutation(row(TWO, of(THERE)), row(ONE, MET), b"")._replace(request=b"other"))
    brain = propagator(message())
    assign(brain)
    brain.read({ROOT: made.logs[0]})
    outputs = brain.outputs()
    assert types(outputs) == [OPENED, CONFLICT, CONFLICT, CHANGE]
    first, second = outputs[1:3]
    assert first.conflict == Conflict(KEY, Side(HERE, ONE), Side(THERE, TWO), 77)
    assert first.sequence < second.sequence == outputs[3].sequence


def test_what_is_void_tells_nothing() -> None:
    made = history(0)
    made._led(0, Kind.RESIGN, Resign(True, None))
    number, body = BODIES.encode(Kind.MUTATION, mutation(row(TWO, of(THERE)), row(ONE, MET), b""))
    made.logs[0].append(
        decode_record(len(made.logs[0]), 0, encode_record(made._envelope(0, Kind.MUTATION), number, body))
    )
    brain = propagator(message())
    assign(brain)
    brain.read({ROOT: made.logs[0]})
    assert types(brain.outputs()) == [OPENED]


def test_what_a_leader_says_of_floors_is_in_the_stream_where_it_was_said() -> None:
    made, floors = history(0), Floors("us", frozenset({"eu"}), promised=9)
    made._led(0, Kind.MUTATION, mutation(row(ONE, of(HERE)), row(TWO, of(THERE)), None))
    made._led(0, Kind.MUTATION, note_of(floors))
    brain = propagator(message())
    assign(brain)
    brain.read({ROOT: made.logs[0]})
    outputs = brain.outputs()
    assert types(outputs) == [OPENED, CHANGE, FLOORS]
    assert outputs[2].floors == floors.encode()
    assert outputs[1].sequence < outputs[2].sequence
    headers = dict(encode_output(outputs[2], 5).headers)
    assert headers["type"] == b"floors"
    assert headers["dynabus-floors"] == floors.encode()
