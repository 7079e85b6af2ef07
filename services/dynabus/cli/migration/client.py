"""A client that does not give up at once: retries with exponential backoff and full jitter.

Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html (what is retried,
and how). Every request that is sent here may be repeated: scans, puts of whole items, descriptions.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from threading import Event
from time import monotonic
from typing import Any, Protocol

import orjson

from dynabus.cli.migration.endpoint import Refused, Unreachable
from dynabus.cli.problem import Problem

BASE_S, LONGEST_S = 0.05, 5.0
"""First wait at most 50 ms (AWS's guide), then doubling; 5 s is soon enough to notice that a table serves again."""

MOST_DOUBLINGS = 7
"""Reach the longest wait; an hour of them would not fit into a float."""

PATIENCE_S = 120.0
"""Without a sign of life. Longer than a fail-over and than a restart of a cluster; then a person should look."""

THROTTLED_PATIENCE_S = 3600.0
"""Without progress of an endpoint that throttles. A page of 1 MB costs a table of 1 unit 256 s, an item of 400 KB
400 s: each is paid off within the hour several times over."""

THROTTLED = frozenset(
    {"ProvisionedThroughputExceededException", "ThrottlingException", "RequestLimitExceeded", "Throttling"}
)
"""They prove that the endpoint lives."""

TOO_MANY_AT_ONCE = "LimitExceededException"
"""Of tables that are being created: asked again, but no matter of a table's throughput."""


class Stopped(Exception):
    """The work was stopped from outside: Ctrl-C, or another thread failed."""


class Transport(Protocol):
    """What sends one request, or a test's stand-in."""

    url: str

    def call(self, operation: str, body: bytes) -> Any:
        """The parsed answer; raises Refused or Unreachable."""


class Pulse:
    """When an endpoint last lived and last got on with the work, whichever thread saw it."""

    def __init__(self, now: Callable[[], float] = monotonic) -> None:
        self.now = now
        self.progressed()

    def lives(self) -> None:
        self.lived_s = self.now()

    def progressed(self) -> None:
        self.lived_s = self.progressed_s = self.now()


class Backoff:
    """The waits of one piece of work; patient from its beginning, and as long as the endpoint has a pulse."""

    def __init__(self, stop: Event, pulse: Pulse) -> None:
        self._stop = stop
        self._pulse = pulse
        self._began_s = pulse.now()
        self._failures = 0

    def progressed(self) -> None:
        self._failures = 0
        self._pulse.progressed()

    def wait(self, reason: str, where: str, *, throttled: bool = False) -> None:
        """Wait before the next try. Raises Problem when patience is at its end, Stopped if the work was stopped."""
        if throttled:
            self._pulse.lives()
            if self._idle_s(self._pulse.progressed_s) > THROTTLED_PATIENCE_S:
                raise Problem(
                    f"{where}: throttled for {THROTTLED_PATIENCE_S / 60:.0f} minutes without progress ({reason}); "
                    "probably the table's throughput is too low: raise it, then --resume"
                )
        elif self._idle_s(self._pulse.lived_s) > PATIENCE_S:
            raise Problem(f"{where}: no success for {PATIENCE_S:.0f} s ({reason}); --resume goes on later")
        most_s: float = min(LONGEST_S, BASE_S * 2 ** min(self._failures, MOST_DOUBLINGS))
        self._failures += 1
        if self._stop.wait(random.uniform(0, most_s)):
            raise Stopped

    def _idle_s(self, since_s: float) -> float:
        return self._pulse.now() - max(self._began_s, since_s)


class Client:
    """Asks one endpoint, from any thread; as long as one of them gets on, none of them gives up."""

    def __init__(self, transport: Transport, stop: Event, now: Callable[[], float] = monotonic) -> None:
        self._transport = transport
        self.stop = stop
        self.pulse = Pulse(now)

    @property
    def url(self) -> str:
        return self._transport.url

    def first(self, operation: str, body: Mapping[str, Any]) -> Any:
        """Without patience for an endpoint that is not there: the first request says whether the address is right."""
        try:
            answered = self._transport.call(operation, orjson.dumps(body))
        except Unreachable as gone:
            raise Problem(
                f"cannot reach {self.url}: {gone}; does it run? (`dynabus status`, --endpoint-url)"
            ) from gone
        except Refused as refused:
            if not _worth_a_retry(refused):
                raise
            return self.ask(operation, body)
        self.pulse.progressed()
        return answered

    def ask(self, operation: str, body: Mapping[str, Any] | bytes, *, is_progress: bool = True) -> Any:
        """The answer, after as many tries as it takes. Raises Refused, Problem and Stopped.

        `is_progress`: any answer is; of a batch of writes only its caller knows.
        """
        raw = body if isinstance(body, bytes) else orjson.dumps(body)
        backoff = Backoff(self.stop, self.pulse)
        while True:
            if self.stop.is_set():
                raise Stopped
            try:
                answered = self._transport.call(operation, raw)
            except Unreachable as gone:
                reason, throttled = str(gone), False
            except Refused as refused:
                if not _worth_a_retry(refused):
                    raise
                reason, throttled = str(refused), refused.code in THROTTLED
            else:
                if is_progress:
                    self.pulse.progressed()
                return answered
            backoff.wait(reason, self.url, throttled=throttled)


def _worth_a_retry(refused: Refused) -> bool:
    return refused.code in THROTTLED | {TOO_MANY_AT_ONCE} or refused.status >= 500 or refused.status == 429
