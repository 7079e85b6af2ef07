"""RepOut and RepIn: what is sent, what is acknowledged, what is committed."""

from __future__ import annotations

from dynabus.core.global_tables.floors import Word
from dynabus.core.global_tables.rep_in import BYTES_MOST, Acknowledgement, RepIn
from dynabus.core.global_tables.rep_out import BATCH_CHANGES, WAITING_BYTES, Batch, Export, RepOut
from dynabus.core.global_tables.versions import written
from dynabus.core.global_tables.window import BATCHES_MOST, RESEND_MOST_MS, RESEND_MS, SLOW_MOST

WORD = Word(500, 3, frozenset({"eu", "us"}))
SHARD, TOPIC = ("music/1", 0), ("eu", 0)


def export(number: int, region: str = "eu", size: int = 3) -> Export:
    return Export("music", f"k{number}".encode(), b"x" * size, written(None, region, number))


def reading(*exports: Export | None, offset: int = 0) -> RepOut:
    brain = RepOut("eu")
    brain.assigned(SHARD, offset)
    for place, each in enumerate(exports, offset):
        brain.read(SHARD, place, each)
    return brain


def test_an_offset_is_due_when_all_before_it_is_acknowledged() -> None:
    brain = reading(*(export(number) for number in range(BATCH_CHANGES + 1)))
    first, second = brain.batches(0)
    assert (len(first.exports), len(second.exports)) == (BATCH_CHANGES, 1)
    brain.acknowledged(second.number)
    assert brain.due() == {}
    brain.acknowledged(first.number)
    assert brain.due() == {SHARD: BATCH_CHANGES + 1}
    brain.committed(brain.due())
    assert brain.due() == {}


def test_what_arrived_by_replication_and_what_is_no_change_is_passed_by() -> None:
    brain = reading(export(1, "us"), None, offset=7)
    assert brain.batches(0) == []
    assert (brain.due(), brain.passed) == ({SHARD: 9}, 1)


def test_what_a_region_wrote_that_sends_nothing_any_more_is_sent_on_until_its_time() -> None:
    brain = RepOut("eu", {"us": 5})
    brain.assigned(SHARD, 7)
    changes = [export(5, "us"), export(6, "us"), export(1, "ap"), export(1)]
    for place, each in enumerate(changes, 7):
        brain.read(SHARD, place, each)
    [batch] = brain.batches(0)
    assert (batch.exports, brain.passed) == ([changes[0], changes[3]], 2)
    assert brain.due() == {}
    brain.acknowledged(batch.number)
    assert brain.due() == {SHARD: 11}


def test_what_is_read_once_more_for_others_is_passed_by_if_it_is_our_own() -> None:
    brain = RepOut("eu", {"us": 5})
    brain.assigned(SHARD, 0, 2)
    changes = [export(1), export(2, "us"), export(3)]
    for place, each in enumerate(changes):
        brain.read(SHARD, place, each)
    [batch] = brain.batches(0)
    assert batch.exports == changes[1:]


def test_records_out_of_turn_are_not_read() -> None:
    brain = reading(export(1))
    brain.read(SHARD, 0, export(1))
    brain.read(SHARD, 5, export(2))
    brain.read(("other", 1), 0, export(3))
    assert [len(each.exports) for each in brain.batches(0)] == [1]


def test_a_batch_that_is_not_acknowledged_in_time_is_sent_again_under_its_number() -> None:
    brain = reading(export(1))
    (batch,) = brain.batches(0)
    assert brain.batches(RESEND_MS - 1) == []
    assert brain.batches(RESEND_MS) == [batch]
    assert brain.acknowledged(batch.number) == batch
    assert brain.acknowledged(batch.number) is None
    assert brain.batches(9 * RESEND_MS) == []
    assert brain.window.resent == 1


def test_repeats_become_rarer_until_something_is_acknowledged() -> None:
    brain = reading(export(1))
    (first,) = brain.batches(0)
    sent_s = [at_s for at_s in range(1, 400) if brain.batches(1000.0 * at_s)]
    assert sent_s == [5, 15, 35, 75, 135, 195, 255, 315, 375]
    assert RESEND_MOST_MS == 60_000
    brain.read(SHARD, 1, export(2))
    (second,) = brain.batches(400_000)
    brain.acknowledged(second.number)
    assert brain.batches(400_000) == [first]


def test_where_many_tables_wait_each_may_have_less() -> None:
    brain = RepOut("eu", bytes_most=10_000)
    brain.assigned(SHARD, 0)
    for place in range(20):
        brain.read(SHARD, place, export(place))
        assert brain.is_full == (place >= 9)


def test_a_table_that_is_slow_there_has_fewer_batches_under_way_until_one_is_acknowledged_in_time() -> None:
    """Its topic has batches of other tables, too, which wait behind them."""
    brain = reading(*(export(number) for number in range(20 * BATCH_CHANGES)))
    first = brain.batches(0)
    assert brain.batches(RESEND_MS) == first
    for each in first[:-1]:
        brain.acknowledged(each.number)
    assert len(brain.batches(RESEND_MS + 1)) == SLOW_MOST - 1
    brain.acknowledged(first[-1].number)
    (another,) = brain.batches(RESEND_MS + 2)
    brain.acknowledged(another.number)
    assert len(brain.batches(RESEND_MS + 3)) > 1


def test_what_may_be_sent_now_is_bounded() -> None:
    brain = reading(*(export(number) for number in range(2 * BATCH_CHANGES)))
    assert brain.batches(0, 0) == []
    assert [len(each.exports) for each in brain.batches(0, 30)] == [30]
    assert [len(each.exports) for each in brain.batches(0, 300)] == [BATCH_CHANGES, 100]


def test_so_many_batches_are_under_way_and_then_nothing_is_read() -> None:
    brain = reading(*(export(number) for number in range(2 * BATCH_CHANGES * BATCHES_MOST)))
    assert len(brain.batches(0)) == BATCHES_MOST
    assert brain.batches(1) == []
    assert brain.is_full
    assert brain.positions() == {}


def test_large_changes_that_wait_are_bounded_by_their_bytes() -> None:
    large = WAITING_BYTES // 8
    brain = reading(*(export(number, size=large) for number in range(8)))
    assert brain.is_full
    for batch in brain.batches(0):
        brain.acknowledged(batch.number)
    assert not brain.is_full
    brain = reading(*(export(number, size=large) for number in range(7)))
    assert not brain.is_full
    other = ("music/1", 1)
    brain.assigned(other, 0)
    brain.read(other, 0, export(9, size=large))
    assert brain.is_full
    brain.revoked([other])
    assert not brain.is_full, "what waits of others' shards does not count"


def test_large_changes_make_batches_of_their_own() -> None:
    brain = reading(*(export(number, size=400_000) for number in range(3)))
    assert [len(each.exports) for each in brain.batches(0)] == [2, 1]


def test_of_a_shard_that_another_process_has_nothing_is_committed() -> None:
    brain = reading(export(1), export(2))
    (batch,) = brain.batches(0)
    brain.revoked([SHARD])
    brain.acknowledged(batch.number)
    assert brain.due() == {}
    assert brain.positions() == {}


def test_a_word_is_told_once_with_or_without_changes() -> None:
    brain = reading()
    brain.word = WORD
    (batch,) = brain.batches(0)
    assert batch == Batch(1, [], WORD)
    assert brain.batches(1) == []
    brain.acknowledged(1)
    brain.read(SHARD, 0, export(1))
    assert brain.batches(2)[0].word == WORD


def test_a_leaders_word_counts_with_the_commit_of_all_before_it() -> None:
    brain = reading(export(1))
    brain.promised(SHARD, 1, WORD)
    brain.promised(SHARD, 1, WORD._replace(time=9))
    brain.read(SHARD, 2, export(2))
    assert brain.positions() == {SHARD: 3}
    first, second = brain.batches(0, 1)[0], brain.batches(0)[0]
    assert brain.words(brain.due()) == {}
    brain.acknowledged(first.number)
    assert brain.due() == {SHARD: 1}
    assert brain.words(brain.due()) == {SHARD: WORD}
    brain.acknowledged(second.number)
    assert brain.words(brain.due()) == {}


def test_words_of_shards_that_others_have_are_theirs() -> None:
    brain = reading()
    brain.promised(SHARD, 0, WORD)
    brain.revoked([SHARD])
    brain.assigned(SHARD, 1)
    assert brain.words({SHARD: 5}) == {}


def test_a_batch_is_acknowledged_when_all_of_it_is_decided_and_committed_behind_that() -> None:
    brain = RepIn()
    brain.assigned(TOPIC, 4)
    brain.read(TOPIC, 4, "eu-1", Batch(1, [export(1), export(2)]))
    brain.read(TOPIC, 5, "eu-1", Batch(2, [export(3)]))
    one, two, three = brain.wanted()
    brain.decided(one.number)
    brain.decided(three.number)
    told = brain.acknowledgements()
    assert told == [Acknowledgement(TOPIC, "eu-1", 2, 5)]
    brain.acknowledged(told)
    assert brain.due() == {}
    brain.decided(two.number)
    brain.acknowledged()
    assert brain.due() == {}, "its acknowledgement was not taken yet"
    told = brain.acknowledgements()
    assert told == [Acknowledgement(TOPIC, "eu-1", 1, 4)]
    brain.acknowledged(told)
    assert brain.due() == {TOPIC: 6}
    brain.committed(brain.due())
    assert brain.due() == {}


def test_acknowledgements_that_are_on_their_way_hold_back_nothing_that_is_before_them() -> None:
    brain = RepIn()
    brain.assigned(TOPIC, 4)
    last: list[Acknowledgement] = []
    for number in range(100):
        brain.read(TOPIC, 4 + number, "eu-1", Batch(1 + number, []))
        told = brain.acknowledgements()
        if number:
            brain.acknowledged(last)
            assert brain.due() == {TOPIC: 4 + number}
            brain.committed(brain.due())
        last = told
    assert len(brain._open[TOPIC]) == 1
    brain.revoked(TOPIC)
    brain.acknowledged(last)
    assert brain.due() == {}


def test_a_batch_that_comes_again_while_it_is_under_way_is_asked_for_and_acknowledged_once() -> None:
    brain = RepIn()
    brain.assigned(TOPIC, 4)
    brain.read(TOPIC, 4, "eu-1", Batch(1, [export(1)]))
    brain.read(TOPIC, 5, "eu-1", Batch(1, [export(1)]))
    brain.read(TOPIC, 6, "eu-2", Batch(1, [export(2)]))
    first, other = brain.wanted()
    brain.decided(other.number)
    brain.acknowledged(brain.acknowledgements())
    assert brain.due() == {}
    brain.decided(first.number)
    told = brain.acknowledgements()
    assert told == [Acknowledgement(TOPIC, "eu-1", 1, 4)]
    brain.acknowledged(told)
    assert brain.due() == {TOPIC: 7}
    brain.read(TOPIC, 7, "eu-1", Batch(1, [export(1)]))
    assert len(brain.wanted()) == 1, "its acknowledgement was lost: it is told once more"


def test_few_changes_that_are_large_are_as_much_as_many() -> None:
    brain = RepIn()
    brain.assigned(TOPIC, 0)
    large = export(1)._replace(item=b"x" * (BYTES_MOST // 4))
    for offset in range(5):
        brain.read(TOPIC, offset, "eu-1", Batch(offset, [large]))
    assert brain.share > 1.2
    for wanted in brain.wanted()[:4]:
        brain.decided(wanted.number)
    assert 0.2 < brain.share < 0.3
    brain.revoked(TOPIC)
    assert brain.share == 0


def test_a_batch_for_another_table_is_passed_by_whole_and_may_come_again() -> None:
    brain = RepIn()
    brain.assigned(TOPIC, 4)
    brain.read(TOPIC, 4, "eu-1", Batch(1, [export(1), export(2), export(3)]), "before")
    one, two, three = brain.wanted()
    assert one.replica == "before"
    brain.decided(one.number)
    brain.passed(two.number)
    for late in (one, two, three):
        brain.decided(late.number)
        brain.refused(late.number)
        brain.passed(late.number)
    assert (brain.acknowledgements(), brain.wanted(), brain.share) == ([], [], 0)
    brain.acknowledged()
    assert brain.due() == {TOPIC: 5}
    brain.read(TOPIC, 5, "eu-1", Batch(1, [export(1)]), "now")
    assert [each.replica for each in brain.wanted()] == ["now"]


def test_an_unreadable_batch_is_passed_by_and_not_acknowledged() -> None:
    brain = RepIn()
    brain.assigned(TOPIC, 4)
    brain.read(TOPIC, 4, "eu-1", Batch(1, [export(1)]))
    pass_by = brain.unreadable(TOPIC, 5)
    brain.decided(brain.wanted()[0].number)
    told = brain.acknowledgements()
    assert told == [Acknowledgement(TOPIC, "eu-1", 1, 4)]
    brain.acknowledged(told)
    assert brain.due() == {TOPIC: 5}, "it is not parked yet"
    pass_by()
    assert brain.acknowledgements() == []
    brain.acknowledged()
    assert brain.due() == {TOPIC: 6}


def test_what_is_refused_is_wanted_again_and_what_is_decided_twice_counts_once() -> None:
    brain = RepIn()
    brain.assigned(TOPIC, 0)
    brain.read(TOPIC, 0, "eu-1", Batch(1, [export(1)]))
    (wanted,) = brain.wanted()
    assert brain.wanted() == []
    brain.refused(wanted.number)
    assert brain.wanted() == [wanted]
    brain.decided(wanted.number)
    brain.decided(wanted.number)
    brain.refused(wanted.number)
    assert brain.wanted() == []
    assert len(brain.acknowledgements()) == 1


def test_a_batch_without_changes_is_acknowledged_at_once() -> None:
    brain = RepIn()
    brain.assigned(TOPIC, 0)
    brain.read(TOPIC, 0, "eu-1", Batch(1, [], WORD))
    assert len(brain.acknowledgements()) == 1


def test_a_topic_partition_that_another_process_has_is_left_to_it() -> None:
    brain = RepIn()
    brain.assigned(TOPIC, 0)
    brain.read(TOPIC, 0, "eu-1", Batch(1, [export(1)]))
    (wanted,) = brain.wanted()
    brain.revoked(TOPIC)
    brain.decided(wanted.number)
    brain.read(TOPIC, 1, "eu-1", Batch(2, [export(2)]))
    assert (brain.acknowledgements(), brain.due(), brain.wanted()) == ([], {}, [])
