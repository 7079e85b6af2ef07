"""Which write of an item wins among regions, and which ones it has met: the version that stands beside the item.

A version is the *stamp* of the write that made the item what it is, and what that write had *seen*: of each region
the newest write of this item that it came after, or that it met and won against. One version includes another one if
it has seen its stamp. Each region's leader decides alike, from the two versions alone:

| the item here     | and the write that arrives | then                                                         |
|-------------------|----------------------------|--------------------------------------------------------------|
| includes it       |                            | REPEAT: nothing; it was here before, or what replaced it     |
| is included in it |                            | NEWS: the item becomes what it says                          |
| neither           | has the higher stamp       | WON: the same, and what was here has lost                    |
| neither           | has the lower stamp        | LOST: the item stays; that it met the write is kept          |

WON and LOST are conflicts: neither writer knew of the other one. Whoever wins has seen what both had seen, so that in
the end all regions hold the same version, and a conflict is told once in each region however often a write arrives.

A stamp is (time, region). Time is a hybrid logical clock: milliseconds since 1970 times 2^16, as the leader's clock
has them, and counted on from what the item has seen where that is not behind it (Kulkarni et al., Logical Physical
Clocks, 2014). So a write wins against all that its writer could have seen, whatever clocks say. Ties go to the region
whose name is greater, in all regions alike.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from enum import Enum
from typing import NamedTuple

TICKS_PER_MS = 1 << 16

_TIME = struct.Struct(">Q")


class Stamp(NamedTuple):
    """A write, among all of all regions. Stamps are ordered as they are compared."""

    time: int
    region: str

    @property
    def ms(self) -> int:
        """Milliseconds since 1970."""
        return self.time // TICKS_PER_MS


class Version(NamedTuple):
    """`seen`: times by region, the stamp's own too."""

    stamp: Stamp
    seen: Mapping[str, int]

    def includes(self, stamp: Stamp) -> bool:
        return self.seen.get(stamp.region, -1) >= stamp.time

    def encode(self) -> bytes:
        """The stamp's region first, each as length of the name (1 byte), name (UTF-8), time (8 bytes, big endian)."""
        own = (self.stamp.region, self.stamp.time)
        others = sorted(each for each in self.seen.items() if each != own)
        return b"".join(_entry(region, time) for region, time in (own, *others))


def _entry(region: str, time: int) -> bytes:
    name = region.encode()
    return len(name).to_bytes(1, "big") + name + _TIME.pack(time)


def decode_version(raw: bytes) -> Version:
    """Raises ValueError for what `encode` does not write."""
    entries: list[tuple[str, int]] = []
    at = 0
    while at < len(raw):
        behind = at + 1 + raw[at]
        if behind + _TIME.size > len(raw):
            raise ValueError("a version ends in the middle of an entry")
        entries.append((raw[at + 1 : behind].decode(), int(_TIME.unpack_from(raw, behind)[0])))
        at = behind + _TIME.size
    if not entries or len(dict(entries)) != len(entries):
        raise ValueError("a version without an entry, or with two of a region")
    region, time = entries[0]
    return Version(Stamp(time, region), dict(entries))


def written(before: Version | None, region: str, wall_ms: int, promised: int = -1) -> Version:
    """Of a write that a client of this region asked for, over what was there; a deletion is one, too. `promised`: a
    time that it must be above, too (`floors`)."""
    seen = {} if before is None else before.seen
    time = max(wall_ms * TICKS_PER_MS, max(seen.values(), default=-1) + 1, promised + 1)
    return Version(Stamp(time, region), {**seen, region: time})


class Meeting(Enum):
    """The table above."""

    REPEAT = "repeat"
    NEWS = "news"
    WON = "won"
    LOST = "lost"

    @property
    def is_conflict(self) -> bool:
        return self in (Meeting.WON, Meeting.LOST)


def meet(here: Version | None, arriving: Version) -> tuple[Meeting, Version]:
    """What becomes of a write of another region, and the version that the item has then."""
    if here is None:
        return Meeting.NEWS, arriving
    if here.includes(arriving.stamp):
        return Meeting.REPEAT, here
    regions = here.seen.keys() | arriving.seen.keys()
    seen = {region: max(here.seen.get(region, -1), arriving.seen.get(region, -1)) for region in regions}
    if arriving.includes(here.stamp):
        return Meeting.NEWS, Version(arriving.stamp, seen)
    if arriving.stamp > here.stamp:
        return Meeting.WON, Version(arriving.stamp, seen)
    return Meeting.LOST, Version(here.stamp, seen)


def is_ahead(stamp: Stamp, wall_ms: int, most_ms: int) -> bool:
    """Its clock is off by more than is allowed, or this one's is: nothing is written of it."""
    return stamp.ms > wall_ms + most_ms
