"""What a destination is sent of."""

from __future__ import annotations

from typing import NamedTuple

from dynabus.core.global_tables.links import ACTIVE, Link
from dynabus.core.key_schema import KeySchema
from dynabus.core.streams.view import Stream


class Feed(NamedTuple):
    """A stream that goes to a destination, and what is needed to read it."""

    link: Link
    stream: Stream
    schema: KeySchema


def has_all(feed: Feed) -> bool:
    """The destination has all items, as far as it has acknowledged the stream."""
    return feed.link.status == ACTIVE
