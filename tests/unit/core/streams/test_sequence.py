"""Sequence numbers and topics' names: the vectors, and what the rules promise."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynabus.core.streams.sequence import DIGITS, Sequence, read_sequence
from dynabus.core.topic_names import stream_topic, table_of_stream_topic
from dynabus.core.topics import Topics

VECTORS = Path(__file__).parents[3] / "vectors"
NAMES = st.text(alphabet="abcXYZ019_.-", min_size=3, max_size=255)
LABEL = "2026-11-28T22:53:32.123"
SEQUENCES = st.builds(Sequence, st.integers(0, 10**9 - 1), st.integers(0, 10**13 - 1), st.integers(0, 10**17 - 1))


def test_sequence_numbers_are_those_of_the_vectors() -> None:
    vectors = json.loads((VECTORS / "sequence_numbers.json").read_text())["numbers"]
    for each in vectors:
        sequence = Sequence(each["generation"], each["time_ms"], each["offset"])
        assert str(sequence) == each["number"]
        assert read_sequence(each["number"]) == sequence
    numbers = [int(each["number"]) for each in vectors]
    assert numbers == sorted(numbers)


@given(SEQUENCES, SEQUENCES)
def test_numbers_are_ordered_as_what_they_say(one: Sequence, other: Sequence) -> None:
    """As text and as integers: clients compare them either way."""
    assert (one < other) == (str(one) < str(other)) == (int(str(one)) < int(str(other)))
    assert read_sequence(str(one)) == one


@pytest.mark.parametrize(
    "text", ["", "1", "2" + "0" * 39, "1" + "0" * 38, "1" + "0" * 40, "1" + "0" * 38 + "x", "1" + "٣" * 39]
)
def test_what_is_no_number_of_ours(text: str) -> None:
    assert read_sequence(text) is None


@pytest.mark.parametrize("parts", [(10**9, 0, 0), (0, 10**13, 0), (0, 0, 10**17), (0, 0, -1)])
def test_what_has_no_number(parts: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="no sequence number"):
        str(Sequence(*parts))
    assert DIGITS == 40


def test_topics_are_those_of_the_vectors() -> None:
    for each in json.loads((VECTORS / "stream_topics.json").read_text())["topics"]:
        assert stream_topic(each["table"], each["label"]) == each["topic"]


@given(NAMES)
def test_topics_are_names_that_kafka_takes_and_lead_back(table: str) -> None:
    name = Topics("n" * 32).stream_name(table, LABEL)
    assert len(name) <= 249
    assert re.fullmatch("[a-zA-Z0-9._-]+", name)
    assert table_of_stream_topic(stream_topic(table, LABEL)) in (table, None)
    if len(table) <= 90:
        assert table_of_stream_topic(stream_topic(table, LABEL)) == table


@given(NAMES, NAMES)
def test_two_tables_never_have_topics_that_kafka_confuses(one: str, other: str) -> None:
    """It takes a dot for an underscore in some of its metrics, and refuses a topic that differs in that alone."""
    if one != other:
        topics = [stream_topic(table, LABEL).replace(".", "_") for table in (one, other)]
        assert topics[0] != topics[1]


@given(NAMES)
def test_topics_of_commands_follow_the_same_rule(table: str) -> None:
    topics = Topics("n" * 32)
    for topic in (topics.ingest(table), topics.outcomes(table)):
        assert len(topic.name) <= 249
        assert topic.name.rpartition(".")[2] == stream_topic(table, LABEL).partition(".")[0]
    assert topics.ingest(table).name != topics.common_ingest().name


def test_in_a_shard_the_offset_alone_decides() -> None:
    bound = Sequence(2, 0, 7)
    assert not Sequence(2, 1_700_000_000_000, 7).is_behind(bound)
    assert Sequence(2, 1_700_000_000_000, 8).is_behind(bound)
    assert not Sequence(1, 1_700_000_000_000, 99).is_behind(bound)
