"""Checkpoints in the metadata of committed offsets, and records of stream topics: whole, small, and never guessed."""

from __future__ import annotations

import base64
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynabus.adapters.checkpoint_codec import METADATA_BYTES_MOST, decode_checkpoint, encode_checkpoint
from dynabus.adapters.codec import UndecodableMessage
from dynabus.core.ids import Incarnation, LogId, NodeName, PartitionId, Writer
from dynabus.core.propagation.checkpoint import Checkpoint, mark_of, marks_of, without_bounds
from dynabus.core.replication.place import Group, Origin, Place, Reign, TermLeader
from dynabus.core.replication.records import Child, Form

BOUND = b"\xff" * 511
NAMES = tuple(NodeName(f"{number}" + "n" * 47) for number in range(7))
CHILDREN = (Child(9999, 2**31 - 1, BOUND, BOUND), Child(10_000, 2**31 - 1, BOUND, None))
LARGEST = Place(
    Origin("c" * 40, "t" * 40, PartitionId(LogId("f" * 32), 9998)),
    2**62,
    2**31 - 1,
    Group(2**31 - 1, BOUND, BOUND, NAMES, Form.RECOVERY, 2**31 - 1),
    Reign(2**62, TermLeader(Writer(NAMES[0], Incarnation(2**62)), 2**62), True, True, NAMES[1]),
    2**62,
    b"x" * 16,
    2**62,
    CHILDREN,
)


def checkpoint(place: Place = LARGEST, labels: int = 4) -> Checkpoint:
    group = place.group
    mark = mark_of(group.generation, group.lower, group.upper) if group else bytes(16)
    names = tuple(f"2026-11-28T22:53:32.{number:03}" for number in range(labels))
    return Checkpoint(without_bounds(place), mark, marks_of(place.children or ()), 2**62, 2**42, names)


def test_the_largest_checkpoint_is_one_that_brokers_take() -> None:
    """Seven members with the longest names, a seal with the longest bounds, and 50 streams that nobody has."""
    assert len(encode_checkpoint(checkpoint())) < 2200
    assert len(encode_checkpoint(checkpoint(labels=50))) < METADATA_BYTES_MOST
    with pytest.raises(ValueError, match="brokers take 4096"):
        encode_checkpoint(checkpoint(labels=200))


def test_how_far_an_index_is_filled_is_part_of_it() -> None:
    filling = checkpoint(labels=25)._replace(fills=(("index/" + "f" * 16, b"\xff" * 128),))
    text = encode_checkpoint(filling)
    assert len(text) < METADATA_BYTES_MOST
    assert decode_checkpoint(text) == filling
    for part in (text[1:], text[:-8], text[1:-8]):
        with pytest.raises(UndecodableMessage):
            decode_checkpoint(part)


def test_a_checkpoint_is_read_as_it_was_written() -> None:
    for place in (LARGEST, LARGEST._replace(children=None), LARGEST._replace(reign=Reign(3, None))):
        written = checkpoint(place)
        assert decode_checkpoint(encode_checkpoint(written)) == written


def test_what_is_no_checkpoint_is_refused() -> None:
    good = base64.b64decode(encode_checkpoint(checkpoint()))
    dice = random.Random(5)
    for _ in range(200):
        cut = base64.b64encode(good[: dice.randrange(len(good) - 60)]).decode()
        with pytest.raises(UndecodableMessage):
            decode_checkpoint(cut)
    for text in ("", "é", "not base64", "AAAA"):
        with pytest.raises(UndecodableMessage):
            decode_checkpoint(text)


@given(st.binary(max_size=20), st.binary(max_size=20), st.none() | st.binary(max_size=20))
def test_marks_tell_ranges_apart(lower: bytes, upper: bytes, other: bytes | None) -> None:
    """Half-open ranges: no upper bound is not an empty one."""
    assert (mark_of(1, lower, upper) == mark_of(1, lower, other)) == (upper == other)
    assert mark_of(1, lower, upper) != mark_of(2, lower, upper)
    assert mark_of(1, lower + b"x", upper) != mark_of(1, lower, b"x" + upper)
