"""The state machine: hypothesis chooses requests, `Pair` puts them to the model and to Dynabus."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from tests.model import generation, legacy
from tests.model.comparison import Pair
from tests.model.database import Database
from tests.model.dice import Dice, choice, made, some
from tests.model.requests import Request
from tests.model.schema import TABLES, Schema
from tests.model.targets import InProcess, Target

STEPS = 40
"""Of one history: enough that items are met again, few enough to be made smaller quickly."""


class Machine(RuleBasedStateMachine):
    """One history on new tables. `target` and `tables` are for subclasses to set."""

    target: Callable[[], Target] = InProcess
    tables: tuple[Schema, ...] = TABLES
    asked: ClassVar[list[int]] = []
    """How many operations each history asked."""

    @initialize(data=st.data())
    def begin(self, data: st.DataObject) -> None:
        """A history has few tables, so that its requests meet each other's items."""
        self.chosen = data.draw(made(lambda dice: some(dice, self.tables, 1, 2)))
        target = type(self).target()
        target.create(self.chosen)
        self.pair = Pair(Database(self.chosen), target)

    @rule(data=st.data())
    def put_item(self, data: st.DataObject) -> None:
        self._on_a_table(data, generation.put)

    @rule(data=st.data())
    def put_item_again(self, data: st.DataObject) -> None:
        self._on_a_table(data, generation.put)

    @rule(data=st.data())
    def update_item(self, data: st.DataObject) -> None:
        self._on_a_table(data, generation.change)

    @rule(data=st.data())
    def delete_item(self, data: st.DataObject) -> None:
        self._on_a_table(data, generation.delete)

    @rule(data=st.data())
    def get_item(self, data: st.DataObject) -> None:
        self._on_a_table(data, generation.get)

    @rule(data=st.data())
    def query(self, data: st.DataObject) -> None:
        self._on_a_table(data, generation.query)

    @rule(data=st.data())
    def scan(self, data: st.DataObject) -> None:
        self._on_a_table(data, generation.scan)

    @rule(data=st.data())
    def legacy_parameters(self, data: st.DataObject) -> None:
        self._on_a_table(data, legacy.any_request)

    @rule(data=st.data())
    def batch_write_item(self, data: st.DataObject) -> None:
        self._ask(data, lambda dice: generation.batch_write(dice, self.chosen))

    @rule(data=st.data())
    def batch_get_item(self, data: st.DataObject) -> None:
        self._ask(data, lambda dice: generation.batch_get(dice, self.chosen))

    def teardown(self) -> None:
        if not hasattr(self, "pair"):
            return
        try:
            if not self.pair.differed:
                self.pair.check_contents()
        finally:
            self.asked.append(self.pair.asked)
            self.pair.target.close()

    def _on_a_table(self, data: st.DataObject, make: Callable[[Dice, Schema], Request]) -> None:
        self._ask(data, lambda dice: make(dice, choice(dice, self.chosen)))

    def _ask(self, data: st.DataObject, make: Callable[[Dice], Request]) -> None:
        self.pair.ask(data.draw(made(make)))


def machine_settings(histories: int) -> settings:
    """Nothing is remembered between runs: a seed is all that it takes to see a failure again."""
    return settings(
        max_examples=histories,
        stateful_step_count=STEPS,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink],
    )
