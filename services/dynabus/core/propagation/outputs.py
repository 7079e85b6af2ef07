"""What a log's follower is told, how far it is, and what it gives for streams. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import NamedTuple

from dynabus.core.global_tables.conflicts import Conflict
from dynabus.core.global_tables.unseen import Unseen
from dynabus.core.propagation.view import Derived
from dynabus.core.streams.changes import Change
from dynabus.core.streams.sequence import Sequence as SequenceNumber
from dynabus.core.streams.view import Stream


class Stage(Enum):
    WAITING = "waiting"
    READING = "reading"
    SEALED = "sealed"
    STOPPED = "stopped"


class Output(NamedTuple):
    """One record for a stream topic, in the topic partition with the number of the log's partition; or, with a
    `conflict`, for the conflicts topic of the stream's table. `floors`: as `Floors.encode` has them."""

    stream: Stream
    number: int
    type: str
    sequence: SequenceNumber
    change: Change | None = None
    conflict: Conflict | None = None
    floors: bytes = b""
    unseen: Unseen | None = None


class Knowledge(NamedTuple):
    """What metadata say of a table's streams and indexes."""

    version: int
    streams: Sequence[Derived]
