"""What a mutation becomes in a stream."""

from __future__ import annotations

import orjson
import pytest

from dynabus.core.global_tables.versions import Stamp, Version
from dynabus.core.messages import ReplyStatus
from dynabus.core.replication.records import Mutation
from dynabus.core.rows import encode_global_row, encode_row
from dynabus.core.streams.changes import Change, View, change_of
from dynabus.core.values import Item

KEY: Item = {"pk": {"S": "a"}}
ONE: Item = {**KEY, "v": {"N": "1"}}
TWO: Item = {**KEY, "v": {"N": "2"}}


def mutation(old: Item | None, new: Item | None, times: tuple[int, int] = (1, 2)) -> Mutation:
    rows = [
        None if item is None else encode_row(orjson.dumps(item), 10, time)
        for item, time in zip((old, new), times, strict=True)
    ]
    return Mutation(b"k", rows[0], rows[1], 77, b"", 0, 0, b"", 0, b"")


@pytest.mark.parametrize(
    ("old", "new", "event"), [(None, ONE, "INSERT"), (ONE, TWO, "MODIFY"), (ONE, None, "REMOVE")]
)
def test_events(old: Item | None, new: Item | None, event: str) -> None:
    assert change_of(mutation(old, new), ["pk"]) == Change(event, KEY, old, new, 77)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (None, None),
        (ONE, ONE),
        (ONE, dict(reversed(ONE.items()))),
        ({**KEY, "s": {"SS": ["a", "b"]}}, {**KEY, "s": {"SS": ["b", "a"]}}),
        (
            {**KEY, "m": {"M": {"SS": {"L": [{"NS": ["1", "2"]}]}}}},
            {**KEY, "m": {"M": {"SS": {"L": [{"NS": ["2", "1"]}]}}}},
        ),
    ],
)
def test_what_changed_nothing_is_no_change(old: Item | None, new: Item | None) -> None:
    """Though the row was written anew, at another time."""
    assert change_of(mutation(old, new), ["pk"]) is None


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({**KEY, "l": {"L": [{"S": "a"}, {"S": "b"}]}}, {**KEY, "l": {"L": [{"S": "b"}, {"S": "a"}]}}),
        ({**KEY, "s": {"SS": ["1"]}}, {**KEY, "s": {"NS": ["1"]}}),
        ({**KEY, "SS": {"S": "a"}}, {**KEY, "SS": {"S": "b"}}),
    ],
)
def test_what_looks_alike_is_a_change(old: Item, new: Item) -> None:
    change = change_of(mutation(old, new), ["pk"])
    assert change is not None
    assert change.event == "MODIFY"


@pytest.mark.parametrize(
    ("view", "old", "new"),
    [
        (View.KEYS_ONLY, None, None),
        (View.NEW_IMAGE, None, TWO),
        (View.OLD_IMAGE, ONE, None),
        (View.NEW_AND_OLD_IMAGES, ONE, TWO),
    ],
)
def test_views(view: View, old: Item | None, new: Item | None) -> None:
    change = change_of(mutation(ONE, TWO), ["pk"])
    assert change is not None
    seen = change.seen(view)
    assert (seen.old, seen.new, seen.keys) == (old, new, KEY)
    # Name and value of the key are 3 bytes, v and its number 3 more.
    assert seen.size == 3 + sum(6 for image in (old, new) if image is not None)


def test_the_kafka_key_is_the_primary_key_with_the_partition_key_first() -> None:
    item: Item = {"sk": {"N": "5"}, "pk": {"B": "AA=="}, "v": {"S": "x"}}
    change = change_of(mutation(None, item), ["pk", "sk"])
    assert change is not None
    assert change.key_bytes == b'{"pk":{"B":"AA=="},"sk":{"N":"5"}}'


def test_who_did_it_is_known_of_what_expired() -> None:
    expired = change_of(mutation(ONE, None)._replace(status=ReplyStatus.EXPIRED), ["pk"])
    assert expired == Change("REMOVE", KEY, ONE, None, 77, expired=True)
    assert expired.seen(View.KEYS_ONLY).expired


def of_regions(old: tuple[Item | None, Version] | None, new: tuple[Item | None, Version]) -> Mutation:
    rows = [
        None if each is None else encode_global_row(orjson.dumps(each[0]) if each[0] else b"", 10, 5, each[1])
        for each in (old, new)
    ]
    return Mutation(b"k", rows[0], rows[1], 77, b"", 0, 0, b"", 0, b"")


HERE = Version(Stamp(9, "us"), {"us": 9})
MET = Version(Stamp(9, "us"), {"us": 9, "eu": 4})


@pytest.mark.parametrize(
    ("old", "new", "event"),
    [
        (None, ONE, "INSERT"),
        ((None, HERE), ONE, "INSERT"),
        ((ONE, HERE), TWO, "MODIFY"),
        ((ONE, HERE), None, "REMOVE"),
    ],
)
def test_changes_of_a_global_table_say_which_write_it_was(
    old: tuple[Item | None, Version] | None, new: Item | None, event: str
) -> None:
    change = change_of(of_regions(old, (new, MET)), ["pk"])
    assert change == Change(event, KEY, old[0] if old else None, new, 77, version=MET.encode())


@pytest.mark.parametrize("item", [ONE, None])
def test_a_version_that_changes_alone_is_no_change(item: Item | None) -> None:
    assert change_of(of_regions((item, HERE), (item, MET)), ["pk"]) is None


def test_a_tombstone_where_nothing_was_is_no_change() -> None:
    assert change_of(of_regions(None, (None, HERE)), ["pk"]) is None
