"""What other regions say of what they wrote before, on its way to leaders."""

from __future__ import annotations

import pytest
from tests.unit.rep_in.test_service import REFUSED, TOPIC, Desk, export, run

from dynabus.adapters.kafka.outbox import Letter
from dynabus.adapters.replication_codec import encode_batch
from dynabus.core.errors import ApiError
from dynabus.core.global_tables.floors import Word
from dynabus.core.global_tables.forgetting import decode_word
from dynabus.core.global_tables.rep_out import Batch
from dynabus.core.messages import ReplyStatus
from dynabus.core.operations.calls import Call, Code
from dynabus.core.replication.store import Outcome
from dynabus.rep_in.inlet import Inlet


def saying(desk: Desk, name: str = "t", replica: str | None = None, time: int = 500) -> bytes:
    table = desk.service.router.view.tables[name]
    word = Word(time, 3, frozenset({"eu", "us"}), table.id if replica is None else replica)
    return encode_batch("eu", "sender", name, Batch(time, [], word))


def words(desk: Desk) -> list[Call]:
    return [call for calls in desk.asked for call in calls if call.code == Code.FLOORS]


def test_the_leader_of_each_partition_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(desk: Desk) -> None:
        table = desk.service.router.view.tables["t"]
        desk.take(Inlet(TOPIC, 0), saying(desk))
        await desk.until(lambda: desk.service.words.told)
        assert [call.route for call in words(desk)] == [partition["lower"] for partition in table.partitions]
        for call in words(desk):
            assert decode_word(call.detail) == ("eu", Word(500, 3, frozenset({"eu", "us"}), table.id))
            assert not call.write
        assert [number for _, number in desk.acknowledged()] == [500]

    run(scene, monkeypatch)


def test_one_is_told_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(desk: Desk) -> None:
        inlet = Inlet(TOPIC, 0)
        desk.take(inlet, saying(desk), saying(desk, time=501))
        await desk.until(lambda: desk.service.words.told)
        desk.take(inlet, saying(desk, time=502))
        await desk.until(lambda: desk.service.words.told == 2)
        assert [decode_word(call.detail)[1].time for call in words(desk)][:: len(words(desk)) - 1] == [500, 502]
        assert desk.reached == 1, "the client is kept"
        desk.topics_are_made = False
        desk.take(inlet, saying(desk, time=503))
        await desk.until(lambda: not desk.service.words._under_way)
        desk.topics_are_made = True
        desk.take(inlet, saying(desk, time=504))
        await desk.until(lambda: desk.service.words.told == 3)
        assert desk.reached == 2, "but not after an error"

    run(scene, monkeypatch)


@pytest.mark.parametrize("what", ["made anew", "no region", "parked", "Kafka is away", "away"])
def test_what_is_not_for_this_table_or_may_lack_something_is_not_told(
    what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene(desk: Desk) -> None:
        inlet = Inlet(TOPIC, 0)
        if what == "parked":
            desk.answer = lambda _: REFUSED
            desk.take(inlet, encode_batch("eu", "sender", "t", Batch(1, [export(1)])))
            await desk.until(lambda: desk.own.letters)
        if what == "no region":
            desk.table("t", 3, ["us", "za"])
        value = saying(desk, replica="another" if what == "made anew" else None)
        desk.topics_are_made = what != "Kafka is away"
        if what == "away":
            desk.service.router.view.tables.clear()
        desk.take(inlet, value)
        await desk.until(lambda: 500 in [number for _, number in desk.acknowledged()])
        await desk.until(lambda: not desk.service.words._under_way)
        assert words(desk) == []

    run(scene, monkeypatch)


def test_words_that_wait_for_what_another_process_has_parked_are_an_alarm_until_it_is_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def scene(desk: Desk) -> None:
        topic, inlet = "dynabus.parked.t", Inlet(TOPIC, 0)
        desk.made.append(topic)
        desk.own.letters.append(Letter(topic, b"k", b"of before", [], lambda: True, lambda: None))
        desk.take(inlet, saying(desk))
        await desk.until(lambda: desk.service.alarms())
        (alarm,) = desk.service.alarms()
        assert (alarm["source"], alarm["table"]) == ("eu", "t")
        assert "parked" in alarm["alarm"]
        assert words(desk) == []
        desk.own.letters.clear()
        desk.take(inlet, saying(desk, time=501))
        await desk.until(lambda: desk.service.words.told)
        assert desk.service.alarms() == []

    run(scene, monkeypatch)


def test_leaders_that_are_not_reached_are_told_the_next_one(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(desk: Desk) -> None:
        def busy(_call: Call) -> Outcome:
            raise ApiError("ServiceUnavailable", "too much", 500)

        inlet, well = Inlet(TOPIC, 0), desk.answer
        for answer in (busy, lambda _: None, lambda _: REFUSED, lambda _: Outcome(ReplyStatus.BUSY)):
            desk.answer = answer
            before = len(words(desk))
            desk.take(inlet, saying(desk, time=500 + before))
            await desk.until(lambda before=before: len(words(desk)) > before)  # type: ignore[misc]
            await desk.until(lambda: not desk.service.words._under_way)
        assert desk.service.words.told == 0
        desk.answer = well
        desk.take(inlet, saying(desk, time=600))
        await desk.until(lambda: desk.service.words.told)

    run(scene, monkeypatch)
