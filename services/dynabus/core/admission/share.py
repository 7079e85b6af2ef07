"""A router's part of one table's reads or writes: what it may spend by its lease, or alone where it has none."""

from __future__ import annotations

from dynabus.core.admission.messages import Grant

ALONE_MS = 30_000.0
"""How long a router goes on without an answer: several times as long as a fail-over takes. Then it refuses."""

ALONE_LEAST = 1000
"""Half units that are there at once without a lease, if the table's bucket is believed to hold them: what a burst on
a slow table uses within the time of an answer."""

HELD_MS = 2000.0
"""A router asks for what it will need within so long: hundreds of times as long as an answer takes."""

WANTED_LEAST = 1000
"""Half units: a burst begins within the time of an answer, and what is unspent is the table's again."""

RENEWED_BEFORE_MS = 1000.0
"""A lease in use is renewed so long before its end."""


class Share:
    """Counts are half units; `spent` and `confirmed` count from the router's start and never begin again.

    `limit` is the count up to which may be spent before `expires_ms`.
    """

    __slots__ = (
        "_alone_since_ms",
        "_refilled_ms",
        "_told_ms",
        "_tried_since_ms",
        "ask_below",
        "capacity",
        "confirmed",
        "expires_ms",
        "granted",
        "level",
        "limit",
        "rate",
        "renew_ms",
        "spent",
        "tried",
        "wanted",
    )

    def __init__(self, rate: int, now_ms: float) -> None:
        self.spent = self.confirmed = self.limit = self.granted = 0
        self.tried = 0
        """What was asked for since the last request for a lease, refused or not."""
        self.wanted = 0
        self.ask_below = 0
        """Left to spend: below it the router asks."""
        self.rate = self.capacity = rate
        """Of this router, of the table: half units per second. Before the first lease they are the same."""
        self.level: int | None = None
        """Of the table's bucket, as the authority said last."""
        self.expires_ms = self.renew_ms = float("-inf")
        self._tried_since_ms = now_ms
        self._alone_since_ms: float | None = None
        self._refilled_ms = self._told_ms = now_ms

    @property
    def left(self) -> int:
        return self.limit - self.spent

    def take(self, units: int, now_ms: float, unanswered: bool) -> bool:
        """Spend, where that is allowed; `unanswered`: the authority has not answered in time.

        A request that costs more than the lease is admitted once the lease is whole: a table's bucket would admit it,
        and what it takes is missing there afterwards.
        """
        if now_ms >= self.expires_ms or unanswered:
            self._go_on_alone(now_ms)
        if self.left <= 0 or self.left < min(units, self.granted):
            return False
        self.spent += units
        return True

    def _go_on_alone(self, now_ms: float) -> None:
        """Refill by the last share of the rate, for a bounded time."""
        at_once = max(self.rate, ALONE_LEAST)
        if self._alone_since_ms is None:
            self._alone_since_ms = self._refilled_ms = now_ms
            if now_ms >= self.expires_ms:
                self.limit = min(self.limit, self.spent) + min(at_once, self._believed(now_ms))
            self.granted = min(self.granted, at_once)
        until_ms = min(now_ms, self._alone_since_ms + ALONE_MS)
        units = int(self.rate * (until_ms - self._refilled_ms)) // 1000
        if units > 0:
            self._refilled_ms += units * 1000 / self.rate
            self.limit = max(self.limit, min(self.limit + units, self.spent + at_once))

    def _believed(self, now_ms: float) -> int:
        """What the table's bucket holds by now, if nobody else used it: nothing is there at once of an empty one."""
        if self.level is None:
            return max(self.rate, ALONE_LEAST)  # full, until an authority says otherwise
        return max(0, self.level + self.capacity * int(now_ms - self._told_ms) // 1000)

    def request(self, now_ms: float) -> int:
        """How much to ask for now: the need of the next seconds, at least a burst's beginning. Counts anew."""
        elapsed_ms = max(now_ms - self._tried_since_ms, 50.0)
        need = int(self.tried * HELD_MS / elapsed_ms)
        self.wanted = max(need, self.capacity, WANTED_LEAST) if self.tried else 0
        self.tried, self._tried_since_ms = 0, now_ms
        return self.wanted

    def answered(self, grant: Grant, asked_ms: float, duration_ms: float) -> None:
        """A lease, which replaces the one before. Its time runs from before it was asked for."""
        self.confirmed = grant["spent"]
        self.limit, self.granted = grant["spent"] + grant["granted"], grant["granted"]
        self.ask_below = grant["granted"] // 2
        self.rate, self.capacity, self.level = grant["rate"], grant["capacity"], grant["level"]
        # What was not wanted is no lease of nothing: the first that needs it need not wait.
        self.expires_ms = asked_ms + duration_ms if self.wanted else float("-inf")
        self._told_ms = asked_ms
        self.renew_ms = self.expires_ms - RENEWED_BEFORE_MS
        self._alone_since_ms = None
