"""What clients were told about each key, and whether what they read agrees with it. Pure, and of a fixed size.

Each key has one writer, which puts ascending versions. A key must hold a version between `known` (the highest that
was acknowledged or that a strongly consistent read has shown) and `tried` (the highest ever sent): a read that shows
less than was known when it began is stale, one that shows more than was tried is invented, and a key that holds less
than is known when all is over has lost a write.

A write without an answer may take effect as long as the router's deadline has not passed, so its key is left alone
for `UNKNOWN_S`; a later write of it would otherwise be overwritten, which would look like a loss and be none.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field

UNKNOWN_S = 15.0
"""A router gives a request up after 10 s, and no node takes it from its inbox after that."""

EXAMPLES_MOST = 20
"""Violations kept word for word; all are counted."""


@dataclass(slots=True)
class Violations:
    """How many of one kind, and the first of them."""

    count: int = 0
    examples: list[str] = field(default_factory=list)

    def add(self, example: str) -> None:
        self.count += 1
        if len(self.examples) < EXAMPLES_MOST:
            self.examples.append(example)


class Versions:
    """Keys are numbers from 0 on, times are seconds of one clock."""

    def __init__(self, keys: int) -> None:
        self._tried, self._known = array("q", bytes(8 * keys)), array("q", bytes(8 * keys))
        self._unknown_until: dict[int, float] = {}
        self.stale, self.invented, self.lost = Violations(), Violations(), Violations()

    def may_write(self, key: int, now: float) -> bool:
        """Not while a write of it has an unknown fate."""
        until = self._unknown_until.get(key)
        if until is None:
            return True
        if now < until:
            return False
        del self._unknown_until[key]
        return True

    def next(self, key: int) -> int:
        """The version to write now."""
        self._tried[key] += 1
        return self._tried[key]

    def acknowledged(self, key: int, version: int) -> None:
        self._known[key] = max(self._known[key], version)

    def unanswered(self, key: int, now: float) -> None:
        """The write of its last version has an unknown fate."""
        self._unknown_until[key] = now + UNKNOWN_S

    def known(self, key: int) -> int:
        """What a strongly consistent read that begins now may not go below."""
        return self._known[key]

    def seen(self, key: int, version: int, known_before: int) -> None:
        """A strongly consistent read that began when `known_before` was known has shown this version (0: no item)."""
        if version < known_before:
            self.stale.add(f"key {key}: read {version} after {known_before} was known")
        self._check_tried(key, version)
        self._known[key] = max(self._known[key], version)

    def final(self, key: int, version: int) -> None:
        """What a key holds when all writes have ended."""
        if version < self._known[key]:
            self.lost.add(f"key {key}: holds {version}, {self._known[key]} was known")
        self._check_tried(key, version)

    def _check_tried(self, key: int, version: int) -> None:
        if version > self._tried[key]:
            self.invented.add(f"key {key}: {version}, only {self._tried[key]} was tried")
