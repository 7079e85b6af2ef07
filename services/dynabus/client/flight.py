"""Commands under way, for several threads: room for more, and who is told what."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from threading import Condition, Lock

from dynabus.adapters.clock import exact_ms
from dynabus.client.errors import ClientError, FullError, UnknownOutcomeError
from dynabus.client.outcome import Applied, Outcome
from dynabus.core.ingest.gathering import UnderWay

BYTES_MOST = 64 * 1024 * 1024
"""Of commands under way: as JSON, held here and by the Kafka client until Kafka has them."""

SLACK_S = 5.0
"""Beyond the time limit, for threads to tell what they know."""

NO_ANSWER = (
    "Kafka has the command, no router has answered within {limit:g} s (`dynabus status` shows whether they run)"
)
NO_KAFKA = "Kafka did not take the command within {limit:g} s, it may be away"


class Flight:
    """Outcomes are told outside of the lock: who waits for one may put the next one at once."""

    def __init__(self, limit_s: float, commands_most: int) -> None:
        self._limit_s = limit_s
        self._commands_most = commands_most
        self._under_way: UnderWay[Outcome] = UnderWay(limit_s * 1000, commands_most, BYTES_MOST)
        self._lock = Lock()
        self._changed = Condition(self._lock)
        self._waiting = 0
        self._over: str | None = None
        """Why nothing more is taken."""

    def __len__(self) -> int:
        return len(self._under_way)

    def begin(self, number: int, outcome: Outcome, size: int, *, wait: bool) -> None:
        """A command of so many bytes, once there is room for it. Raises FullError, ClientError."""
        with self._lock:
            has_room = self._has_room(size)
            if not has_room and wait:
                # Each of the others is over within the limit, whatever happens.
                has_room = self._wait(lambda: self._has_room(size), self._limit_s + SLACK_S)
            if not has_room:
                raise FullError(
                    f"{len(self)} commands are under way ({self._commands_most}, or {BYTES_MOST >> 20} MB, are the "
                    "most): this one was not sent; await some of them first"
                )
            if self._over is not None:
                raise ClientError(self._over)
            self._under_way.add(number, outcome, size, exact_ms())

    def _has_room(self, size: int) -> bool:
        return self._under_way.has_room(size) or self._over is not None

    def ended(self, results: Iterable[tuple[int, Applied | ClientError]]) -> None:
        """Outcomes of these numbers; of others' and those that are told already nothing is heard."""
        with self._lock:
            found = [(self._under_way.end(number), result) for number, result in results]
            self._tell_waiting()
        for outcome, result in found:
            if outcome is not None:
                _tell(outcome, result)

    def awaits(self, numbers: Iterable[int]) -> bool:
        """Whether one of them is under way."""
        with self._lock:
            return any(number in self._under_way for number in numbers)

    def delivered(self, numbers: list[int]) -> None:
        """Kafka has them."""
        with self._lock:
            self._under_way.delivered(numbers)

    def fail(self, numbers: Iterable[int], error_of: Callable[[str], ClientError]) -> None:
        """`error_of`: the error of a command with this token."""
        with self._lock:
            found = [outcome for number in numbers if (outcome := self._under_way.end(number)) is not None]
            self._tell_waiting()
        for outcome in found:
            _tell(outcome, error_of(outcome.token))

    def expire(self, hint: str | None = None) -> None:
        """Those whose time is over. `hint`: why nobody answers, if that is known."""
        self._expire(exact_ms(), hint)

    def give_up(self, why: str) -> None:
        """All: nothing more will be heard, and nothing more is taken."""
        with self._lock:
            self._over = why
        self._expire(float("inf"), why)

    def _expire(self, now_ms: float, why: str | None) -> None:
        with self._lock:
            late = self._under_way.overdue(now_ms)
            self._tell_waiting()
        for awaited in late:
            reason = why or (NO_ANSWER if awaited.delivered else NO_KAFKA).format(limit=self._limit_s)
            _tell(awaited.what, UnknownOutcomeError(reason, awaited.what.token))

    def wait_until_over(self) -> None:
        """Until nothing is under way: for the time limit at most."""
        with self._lock:
            self._wait(lambda: not self._under_way, self._limit_s + SLACK_S)

    def _wait(self, condition: Callable[[], bool], timeout_s: float) -> bool:
        self._waiting += 1
        try:
            return self._changed.wait_for(condition, timeout_s)
        finally:
            self._waiting -= 1

    def _tell_waiting(self) -> None:
        if self._waiting:
            self._changed.notify_all()


def _tell(outcome: Outcome, result: Applied | ClientError) -> None:
    if isinstance(result, ClientError):
        outcome.set_exception(result)
    else:
        outcome.set_result(result)
