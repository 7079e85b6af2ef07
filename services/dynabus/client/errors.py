"""What goes wrong for consumers. Each says what to do next."""

from __future__ import annotations


class ClientError(Exception):
    """Base of this package's errors."""


class NoStreamError(ClientError):
    """The table has no stream (or none of that label), or there is no such table or cluster."""


class TrimmedDataError(ClientError):
    """Changes that the group has not processed are gone: it was away for longer than the stream is kept.

    `shard`, and the first offset that is still there. Start over from a copy of the table, then with another group,
    or go on behind the gap: `on_trimmed="continue"`.
    """

    def __init__(self, shard: str, processed: int, low: int) -> None:
        super().__init__(
            f"shard {shard}: {low - processed} records behind what the group has processed are gone, the stream "
            'keeps them no longer; read the table anew, or pass on_trimmed="continue" to go on behind the gap'
        )
        self.shard, self.processed, self.low = shard, processed, low
