"""A request from a seed and a number, and from nothing else: so that one alone can be seen again."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass

from tests.fuzz import corpus, headers, mutations, shapes, texts
from tests.model.dice import Dice, Seeded, chance, choice


@dataclass(frozen=True)
class Request:
    operation: str
    headers: headers.Headers
    body: bytes


def request(seed: int, number: int) -> Request:
    dice = Seeded(f"{seed}:{number}")
    operation, tree = shapes.request(dice) if chance(dice, 30) else corpus.good(dice)
    tree = json.loads(json.dumps(tree))  # nothing in it is shared with anything
    for _ in range(choice(dice, [1, 1, 1, 1, 2, 2, 3, 0])):
        tree = mutations.mutated(dice, tree)
    head, body = headers.of(dice, operation), texts.rendered(dice, tree)
    if chance(dice, 1):
        head, body = [*head, ("Content-Encoding", "gzip")], _compressed(dice, body)
    return Request(operation, head, body)


def _compressed(dice: Dice, body: bytes) -> bytes:
    """Whole, cut off, or twice."""
    whole = gzip.compress(body, mtime=0)
    return choice(dice, [whole, whole, whole[: dice.below(len(whole))], whole + whole, gzip.compress(whole, mtime=0)])
