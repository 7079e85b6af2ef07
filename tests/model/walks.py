"""Random walks: the same requests as the state machine's, from a seed alone. Faster and more various than hypothesis,
which repeats itself to find what a failure needs; a failing walk is made shorter here by leaving requests out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass

from tests.model import generation, legacy
from tests.model.comparison import Difference, Pair
from tests.model.database import Database
from tests.model.dice import Dice, Seeded, choice, some
from tests.model.requests import Request
from tests.model.schema import TABLES, Schema
from tests.model.targets import Target

STEPS = 120
"""Of one walk: items meet each other, and pages of Query and Scan grow to several."""

OFTEN: list[Callable[[Dice, Schema], Request]] = [
    *(generation.put, generation.put, generation.put, generation.change, generation.change, generation.change),
    *(generation.delete, generation.get, generation.query, generation.query, generation.scan, legacy.any_request),
]


@dataclass(frozen=True)
class Walk:
    """`tables` are made anew, then the requests are put to them."""

    tables: Sequence[Schema]
    requests: Sequence[Request]

    def run(self, target: Target) -> int:
        """How many operations were asked; raises Difference."""
        target.create(self.tables)
        pair = Pair(Database(self.tables), target)
        for request in self.requests:
            pair.ask(request)
        pair.check_contents()
        return pair.asked

    def without(self, place: int) -> Walk:
        return Walk(self.tables, [*self.requests[:place], *self.requests[place + 1 :]])


def walk_of(seed: int, steps: int = STEPS) -> Walk:
    """Always the same one of a seed."""
    dice = Seeded(seed)
    tables = some(dice, TABLES, 1, 2)
    return Walk(tables, [_request(dice, tables) for _ in range(steps)])


def _request(dice: Dice, tables: list[Schema]) -> Request:
    if dice.below(8) == 0:
        several = choice(dice, list(generation.SEVERAL_TABLES.values()))
        return several(dice, tables)
    return choice(dice, OFTEN)(dice, choice(dice, tables))


def run(walk: Walk, make_target: Callable[[], Target]) -> int:
    with closing(make_target()) as target:
        return walk.run(target)


def shortest(walk: Walk, make_target: Callable[[], Target]) -> Walk:
    """The walk without the requests that its failure does not need; those behind it go first."""
    for place in reversed(range(len(walk.requests))):
        shorter = walk.without(place)
        if _fails(shorter, make_target):
            walk = shorter
    return walk


def _fails(walk: Walk, make_target: Callable[[], Target]) -> bool:
    try:
        run(walk, make_target)
    except Difference:
        return True
    return False


def told(walk: Walk) -> Iterator[str]:
    """As a person can repeat it."""
    for schema in walk.tables:
        yield f"CreateTable {schema.creation()}"
    for request in walk.requests:
        yield f"{request.operation} {request.body()}"
