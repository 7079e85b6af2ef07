"""Commands in the event loop, with leaders and Kafka in a few lists: what is asked, told and committed, and when."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

import orjson
import pytest
from tests.unit.request_router.test_asker import LOG, view, view_message

from dynabus.adapters.kafka.outbox import Letter, Outbox
from dynabus.adapters.kafka.settings import KafkaSettings
from dynabus.core.errors import ApiError
from dynabus.core.ingest.done_behind import decode_done
from dynabus.core.messages import ReplyPart, ReplyStatus
from dynabus.core.operations.calls import Call, Context
from dynabus.core.replication.store import Outcome
from dynabus.core.topic_settings import MESSAGE_LIMIT_BYTES
from dynabus.core.topics import Topics
from dynabus.request_router.ingest import tasks
from dynabus.request_router.ingest.reader import Arrival, Reader, Share
from dynabus.request_router.ingest.service import DONE_MS, HELD_MOST, Ingest

TOPIC, COMMON = "dynabus.ingest.t", "dynabus.ingest"
THROTTLED = Outcome(ReplyStatus.THROTTLED, b'{"__type":"slow"}')


class FakeReader:
    """Shares that the test gives."""

    def __init__(self) -> None:
        self.shares: list[Share] = []
        self.topics: list[str] = []

    def subscribe(self, topics: list[str]) -> None:
        self.topics = topics


class FakeOutbox:
    """Letters that are delivered when the test says so."""

    def __init__(self) -> None:
        self.letters: list[Letter] = []

    def send(self, letter: Letter) -> None:
        self.letters.append(letter)

    def serve(self) -> None:
        """Nothing is under way."""


class Desk:
    """`answer`: what leaders say to a call; an outcome, None for silence."""

    def __init__(self, answer: Callable[[Call], Outcome | None] = lambda _: Outcome()) -> None:
        self.view = view()
        self.view.take("table_metadata", {**view_message(), "version": 2, "ingest": True}, 0.0)
        self.answer = answer
        self.now_ms = 0.0
        self.asked: list[list[Call]] = []
        self.failed = False
        context = Context(self.view, "us-east-1", "0" * 12, lambda: 0)
        self.ingest = Ingest(KafkaSettings("x"), Topics(), context, self.ask, lambda: self.now_ms, self.fail)
        self.reader, self.outbox = FakeReader(), FakeOutbox()
        self.ingest.reader = cast("Reader", self.reader)
        self.ingest.outbox = self.ingest.telling._outbox = cast("Outbox", self.outbox)
        self.ingest.tables_changed()
        self.offset = 0

    def fail(self) -> None:
        self.failed = True

    async def ask(self, calls: list[Call]) -> list[ReplyPart | None]:
        self.asked.append(calls)
        await asyncio.sleep(0)
        outcomes = [self.answer(call) for call in calls]
        return [None if each is None else each.part(0) for each in outcomes]

    def share(self, topic: str = TOPIC, number: int = 0) -> Share:
        share = Share(topic, number, "topic-id")
        self.reader.shares.append(share)
        return share

    async def take(self, share: Share, *values: Any, key: bytes | None = b"kafka-key") -> None:
        """Messages, and what follows from them until nothing moves."""
        arrivals = [Arrival(self.offset + at, key, _bytes(value)) for at, value in enumerate(values)]
        self.offset += len(values)
        self.ingest.take([(share, arrivals)])
        await self.settle()

    async def settle(self, after_ms: float = 0.0) -> None:
        self.now_ms += after_ms
        self.ingest.tick()
        for _ in range(20):
            await asyncio.sleep(0)
        assert not self.failed

    def told(self) -> list[Any]:
        """Outcomes so far, delivered now."""
        letters, self.outbox.letters = self.outbox.letters, []
        for letter in letters:
            letter.done()
        return [orjson.loads(each.value or b"") for each in letters if ".outcomes." in each.topic]


def _bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else orjson.dumps(value)


def put(pk: str, **more: Any) -> dict[str, Any]:
    return {"operation": "PutItem", "request": {"Item": {"pk": {"S": pk}}}, **more}


def run(scenario: Any) -> None:
    asyncio.run(scenario())


def keys(calls: list[Call]) -> list[str]:
    return [orjson.loads(call.value)["pk"]["S"] for call in calls]


def test_commands_travel_together_and_are_committed_once_their_outcomes_are_delivered() -> None:
    async def scenario() -> None:
        desk = Desk()
        share = desk.share()
        await desk.take(share, [put("a", correlation_id="1"), put("b", token="x")], put("c"))
        assert [keys(calls) for calls in desk.asked] == [["a", "b", "c"]]
        assert all(len(call.token) == 18 for call in desk.asked[0])
        assert share.lanes.committable is None
        letters = [*desk.outbox.letters]
        assert {each.topic for each in letters} == {"dynabus.outcomes.t"}
        assert letters[0].key == b"kafka-key"
        assert letters[0].headers == [("status", b"APPLIED"), ("correlation-id", b"1")]
        told = desk.told()
        assert [(each["correlation_id"], each["token"], each["offset"], each["index"]) for each in told] == [
            ("1", None, 0, 0),
            (None, "x", 0, 1),
            (None, None, 1, 0),
        ]
        assert share.lanes.committable == 2
        assert desk.ingest.telling.applied == 3

    run(scenario)


def test_commands_of_one_item_are_asked_one_after_the_other() -> None:
    async def scenario() -> None:
        desk = Desk()
        await desk.take(desk.share(), [put("a"), put("a"), put("b")])
        assert [keys(calls) for calls in desk.asked] == [["a", "b"], ["a"]]

    run(scenario)


@pytest.mark.parametrize("undecided", [THROTTLED, None])
def test_what_nobody_decided_is_tried_again_and_holds_its_item_alone(undecided: Outcome | None) -> None:
    async def scenario() -> None:
        slow = True
        desk = Desk(lambda call: undecided if slow and b'"a"' in call.value else Outcome())
        share = desk.share()
        await desk.take(share, put("a"), put("a"), put("b"))
        assert [each["offset"] for each in desk.told()] == [2]
        slow = False
        await desk.settle(after_ms=60)
        assert [each["offset"] for each in desk.told()] == [0, 1]
        first, again = (calls for calls in desk.asked if keys(calls)[0] == "a" and calls is not desk.asked[-1])
        assert again[0].token == first[0].token
        assert (share.lanes.committable, desk.ingest.again) == (3, 1)

    run(scenario)


def test_what_is_done_behind_one_that_waits_is_told_and_passed_by_later() -> None:
    async def scenario() -> None:
        desk = Desk(lambda call: THROTTLED if call.key.endswith(b"a\0\0") or b"slow" in call.value else Outcome())
        share = desk.share()
        await desk.take(share, put("slow"), put("b"), put("slow"), put("c"), put("d"))
        desk.told()
        await desk.settle(after_ms=DONE_MS)
        assert (share.lanes.committable, share.done_behind) == (None, "1:0.1,1.2")
        later = Desk()
        taken = later.share()
        taken.passed_by = decode_done(share.done_behind)
        await later.take(taken, put("slow"), put("b"), put("slow"), put("c"), put("d"))
        later.told()
        await later.settle(after_ms=10)
        later.told()
        assert [keys(calls) for calls in later.asked] == [["slow"], ["slow"]]
        assert taken.lanes.committable == 5

    run(scenario)


def test_too_much_under_way_is_tried_again() -> None:
    async def scenario() -> None:
        desk = Desk()
        full = True
        ask = desk.ask

        async def refuse(calls: list[Call]) -> list[ReplyPart | None]:
            if full:
                raise ApiError("x#ThrottlingException", "no")
            return await ask(calls)

        desk.ingest._ask = refuse
        await desk.take(desk.share(), put("a"))
        assert desk.told() == []
        full = False
        await desk.settle(after_ms=60)
        assert [each["status"] for each in desk.told()] == ["APPLIED"]

    run(scenario)


def test_outcomes_say_what_reads_must_ask_for() -> None:
    async def scenario() -> None:
        desk = Desk(lambda _: Outcome(place=b"0.1.33"))
        await desk.take(desk.share(), put("a"))
        assert [each["seen"] for each in desk.told()] == [f"{LOG}/0.1.33"]

    run(scenario)


def test_refusals_are_outcomes_wherever_they_come_from() -> None:
    async def scenario() -> None:
        error = orjson.dumps({"__type": "x#ConditionalCheckFailedException", "message": "no"})
        desk = Desk(lambda _: Outcome(ReplyStatus.ERROR, error))
        share = desk.share()
        await desk.take(share, [put("a"), {"operation": "PutItem", "request": {"Item": {}}}])
        told = {each["index"]: each for each in desk.told()}
        assert told[0]["answer"]["__type"] == "x#ConditionalCheckFailedException"
        assert told[1]["answer"]["__type"].endswith("#ValidationException")
        assert {each["status"] for each in told.values()} == {"REFUSED"}
        assert (share.lanes.committable, desk.ingest.telling.refused) == (1, 2)

    run(scenario)


def test_poison_is_buried_and_holds_nobody() -> None:
    async def scenario() -> None:
        desk = Desk()
        share = desk.share()
        await desk.take(share, b"\xffrubbish", [{"operation": "Drop", "correlation_id": "c"}, put("a")])
        assert [keys(calls) for calls in desk.asked] == [["a"]]
        dead = [each for each in desk.outbox.letters if each.topic == "dynabus.dead-letters"]
        assert [each.value for each in dead] == [b"\xffrubbish", b'{"operation":"Drop","correlation_id":"c"}']
        assert [dict(each.headers)["offset"] for each in dead] == [b"0", b"1"]
        assert dict(dead[1].headers)["error"].startswith(b"operation is not one of")
        assert [each["status"] for each in desk.told()] == ["APPLIED"]
        assert share.lanes.committable == 1, "the dead letter's outcome is not delivered yet"
        (outcome,) = desk.told()
        assert (outcome["status"], outcome["correlation_id"]) == ("UNREADABLE", "c")
        assert share.lanes.committable == 2

    run(scenario)


def test_the_common_topics_commands_go_to_tables_that_take_some() -> None:
    async def scenario() -> None:
        desk = Desk()
        share = desk.share(COMMON)
        assert desk.reader.topics == [TOPIC, COMMON]
        desk.view.take("table_metadata", {**view_message(), "id": "b" * 32, "name": "other"}, 0.0)
        await desk.take(share, put("a", table="t"), put("b", table="other"), put("c", table="none"))
        assert [keys(calls) for calls in desk.asked] == [["a"]]
        dead = [orjson.loads(each.value or b"") for each in desk.outbox.letters if "dead" in each.topic]
        assert dead == [put("b", table="other"), put("c", table="none")]

    run(scenario)


def test_nobody_is_told_in_a_topic_of_a_table_that_never_took_commands() -> None:
    async def scenario() -> None:
        desk = Desk()
        share = desk.share(COMMON)
        desk.view.take("table_metadata", {**view_message(), "id": "b" * 32, "name": "other"}, 0.0)
        desk.ingest.tables_changed()
        await desk.take(share, {"table": "other", "operation": "Drop", "correlation_id": "c"})
        assert desk.told() == []
        assert (desk.outbox.letters, share.lanes.committable) == ([], 1)

    run(scenario)


def test_an_outcome_of_a_table_that_was_made_anew_without_commands_is_wanted_by_nobody() -> None:
    async def scenario() -> None:
        desk = Desk(lambda _: None)
        await desk.take(desk.share(COMMON), put("a", table="t"))
        desk.view.take("table_metadata", {**view_message(), "version": 3, "status": "DELETED"}, 0.0)
        desk.view.take("table_metadata", {**view_message(), "id": "b" * 32, "version": 4}, 0.0)
        desk.ingest.tables_changed()
        await desk.settle(after_ms=60)
        assert [letter.wanted() for letter in desk.outbox.letters] == [False]

    run(scenario)


def test_what_was_read_before_a_table_was_switched_off_is_still_a_command() -> None:
    async def scenario() -> None:
        desk = Desk()
        share = desk.share()
        desk.view.take("table_metadata", {**view_message(), "version": 3, "ingest": False}, 0.0)
        desk.ingest.tables_changed()
        assert desk.reader.topics == []
        await desk.take(share, put("a"))
        assert [each["status"] for each in desk.told()] == ["APPLIED"]

    run(scenario)


def test_of_a_share_that_others_have_nothing_is_told() -> None:
    async def scenario() -> None:
        desk = Desk()
        share = desk.share()

        def lose(_call: Call) -> Outcome:
            share.gone = True
            return Outcome()

        desk.answer = lose
        await desk.take(share, put("a"), put("a"))
        assert len(desk.asked) == 1
        assert desk.outbox.letters == []
        assert share.lanes.committable is None

    run(scenario)


def test_a_command_is_not_for_a_table_that_was_made_anew() -> None:
    async def scenario() -> None:
        desk = Desk(lambda _: None)
        await desk.take(desk.share(), put("a"))
        desk.view.take("table_metadata", {**view_message(), "version": 3, "status": "DELETED"}, 0.0)
        anew = {**view_message(), "id": "b" * 32, "version": 4, "ingest": True}
        desk.view.take("table_metadata", anew, 0.0)
        desk.ingest.tables_changed()
        desk.answer = lambda _: Outcome()
        await desk.settle(after_ms=60)
        (outcome,) = desk.told()
        assert outcome["status"] == "REFUSED"
        assert outcome["answer"]["__type"].endswith("#ResourceNotFoundException")
        assert {call.table.id for calls in desk.asked for call in calls} == {LOG}

    run(scenario)


def test_a_topic_partition_is_paused_while_too_much_waits() -> None:
    async def scenario() -> None:
        desk = Desk(lambda _: None)
        share, other = desk.share(), desk.share(TOPIC, 1)
        await desk.take(share, *[[put(f"{at}-{number}") for number in range(500)] for at in range(5)])
        assert (share.full, other.full) == (True, False)
        desk.answer = lambda _: Outcome()
        await desk.settle(after_ms=60)
        assert share.lanes.held == 5 * 500 > HELD_MOST
        desk.told()
        await desk.settle()
        assert (share.full, share.lanes.held) == (False, 0)

    run(scenario)


def test_poison_of_any_depth_is_buried_and_only_it() -> None:
    async def scenario() -> None:
        desk = Desk()
        deep = b'{"operation":"Drop","request":' + b'{"L":[' * 300 + b"1" + b"]}" * 300 + b"}"
        await desk.take(desk.share(), deep, b"[null]")
        assert [each.value for each in desk.outbox.letters] == [deep, b"null"]

    run(scenario)


def test_a_command_that_shows_a_defect_of_ours_is_buried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else it would end one router after the other."""

    def fail(*_: Any) -> Any:
        raise IndexError("ours")

    async def scenario() -> None:
        desk = Desk()
        monkeypatch.setattr(tasks, "begin", fail)
        await desk.take(desk.share(), put("a"))
        (letter,) = desk.outbox.letters
        assert dict(letter.headers)["error"] == b"a defect: IndexError('ours')"

    run(scenario)


def test_a_message_that_meets_a_defect_is_not_skipped() -> None:
    """Later ones would be committed over it."""

    async def scenario() -> None:
        desk = Desk()
        share = desk.share()
        desk.ingest._table_of = cast("Any", None)
        desk.ingest._take_or_fail([(share, [Arrival(0, None, _bytes(put("a")))])])
        assert desk.failed
        desk.ingest._table_of = {TOPIC: "t"}
        desk.ingest._take_or_fail([(share, [Arrival(1, None, _bytes(put("b")))])])
        assert share.lanes.committable is None
        assert desk.asked == []

    run(scenario)


def test_a_defect_ends_the_router() -> None:
    async def scenario() -> None:
        desk = Desk(lambda _: Outcome(1 / 0))  # type: ignore[arg-type]
        with pytest.raises(AssertionError):
            await desk.take(desk.share(), put("a"))
        assert desk.failed

    run(scenario)


def test_a_dead_letter_is_small_enough_for_kafka() -> None:
    async def scenario() -> None:
        desk = Desk()
        share = desk.share()
        giant = b'[{"operation":"PutItem","' + b"x" * 9_000_000 + b'":1}]'
        await desk.take(share, b"\xff" * (MESSAGE_LIMIT_BYTES - 50), giant)
        dead = [each for each in desk.outbox.letters if each.topic == "dynabus.dead-letters"]
        assert len(dead) == 2
        for each in dead:
            told = sum(len(name) + len(value) for name, value in each.headers)
            assert told < 2000
            assert len(each.value or b"") + told < MESSAGE_LIMIT_BYTES
        assert b"too many" in dict(dead[0].headers)["left-out"]
        for each in dead:
            each.done()
        assert share.lanes.committable == 2

    run(scenario)
