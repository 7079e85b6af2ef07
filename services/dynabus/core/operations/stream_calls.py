"""What operations on streams ask of the topics in which streams are. Pure; the router performs it.

An operation is a generator like those on tables, but its calls are these, one at a time:

| call    | answered with                                                                 |
|---------|--------------------------------------------------------------------------------|
| Extents | per shard: first offset that is there, the offset behind the last, both ends' records |
| Fetch   | records from an offset on, some or none, and what is there of the topic partition |
| Seek    | the first offset whose time is not before the one given                        |

Raises in the generator: `StreamUnreachable` where Kafka does not answer in time.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from dynabus.core.operations.calls import Context
from dynabus.core.streams.reading import Entry
from dynabus.core.streams.view import Shard, Stream, StreamsView


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


def extents(reply: StreamReply) -> list[Extent]:
    """The reply to `Extents`."""
    assert isinstance(reply, list)
    return reply


def fetched(reply: StreamReply) -> Fetched:
    """The reply to `Fetch`."""
    assert isinstance(reply, Fetched)
    return reply


def found(reply: StreamReply) -> int:
    """The reply to `Seek`."""
    assert isinstance(reply, int)
    return reply


def is_visible(shard: Shard, extent: Extent) -> bool:
    """A shard is there once its propagator has opened it, and as long as anything of it is, or it is open."""
    return extent.end > 0 and (shard.is_open or extent.low < extent.end)
