"""Where shards begin, what is committed beside their offsets, and what becomes of them when the group takes them."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from confluent_kafka import KafkaError, KafkaException
from tests.unit.rep_out.shards_kafka import CREATED_MS, TOLD, TOPIC, FakeMessage, Kafka, begin, feed

from dynabus.rep_out import shards as module
from dynabus.rep_out.shards import BEFORE_MS, LATE_MS, LOOK_MS


def test_a_shard_without_an_offset_begins_a_while_before_its_link(kafka: Kafka) -> None:
    kafka.extents[0], kafka.times[0] = (3, 50), 20
    begin(kafka, 0)
    assert kafka.subscribed == [TOPIC]
    assert (kafka.reading, kafka.begun) == ({0: 20}, [((TOPIC, 0), 20)])
    assert kafka.asked_ms == [CREATED_MS - BEFORE_MS]
    assert kafka.shards.backlog() == 30


@pytest.mark.parametrize(("extent", "offset"), [((3, 50), 49), ((0, 0), 0), ((7, 7), 7)])
def test_of_one_that_is_older_the_last_record_is_read(kafka: Kafka, extent: tuple[int, int], offset: int) -> None:
    kafka.extents[0] = extent
    begin(kafka, 0)
    assert kafka.reading == {0: offset}


def test_a_child_waits_until_its_parent_is_committed_to_its_end(kafka: Kafka) -> None:
    kafka.extents |= {0: (0, 10), 1: (0, 5)}
    kafka.times |= {0: 0, 1: 0}
    begin(kafka, 0, 1, shards={0: -1, 1: 0})
    assert kafka.reading == {0: 0}
    kafka.shards.ended((TOPIC, 0), 9)
    assert kafka.reading == {}
    assert kafka.shards.commit({(TOPIC, 0): 7}, TOLD)
    kafka.shards.poll(3 * LOOK_MS)
    assert kafka.reading == {}
    assert kafka.shards.commit({(TOPIC, 0): 10}, TOLD)
    kafka.shards.poll(3 * LOOK_MS)
    assert kafka.reading == {1: 0}


def test_a_shard_that_ended_unacknowledged_is_read_again_if_its_stream_was_not_followed_meanwhile(
    kafka: Kafka,
) -> None:
    kafka.extents[0], kafka.times[0] = (0, 10), 0
    begin(kafka, 0)
    assert kafka.shards.is_read((TOPIC, 0))
    kafka.shards.ended((TOPIC, 0), 9)
    assert not kafka.shards.is_read((TOPIC, 0))
    kafka.shards.follow({})
    kafka.shards.follow({TOPIC: feed()})
    kafka.shards.poll(3 * LOOK_MS)
    assert kafka.reading == {0: 0}
    kafka.shards.commit({(TOPIC, 0): 10}, TOLD)
    assert "reading" in kafka.commits[TOPIC, 0][1], "its end was not read this time"


def test_beside_an_offset_stands_how_far_the_destination_is(kafka: Kafka) -> None:
    kafka.extents[0], kafka.times[0] = (0, 50), 0
    begin(kafka, 0)
    kafka.shards.commit({(TOPIC, 0): 7}, TOLD)
    offset, beside = kafka.commits[TOPIC, 0]
    assert offset == 7
    assert orjson.loads(beside) == {"progress": "1:reading:-", "acked_ms": 17, "latency_ms": 4.5, "since": CREATED_MS}
    assert kafka.shards.backlog() == 43
    kafka.lose([(TOPIC, 0)])
    assert (kafka.gone, kafka.reading) == ([(TOPIC, 0)], {})
    begin(kafka, 0)
    assert kafka.reading == {0: 7}


def test_what_was_read_to_its_end_is_not_read_again(kafka: Kafka) -> None:
    kafka.extents[0] = (0, 10)
    kafka.commits[TOPIC, 0] = (10, '{"progress":"1:ended:-"}')
    begin(kafka, 0)
    assert kafka.reading == {}


def test_an_offset_of_somebody_else_counts(kafka: Kafka) -> None:
    kafka.extents[0] = (0, 10)
    kafka.commits[TOPIC, 0] = (4, "no JSON")
    begin(kafka, 0)
    assert kafka.reading == {0: 4}


def test_changes_that_retention_took_are_an_alarm_that_stays(kafka: Kafka) -> None:
    kafka.extents[0] = (20, 50)
    kafka.commits[TOPIC, 0] = (4, '{"progress":"1:reading:-"}')
    begin(kafka, 0)
    assert kafka.reading == {0: 20}
    assert kafka.shards.gaps == {(TOPIC, 0): CREATED_MS}
    assert kafka.commits[TOPIC, 0][0] == 20
    assert kafka.shards.lacks()
    kafka.shards.commit({(TOPIC, 0): 30}, TOLD)
    kafka.revoke([(TOPIC, 0)])
    assert not kafka.shards.gaps
    begin(kafka, 0)
    assert kafka.shards.lacks()
    again = feed()
    kafka.shards.follow({TOPIC: again._replace(link=again.link._replace(created_ms=CREATED_MS + 1))})
    assert not kafka.shards.lacks()  # all items are copied again


def test_a_stream_that_lost_its_end_is_read_on_from_there_and_all_items_are_copied_again(kafka: Kafka) -> None:
    """What is written now has offsets that were acknowledged before, of other changes."""
    kafka.extents[0] = (0, 990)
    kafka.commits[TOPIC, 0] = (1000, '{"progress":"1:reading:-"}')
    begin(kafka, 0)
    assert kafka.reading == {0: 990}
    assert kafka.commits[TOPIC, 0][0] == 990
    assert kafka.shards.lacks()


@pytest.mark.parametrize(("extent", "committed"), [((0, 990), 1000), ((20, 20), 4)])
def test_what_the_group_does_not_take_of_a_loss_it_is_told_again(
    kafka: Kafka, extent: tuple[int, int], committed: int
) -> None:
    """The shard rests: nothing else would be committed of it."""
    kafka.extents[0] = extent
    kafka.commits[TOPIC, 0] = (committed, '{"progress":"1:reading:-"}')
    kafka.takes = False
    begin(kafka, 0)
    assert kafka.commits[TOPIC, 0][0] == committed
    kafka.takes = True
    kafka.shards.poll(3 * LOOK_MS)
    offset, beside = kafka.commits[TOPIC, 0]
    assert offset == extent[1]
    assert orjson.loads(beside)["gap"] == CREATED_MS
    del kafka.commits[TOPIC, 0]
    kafka.shards.poll(5 * LOOK_MS)
    assert not kafka.commits, "once is enough"


def test_a_shard_that_goes_is_told_of_no_more(kafka: Kafka) -> None:
    kafka.extents[0] = (20, 20)
    kafka.commits[TOPIC, 0] = (4, '{"progress":"1:reading:-"}')
    kafka.takes = False
    begin(kafka, 0)
    kafka.lose([(TOPIC, 0)])
    kafka.takes = True
    kafka.shards.poll(3 * LOOK_MS)
    assert kafka.commits[TOPIC, 0][0] == 4


@pytest.mark.parametrize("processed", [8, 9])
def test_the_child_of_one_whose_end_is_lost_begins_and_all_items_are_copied(kafka: Kafka, processed: int) -> None:
    """Its `closed` is lost too, whether or not more was processed than is left: whoever has it cannot tell."""
    kafka.extents |= {0: (0, 8), 1: (0, 5)}
    kafka.times |= {1: 0}
    kafka.commits[TOPIC, 0] = (processed, '{"progress":"1:reading:-"}')
    begin(kafka, 1, shards={0: -1, 1: 0})
    assert kafka.reading == {1: 0}
    assert kafka.shards.lacks()
    assert orjson.loads(kafka.commits[TOPIC, 1][1])["gap"] == CREATED_MS


def test_what_was_lost_before_its_link_was_made_is_in_the_initial_copy(kafka: Kafka) -> None:
    """The child had begun before, so its parent had ended before."""
    kafka.extents |= {0: (0, 8), 1: (0, 5)}
    kafka.times |= {1: 3}
    kafka.commits[TOPIC, 0] = (8, '{"progress":"1:reading:-"}')
    begin(kafka, 1, shards={0: -1, 1: 0})
    assert kafka.reading == {1: 3}
    assert not kafka.shards.lacks()


def test_own_changes_are_not_passed_by_where_the_stream_was_cut_short(kafka: Kafka) -> None:
    """It was read once more for what others wrote: own ones had been acknowledged to behind where it ends now."""
    kafka.extents[0] = (0, 990)
    beside = {"progress": "1:reading:-", "since": CREATED_MS, "own": 1000}
    kafka.commits[TOPIC, 0] = (900, orjson.dumps(beside).decode())
    begin(kafka, 0)
    assert kafka.reading == {0: 900}
    assert kafka.own_behind == {(TOPIC, 0): 990}
    assert kafka.shards.lacks()


@pytest.mark.parametrize(
    ("extent", "first", "late_ms", "is_gap"),
    [
        ((20, 50), 20, LATE_MS + 1, True),  # nothing is left of before the link
        ((20, 50), 21, LATE_MS + 1, False),
        ((20, 50), 20, LATE_MS, False),  # too young for that
        ((20, 20), -1, LATE_MS + 1, True),
        ((20, 20), -1, LATE_MS, False),
        ((0, 50), 0, LATE_MS + 1, False),
        ((20, 50), -1, LATE_MS + 1, False),  # nothing was written since
    ],
)
def test_a_link_whose_rep_out_comes_late_may_have_lost_changes(
    kafka: Kafka,
    monkeypatch: pytest.MonkeyPatch,
    extent: tuple[int, int],
    first: int,
    late_ms: int,
    is_gap: bool,
) -> None:
    monkeypatch.setattr(module, "unix_ms", lambda: CREATED_MS + late_ms)
    kafka.extents[0], kafka.times[0] = extent, first
    begin(kafka, 0)
    assert kafka.shards.lacks() == is_gap


@pytest.mark.parametrize(("is_open", "begin_at"), [(True, 49), (False, 3)])
def test_a_shard_that_is_older_than_its_link_is_read_for_its_end_which_repeats_may_follow(
    kafka: Kafka, is_open: bool, begin_at: int
) -> None:
    kafka.extents[0] = (3, 50)
    kafka.shards.follow({TOPIC: feed(closed=[] if is_open else [0])})
    kafka.assign([(TOPIC, 0)])
    kafka.shards.poll(LOOK_MS)
    assert kafka.begun == [((TOPIC, 0), begin_at)]
    assert kafka.own_behind == {(TOPIC, 0): 49 if is_open else 50}


def test_so_is_a_closed_one_of_which_only_repeats_behind_its_end_may_be_younger(kafka: Kafka) -> None:
    kafka.extents[0], kafka.times[0] = (0, 50), 40
    kafka.shards.follow({TOPIC: feed(closed=[0])})
    kafka.assign([(TOPIC, 0)])
    kafka.shards.poll(LOOK_MS)
    assert (kafka.begun, kafka.own_behind) == ([((TOPIC, 0), 0)], {(TOPIC, 0): 40})


def test_a_shard_that_retention_overtakes_begins_anew(kafka: Kafka) -> None:
    kafka.extents[0], kafka.times[0] = (0, 50), 0
    begin(kafka, 0)
    kafka.shards.commit({(TOPIC, 0): 2}, TOLD)
    kafka.extents[0] = (9, 50)
    kafka.messages = [FakeMessage(0, KafkaError._AUTO_OFFSET_RESET), FakeMessage(0)]
    assert kafka.shards.read(0) == []
    assert kafka.gone == [(TOPIC, 0)]
    kafka.shards.poll(3 * LOOK_MS)
    assert kafka.reading == {0: 9}
    assert kafka.shards.gaps == {(TOPIC, 0): CREATED_MS}


def test_what_is_due_is_committed_before_a_shard_is_given_away_and_not_of_one_that_is_lost(kafka: Kafka) -> None:
    kafka.extents[0], kafka.times[0] = (0, 50), 0
    begin(kafka, 0)
    order: list[str] = []
    kafka.shards.on_revoke = lambda: order.append(f"commit, still read: {0 in kafka.reading}")
    kafka.lose([(TOPIC, 0)])
    assert order == []
    begin(kafka, 0)
    kafka.revoke([(TOPIC, 0)])
    assert order == ["commit, still read: True"]


def test_a_topic_that_is_full_is_paused_and_its_new_shards_too(kafka: Kafka) -> None:
    kafka.extents |= {0: (0, 9), 1: (0, 9)}
    begin(kafka, 0, shards={0: -1, 1: -1})
    kafka.shards.pause([TOPIC])
    begin(kafka, 1, shards={0: -1, 1: -1})
    assert kafka.paused == {0, 1}
    kafka.shards.pause([])
    assert kafka.paused == set()


@pytest.mark.parametrize("how", ["revoked", "lost", "not followed"])
def test_a_shard_that_went_while_it_was_paused_is_read_when_it_comes_back(kafka: Kafka, how: str) -> None:
    kafka.extents[0], kafka.times[0] = (0, 9), 0
    begin(kafka, 0)
    kafka.shards.pause([TOPIC])
    if how == "not followed":
        kafka.shards.follow({})
    else:
        (kafka.revoke if how == "revoked" else kafka.lose)([(TOPIC, 0)])
    kafka.shards.pause([])
    kafka.shards.follow({TOPIC: feed()})
    kafka.assign([(TOPIC, 0)])
    kafka.shards.poll(3 * LOOK_MS)
    assert (kafka.reading, kafka.paused) == ({0: 0}, set())


def test_a_topic_of_which_kafka_does_not_tell_holds_back_no_other(
    kafka: Kafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    def extent(_consumer: Any, topic: str, _number: int, _timeout_s: float) -> tuple[int, int]:
        if topic != TOPIC:
            raise KafkaException(KafkaError(KafkaError.NOT_LEADER_FOR_PARTITION))
        return 0, 9

    monkeypatch.setattr(module, "extent_of", extent)
    kafka.times[0] = 3
    other = "dynabus.stream.a"
    kafka.shards.follow({other: feed(), TOPIC: feed()})
    kafka.assign([(other, 0), (TOPIC, 0)])
    kafka.shards.poll(LOOK_MS)
    assert kafka.begun == [((TOPIC, 0), 3)]
    monkeypatch.setattr(module, "extent_of", lambda *_: (0, 9))
    kafka.shards.poll(3 * LOOK_MS)
    assert kafka.begun[1:] == [((other, 0), 3)]


def test_a_stream_that_is_not_followed_any_more_is_let_go_and_begins_anew_if_it_is_again(kafka: Kafka) -> None:
    kafka.extents[0], kafka.times[0] = (0, 9), 0
    begin(kafka, 0)
    kafka.shards.follow({})
    assert (kafka.reading, kafka.gone) == ({}, [(TOPIC, 0)])
    kafka.shards.follow({TOPIC: feed()})
    kafka.shards.poll(3 * LOOK_MS)
    assert kafka.reading == {0: 0}


# -- what regions wrote that send nothing any more ----------------------------------------------------------------


AGAIN_MS = CREATED_MS + 9_000_000


def read_to(kafka: Kafka, offset: int) -> None:
    """A shard of which this region's own changes were sent."""
    kafka.extents[0], kafka.times[0] = (0, 90), 0
    begin(kafka, 0)
    kafka.shards.commit({(TOPIC, 0): offset}, TOLD)


def gone(kafka: Kafka, first: int, *closed: int) -> None:
    """Another region is, and the link has begun again; what is not older stands from that offset on."""
    kafka.times[0] = first
    kafka.shards.follow({TOPIC: feed(None, AGAIN_MS, "ap", closed=closed)})


def test_a_link_that_sends_on_what_others_wrote_reads_once_more_what_was_passed_by(kafka: Kafka) -> None:
    read_to(kafka, 70)
    gone(kafka, 40)
    assert kafka.reading == {}
    kafka.shards.poll(3 * LOOK_MS)
    assert (kafka.reading, kafka.asked_ms[-1]) == ({0: 40}, AGAIN_MS - BEFORE_MS)
    assert kafka.own_behind == {(TOPIC, 0): 70}
    offset, beside = kafka.commits[TOPIC, 0]
    assert (offset, orjson.loads(beside)["since"], orjson.loads(beside)["own"]) == (40, AGAIN_MS, 70)
    assert orjson.loads(beside)["acked_ms"] == TOLD.acked_ms
    kafka.shards.poll(5 * LOOK_MS)
    assert kafka.begun[1:] == [((TOPIC, 0), 40)]


def test_it_does_so_if_nobody_read_when_it_began_again(kafka: Kafka) -> None:
    read_to(kafka, 70)
    kafka.lose([(TOPIC, 0)])
    kafka.shards.follow({})
    gone(kafka, 40)
    kafka.assign([(TOPIC, 0)])
    kafka.shards.poll(3 * LOOK_MS)
    assert (kafka.reading, kafka.own_behind) == ({0: 40}, {(TOPIC, 0): 70})


def test_whoever_takes_over_goes_on_from_there_and_not_once_more(kafka: Kafka) -> None:
    read_to(kafka, 70)
    gone(kafka, 40)
    kafka.shards.poll(3 * LOOK_MS)
    kafka.shards.commit({(TOPIC, 0): 60}, TOLD)
    kafka.lose([(TOPIC, 0)])
    kafka.assign([(TOPIC, 0)])
    kafka.shards.poll(5 * LOOK_MS)
    assert (kafka.reading, kafka.own_behind) == ({0: 60}, {(TOPIC, 0): 70})
    kafka.shards.commit({(TOPIC, 0): 80}, TOLD)
    assert "own" not in orjson.loads(kafka.commits[TOPIC, 0][1])


def test_what_was_not_acknowledged_before_is_not_left_out(kafka: Kafka) -> None:
    read_to(kafka, 20)
    gone(kafka, 40)
    kafka.shards.poll(3 * LOOK_MS)
    assert (kafka.reading, kafka.own_behind) == ({0: 20}, {(TOPIC, 0): 20})


def test_of_a_closed_shard_of_which_all_is_older_what_was_not_acknowledged_is_not_left_out(kafka: Kafka) -> None:
    read_to(kafka, 20)
    gone(kafka, -1, 0)
    kafka.shards.poll(3 * LOOK_MS)
    assert (kafka.reading, kafka.own_behind) == ({0: 20}, {(TOPIC, 0): 20})


def test_nor_of_its_child_which_was_held_and_has_no_offset(kafka: Kafka) -> None:
    kafka.extents |= {0: (0, 90), 1: (0, 500)}
    kafka.times |= {0: 0, 1: 0}
    kafka.shards.follow({TOPIC: feed({0: -1, 1: 0}, closed=[0])})
    kafka.assign([(TOPIC, 0), (TOPIC, 1)])
    kafka.shards.poll(LOOK_MS)
    kafka.shards.commit({(TOPIC, 0): 20}, TOLD)
    kafka.times |= {0: -1, 1: 400}
    kafka.shards.follow({TOPIC: feed({0: -1, 1: 0}, AGAIN_MS, "ap", closed=[0])})
    kafka.shards.poll(3 * LOOK_MS)
    assert kafka.reading == {0: 20}
    kafka.shards.ended((TOPIC, 0), 89)
    kafka.shards.commit({(TOPIC, 0): 90}, TOLD)
    kafka.shards.poll(6 * LOOK_MS)
    assert (kafka.reading, kafka.own_behind[TOPIC, 1]) == ({1: 0}, 0)


def test_shards_that_were_read_to_their_ends_are_read_once_more_too(kafka: Kafka) -> None:
    kafka.extents[0] = (0, 10)
    kafka.commits[TOPIC, 0] = (10, '{"progress":"1:ended:-"}')
    begin(kafka, 0)
    assert kafka.reading == {}
    gone(kafka, 4)
    kafka.shards.poll(3 * LOOK_MS)
    assert kafka.reading == {0: 4}
    kafka.shards.ended((TOPIC, 0), 9)
    kafka.shards.commit({(TOPIC, 0): 10}, TOLD)
    kafka.lose([(TOPIC, 0)])
    kafka.assign([(TOPIC, 0)])
    kafka.shards.poll(5 * LOOK_MS)
    assert kafka.reading == {}


@pytest.mark.parametrize("closed", [(), (0,)])
@pytest.mark.parametrize(("extent", "first"), [((0, 10), -1), ((10, 10), -1), ((0, 10), 9), ((0, 12), -1)])
def test_but_not_those_of_which_all_is_older(
    kafka: Kafka, extent: tuple[int, int], first: int, closed: tuple[int, ...]
) -> None:
    kafka.extents[0] = extent
    kafka.commits[TOPIC, 0] = (10, '{"progress":"1:ended:-"}')
    begin(kafka, 0)
    gone(kafka, first, *closed)
    kafka.shards.poll(3 * LOOK_MS)
    assert (kafka.reading, kafka.begun) == ({}, [])
    offset, beside = kafka.commits[TOPIC, 0]
    assert (offset, orjson.loads(beside)["progress"], orjson.loads(beside)["since"]) == (10, "1:ended:-", AGAIN_MS)


def test_a_link_that_begins_again_and_sends_nothing_on_goes_on_where_it_was(kafka: Kafka) -> None:
    read_to(kafka, 70)
    kafka.shards.follow({TOPIC: feed(None, AGAIN_MS)})
    kafka.shards.poll(3 * LOOK_MS)
    assert kafka.begun[1:] == []


# -- a link whose region is copied to again ------------------------------------------------------------------------


def again(kafka: Kafka, first: int, *former: str) -> None:
    """It has begun so while nobody read, with own rows; what is not older stands from that offset on."""
    kafka.lose([(TOPIC, 0)])
    kafka.times[0] = first
    found = feed(None, AGAIN_MS, *former)
    kafka.shards.follow({TOPIC: found._replace(link=found.link._replace(rows=["eu", *former]))})
    kafka.assign([(TOPIC, 0)])
    kafka.shards.poll(3 * LOOK_MS)


@pytest.mark.parametrize("former", [(), ("ap",)])
def test_a_region_that_comes_back_is_not_sent_what_its_copy_has(kafka: Kafka, former: tuple[str, ...]) -> None:
    read_to(kafka, 20)
    again(kafka, 40, *former)
    assert (kafka.reading, kafka.own_behind) == ({0: 40}, {(TOPIC, 0): 40})
    offset, beside = kafka.commits[TOPIC, 0]
    assert (offset, orjson.loads(beside)["since"]) == (40, AGAIN_MS)


@pytest.mark.parametrize("former", [(), ("ap",)])
def test_what_retention_took_before_is_copied_once(kafka: Kafka, former: tuple[str, ...]) -> None:
    read_to(kafka, 20)
    kafka.extents[0] = (30, 90)
    again(kafka, 40, *former)
    assert kafka.reading == {0: 40}
    assert not kafka.shards.lacks()
