"""What is parked, and the alarms of it: their topics may be deleted, and their reasons pass."""

from __future__ import annotations

from typing import Any, cast

import pytest
from tests.unit.rep_in.test_service import NEWS, REFUSED, TOPIC, Desk, batch, export, run, settled

from dynabus.rep_in import telling
from dynabus.rep_in.inlet import Inlet

PARKED = "dynabus.parked.t"


def test_a_topic_that_somebody_has_deleted_is_made_once_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telling, "DELIVERY_S", 0.02)

    async def scene(desk: Desk) -> None:
        desk.answer = lambda _: REFUSED
        inlet = Inlet(TOPIC, 0)
        desk.take(inlet, batch(1, export(1)))
        await settled(desk, lambda: len(desk.own.letters) == 2)
        assert desk.made.count(PARKED) == 2
        first, second = desk.own.letters
        assert (first.wanted(), second.wanted()) == (False, True)
        second.done()
        await settled(desk, lambda: desk.service.telling._outboxes)
        assert desk.acknowledged() == [("sender", 1)]

    run(scene, monkeypatch)


def test_the_alarm_stays_while_a_change_waits_to_be_parked(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(desk: Desk) -> None:
        desk.answer = lambda _: REFUSED
        desk.take(Inlet(TOPIC, 0), batch(1, export(1)))
        await settled(desk, lambda: desk.own.letters)
        (letter,) = desk.own.letters
        desk.own.letters.clear()  # its topic is empty, as Kafka has it
        assert not await desk.service.telling.has_parked("eu", "t")
        assert desk.service.alarms()
        letter.done()
        await settled(desk, lambda: desk.service.telling._outboxes)
        await desk.service.telling.look_again()
        assert not desk.service.alarms(), "somebody has dealt with it"

    run(scene, monkeypatch)


def test_the_alarm_of_a_table_that_is_gone_ends_with_what_was_parked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dynabus.rep_in.service.LOOK_S", 0.01)

    async def scene(desk: Desk) -> None:
        desk.answer = lambda _: REFUSED
        desk.take(Inlet(TOPIC, 0), batch(1, export(1)))
        await settled(desk, lambda: desk.own.letters)
        desk.own.letters[0].done()
        await settled(desk, lambda: desk.service.telling._outboxes)
        desk.service.router.view.tables.clear()
        desk.service.tasks.begin(desk.service._look_at_parked())
        reached = desk.reached
        await settled(desk, lambda: desk.reached > reached)
        assert desk.service.alarms()
        desk.own.letters.clear()
        await settled(desk, lambda: not desk.service.alarms())

    run(scene, monkeypatch)


def test_a_batch_that_comes_once_more_is_not_acknowledged_twice_before_that_is_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An acknowledgement that cannot be delivered is tried for ever, and so is the batch."""

    async def scene(desk: Desk) -> None:
        desk.answer = lambda _: NEWS
        inlet = Inlet(TOPIC, 0)
        for _ in range(3):
            desk.take(inlet, batch(1, export(1)))
            await settled(desk, lambda: not desk.service.driving._pools)
        (outbox,) = desk.service.telling._outboxes.values()
        (letter,) = cast("Any", outbox).letters
        assert inlet.done is None
        letter.done()
        assert inlet.done == 3
        assert not desk.service.telling._undelivered

    run(scene, monkeypatch)


def test_a_region_that_acknowledgements_do_not_reach_is_an_alarm(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(desk: Desk) -> None:
        desk.answer = lambda _: NEWS
        desk.take(Inlet(TOPIC, 0), batch(1, export(1)))
        await settled(desk, lambda: desk.service.telling._outboxes)
        assert not desk.service.alarms()
        (outbox,) = desk.service.telling._outboxes.values()
        monkeypatch.setattr(outbox, "problem", "refused")
        why = "acknowledgements do not reach it: refused"
        assert desk.service.alarms() == [{"source": "eu", "table": None, "alarm": why}]

    run(scene, monkeypatch)


def test_the_alarm_of_a_damaged_batch_ends_with_its_region(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(desk: Desk) -> None:
        good = batch(1, export(1))
        desk.take(Inlet(TOPIC, 0), good[:-1] + bytes([good[-1] ^ 1]))
        await settled(desk, lambda: desk.own.letters)
        await desk.service.telling.look_again()
        assert desk.service.alarms(), "it may come again"
        desk.service.regions.peers.pop("eu")
        await desk.service.telling.look_again()
        assert not desk.service.alarms()

    run(scene, monkeypatch)


def test_the_alarm_of_a_damaged_batch_ends_when_it_has_healed(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(desk: Desk) -> None:
        desk.service.telling._now_ms = lambda: desk.now_ms
        desk.answer = lambda _: NEWS
        inlet, good = Inlet(TOPIC, 0), batch(1, export(1))
        desk.take(inlet, good[:-1] + bytes([good[-1] ^ 1]))
        await settled(desk, lambda: desk.own.letters)
        desk.own.deliver()
        desk.take(inlet, good)
        assert desk.service.alarms(), "it may come again"
        desk.now_ms += telling.HEALED_MS + 1
        desk.take(inlet, batch(2, export(2)))
        assert not desk.service.alarms()
        desk.take(inlet, batch(3, export(3)))

    run(scene, monkeypatch)
