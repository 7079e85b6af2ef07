"""Splits by heat: how long it must last, what stands against it, and that a split ends it."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.auto_admin.splitting.test_splits import partitions
from tests.unit.auto_admin.tables.test_decisions import REQUEST
from tests.unit.auto_admin.test_service import Life

from dynabus.auto_admin.metrics import AdminMetrics
from dynabus.auto_admin.splitting.heat import FRESH_MS, HeatBook, HeatRule
from dynabus.core.admission.messages import NodeHeat

NAME = REQUEST["TableName"]
RULE = HeatRule(percent=80, window_ms=300_000.0, partitions_most=8)
PERIOD_MS = 5000
PLACE = ("t", 0)
AT = b"\x30" * 8


def heat(log: str, *partitions: int, permille: int = 1000, at: bytes | None = AT, why: str = "") -> NodeHeat:
    """One period in which writes took so much of these partitions' cap."""
    return {
        "node": "node-1",
        "period_ms": PERIOD_MS,
        "partitions": [
            {
                "log": log,
                "partition": number,
                "generation": 1,
                "units": [0, 10 * permille, 0, 0],
                "heat": [permille // 4, permille],
                "at": at,
                "why": why,
                "charges": [],
            }
            for number in partitions
        ],
    }


class Hours:
    """A book that is told one period after the other."""

    def __init__(self) -> None:
        self.book, self.now_ms = HeatBook(RULE), 0.0

    def last(self, seconds: int, **more: Any) -> None:
        for _ in range(seconds * 1000 // PERIOD_MS):
            self.now_ms += PERIOD_MS
            self.book.told(heat("t", 0, **more), self.now_ms)

    @property
    def is_hot(self) -> bool:
        return self.book.verdict(PLACE, 1, self.now_ms) is not None


def test_heat_is_what_lasts() -> None:
    hours = Hours()
    hours.last(235)
    assert not hours.is_hot
    hours.last(5)
    verdict = hours.book.verdict(PLACE, 1, hours.now_ms)
    assert verdict is not None
    assert (verdict.at, verdict.against) == (AT, "")
    assert verdict.why == "writes took 80 % of a partition's cap in the last 300 s"


@pytest.mark.parametrize(("permille", "hot"), [(790, False), (800, True)])
def test_the_threshold_is_an_average(permille: int, hot: bool) -> None:
    hours = Hours()
    hours.last(600, permille=permille)
    assert hours.is_hot == hot


def test_a_moment_of_great_demand_is_not_sustained() -> None:
    hours = Hours()
    hours.last(60, permille=50_000)
    assert not hours.is_hot


def test_what_has_ended_is_not_hot_and_is_forgotten() -> None:
    hours = Hours()
    hours.last(300)
    assert hours.is_hot
    hours.now_ms += FRESH_MS + 1
    assert not hours.is_hot
    hours.now_ms += RULE.window_ms
    hours.book.told(heat("other", 0), hours.now_ms)
    assert hours.book.places() == [("other", 0)]


def test_what_stands_against_a_split_is_told() -> None:
    hours = Hours()
    hours.last(300, at=None, why="100 % of the load lies on one item")
    verdict = hours.book.verdict(PLACE, 1, hours.now_ms)
    assert verdict is not None
    assert (verdict.at, verdict.against) == (None, "100 % of the load lies on one item")
    hours.last(5)
    full = hours.book.verdict(PLACE, 8, hours.now_ms)
    assert full is not None
    assert (full.at, full.against) == (None, "its table has 8 partitions, and heat makes 8 at most")


# -- the whole auto-admin -----------------------------------------------------------------------------------------


class Warm(Life):
    """Some partitions are hot, turn by turn."""

    def __init__(self, *names: str, **settings: Any) -> None:
        super().__init__(*names, heat_window_s=10, **settings)
        self.hot: tuple[int, ...] = ()
        self.more: dict[str, Any] = {}
        self._told_ms = 0.0

    def turn(self) -> None:
        if self.hot and self.kafka.now_ms - self._told_ms >= PERIOD_MS:
            self._told_ms = self.kafka.now_ms
            log = next(key.split("/")[1] for key in self.kafka.metadata if key.startswith("table/"))
            self.kafka.messages.append(("heat", heat(log, *self.hot, **self.more)))
        super().turn()

    def turns(self, seconds: int) -> None:
        for _ in range(seconds * 20):
            self.turn()


def test_a_hot_partition_is_split_where_its_load_lies() -> None:
    life = Warm()
    life.create()
    life.hot = (0,)
    life.until("split", lambda: partitions(life) == {1: "active", 2: "active", 3: "active"})
    (ancestor,) = next(iter(life.active()[0].tables.all().values())).ancestors
    assert ancestor["why"] == "writes took 100 % of a partition's cap in the last 10 s"
    assert "music/0 is being split, because writes took 100 %" in str(life.ask("ListEvents", Count=50))
    life.turns(60)
    assert partitions(life) == {1: "active", 2: "active", 3: "active"}, "the parent's heat is not its children's"
    families = {family.name: family for family in AdminMetrics(life.active()[0]).collect()}
    assert [sample.value for sample in families["dynabus_splits"].samples if sample.name.endswith("total")] == [1]


def test_one_hot_key_is_never_split_and_the_plan_says_why() -> None:
    life = Warm()
    life.create()
    life.hot, life.more = (1,), {"at": None, "why": "100 % of the load lies on one item"}
    life.turns(60)
    assert partitions(life) == {0: "active", 1: "active"}
    (told,) = life.ask("DescribePlan")["Splits"]
    assert (told["table"], told["number"]) == (NAME, 1)
    assert told["what"] == "is hot and not split: 100 % of the load lies on one item"


def test_heat_makes_so_many_partitions_and_no_more() -> None:
    life = Warm(heat_partitions_most=3)
    life.create()
    life.hot = (0, 1)
    life.turns(60)
    assert len(partitions(life)) == 3
    assert "heat makes 3 at most" in life.ask("DescribePlan")["Splits"][0]["what"]


def test_a_standby_that_takes_over_knows_the_heat() -> None:
    life = Warm("admin-1", "admin-2", heat_percent=100)
    life.restarts = False
    life.create()
    life.hot = (0,)
    life.turns(8)
    (active,) = life.active()
    life.admins = {name: admin for name, admin in life.admins.items() if admin is not active}
    life.until("the standby leads", lambda: life.active())
    assert life.active()[0].heat.places()
    life.until("split", lambda: 2 in partitions(life))


def test_a_partition_that_cannot_be_split_for_its_size_holds_up_no_other() -> None:
    life = Warm(split_bytes=1000)
    life.create()
    life.nodes.sizes, life.nodes.middle = {1: 2000}, None
    life.turns(5)
    life.hot = (0,)
    life.until("split", lambda: set(partitions(life)) == {1, 2, 3})
