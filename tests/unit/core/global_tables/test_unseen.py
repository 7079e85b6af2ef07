"""Writes of other regions that change no item, and all the same are sent on where their region is gone."""

from __future__ import annotations

import pytest
from tests.unit.core.global_tables.test_conflicts import HERE, KEY, MET, ONE, THERE, TWO, mutation, of, row
from tests.unit.core.propagation.test_follower import ROOT, assign, history, message, propagator, types

from dynabus.core.global_tables.unseen import unseen_of
from dynabus.core.replication.records import Kind
from dynabus.core.rows import encode_row
from dynabus.core.streams.reading import CHANGE, OPENED, VERSION
from dynabus.core.values import Item


@pytest.mark.parametrize("old", [None, row(None, of(THERE))])
def test_a_deletion_of_what_is_not_here(old: bytes | None) -> None:
    unseen = unseen_of(mutation(old, row(None, of(HERE)), None), ["pk"])
    assert unseen is not None
    assert (unseen.key, unseen.version, unseen.change) == (b"k", of(HERE).encode(), None)


@pytest.mark.parametrize("old", [row(ONE, of(THERE)), encode_row(b'{"v":{"N":"1"},"pk":{"S":"k"}}', 3, 5)])
def test_the_same_item_by_a_later_write(old: bytes) -> None:
    unseen = unseen_of(mutation(old, row(ONE, of(HERE)), None), ["pk"])
    assert unseen is not None
    assert unseen.change is not None
    assert (unseen.change.keys, unseen.change.new, unseen.change.version) == (KEY, ONE, of(HERE).encode())


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (row(ONE, of(HERE)), row(ONE, MET)),  # what arrived has lost
        (row(ONE, of(HERE)), row(ONE, of(HERE))),
        (row(None, of(HERE)), None),  # the end of a tombstone
        (None, encode_row(b"{}", 3, 5)),  # of a table that is not global
    ],
)
def test_the_write_that_was_there_is_none(old: bytes | None, new: bytes | None) -> None:
    assert unseen_of(mutation(old, new, None), ["pk"]) is None


@pytest.mark.parametrize(("old", "new"), [(None, None), (ONE, ONE)])
def test_a_propagator_tells_it_in_its_place_and_no_change(old: Item | None, new: Item | None) -> None:
    made = history(0)
    made._led(0, Kind.MUTATION, mutation(row(old, of(THERE)), row(new, of(HERE)), None))
    made._led(0, Kind.MUTATION, mutation(row(new, of(HERE)), row(TWO, MET), None)._replace(request=b"other"))
    brain = propagator(message())
    assign(brain)
    brain.read({ROOT: made.logs[0]})
    outputs = brain.outputs()
    assert types(outputs) == [OPENED, VERSION, CHANGE]
    assert outputs[1].sequence < outputs[2].sequence
