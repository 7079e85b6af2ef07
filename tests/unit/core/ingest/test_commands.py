"""What a message says: the normative table, row by row."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynabus.core.ingest.commands import COMMANDS_MOST, Command, Place, Poison, read_message

ITEM = {"Item": {"pk": {"S": "a"}}}
PUT: dict[str, Any] = {"operation": "PutItem", "request": ITEM}
PLACE = Place("ns.ingest.t", "id", 0, 7)


def only(body: Any, table: str | None = "t") -> Command | Poison:
    (read,) = read_message(body, table)
    return read


def command(body: Any, table: str | None = "t") -> Command:
    read = only(body, table)
    assert isinstance(read, Command), read
    return read


def test_a_command_is_the_request_of_an_operation() -> None:
    read = command({**PUT, "token": "x", "correlation_id": "c"})
    assert read[:5] == ("t", "PutItem", ITEM, "x", "c")
    assert read.body() == {"TableName": "t", **ITEM}


def test_several_commands_share_a_message_and_a_bad_one_does_not_hold_the_others() -> None:
    first, second, third = read_message([PUT, {"operation": "Scan", "request": {}}, PUT], "t")
    assert isinstance(first, Command)
    assert isinstance(second, Poison)
    assert isinstance(third, Command)
    assert second.element == {"operation": "Scan", "request": {}}


def test_the_common_topics_commands_name_their_table() -> None:
    assert command({**PUT, "table": "other"}, None).table == "other"
    assert command({**PUT, "table": "t"}).table == "t"
    assert command({**PUT, "table": None}).table == "t"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"tokn": "x"}, "unknown member tokn"),
        ({"operation": "GetItem"}, "operation is not one of DeleteItem, PutItem, UpdateItem"),
        ({"operation": None}, "operation is not one of"),
        ({"operation": ["PutItem"]}, "operation is not one of"),
        ({"table": ["t"]}, "table is not t"),
        ({"request": [ITEM]}, "request is not an object"),
        ({"request": {**ITEM, "TableName": "t"}}, "request has a TableName"),
        ({"table": "another"}, "table is not t"),
        ({"table": 7}, "table is not t"),
        ({"token": ""}, "token is not a string of 1 to 128"),
        ({"token": "x" * 129}, "token is not a string of 1 to 128"),
        ({"token": 5}, "token is not a string of 1 to 128"),
        ({"correlation_id": "x" * 256}, "correlation_id is not a string of 1 to 255"),
    ],
)
def test_what_is_none(change: dict[str, Any], why: str) -> None:
    poison = only({**PUT, "correlation_id": "c", **change})
    assert isinstance(poison, Poison)
    assert poison.why.startswith(why)
    assert poison.table == "t"
    assert poison.correlation_id == change.get("correlation_id", "c")


@pytest.mark.parametrize("body", [None, 5, "PutItem", [PUT, [PUT]]])
def test_what_is_no_object_at_all(body: Any) -> None:
    assert any(isinstance(each, Poison) and each.why == "a command is an object" for each in read_message(body, "t"))


@pytest.mark.parametrize("table", [None, "", 5])
def test_the_common_topics_commands_without_a_table(table: Any) -> None:
    poison = only({**PUT, "table": table}, None)
    assert isinstance(poison, Poison)
    assert poison.why == "table is missing"


def test_a_message_of_too_many_commands_is_one_dead_letter() -> None:
    assert len(read_message([PUT] * COMMANDS_MOST, "t")) == COMMANDS_MOST
    (poison,) = read_message([{}] * (COMMANDS_MOST + 1), "t")
    assert isinstance(poison, Poison)


def test_a_token_is_the_identity_wherever_the_command_stands() -> None:
    read = command({**PUT, "token": "x"})
    assert read.identity(PLACE) == read.identity(PLACE._replace(offset=8, partition=3))
    assert read.identity(PLACE).name != command({**PUT, "token": "y"}).identity(PLACE).name


def test_without_a_token_the_place_is_the_identity() -> None:
    read, places = (
        command(PUT),
        [PLACE, PLACE._replace(offset=8), PLACE._replace(position=1), PLACE._replace(partition=1)],
    )
    places += [PLACE._replace(topic_id="made anew")]
    assert len({read.identity(each).name for each in places}) == len(places)
    # A token that looks like a place is not taken for one.
    assert command({**PUT, "token": "place/id/0/7/0"}).identity(PLACE).name != read.identity(PLACE).name


def test_the_digest_is_of_what_the_command_says() -> None:
    read = command({**PUT, "token": "x", "correlation_id": "c"})
    spelt = command({"correlation_id": "other", "token": "x", "request": ITEM, "operation": "PutItem"})
    other = command({**PUT, "token": "x", "request": {"Item": {"pk": {"S": "b"}}}})
    deleted = command({**PUT, "token": "x", "operation": "DeleteItem"})
    assert read.identity(PLACE) == spelt.identity(PLACE)
    assert len({each.identity(PLACE).digest for each in (read, other, deleted)}) == 3


def test_a_request_that_nests_without_end_is_a_dead_letter() -> None:
    value: Any = {"S": "a"}
    for _ in range(300):
        value = {"L": [value]}
    poison = only({**PUT, "request": {"Item": {"pk": value}}})
    assert isinstance(poison, Poison)
    assert poison.why.startswith("request cannot be written as JSON")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["operation", "request", "table", "token", "correlation_id", "TableName", "x"]), inner
        )
    ),
)


@given(
    JSON | st.fixed_dictionaries({"operation": st.just("PutItem") | JSON, "request": JSON}),
    st.sampled_from(["t", None]),
)
def test_any_json_is_a_command_or_told(body: Any, table: str | None) -> None:
    for each in read_message(body, table):
        if isinstance(each, Command):
            each.identity(PLACE)
            assert table in (None, each.table)
