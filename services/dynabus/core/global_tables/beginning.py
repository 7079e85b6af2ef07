"""Where RepOut begins to read a shard for another life of its link, and what it passes by. Pure.

A link lives anew whenever its region is copied to again (`sending`). Then a shard is read from the least of these:

| what is sent             | from                                                                                  |
|--------------------------|---------------------------------------------------------------------------------------|
| own changes              | where they are not acknowledged yet; what is older than the link is left out, too, if |
|                          | the initial copy has own rows, and only then                                          |
| those of regions that    | what is not older than the link: the initial copy has what was passed by before       |
| are gone (`forwards`)    |                                                                                       |

A shard that the group has no offset of was never sent. A closed one is read from where it was, for its end: behind
that there may be repeats.
"""

from __future__ import annotations

from typing import NamedTuple

from dynabus.core.global_tables.committed import Found
from dynabus.core.streams.consuming import Extent, Mark


class Begin(NamedTuple):
    """It is read from `offset`; own changes before `own_behind` are passed by."""

    offset: int
    own_behind: int


def begin_anew(
    first: int, extent: Extent, known: Found | None, *, is_open: bool, copies_own: bool, forwards: bool
) -> Begin | None:
    """None: it was read to its end, and nothing is sent once more.

    `known`: what the group has of the shard. `first`: of the records that are not older than the link; `extent.end`:
    all are older; below `extent.low`: some are gone. `copies_own`: the initial copy of this life has own rows.
    """
    if known is None:
        at = extent.low
        # What retention took may never have been sent.
        sent = at - (at > 0)
    else:
        at = known.progress.offset
        sent = max(at, known.own_behind)
    own = max(sent, first) if copies_own else sent
    begin = min(own, first) if forwards else own
    if known is not None and known.progress.mark is Mark.ENDED and begin >= at - 1:
        return None
    return Begin(begin if is_open else min(begin, at), own)
