"""Where the generator's choices come from: numbers below a bound, drawn by hypothesis or by a seed."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from functools import cache
from typing import Protocol, TypeVar

from hypothesis import strategies as st

T = TypeVar("T")


class Dice(Protocol):
    def below(self, count: int) -> int:
        """A number from 0 to count - 1; smaller ones are the simpler choice."""


class Drawn:
    """Of hypothesis, which then finds a simpler failure by making the numbers smaller."""

    def __init__(self, draw: st.DrawFn) -> None:
        self._draw = draw

    def below(self, count: int) -> int:
        return self._draw(_numbers(count)) if count > 1 else 0


@cache
def _numbers(count: int) -> st.SearchStrategy[int]:
    return st.integers(0, count - 1)


class Seeded:
    def __init__(self, seed: int | str) -> None:
        self._random = random.Random(seed)

    def below(self, count: int) -> int:
        return self._random.randrange(count)


def choice(dice: Dice, options: Sequence[T]) -> T:
    return options[dice.below(len(options))]


def chance(dice: Dice, percent: int) -> bool:
    return dice.below(100) >= 100 - percent


def some(dice: Dice, options: Sequence[T], least: int, most: int) -> list[T]:
    """Different ones of the options, in their order there."""
    left = list(range(len(options)))
    count = least + dice.below(min(most, len(left)) - least + 1)
    return [options[place] for place in sorted(left.pop(dice.below(len(left))) for _ in range(count))]


@st.composite
def made(draw: st.DrawFn, make: Callable[[Dice], T]) -> T:
    """What `make` makes of hypothesis's choices."""
    return make(Drawn(draw))
