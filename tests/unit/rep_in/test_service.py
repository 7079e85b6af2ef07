"""Batches in the event loop, with leaders and Kafka in a few lists: what is asked, told, parked and committed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast

import orjson
import pytest
from tests.unit.request_router.test_asker import LOG, view_message

from dynabus.adapters.codec import decode
from dynabus.adapters.kafka.outbox import Letter, Outbox
from dynabus.adapters.kafka.topics import TopicError
from dynabus.adapters.replication_codec import decode_acknowledgement, encode_batch
from dynabus.core.errors import clock_ahead, validation_error
from dynabus.core.global_tables.ledbat import LEAST
from dynabus.core.global_tables.regions import Peer
from dynabus.core.global_tables.rep_out import Batch, Export
from dynabus.core.global_tables.versions import written
from dynabus.core.messages import ReplyPart, ReplyStatus
from dynabus.core.operations.calls import Call, Code
from dynabus.core.replication.store import Outcome
from dynabus.rep_in import driving, telling
from dynabus.rep_in.config import RepInSettings
from dynabus.rep_in.inlet import Inlet
from dynabus.rep_in.service import RepInService
from dynabus.request_router.ingest.reader import Arrival

TOPIC = "dynabus.replication.eu"
NEWS = Outcome(body=b"news")
THROTTLED = Outcome(ReplyStatus.THROTTLED, b'{"__type":"slow"}')
REFUSED = Outcome(ReplyStatus.ERROR, orjson.dumps(validation_error("another key").body()))
PASSING = Outcome(ReplyStatus.ERROR, b'{"__type":"x#InternalServerError","message":""}')


class FakeOutbox:
    """Letters that are delivered when the test says so."""

    failed, reason = 0, ""
    problem: str | None = None

    def __init__(self, *_: Any) -> None:
        self.letters: list[Letter] = []

    def send(self, letter: Letter) -> None:
        self.letters.append(letter)

    def serve(self) -> None:
        """Nothing is under way."""

    def deliver(self) -> None:
        letters, self.letters = self.letters, []
        for letter in letters:
            letter.done()


def region(name: str, version: int = 1, kafka: str = "there:9092", removed: bool = False) -> dict[str, Any]:
    values = (name, version, kafka, f"ns-{name}", "", "{}", removed)
    return dict(zip(Peer._fields, values, strict=True))


class Desk:
    """`answer`: what leaders say to a call; an outcome, None for silence."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(telling, "Outbox", FakeOutbox)
        self.answer: Callable[[Call], Outcome | None] = lambda _: NEWS
        self.asked: list[list[Call]] = []
        self.now_ms = 0.0
        self.failed = False
        self.made: list[str] = []
        self.topics_are_made = True
        self.reached = 0
        monkeypatch.setattr(telling, "reach_kafka", lambda _: self.reach())
        self.service = RepInService(RepInSettings(name="rep-in-1"))
        self.service.driving._ask = self.service.words._ask = self.ask
        self.service.driving._now_ms = lambda: self.now_ms
        self.wall_ms = 0
        """By how much the clock on the wall is ahead of `now_ms`."""
        self.service.driving._wall_ms = lambda: self.wall_ms + int(self.now_ms)
        self.service.failed = self.fail
        for name, kafka in (("us", ""), ("eu", "there:9092")):
            self.service._heard("region_metadata", region(name, kafka=kafka))
        self.table("t", 2, ["us", "eu"])
        self.offset = 0

    def table(self, name: str, version: int, regions: list[str]) -> None:
        message = {**view_message(), "name": name, "version": version, "regions": regions}
        self.service.router.view.take("table_metadata", message, 0.0)

    def fail(self) -> None:
        self.failed = True

    def reach(self) -> Desk:
        self.reached += 1
        return self

    def extents(self, name: str) -> dict[int, tuple[int, int]]:
        if not self.topics_are_made:
            raise TopicError("not now", retriable=True)
        return {0: (3, 3 + sum(letter.topic == name for letter in self.own.letters))} if self.made else {}

    def ensure(self, topics: list[Any]) -> None:
        if not self.topics_are_made:
            raise TopicError("not now", retriable=True)
        self.made += [topic.name for topic in topics]

    async def ask(self, calls: list[Call]) -> list[ReplyPart | None]:
        self.asked.append(calls)
        await asyncio.sleep(0)
        outcomes = [self.answer(call) for call in calls]
        return [None if each is None else each.part(0) for each in outcomes]

    @property
    def own(self) -> FakeOutbox:
        return cast("FakeOutbox", self.service.telling._own)

    @property
    def there(self) -> FakeOutbox:
        outboxes: dict[Peer, Outbox] = self.service.telling._outboxes
        return cast("FakeOutbox", next(iter(outboxes.values())))

    def acknowledged_by(self, source: str) -> list[tuple[str, int]]:
        """In the Kafka of one of several sources."""
        outboxes = cast("dict[Peer, FakeOutbox]", self.service.telling._outboxes)
        letters = [letter for peer, outbox in outboxes.items() if peer.name == source for letter in outbox.letters]
        return [decode_acknowledgement(letter.value) for letter in letters]

    def acknowledged(self) -> list[tuple[str, int]]:
        return [decode_acknowledgement(letter.value) for letter in self.there.letters]

    def take(self, inlet: Inlet, *values: bytes) -> None:
        arrivals = []
        for value in values:
            arrivals.append(Arrival(self.offset, None, value))
            self.offset += 1
        self.service.take([(inlet, arrivals)])

    async def until(self, holds: Callable[[], Any]) -> None:
        """Turns of the loop, each 10 ms of its clock."""
        for _ in range(20_000):
            if holds():
                return
            self.now_ms += 10
            self.service.go_on()
            await asyncio.sleep(0)
        raise AssertionError("it does not come")


def run(scene: Callable[[Desk], Awaitable[None]], monkeypatch: pytest.MonkeyPatch) -> None:
    async def play() -> None:
        desk = Desk(monkeypatch)
        await scene(desk)
        desk.service.tasks.cancel()
        assert not desk.failed

    asyncio.run(play())


def export(number: int, table: str = "t", item: bytes | None = None) -> Export:
    body = orjson.dumps({"pk": {"S": f"k{number}"}, "n": {"N": "1"}}) if item is None else item
    return Export(table, f"k{number}".encode(), body or None, written(None, "eu", number))


def batch(number: int, *exports: Export, source: str = "eu", replica: str = "") -> bytes:
    table = exports[0].table if exports else "t"
    return encode_batch(source, "sender", table, Batch(number, [*exports]), replica)


def test_a_batch_is_acknowledged_once_decided_and_committed_once_that_is_delivered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def scene(desk: Desk) -> None:
        inlet = Inlet(TOPIC, 3)
        desk.take(inlet, batch(1, export(1), export(2, item=b"")), batch(2, export(3)))
        await desk.until(lambda: desk.service.telling._outboxes and len(desk.there.letters) == 2)
        assert desk.acknowledged() == [("sender", 1), ("sender", 2)]
        assert desk.there.letters[0].topic == "ns-eu.acknowledgements.us"
        assert inlet.committable is None
        desk.there.deliver()
        assert inlet.committable == 2
        [one, two, _] = [call for calls in desk.asked for call in calls]
        assert (one.code, one.write, one.key, one.size) == (Code.IMPORT, True, b"k1", 7)
        assert (one.table.id, one.detail) == (LOG, written(None, "eu", 1).encode())
        assert (two.value, two.size) == (b"", 0)
        assert desk.service.status()["imports"][0]["news"] == 3

    run(scene, monkeypatch)


def test_throttled_changes_are_asked_again_after_a_pause_and_other_tables_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def scene(desk: Desk) -> None:
        message = {**view_message(), "id": "other", "name": "u", "version": 3, "regions": ["us", "eu"]}
        desk.service.router.view.take("table_metadata", message, 0.0)
        desk.answer = lambda call: THROTTLED if call.table.name == "t" else NEWS
        inlet = Inlet(TOPIC, 0)
        desk.take(inlet, batch(1, export(1)), batch(2, export(2, "u")))
        await desk.until(lambda: desk.service.telling._outboxes)
        assert desk.acknowledged() == [("sender", 2)]
        desk.there.deliver()
        assert inlet.committable is None
        tries = len(desk.asked)
        await desk.until(lambda: len(desk.asked) == tries + 6)
        assert desk.now_ms > driving.AGAIN_MS * 2**6 / 2
        desk.answer = lambda _: NEWS
        await desk.until(lambda: desk.there.letters)
        assert desk.acknowledged() == [("sender", 1)]
        desk.there.deliver()
        assert inlet.committable == 2

    run(scene, monkeypatch)


def test_what_is_old_goes_a_window_at_a_time_and_what_is_new_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(desk: Desk) -> None:
        old = [export(number) for number in range(600)]
        desk.wall_ms = 2 * int(driving.PAST_MS)
        desk.take(Inlet(TOPIC, 0), batch(1, *old))
        await asyncio.sleep(0)
        assert [len(calls) for calls in desk.asked] == [LEAST], "while nothing is answered"
        await desk.until(lambda: desk.service.telling._outboxes)
        assert sum(map(len, desk.asked)) == 600
        assert max(map(len, desk.asked)) > LEAST, "it grows while answers are fast"
        desk.asked.clear()
        fresh = [export(desk.wall_ms + int(desk.now_ms) - number) for number in range(600)]
        desk.take(Inlet(TOPIC, 1), batch(2, *fresh))
        await asyncio.sleep(0)
        assert [len(calls) for calls in desk.asked] == [driving.PARTS_MOST] * 3

    run(scene, monkeypatch)


def test_slow_answers_hold_the_past_back(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(desk: Desk) -> None:
        desk.wall_ms = 2 * int(driving.PAST_MS)
        desk.take(Inlet(TOPIC, 0), batch(1, export(0)))
        await desk.until(lambda: desk.service.telling._outboxes)

        async def slowly(calls: list[Call]) -> list[ReplyPart | None]:
            desk.now_ms += 100.0
            return await desk.ask(calls)

        desk.service.driving._ask = slowly
        desk.asked.clear()
        desk.take(Inlet(TOPIC, 1), batch(2, *(export(number) for number in range(1000))))
        await desk.until(lambda: len(desk.there.letters) == 2)
        assert {len(calls) for calls in desk.asked[10:-1]} == {LEAST}, "once it is known that they are slow"

    run(scene, monkeypatch)


def test_news_does_not_wait_for_the_past_of_another_source_and_the_past_goes_on_beside_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def scene(desk: Desk) -> None:
        desk.wall_ms = 2 * int(driving.PAST_MS)
        desk.table("t", 3, ["us", "eu", "ap"])
        desk.service._heard("region_metadata", region("ap"))
        past_answers = asyncio.Event()

        async def ask(calls: list[Call]) -> list[ReplyPart | None]:
            replies, is_past = await desk.ask(calls), calls[0].key in {b"k%d" % number for number in range(600)}
            if is_past or past_answers.is_set():
                await (past_answers if is_past else asyncio.Event()).wait()
            return replies

        desk.service.driving._ask = ask
        desk.take(Inlet(TOPIC, 0), batch(1, *(export(number) for number in range(600))))
        await asyncio.sleep(0)
        assert [len(calls) for calls in desk.asked] == [LEAST]
        for number in range(2, 30):
            now = desk.wall_ms + int(desk.now_ms)
            desk.take(Inlet("dynabus.replication.ap", 0), batch(number, export(now), source="ap"))
            await desk.until(lambda number=number: len(desk.asked) == number)  # type: ignore[misc]
        past_answers.set()
        fresh = [export(desk.wall_ms + int(desk.now_ms) - number) for number in range(999)]
        desk.take(Inlet("dynabus.replication.ap", 1), batch(30, *fresh, source="ap"))
        await desk.until(lambda: ("sender", 1) in desk.acknowledged_by("eu"))

    run(scene, monkeypatch)


@pytest.mark.parametrize("reply", [None, PASSING])
def test_silence_and_passing_errors_decide_nothing(reply: Outcome | None, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(desk: Desk) -> None:
        desk.answer = lambda _: reply
        desk.take(Inlet(TOPIC, 0), batch(1, export(1)))
        await desk.until(lambda: len(desk.asked) == 3)
        assert not desk.service.telling._outboxes
        desk.answer = lambda _: NEWS
        await desk.until(lambda: desk.service.telling._outboxes)

    run(scene, monkeypatch)


def test_what_can_never_be_decided_is_parked_and_then_acknowledged(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(desk: Desk) -> None:
        desk.answer = lambda _: REFUSED
        desk.topics_are_made = False
        inlet = Inlet(TOPIC, 0)
        desk.take(inlet, batch(1, export(1)), batch(2, export(2, item=b'{"pk":{"X":"?"}}')))
        await desk.until(lambda: desk.now_ms > 3000)
        desk.topics_are_made = True
        await settled(desk, lambda: len(desk.own.letters) == 2)
        assert not desk.service.telling._outboxes, "it is in no Kafka yet"
        assert {letter.topic for letter in desk.own.letters} == {"dynabus.parked.t"}
        reasons = {decode(letter.value)[1]["reason"] for letter in desk.own.letters}
        assert "ValidationException: One or more" not in str(reasons)
        assert any("another key" in reason for reason in reasons)
        assert any("its item is none" in reason for reason in reasons)
        desk.own.deliver()
        await desk.until(lambda: desk.service.telling._outboxes and len(desk.there.letters) == 2)
        assert desk.service.status()["imports"][0]["parked"] == 2
        assert desk.service.alarms()[0]["table"] == "t"

    run(scene, monkeypatch)


@pytest.mark.parametrize("is_far", [False, True])
def test_a_change_whose_time_has_not_come_waits_alone_and_is_parked_only_if_it_is_far(
    is_far: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene(desk: Desk) -> None:
        early = Outcome(ReplyStatus.ERROR, orjson.dumps(clock_ahead("eu", 70_000, 60_000, is_far=is_far).body()))
        desk.answer = lambda call: early if call.key == b"k1" else NEWS
        inlet = Inlet(TOPIC, 0)
        desk.take(inlet, batch(1, export(1)), batch(2, export(2)))
        await desk.until(lambda: desk.service.telling._outboxes)
        assert desk.acknowledged() == [("sender", 2)]
        if is_far:
            await settled(desk, lambda: desk.own.letters)
            return
        assert desk.now_ms < driving.AHEAD_MS, "the table does not pause"
        assert desk.service.alarms()[0]["alarm"].startswith("its changes wait: The write is stamped 70000 ms ahead")
        await desk.until(lambda: desk.now_ms > 4 * driving.AHEAD_MS)
        assert 4 <= sum(call.key == b"k1" for calls in desk.asked for call in calls) <= 5
        assert desk.service.alarms()
        desk.answer = lambda _: NEWS
        desk.there.deliver()
        await desk.until(lambda: desk.there.letters)
        assert desk.acknowledged() == [("sender", 1)]
        assert not desk.own.letters, "it was not parked"
        await desk.until(lambda: not desk.service.alarms())

    run(scene, monkeypatch)


async def settled(desk: Desk, holds: Callable[[], Any]) -> None:
    """Work in threads is waited for by the clock on the wall."""
    for _ in range(2000):
        if holds():
            return
        desk.now_ms += 100
        desk.service.go_on()
        await asyncio.sleep(0.002)
    raise AssertionError("it does not come")


def test_what_is_for_a_table_that_was_here_before_is_neither_written_nor_acknowledged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its sender, if there is one yet, sends it again, and then for the table that is here."""

    async def scene(desk: Desk) -> None:
        table, inlet = desk.service.router.view.tables["t"].id, Inlet(TOPIC, 0)
        desk.take(inlet, batch(1, export(1), export(2), replica="before"), batch(2, export(3), replica=table))
        await desk.until(lambda: desk.service.telling._outboxes)
        assert [call.key for calls in desk.asked for call in calls] == [b"k3"]
        assert (desk.acknowledged(), desk.service.driving.passed) == ([("sender", 2)], 2)
        desk.there.deliver()
        await desk.until(lambda: inlet.committable == 2)
        assert not desk.own.letters, "nor is it parked"
        desk.take(inlet, batch(1, export(1), export(2), replica=table))
        await desk.until(lambda: ("sender", 1) in desk.acknowledged())
        assert len([call for calls in desk.asked for call in calls]) == 3

    run(scene, monkeypatch)


def test_a_table_that_comes_is_another_one_than_was_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(desk: Desk) -> None:
        desk.table("t", 7, ["us"])
        inlet = Inlet(TOPIC, 0)
        desk.take(inlet, batch(1, export(1), export(2), replica="before"))
        await desk.until(lambda: desk.service.alarms())
        desk.table("t", 8, ["us", "eu"])
        await desk.until(lambda: inlet.committable == 1)
        assert (desk.asked, desk.service.telling._outboxes) == ([], {})

    run(scene, monkeypatch)


@pytest.mark.parametrize("regions", [["us"], ["us", "ap"]])
def test_a_table_that_is_not_shared_with_the_source_is_waited_for_and_then_its_changes_are_parked(
    regions: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene(desk: Desk) -> None:
        desk.table("t", 7, regions)
        desk.take(Inlet(TOPIC, 0), batch(1, export(1)))
        await desk.until(lambda: desk.now_ms > driving.UNKNOWN_MS / 2)
        assert desk.service.alarms()[0]["alarm"].startswith("its changes wait")
        desk.take(Inlet(TOPIC, 1), batch(2, export(2, "nowhere")))
        await settled(desk, lambda: len(desk.own.letters) == 1)
        assert desk.asked == []
        desk.table("t", 8, ["us", "eu"])
        desk.take(Inlet(TOPIC, 2), batch(3, export(3)))
        await desk.until(lambda: desk.asked)

    run(scene, monkeypatch)


def test_after_a_minute_in_which_it_was_unknown_a_table_may_be_so_for_another_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def scene(desk: Desk) -> None:
        desk.table("t", 7, ["us", "ap"])
        desk.take(Inlet(TOPIC, 0), batch(1, export(1), export(2)))
        await settled(desk, lambda: len(desk.own.letters) == 2)
        assert not desk.service.driving.unknown, "nothing waits"
        desk.own.deliver()
        desk.take(Inlet(TOPIC, 0), batch(2, export(3)))
        await desk.until(lambda: desk.service.driving.unknown)
        desk.table("t", 8, ["us", "eu"])
        await desk.until(lambda: desk.asked)
        assert not desk.own.letters

    run(scene, monkeypatch)


def test_a_table_without_partitions_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(desk: Desk) -> None:
        announced = {**view_message(), "name": "t", "version": 7, "regions": ["us", "eu"]}
        desk.service.router.view.take("table_metadata", {**announced, "partitions": []}, 0.0)
        desk.take(Inlet(TOPIC, 0), batch(1, export(1)))
        await desk.until(lambda: desk.now_ms > 2 * driving.UNKNOWN_MS)
        assert (desk.asked, desk.own.letters, desk.failed) == ([], [], False)
        desk.service.router.view.take("table_metadata", {**announced, "version": 8}, 0.0)
        await desk.until(lambda: desk.asked)

    run(scene, monkeypatch)


def test_a_batch_that_cannot_be_read_is_parked_once_passed_by_and_not_acknowledged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def scene(desk: Desk) -> None:
        inlet = Inlet(TOPIC, 0)
        good = batch(2, export(1))
        bad = good[:-1] + bytes([good[-1] ^ 1])
        desk.take(inlet, bad, batch(2, export(1), source="ap"), good, bad)
        await settled(desk, lambda: len(desk.own.letters) == 2 and desk.service.telling._outboxes)
        assert desk.acknowledged() == [("sender", 2)]
        desk.there.deliver()
        assert inlet.committable is None, "the bad one is not parked yet"
        assert {letter.topic for letter in desk.own.letters} == {"dynabus.parked"}
        assert {decode(letter.value)[1]["batch"] for letter in desk.own.letters} >= {bad}
        desk.own.deliver()
        await desk.until(lambda: inlet.committable == 4)
        assert not desk.there.letters
        assert desk.service.status()["unreadable"] == {"eu": 3}

    run(scene, monkeypatch)


def test_acknowledgements_for_a_region_that_is_gone_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(desk: Desk) -> None:
        inlet = Inlet(TOPIC, 0)
        desk.take(inlet, batch(1, export(1)))
        await desk.until(lambda: desk.service.telling._outboxes)
        assert desk.there.letters[0].wanted()
        desk.service._heard("region_metadata", region("eu", 2, removed=True))
        assert not desk.there.letters[0].wanted()
        desk.there.deliver()
        assert inlet.committable == 1

    run(scene, monkeypatch)


def test_of_a_topic_partition_that_others_have_nothing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(desk: Desk) -> None:
        inlet = Inlet(TOPIC, 0)
        desk.take(inlet, batch(1, export(1)))
        inlet.gone = True
        await desk.until(lambda: desk.now_ms > 100)
        assert not desk.service.telling._outboxes
        assert inlet.committable is None

    run(scene, monkeypatch)
