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

PATIENCE_S = 120.0
"""Without any progress. Longer than a fail-over and than a restart of a cluster; then a person should look."""

THROTTLED = frozenset(
    {
        "ProvisionedThroughputExceededException",
        "ThrottlingException",
        "RequestLimitExceeded",
        "LimitExceededException",
        "Throttling",
    }
)


class Stopped(Exception):
    """The work was stopped from outside: Ctrl-C, or another thread failed."""


class Transport(Protocol):
    """What sends one request, or a test's stand-in."""

    url: str

    def call(self, operation: str, body: bytes) -> Any:
        """The parsed answer; raises Refused or Unreachable."""


class Backoff:
    """The waits of one piece of work; begins anew with every progress."""

    def __init__(self, stop: Event, now: Callable[[], float] = monotonic) -> None:
        self._stop = stop
        self._now = now
        self.progressed()

    def progressed(self) -> None:
        self._failures = 0
        self._since = self._now()

    def wait(self, reason: str, where: str) -> None:
        """Wait before the next try. Raises Problem when patience is at its end, Stopped if the work was stopped."""
        if self._now() - self._since > PATIENCE_S:
            raise Problem(f"{where}: no success for {PATIENCE_S:.0f} s ({reason}); --resume goes on later")
        most_s: float = min(LONGEST_S, BASE_S * 2**self._failures)
        self._failures += 1
        if self._stop.wait(random.uniform(0, most_s)):
            raise Stopped


class Client:
    """Asks one endpoint, from any thread."""

    def __init__(self, transport: Transport, stop: Event) -> None:
        self._transport = transport
        self.stop = stop

    @property
    def url(self) -> str:
        return self._transport.url

    def first(self, operation: str, body: Mapping[str, Any]) -> Any:
        """Without patience for an endpoint that is not there: the first request says whether the address is right."""
        try:
            return self._transport.call(operation, orjson.dumps(body))
        except Unreachable as gone:
            raise Problem(
                f"cannot reach {self.url}: {gone}; does it run? (`dynabus status`, --endpoint-url)"
            ) from gone
        except Refused as refused:
            if not _worth_a_retry(refused):
                raise
        return self.ask(operation, body)

    def ask(self, operation: str, body: Mapping[str, Any] | bytes) -> Any:
        """The answer, after as many tries as it takes. Raises Refused, Problem and Stopped."""
        raw = body if isinstance(body, bytes) else orjson.dumps(body)
        backoff = Backoff(self.stop)
        while True:
            if self.stop.is_set():
                raise Stopped
            try:
                return self._transport.call(operation, raw)
            except Unreachable as gone:
                reason = str(gone)
            except Refused as refused:
                if not _worth_a_retry(refused):
                    raise
                reason = str(refused)
            backoff.wait(reason, self.url)


def _worth_a_retry(refused: Refused) -> bool:
    return refused.code in THROTTLED or refused.status >= 500 or refused.status == 429
