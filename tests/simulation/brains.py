"""Brains with one rule left out, by name, and the command that runs many histories."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

Patches = list[tuple[Any, str, Any]]
Make = Callable[[], Patches]


class Brains(dict[str, tuple[str, Make]]):
    """What is left out, and how, by the name of the function that says it."""

    def broken(self, what: str) -> Callable[[Make], Make]:
        """Register one."""

        def register(make: Make) -> Make:
            self[make.__name__] = (what, make)
            return make

        return register

    @contextmanager
    def active(self, name: str) -> Iterator[None]:
        """Run with this brain in place of the real one."""
        with patched(patch.object(*one) for one in self[name][1]()):
            yield


@contextmanager
def patched(patches: Iterable[Any]) -> Iterator[None]:
    """Run with all of them, which are not begun yet."""
    with ExitStack() as running:
        for each in patches:
            running.enter_context(each)
        yield


def run_histories(module: str, simulate: Callable[[int], str | None]) -> int:
    """`python -m <module> [--seeds N | --seed S]`: exit code 1 if anything was violated."""
    parser = argparse.ArgumentParser(prog=f"python -m {module}")
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--seed", type=int)
    options = parser.parse_args()
    seeds = range(options.seeds) if options.seed is None else [options.seed]
    violated = {seed: found for seed in seeds if (found := simulate(seed)) is not None}
    for seed, found in list(violated.items())[:10]:
        print(f"seed {seed}: {found}\n  python -m {module} --seed {seed}")
    print(f"{len(seeds)} histories, {len(violated)} violated")
    return 1 if violated else 0
