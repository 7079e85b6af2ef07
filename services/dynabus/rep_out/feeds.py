"""What a destination is sent of."""

from __future__ import annotations

from typing import NamedTuple

from dynabus.core.global_tables.committed import Found
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


def is_of_before(known: Found, link: Link) -> bool:
    """Of an earlier life of the link. What somebody else has committed counts, unless others' changes are sent on."""
    since = known.number("since")
    return since != link.created_ms and (since is not None or bool(link.forwards))
