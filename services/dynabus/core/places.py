"""What a client has seen of each partition, so that it reads its own writes wherever it reads (ours, not DynamoDB's).

A request that carries the header `x-dynabus-place`, be it empty, is answered with one. Its value is a list:

    <table id>/<partition>.<generation>.<offset>, ...

| part       | what                                                                                           |
|------------|------------------------------------------------------------------------------------------------|
| table id   | of a table, or of an index (`<table id>.<index id>`)                                            |
| partition  | its number                                                                                     |
| generation | of its log: `dynabus admin recover` begins a new one, behind which nothing older is asked for  |
| offset     | in its log: all before it is in what was read, or holds what was written                       |

Whoever sends it back is answered by a replica that has read as far, eventually consistent reads too. A partition that
was split is not asked for: its children begin with all that it had.
"""

from __future__ import annotations

import re
from typing import NamedTuple

HEADER = "x-dynabus-place"

PARTITIONS_MOST = 400
"""In one header, which has 64 KB at most with all others; what was seen longest ago is forgotten first."""

_ENTRY = re.compile(r"([A-Za-z0-9_.\-]{1,128})/(\d{1,9})\.(\d{1,9})\.(\d{1,18})", re.ASCII)


class Seen(NamedTuple):
    """Ordered: a newer generation is behind all of an older one."""

    generation: int
    offset: int


class Places:
    """Per partition the newest place; those that were seen last are the last ones."""

    def __init__(self, text: str = "") -> None:
        """Raises ValueError for what is no list of places."""
        self._seen: dict[tuple[str, int], Seen] = {}
        self.add(text)

    def add(self, text: str) -> None:
        """Those of a header. Raises ValueError, and adds nothing then."""
        entries = [each.strip() for each in text.split(",") if each.strip()]
        found = [_ENTRY.fullmatch(entry) for entry in entries]
        for entry, match in zip(entries, found, strict=True):
            if match is None:
                raise ValueError(f"'{entry[:200]}' is not <table id>/<partition>.<generation>.<offset>")
        for match in found:
            if match is not None:
                log, *numbers = match.groups()
                partition, generation, offset = map(int, numbers)
                self.saw(log, partition, Seen(generation, offset))

    def saw(self, log: str, partition: int, seen: Seen) -> None:
        """One more place of a partition."""
        known = self._seen.pop((log, partition), seen)
        self._seen[log, partition] = max(known, seen)
        if len(self._seen) > PARTITIONS_MOST:
            del self._seen[next(iter(self._seen))]

    def was_told(self, log: str, place: bytes) -> None:
        """What a storage node has said (`told`)."""
        partition, generation, offset = map(int, place.split(b"."))
        self.saw(log, partition, Seen(generation, offset))

    def least(self, log: str, partition: int, generation: int) -> int:
        """The offset up to which a replica must have read its log; 0: any will do."""
        seen = self._seen.get((log, partition))
        return seen.offset if seen is not None and seen.generation == generation else 0

    def __str__(self) -> str:
        """As a header's value."""
        return ",".join(
            f"{log}/{partition}.{seen.generation}.{seen.offset}" for (log, partition), seen in self._seen.items()
        )


def told(partition: int, seen: Seen) -> bytes:
    """How a storage node says it in a reply."""
    return b"%d.%d.%d" % (partition, seen.generation, seen.offset)
