"""A producer's side of ingest: what shares a message, when it leaves, and who waits for how long."""

from __future__ import annotations

import random
from zlib import crc32

import orjson
import pytest

from dynabus.core.ingest.commands import COMMANDS_MOST
from dynabus.core.ingest.gathering import (
    AT_ONCE,
    MESSAGE_BYTES_MOST,
    MESSAGE_COMMANDS_MOST,
    NEVER,
    Gathering,
    UnderWay,
    track_of,
)
from dynabus.core.key_schema import KeySchema


def test_a_track_is_a_function_of_the_key_alone() -> None:
    schema = KeySchema("pk", "S", "sk", "N")
    key = {"pk": {"S": "a"}, "sk": {"N": "10"}}
    expected = crc32(schema.encode(key)) % 12
    assert track_of(schema, key, 12) == expected
    assert track_of(schema, {"sk": {"N": "1E1"}, "pk": {"S": "a"}}, 12) == expected, "one number, two spellings"
    assert track_of(schema, {**key, "n": {"N": "1"}}, 12) == expected, "an item, and its key"
    tracks = {track_of(schema, {**key, "sk": {"N": str(number)}}, 12) for number in range(1000)}
    assert tracks == set(range(12))


@pytest.mark.parametrize("image", [{}, {"pk": {"N": "1"}}, {"pk": {"S": ""}}, {"pk": {"S": "a", "N": "1"}}])
def test_what_has_no_key_goes_somewhere(image: dict[str, dict[str, str]]) -> None:
    assert track_of(KeySchema("pk", "S"), image, 12) == 0


def test_commands_of_a_track_share_a_message_until_it_has_lingered() -> None:
    gathering = Gathering(linger_ms=5)
    assert gathering.due_ms == NEVER
    assert gathering.add(0, b'{"a":1}', 1, 100), "something is due now that was not"
    assert not gathering.add(0, b'{"a":2}', 2, 103)
    assert not gathering.add(1, b'{"a":3}', 3, 104)
    assert gathering.due_ms == 105
    assert gathering.take(104.9) == []
    [batch] = gathering.take(105)
    assert (batch.track, batch.value, batch.numbers) == (0, b'[{"a":1},{"a":2}]', [1, 2])
    assert gathering.due_ms == 109
    [batch] = gathering.take(NEVER)
    assert batch.numbers == [3]
    assert gathering.due_ms == NEVER
    assert gathering.take(NEVER) == []


def test_a_message_that_is_full_leaves_at_once() -> None:
    gathering = Gathering(linger_ms=1000)
    news = [gathering.add(0, b"{}", number, 0) for number in range(MESSAGE_COMMANDS_MOST + 1)]
    assert [number for number, is_news in enumerate(news) if is_news] == [0, MESSAGE_COMMANDS_MOST - 1]
    assert gathering.due_ms == AT_ONCE
    [batch] = gathering.take(0)
    assert len(batch.numbers) == len(orjson.loads(batch.value)) == MESSAGE_COMMANDS_MOST <= COMMANDS_MOST
    assert gathering.due_ms == 1000


def test_large_commands_go_alone_and_in_order() -> None:
    gathering, large = Gathering(linger_ms=1000), b'"' + b"x" * MESSAGE_BYTES_MOST + b'"'
    for number, command in enumerate([b"{}", large, b"{}", large]):
        gathering.add(0, command, number, 0)
    assert [batch.numbers for batch in gathering.take(0)] == [[0], [1], [2], [3]]


def test_messages_know_in_which_order_they_were_closed_whatever_the_numbers() -> None:
    """Two threads draw numbers and add their commands in another order."""
    gathering = Gathering(linger_ms=5)
    gathering.add(0, b"{}", 6, 0)
    first = gathering.take(NEVER)
    gathering.add(0, b"{}", 5, 10)
    gathering.add(0, b"{}", 7, 10)
    batches = sorted([*gathering.take(NEVER), *first], key=lambda batch: batch.serial)
    assert [batch.numbers for batch in batches] == [[6], [5, 7]]


@pytest.mark.parametrize("seed", range(20))
def test_whatever_comes_leaves_once_and_in_the_order_of_its_track(seed: int) -> None:
    dice, gathering = random.Random(seed), Gathering(linger_ms=5)
    sent: dict[int, list[int]] = {}
    left: dict[int, list[int]] = {}
    now_ms, number = 0.0, 0

    def take(until_ms: float) -> None:
        for batch in gathering.take(until_ms):
            assert orjson.loads(batch.value) == ["x" * size_of[each] for each in batch.numbers]
            left.setdefault(batch.track, []).extend(batch.numbers)

    size_of: dict[int, int] = {}
    for _ in range(300):
        now_ms += dice.random()
        track, number = dice.randrange(4), number + 1
        size_of[number] = dice.choice([1, 100, MESSAGE_BYTES_MOST // 3, MESSAGE_BYTES_MOST])
        gathering.add(track, b'"%s"' % (b"x" * size_of[number]), number, now_ms)
        sent.setdefault(track, []).append(number)
        if dice.random() < 0.3:
            take(now_ms)
            assert gathering.due_ms > now_ms
    take(NEVER)
    assert left == sent


def test_what_is_under_way_ends_once_or_is_overdue() -> None:
    flight: UnderWay[str] = UnderWay(limit_ms=100, commands_most=10, bytes_most=1000)
    flight.add(1, "a", 10, 0)
    flight.add(2, "b", 10, 50)
    flight.add(3, "c", 10, 60)
    assert flight.end(2) == "b"
    assert flight.end(2) is None
    assert flight.end(9) is None
    flight.delivered([1, 2])
    assert flight.overdue(99) == []
    [late] = flight.overdue(100)
    assert (late.what, late.delivered) == ("a", True)
    assert (1 in flight, 3 in flight, len(flight)) == (False, True, 1)
    [late] = flight.overdue(NEVER)
    assert (late.what, late.delivered) == ("c", False)
    assert flight.overdue(NEVER) == []


def test_there_is_room_for_so_many_commands_and_bytes_and_always_for_one() -> None:
    flight: UnderWay[str] = UnderWay(limit_ms=100, commands_most=2, bytes_most=100)
    assert flight.has_room(1000)
    flight.add(1, "a", 60, 0)
    assert flight.has_room(40)
    assert not flight.has_room(41)
    flight.add(2, "b", 10, 0)
    assert not flight.has_room(1)
    flight.end(1)
    assert flight.has_room(90)
