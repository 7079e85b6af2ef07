"""What a destination is told of all shards of a stream, whoever has them (`core.global_tables.promises`)."""

from __future__ import annotations

from tests.unit.rep_out.shards_kafka import CREATED_MS, TOLD, TOPIC, WORD, Kafka, begin, feed

from dynabus.core.global_tables.links import COPYING
from dynabus.rep_out.feeds import Feed
from dynabus.rep_out.shards import LOOK_MS


def speaking(kafka: Kafka, *numbers: int, shards: dict[int, int] | None = None) -> None:
    """Each of these has been acknowledged up to a record of floors."""
    for number in numbers:
        kafka.extents[number], kafka.times[number] = (0, 50), 0
    begin(kafka, *numbers, shards=shards)
    for number in numbers:
        told = TOLD._replace(words={(TOPIC, number): WORD._replace(time=500 + number)})
        assert kafka.shards.commit({(TOPIC, number): 9}, told)


def copied_again() -> Feed:
    found = feed()
    return found._replace(link=found.link._replace(status=COPYING))


def test_a_destination_is_told_the_least_of_what_all_shards_say_whoever_has_them(kafka: Kafka) -> None:
    speaking(kafka, 0, 1, shards={0: -1, 1: -1})
    kafka.revoke([(TOPIC, 0), (TOPIC, 1)])
    assert kafka.shards.words() == {TOPIC: WORD._replace(replica="there")}


def test_nothing_is_said_while_a_shard_says_nothing(kafka: Kafka) -> None:
    speaking(kafka, 0, shards={0: -1, 1: -1})
    assert kafka.shards.words() == {}


def test_nothing_is_said_before_all_items_are_copied(kafka: Kafka) -> None:
    speaking(kafka, 0)
    kafka.shards.follow({TOPIC: copied_again()})
    assert kafka.shards.words() == {}


def test_nothing_is_said_while_changes_are_lost(kafka: Kafka) -> None:
    kafka.extents[0], kafka.times[0] = (20, 50), 30
    kafka.commits[TOPIC, 0] = (7, "")
    begin(kafka, 0)
    assert kafka.shards.commit({(TOPIC, 0): 40}, TOLD._replace(words={(TOPIC, 0): WORD}))
    assert kafka.shards.words() == {}
    again = feed()
    kafka.shards.follow({TOPIC: again._replace(link=again.link._replace(created_ms=CREATED_MS + 1))})
    assert kafka.shards.words() == {TOPIC: WORD._replace(replica="there")}, "all was copied since"


def test_a_word_stays_beside_later_offsets_also_of_who_has_the_shard_next(kafka: Kafka) -> None:
    speaking(kafka, 0)
    kafka.revoke([(TOPIC, 0)])
    kafka.assign([(TOPIC, 0)])
    kafka.shards.poll(3 * LOOK_MS)
    assert kafka.shards.commit({(TOPIC, 0): 12}, TOLD)
    assert kafka.shards.words() == {TOPIC: WORD._replace(replica="there")}


def test_a_word_that_somebody_else_wrote_says_nothing(kafka: Kafka) -> None:
    speaking(kafka, 0)
    kafka.commits[TOPIC, 0] = (9, '{"word": {"time": 9}}')
    assert kafka.shards.words() == {}


def test_of_all_tables_the_group_is_asked_at_once(kafka: Kafka) -> None:
    speaking(kafka, 0)
    asked = kafka.asked
    kafka.shards.follow({TOPIC: feed(), "art": feed(), "copied": copied_again()})
    assert kafka.shards.words() == {TOPIC: WORD._replace(replica="there")}
    assert kafka.asked == asked + 1
    kafka.shards.follow({})
    assert kafka.shards.words() == {}
    assert kafka.asked == asked + 1
