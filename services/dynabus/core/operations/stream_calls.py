"""What operations on streams ask of the topics in which streams are. Pure; the router performs it.

An operation is a generator like those on tables, but its calls are these, one at a time:

| call    | answered with                                                                 |
|---------|--------------------------------------------------------------------------------|
| Extents | per shard: first offset that is there, the offset behind the last, both ends' records |
| Fetch   | records from an offset on, some or none, and what is there of the topic partition |
| Seek    | the first offset whose time is not before the one given                        |

Where Kafka does not answer in time the router answers HTTP 500, and the generator is left alone.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from dynabus.core.operations.calls import Context
from dynabus.core.streams.reading import CLOSED, Entry
from dynabus.core.streams.shards import Shard
from dynabus.core.streams.view import DISABLED, ENABLED, Stream, StreamsView


class Extents(NamedTuple):
    """What is there of these shards."""

    stream: Stream
    numbers: Sequence[int]


class Extent(NamedTuple):
    """Offsets low <= offset < end, and the records at both ends; None where there is none."""

    low: int
    end: int
    first: Entry | None = None
    last: Entry | None = None


class Fetch(NamedTuple):
    """Records of one shard from an offset on, `most` at most, repeats and marks among them."""

    stream: Stream
    number: int
    offset: int
    most: int


class Fetched(NamedTuple):
    """`low`: the first offset that is there. `at_end`: nothing lies behind the entries yet."""

    low: int
    entries: list[Entry]
    at_end: bool


class Seek(NamedTuple):
    """The first offset of a shard with this time or a later one."""

    stream: Stream
    number: int
    time_ms: int


StreamCall = Extents | Fetch | Seek
StreamReply = list[Extent] | Fetched | int

StreamSteps = Generator[StreamCall, "StreamReply", bytes]
"""Yields calls, is sent one reply each, returns the answer's JSON."""


@dataclass(frozen=True, slots=True)
class StreamContext:
    """What the operations may look at: all of what others have, and the streams."""

    context: Context
    streams: StreamsView

    def arn(self, stream: Stream) -> str:
        """Of a stream."""
        context = self.context
        return f"arn:aws:dynamodb:{context.region}:{context.account}:table/{stream.name}/stream/{stream.label}"


def fetched(reply: StreamReply) -> Fetched:
    """The reply to `Fetch`."""
    assert isinstance(reply, Fetched)
    return reply


def found(reply: StreamReply) -> int:
    """The reply to `Seek`."""
    assert isinstance(reply, int)
    return reply


Looks = Generator[StreamCall, StreamReply, dict[int, Extent]]


def extents_for(stream: Stream, shards: Iterable[Shard], known: Mapping[int, Extent] | None = None) -> Looks:
    """By number, of these shards and of all others that tell which are visible; what is known is not asked."""
    shards, known = [*shards], known or {}
    parents = {shard.parent for shard in shards if shard.parent is not None}
    # Parents first: one that is seen closed has been so when its children are looked at.
    asked = (parents | {shard.number for shard in shards}).difference(known)
    found = {**known, **(yield from _look(stream, asked))}
    doubted = {shard.parent for shard in shards if not _is_due(stream, shard, found)}
    siblings = {number for number, each in stream.shards.items() if each.parent in doubted and number not in found}
    return {**found, **((yield from _look(stream, siblings)) if siblings else {})}


def _look(stream: Stream, numbers: Iterable[int]) -> Looks:
    asked = sorted(numbers)
    reply = yield Extents(stream, asked)
    assert isinstance(reply, list)
    return dict(zip(asked, reply, strict=True))


def is_visible(stream: Stream, shard: Shard, extents: Mapping[int, Extent]) -> bool:
    """A shard is there from when it begins, together with its siblings, until it is closed and nothing of it is left.

    `extents`: those of `extents_for`. Whoever sees one child of a closed shard takes it for all that there are:
    Amazon's Kinesis Client Library looks for children once, when it has read their parent.
    """
    own = extents[shard.number]
    if stream.status == DISABLED:
        has_begun = own.end > 0
    else:
        siblings = [number for number, each in stream.shards.items() if each.parent == shard.parent]
        has_begun = _is_due(stream, shard, extents) or all(extents[number].end > 0 for number in siblings)
    return has_begun and (shard.is_open or own.low < own.end or own.end == 0)


def _is_due(stream: Stream, shard: Shard, extents: Mapping[int, Extent]) -> bool:
    """Propagators open it, whether or not they have done so yet. In a stream that ends they may not."""
    if shard.parent is None or stream.status != ENABLED:
        return stream.status == ENABLED
    last = extents[shard.parent].last
    return last is not None and last.type == CLOSED
