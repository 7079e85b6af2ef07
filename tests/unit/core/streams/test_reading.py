"""What a reader of a stream topic counts, and iterators."""

from __future__ import annotations

import random

import pytest

from dynabus.core.streams.iterators import LIFE_MS, ShardIterator, read_iterator
from dynabus.core.streams.reading import CHANGE, CLOSED, OPENED, Entry, Position, count
from dynabus.core.streams.sequence import BEFORE_ALL, Sequence

START = Position(0, BEFORE_ALL)
ARN = "arn:aws:dynamodb:us-east-1:000000000000:table/music/stream/2026-11-28T22:53:32.123"


def entries(*offsets: int) -> list[Entry]:
    """`opened`, then changes with these offsets of the log."""
    found = [Entry(0, OPENED, Sequence(1, 0, 0), b"")]
    return found + [Entry(at, CHANGE, Sequence(1, 5, offset), b"v") for at, offset in enumerate(offsets, 1)]


def logged(batch: list[Entry]) -> list[int]:
    return [entry.sequence.offset for entry in batch]


def test_repeats_do_not_count() -> None:
    """A crash behind 3 and one behind 5, and a zombie's 4 and 5 after that."""
    batch = count(START, entries(1, 2, 3, 2, 3, 4, 5, 4, 5, 6, 4, 5, 7), 100, 1000)
    assert logged(batch.entries) == [1, 2, 3, 4, 5, 6, 7]
    assert batch.position == (14, Sequence(1, 5, 7))
    assert not batch.ended


@pytest.mark.parametrize("most", [1, 2, 3, 7])
def test_pages_of_any_size_are_the_same_history(most: int) -> None:
    shard = [*entries(1, 2, 1, 2, 3, 4, 3, 4, 5), Entry(10, CLOSED, Sequence(1, 5, 9), b"")]
    shard.append(Entry(11, CHANGE, Sequence(1, 5, 5), b"v"))
    position, seen, ended = START, [], False
    while not ended:
        rest = [entry for entry in shard if entry.offset >= position.offset]
        batch = count(position, rest[: most + 1], most, 1000)
        seen += logged(batch.entries)
        position, ended = batch.position, batch.ended
    assert seen == [1, 2, 3, 4, 5]


def test_bytes_are_bounded_but_one_record_is_always_there() -> None:
    batch = count(START, entries(1, 2, 3), 100, 2)
    assert logged(batch.entries) == [1, 2]
    assert logged(count(START, entries(1, 2), 100, 0).entries) == [1]


def test_any_prefixes_from_earlier_places_on_are_one_history() -> None:
    """What propagators may leave: each writes a prefix of what follows its checkpoint; late ones mix in."""
    dice = random.Random(3)
    for _ in range(300):
        runs, reached, checkpoint = [], 0, 0
        while reached < 20:
            end = dice.randint(checkpoint, min(20, reached + 6))
            runs.append(list(range(checkpoint + 1, end + 1)))
            reached = max(reached, end)
            checkpoint = dice.randint(checkpoint, reached)
        topic: list[int] = []
        late: list[int] = []
        for run in runs:
            cut = dice.randint(0, len(run)) if dice.random() < 0.3 else len(run)
            # A zombie's records, which were produced already when its successor began: it began no later.
            topic += run[:cut]
            late = [each for each in run[cut:] if each <= (max(topic) if topic else 0)]
            topic += late
            topic += [each for each in run[cut:] if each not in late]
        assert logged(count(START, entries(*topic), 1000, 10**6).entries) == list(range(1, 21))


def test_an_iterator_leads_back() -> None:
    iterator = ShardIterator(ARN, 1_700_000_000_000, 7, Position(12, Sequence(3, 1_700_000_000_000, 99)))
    assert read_iterator(str(iterator)) == iterator
    assert len(str(iterator)) <= 2048
    assert not iterator.is_expired(iterator.issued_ms + LIFE_MS)
    assert iterator.is_expired(iterator.issued_ms + LIFE_MS + 1)


def test_forged_iterators_are_none() -> None:
    """Each changed character, parts of others, other streams' ARNs, and nonsense."""
    text = str(ShardIterator(ARN, 1, 7, Position(12, BEFORE_ALL)))
    other = str(ShardIterator(ARN.replace("music", "musik"), 1, 7, Position(12, BEFORE_ALL)))
    forged = [text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :] for at in range(len(text) - 1)]
    forged += [text[:-4], text + "AAAA", "", "|", "||", "a|1|b", text.replace("|1|", "|2|"), text + "é"]
    forged += [ARN + other[other.index("|") :], other[: other.index("|")] + text[text.index("|") :]]
    assert [each for each in forged if read_iterator(each) is not None] == []
