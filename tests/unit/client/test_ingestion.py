"""The ingest producer on an in-memory Kafka: what is sent, what is told, and when nothing is known."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Iterator
from concurrent.futures import wait
from decimal import Decimal
from typing import Any

import pytest
from tests.unit.client.ingest_stage import (
    TABLE,
    WAIT_S,
    Stage,
    applied,
    poison,
    refused,
    silent,
    until,
)

from dynabus.client import (
    ClientError,
    FullError,
    NoIngestError,
    NoKafkaError,
    Outcome,
    RefusedError,
    UnknownOutcomeError,
    UnreadableError,
    ingest,
)
from dynabus.core.ingest.commands import Place
from dynabus.core.ingest.results import Outcome as Told
from dynabus.core.ingest.results import Status

pytestmark = pytest.mark.slow
"""A second each: a mock Kafka and its clients come and go."""


@pytest.fixture
def stage() -> Iterator[Stage]:
    made = Stage()
    yield made
    made.close()


def test_commands_are_requests_with_python_values(stage: Stage) -> None:
    stage.answer = lambda _: (Status.APPLIED, {"Attributes": {"n": {"N": "1.5"}}, "ConsumedCapacity": {"x": 1}})
    with stage.ingest() as music:
        put = music.put({"pk": "a", "n": 1}, ConditionExpression="attribute_not_exists(pk)")
        update = music.update(
            {"pk": "a"},
            UpdateExpression="ADD #n :one",
            ExpressionAttributeNames={"#n": "n"},
            ExpressionAttributeValues={":one": Decimal("1.5")},
            ReturnValues="ALL_NEW",
        )
        delete = music.delete({"pk": "b"}, token="mine")
        assert update.result(WAIT_S).attributes == {"n": Decimal("1.5")}
        assert update.result().answer["ConsumedCapacity"] == {"x": 1}
        wait([put, delete], WAIT_S)
    said = {(each.operation, each.token): each.request for each in stage.commands}
    assert said == {
        ("PutItem", put.token): {
            "Item": {"pk": {"S": "a"}, "n": {"N": "1"}},
            "ConditionExpression": "attribute_not_exists(pk)",
        },
        ("UpdateItem", update.token): {
            "Key": {"pk": {"S": "a"}},
            "UpdateExpression": "ADD #n :one",
            "ExpressionAttributeNames": {"#n": "n"},
            "ExpressionAttributeValues": {":one": {"N": "1.5"}},
            "ReturnValues": "ALL_NEW",
        },
        ("DeleteItem", "mine"): {"Key": {"pk": {"S": "b"}}},
    }
    assert len({put.token, update.token, delete.token}) == 3


def test_commands_share_messages_and_an_items_keep_their_order(stage: Stage) -> None:
    with stage.ingest(linger_ms=50) as music:
        for number in range(300):
            music.update({"pk": f"k{number % 7}"}, UpdateExpression=f"SET n = {number}")
    assert len(stage.commands) == 300
    assert len(stage.messages) < 50
    places: dict[str, set[tuple[bytes | None, int | None]]] = {}
    for key in (f"k{number}" for number in range(7)):
        mine = [each for each in stage.commands if each.request["Key"]["pk"]["S"] == key]
        numbers = [int(each.request["UpdateExpression"].rpartition(" ")[2]) for each in mine]
        assert numbers == sorted(numbers)
        assert len(numbers) >= 300 // 7
    for message in stage.messages:
        for each in (b"k%d" % number for number in range(7)):
            if b'"%s"' % each in (message.value() or b""):
                places.setdefault(each.decode(), set()).add((message.key(), message.partition()))
    assert all(len(each) == 1 for each in places.values()), "one Kafka key, one topic partition"
    assert len({partition for each in places.values() for _, partition in each}) > 1


def test_a_refusal_is_raised_as_the_api_says_it(stage: Stage) -> None:
    stage.answer = refused
    with stage.ingest() as music:
        outcome = music.put({"pk": "a"}, ReturnValuesOnConditionCheckFailure="ALL_OLD")
        with pytest.raises(RefusedError, match=r"^ConditionalCheckFailedException: no$") as caught:
            outcome.result(WAIT_S)
    assert caught.value.code == "ConditionalCheckFailedException"
    assert caught.value.item == {"pk": "a", "n": Decimal(1)}


def test_what_routers_cannot_read_is_another_error(stage: Stage) -> None:
    stage.answer = poison
    with stage.ingest() as music, pytest.raises(UnreadableError, match="a defect"):
        music.put({"pk": "a"}).result(WAIT_S)


def test_a_command_without_a_key_is_left_to_routers(stage: Stage) -> None:
    with stage.ingest() as music:
        outcomes = [music.put({"n": 1}), music.put({"pk": 1}), music.put({"pk": ""})]
        assert not wait(outcomes, WAIT_S).not_done
    assert len(stage.commands) == 3


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"ConditionExpresion": "x"}, "ConditionExpresion is none of ConditionExpression"),
        ({"UpdateExpression": "x"}, "UpdateExpression is none of"),
        ({"ExpressionAttributeValues": {":a": 1.5}}, "pass decimal.Decimal"),
    ],
)
def test_what_can_be_no_request_is_raised_at_once(stage: Stage, more: dict[str, Any], says: str) -> None:
    with stage.ingest() as music, pytest.raises(TypeError, match=says):
        music.put({"pk": "a"}, **more)
    with stage.ingest() as music, pytest.raises(ValueError, match="a token has"):
        music.put({"pk": "a"}, token="")


def test_outcomes_of_others_and_repeats_are_passed_by(stage: Stage) -> None:
    stage.answer = silent
    place = Place(stage.topic, "id", 0, 0)
    with stage.ingest() as music:
        outcome = music.put({"pk": "a"})
        until(lambda: stage.commands)
        [command] = stage.commands
        for correlation_id in (None, "", "1", "0123456789abcdef/0"):
            stage.say(Told(place, Status.REFUSED, b'{"__type":"x#Y","message":""}', None, correlation_id))
        assert not outcome.done()
        for _ in range(2):
            stage.say(Told(place, Status.APPLIED, b"", command.token, command.correlation_id))
        assert outcome.result(WAIT_S).attributes == {}
        stage.answer = applied
        music.put({"pk": "b"}).result(WAIT_S)


def test_outcomes_from_before_are_not_read(stage: Stage) -> None:
    for number in range(3):
        stage.say(Told(Place(stage.topic, "id", 0, number), Status.APPLIED, b"", None, "x"))
    with stage.ingest() as music:
        assert music.put({"pk": "a"}).result(WAIT_S)


def test_new_topic_partitions_of_outcomes_are_read_from_their_first_record(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mock has four from the start; the producer is told of three."""
    from dynabus.client.outcome_reader import OutcomeReader

    real, told = OutcomeReader._partitions, threading.Event()

    def partitions(self: OutcomeReader, topic: str, timeout_s: float = 10) -> int:
        return real(self, topic, timeout_s) - (0 if told.is_set() else 1)

    monkeypatch.setattr(OutcomeReader, "_partitions", partitions)
    monkeypatch.setattr("dynabus.client.outcome_reader.LOOK_MS", 100.0)
    stage.answer = silent
    with stage.ingest() as music:
        outcome = music.put({"pk": "a"})
        until(lambda: stage.commands)
        [command] = stage.commands
        place = Place(stage.topic, "id", 0, 0)
        stage.say(Told(place, Status.APPLIED, b"", command.token, command.correlation_id), partition=3)
        with pytest.raises(TimeoutError):
            outcome.result(0.5)
        told.set()
        assert outcome.result(WAIT_S)


def test_what_nobody_answers_may_be_applied_or_not(stage: Stage) -> None:
    stage.answer = silent
    with stage.ingest(timeout_s=4.0) as music:
        outcome = music.put({"pk": "a"})
        with pytest.raises(UnknownOutcomeError, match="Kafka has the command, no router has answered") as caught:
            outcome.result(WAIT_S)
        assert caught.value.token == outcome.token
        assert f"Put it again with token='{outcome.token}' within ten minutes of" in str(caught.value)
        stage.answer = applied
        assert music.put({"pk": "a"}, token=outcome.token).result(WAIT_S)
    assert len({each.token for each in stage.commands}) == 1


def test_kafka_that_goes_away_is_said(stage: Stage) -> None:
    stage.close()
    with stage.ingest(timeout_s=1.0) as music:
        del stage.kafka
        with pytest.raises(UnknownOutcomeError, match="Kafka did not take the command"):
            music.put({"pk": "a"}).result(WAIT_S)


def test_so_much_is_under_way_and_no_more(stage: Stage) -> None:
    stage.answer = silent
    with stage.ingest(timeout_s=6.0, under_way_most=2, on_full="raise") as music:
        outcomes = [music.put({"pk": "a"}) for _ in range(2)]
        with pytest.raises(FullError, match="2 commands are under way"):
            music.put({"pk": "a"})
        assert not wait(outcomes, WAIT_S).not_done
        stage.answer = applied
        music.put({"pk": "a"}).result(WAIT_S)


def test_one_more_waits_for_room(stage: Stage) -> None:
    with stage.ingest(under_way_most=5, linger_ms=0) as music:
        outcomes = [music.put({"pk": f"k{number}"}) for number in range(50)]
        assert not wait(outcomes, WAIT_S).not_done


def test_a_callback_does_not_wait_for_what_it_holds_up(stage: Stage) -> None:
    raised: list[ClientError] = []
    done = threading.Event()
    with stage.ingest(under_way_most=2) as music:

        def again(_: object) -> None:
            try:
                for _ in range(3):
                    music.put({"pk": "b"})
            except FullError as error:
                raised.append(error)
            try:
                music.close()
            except ClientError as error:
                raised.append(error)
            done.set()

        music.put({"pk": "a"}).add_done_callback(again)
        assert done.wait(WAIT_S)
    full, closing = raised
    assert isinstance(full, FullError)
    assert "cannot close its producer" in str(closing)


def test_closing_waits_for_outcomes_and_takes_nothing_more(stage: Stage) -> None:
    with stage.ingest(linger_ms=60_000) as music:
        outcome = music.put({"pk": "a"})
    assert outcome.done()
    assert outcome.result(0)
    with pytest.raises(ClientError, match="closed"):
        music.put({"pk": "a"})
    music.close()


def test_a_table_that_is_switched_off_and_on_again(stage: Stage) -> None:
    stage.answer = silent
    with stage.ingest(timeout_s=8.0) as music:
        outcome = music.put({"pk": "a"})
        until(lambda: stage.commands)
        stage.tell(6, takes=False)
        until(lambda: music._reader.refusal)
        with pytest.raises(NoIngestError, match=f"`dynabus admin ingest {TABLE} on` lets it"):
            music.put({"pk": "a"})
        with pytest.raises(UnknownOutcomeError, match=r"takes no commands.*may be later"):
            outcome.result(WAIT_S)
        stage.tell(7)
        until(lambda: music._reader.refusal is None)
        stage.answer = applied
        assert music.put({"pk": "a"}).result(WAIT_S)


def test_a_table_that_is_deleted_ends_what_is_under_way(stage: Stage) -> None:
    stage.answer = silent
    with stage.ingest() as music:
        outcome = music.put({"pk": "a"})
        until(lambda: stage.commands)
        stage.tell(6, status="DELETED")
        with pytest.raises(UnknownOutcomeError, match="table music was deleted"):
            outcome.result(WAIT_S)
        with pytest.raises(NoIngestError, match="was deleted; one that was made anew needs another producer"):
            music.put({"pk": "a"})


def test_a_defect_leaves_nobody_waiting(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("dynabus.client.outcome_reader.read_outcome", lambda _: 1 / 0)
    with stage.ingest() as music:
        with pytest.raises(UnknownOutcomeError, match="this producer failed"):
            music.put({"pk": "a"}).result(WAIT_S)
        with pytest.raises(ClientError, match="Close it and make another one"):
            music.put({"pk": "a"})
    assert "the thread that reads outcomes failed" in caplog.text


def test_outcomes_can_be_awaited_in_an_event_loop(stage: Stage) -> None:
    async def write() -> int:
        async with stage.ingest() as music:
            first = await music.put({"pk": "a"})
            rest = await asyncio.gather(*(music.put({"pk": f"k{number}"}) for number in range(20)))
            stage.answer = refused
            with pytest.raises(RefusedError):
                await music.put({"pk": "a"})
            return len([first, *rest])

    assert asyncio.run(write()) == 21


def test_who_stops_waiting_does_not_stop_the_command(stage: Stage) -> None:
    stage.answer = silent

    async def write() -> Outcome:
        async with stage.ingest() as music:
            outcome = music.put({"pk": "a"})
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(outcome, 0.2)
            assert not outcome.cancel()
            stage.answer = applied
            until(lambda: stage.commands)
            [command] = stage.commands
            place = Place(stage.topic, "id", 0, 0)
            stage.say(Told(place, Status.APPLIED, b"", command.token, command.correlation_id))
            await outcome
            return outcome

    assert asyncio.run(write()).done()


def test_an_error_that_nobody_asks_for_is_logged(
    stage: Stage, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.answer = refused
    monkeypatch.setattr(Outcome, "unasked", 0)
    with caplog.at_level(logging.WARNING, "dynabus.client"), stage.ingest() as music:
        music.put({"pk": "a"})
        asked = music.put({"pk": "b"})
        assert isinstance(asked.exception(WAIT_S), RefusedError)
    until(lambda: "nobody asked what became of a command (1 so far): ConditionalCheckFailed" in caplog.text)
    assert caplog.text.count("nobody asked") == 1


@pytest.mark.parametrize(
    ("table", "more", "says"),
    [
        ("another", {}, "there is no table another"),
        (TABLE, {"namespace": "elsewhere"}, r"no topic elsewhere\.metadata"),
    ],
)
def test_what_is_not_there_is_said(stage: Stage, table: str, more: dict[str, str], says: str) -> None:
    with pytest.raises(NoIngestError, match=says):
        ingest(table, kafka=stage.kafka.bootstrap, **more)  # type: ignore[arg-type]


def test_a_table_that_takes_no_commands_is_said(stage: Stage) -> None:
    stage.tell(6, takes=False)
    with pytest.raises(NoIngestError, match="`dynabus admin ingest music on` lets it"):
        stage.ingest()


def test_no_kafka_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dynabus.client.metadata.CALL_S", 0.3)
    with pytest.raises(NoKafkaError, match="Kafka does not answer"):
        ingest(TABLE, kafka="127.0.0.1:1")


def test_properties_on_which_delivery_rests_are_refused(stage: Stage) -> None:
    with pytest.raises(ClientError, match=r"acks: set by dynabus\.client"):
        stage.ingest(config={"acks": "1"})
    with pytest.raises(ValueError, match="timeout_s"):
        stage.ingest(timeout_s=0)
