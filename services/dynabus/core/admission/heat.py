"""Where a partition's load lies: a small sample of the keys that were asked for, and the bound that halves the load.

A key gets into the sample with a chance in proportion to its cost, so the sample's middle is the middle of the load,
not of the bytes (ATC '22, section 4.4: "observed key distribution"). A split is of no use, and none proposed, where

* nearly all load lies on one item, or, with local secondary indexes, in one item collection;
* the load moves on: keys that only ever increase would all go to one side. The older half of the sample is cut, and
  the younger one must lie on both sides of that cut.

Sources: bp-partition-key-design.html (isolation of hot items, not with indexes, not for keys that only increase).
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from dynabus.core.keys.cuts import BOUND_BYTES_MOST, collection, refuse_bound, separator

SAMPLES_MOST = 256
"""Keys in a sample: half of them lie within 6 % of the middle in 19 of 20 cases, and it takes some ten KB."""

SAMPLES_LEAST = 64
"""Fewer tell too little: within 12 % of the middle."""

SPAN_S = 60
"""At its cap a partition fills the sample in so long: what lasts for less is not sustained."""

ONE_SIDE_MOST = 0.9
"""A cut that leaves more than that on one side is not worth a split."""

KEPT_BYTES = BOUND_BYTES_MOST + 1
"""Of a key: nothing behind it can be part of a bound."""

_DICE_SEED = 1
_DICE_MASK = (1 << 31) - 1


class Sample:
    """Keys of one kind of request, oldest first. `rate`: the partition's cap, in half units a second."""

    __slots__ = ("_dice", "_step", "_until", "keys")

    def __init__(self, rate: int) -> None:
        self.keys: deque[bytes] = deque(maxlen=SAMPLES_MOST)
        self._step = max(1, rate * SPAN_S // SAMPLES_MOST)
        self._dice = _DICE_SEED
        self._until = self._stride()

    def note(self, key: bytes, units: int) -> None:
        """A request that cost, or would have cost, so many half units."""
        self._until -= units
        while self._until < 0:
            self.keys.append(key[:KEPT_BYTES])
            self._until += self._stride()

    def _stride(self) -> int:
        """Half units to the next sample: uneven, since clients that take turns must not be in step with it.

        A linear congruence is random enough, and the same requests give the same sample.
        """
        self._dice = (self._dice * 1_103_515_245 + 12_345) & _DICE_MASK
        return 1 + (self._dice >> 8) % (2 * self._step)


class Heat:
    """The samples of one partition, reads and writes; made when it becomes hot, dropped when it is not any more."""

    __slots__ = ("samples",)

    def __init__(self, rates: Sequence[int]) -> None:
        self.samples = tuple(Sample(rate) for rate in rates)


class Cut(NamedTuple):
    """Where to split for heat, or why a split would be of no use. Both empty: nothing is known yet."""

    at: bytes | None
    why: str


class Range(NamedTuple):
    """Of a partition. `whole`: item collections are not cut; `number`: the partition key is a number."""

    lower: bytes
    upper: bytes | None
    whole: bool
    number: bool


def cut(sampled: Sequence[bytes], bounds: Range) -> Cut:
    """The bound that parts the sampled load best."""
    keys = list(sampled)
    if len(keys) < SAMPLES_LEAST:
        return Cut(None, "")
    found = _best(keys, bounds)
    if found is None or max(found.below, 1 - found.below) > ONE_SIDE_MOST:
        return Cut(None, _one_place(keys, bounds))
    older, younger = keys[: len(keys) // 2], keys[len(keys) // 2 :]
    before = _best(older, bounds)
    below = 0.0 if before is None else sum(key < before.at for key in younger) / len(younger)
    if before is None or max(below, 1 - below) > ONE_SIDE_MOST:
        return Cut(None, "the load moves on, as with keys that only ever increase: one half would get all of it")
    return Cut(found.at, "")


def _one_place(keys: Sequence[bytes], bounds: Range) -> str:
    """The usual case of a load that cannot be parted."""
    ((key, most),) = Counter(_grouped(key, bounds) for key in keys).most_common(1)
    share = round(100 * most / len(keys))
    if most <= ONE_SIDE_MOST * len(keys) or len(key) >= KEPT_BYTES:
        return f"no bound of {BOUND_BYTES_MOST} bytes parts the load: its keys differ behind that, or not at all"
    place = "item collection, which is not cut in a table with local secondary indexes" if bounds.whole else "item"
    return f"{share} % of the load lies on one {place}"


class _Parted(NamedTuple):
    """A possible bound, and which part of the load lies below it."""

    at: bytes
    below: float


def _best(keys: Sequence[bytes], bounds: Range) -> _Parted | None:
    """The bound nearest to the middle of the load."""
    counts = sorted(Counter(_grouped(key, bounds) for key in keys).items())
    best: _Parted | None = None
    passed = 0
    for (before, number), (key, _) in pairwise(counts):
        passed += number
        at = separator(before, key)
        if refuse_bound(at, bounds.lower, bounds.upper) is not None:
            continue
        below = passed / len(keys)
        if best is None or abs(below - 0.5) < abs(best.below - 0.5):
            best = _Parted(at, below)
    return best


def _grouped(key: bytes, bounds: Range) -> bytes:
    """What may not be cut: an item, or an item collection."""
    return collection(key, bounds.number) if bounds.whole else key
