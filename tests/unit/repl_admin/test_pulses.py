"""Which regions answer."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

import pytest

from dynabus.repl_admin.definitions import NotAnswered
from dynabus.repl_admin.pulses import PULSE_MS, Pulses


class Stage:
    def __init__(self) -> None:
        self.regions = ["eu", "us"]
        self.asked: list[tuple[str, Future[Any]]] = []
        self.pulses = Pulses(self.ask, lambda: self.regions)

    def ask(self, region: str, operation: str, body: dict[str, Any]) -> Future[Any]:
        assert (operation, body) == ("DescribePlan", {})
        self.asked.append((region, Future()))
        return self.asked[-1][1]

    def answer(self, region: str, error: Exception | None = None) -> None:
        """The last question to this region."""
        (*_, answer) = (answer for asked, answer in self.asked if asked == region)
        if error is None:
            answer.set_result({})
        else:
            answer.set_exception(error)


@pytest.fixture
def stage() -> Stage:
    stage = Stage()
    stage.pulses.turn(0.0)
    return stage


def test_a_region_is_silent_until_it_answers_again(stage: Stage) -> None:
    stage.answer("eu", NotAnswered("away"))
    stage.answer("us")
    stage.pulses.turn(PULSE_MS - 1)
    assert stage.pulses.silent == {"eu": "away"}
    assert stage.pulses.told == [{"region": "eu", "why": "away"}]
    assert len(stage.asked) == 2
    stage.pulses.turn(PULSE_MS)
    stage.answer("eu")
    stage.pulses.turn(PULSE_MS + 1)
    assert stage.pulses.silent == {}


def test_one_that_takes_its_time_is_not_asked_twice_and_one_that_was_removed_is_forgotten(stage: Stage) -> None:
    stage.answer("us", NotAnswered("away"))
    stage.pulses.turn(PULSE_MS)
    assert [region for region, _ in stage.asked] == ["eu", "us", "us"]
    stage.regions.remove("us")
    stage.pulses.turn(2 * PULSE_MS)
    assert stage.pulses.silent == {}


def test_a_defect_is_no_silence(stage: Stage) -> None:
    stage.answer("eu", KeyError("x"))
    with pytest.raises(KeyError):
        stage.pulses.turn(1.0)
