"""Pages of rows beside the log, where nobody compares places afterwards: what of a page is the newest. Pure.

A page is what the log says up to its place A (`Page.next_offset`), all of it, since a replica reads it in one
transaction. From when a page is asked for the follower remembers which keys have changed, and where:

| the follower's place is | then                                                                      |
|-------------------------|---------------------------------------------------------------------------|
| before A                | the page waits: what the log has before A would come behind it otherwise  |
| A, or behind it         | items count that did not change at A or later; of the others the log told |

A page of before the first offset that is remembered is no answer; it was asked for by a follower of before.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from dynabus.core.global_indexes.backfill import Page

REMEMBERED_MOST = 10_000
"""Keys: ten seconds of what one leader takes. A replica that is further behind than that is asked again."""


class Offered(NamedTuple):
    """A page for a table topic, from a position on."""

    label: str
    position: bytes
    page: Page


@dataclass(slots=True)
class Snapshots:
    """Of one log; one page at a time."""

    waiting: Offered | None = None
    since: int | None = None
    """All changes from this offset on are remembered; None: nobody has asked for a page."""
    _changed: dict[bytes, int] = field(default_factory=dict)

    def ask(self, next_offset: int, *, is_sweep: bool = False) -> int:
        """A page is wanted: of a replica that has applied all before this offset.

        That of a sweep takes minutes, so it is asked for once: all keys that change meanwhile are remembered.
        """
        if self.since is None or (len(self._changed) > REMEMBERED_MOST and not is_sweep):
            self.since = next_offset
            self._changed.clear()
        return self.since

    def changed(self, key: bytes, offset: int) -> None:
        """The log has told this."""
        waiting = self.waiting
        # Before the place of a page that waits nothing matters any more: there may be a long way to it.
        if self.since is not None and (waiting is None or offset >= waiting.page.next_offset):
            self._changed[key] = offset

    def offer(self, offered: Offered) -> None:
        """A page came; None is waited for while one is there."""
        since = self.since
        if self.waiting is None and since is not None and offered.page.next_offset >= since:
            self.waiting = offered

    def ripe(self, next_offset: int) -> Offered | None:
        """The page that waits, once the log is folded up to it."""
        waiting = self.waiting
        return waiting if waiting is not None and next_offset >= waiting.page.next_offset else None

    def is_newest(self, key: bytes, offered: Offered) -> bool:
        """The log has told nothing of it since the page."""
        return self._changed.get(key, -1) < offered.page.next_offset

    def done(self) -> None:
        """The page was used, or nobody wants it."""
        self.waiting = self.since = None
        self._changed.clear()
