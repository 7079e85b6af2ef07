"""How a consumer group shares a stream: what each shard's committed offset says, and when a shard may be read. Pure.

A shard is a topic partition, and a child's must not be read before its parent's was *processed* to its end, by
whichever member of the group. So what a member commits beside the offset says how far its shard is:

| mark    | the shard                                                                                      |
|---------|------------------------------------------------------------------------------------------------|
| reading | was processed up to there                                                                      |
| ended   | was processed to its end                                                                       |
| skipped | had ended before the group began, which wants only what is new                                 |

| the group's commit | the shard's parent                  | the shard is read from                              |
|--------------------|-------------------------------------|-----------------------------------------------------|
| reading            |                                     | there                                               |
| ended, skipped     |                                     | not any more                                        |
| none               | ended                               | its begin                                           |
| none               | none, skipped, or gone              | its begin; or for what is new its end, or skipped   |
| none               | read as far as it goes, and its end | its begin                                           |
|                    | is lost                             |                                                     |
| none               | read, or not read yet               | later: it is held                                   |

A child has no record before its parent's end was written. So a parent of which nothing is there while a child has
records is gone, by retention; and one that was processed as far as it goes, and not to its end, has lost that (Kafka
did, or somebody has set the group's offset). A child's extent is looked at before its parent's, and the group's
progress before both.
Committed beside the mark is the last sequence number that counted, so that repeats behind a restart are repeats
still. An offset that somebody else has set, say with Kafka's own tools, has neither: it is read from there.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import NamedTuple

from dynabus.core.streams.sequence import BEFORE_ALL, Sequence, read_sequence
from dynabus.core.streams.shards import Shard

_VERSION = "1"


class Mark(Enum):
    """The first table."""

    READING = "reading"
    ENDED = "ended"
    SKIPPED = "skipped"


class Progress(NamedTuple):
    """How far a group has processed a shard: all before `offset`, and `last` was the last change that counted."""

    offset: int
    last: Sequence = BEFORE_ALL
    mark: Mark = Mark.READING


class Extent(NamedTuple):
    """What a shard's topic partition holds: low <= offset < end."""

    low: int
    end: int


def write_metadata(progress: Progress) -> str:
    """What is committed beside the offset."""
    last = "-" if progress.last == BEFORE_ALL else str(progress.last)
    return f"{_VERSION}:{progress.mark.value}:{last}"


def read_metadata(offset: int, text: str | None) -> Progress:
    """The progress of a committed offset; of a foreign one the offset is all that is known."""
    version, _, rest = (text or "").partition(":")
    mark, _, digits = rest.partition(":")
    if version != _VERSION or mark not in {each.value for each in Mark}:
        return Progress(offset)
    return Progress(offset, read_sequence(digits) or BEFORE_ALL, Mark(mark))


def beginning(
    shard: Shard,
    shards: Mapping[int, Shard],
    progress: Mapping[int, Progress],
    extents: Mapping[int, Extent],
    only_new: bool,
    is_live: bool,
) -> Progress | None:
    """Where a shard begins, or that it is not read any more; None while it is held.

    `progress`: what the group has committed; `extents`: of this shard and of its parent; `is_live`: the stream is
    being written.
    """
    known = progress.get(shard.number)
    if known is not None:
        return known
    parent = shards.get(shard.parent) if shard.parent is not None else None
    extent = extents[shard.number]
    if parent is not None:
        before = progress.get(parent.number)
        ended = before is not None and before.mark is Mark.ENDED
        if ended or lost_its_end(before, extents[parent.number], extent):
            return Progress(extent.low)
        skipped = before is not None and before.mark is Mark.SKIPPED
        if not skipped and not _is_gone(extents[parent.number], extent):
            return None
    if not only_new:
        return Progress(extent.low)
    return Progress(extent.end, mark=Mark.READING if shard.is_open and is_live else Mark.SKIPPED)


def lost_its_end(progress: Progress | None, parent: Extent, child: Extent) -> bool:
    """Of a parent with this progress."""
    return progress is not None and progress.mark is Mark.READING and progress.offset >= parent.end and child.end > 0


def _is_gone(parent: Extent, child: Extent) -> bool:
    return parent.low == parent.end and child.end > 0
