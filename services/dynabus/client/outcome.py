"""What became of a command: a future for threads and for event loops."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Generator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

import orjson

from dynabus.client.errors import ClientError, RefusedError, UnreadableError
from dynabus.client.values import Item, item_of
from dynabus.core.ingest.results import Status

_log = logging.getLogger("dynabus.client")


@dataclass(frozen=True, slots=True)
class Applied:
    """The write counts. `attributes`: as ReturnValues asked for them, as Python values; empty where there are none.

    `answer`: all that the API answers, in DynamoDB's JSON. `seen`: what `SeenPlaces.add` takes, so that reads see it.
    """

    attributes: Item
    answer: Mapping[str, Any]
    seen: str = ""


class Outcome(Future[Applied]):
    """Of one command, which cannot be cancelled. `await` it in any event loop, or ask it for its `result(timeout)`.

    Raises RefusedError, UnreadableError, UnknownOutcomeError, NotSentError; TimeoutError where nothing is known after
    `timeout` seconds. Of errors that nobody asks for the first is logged, the second, the fourth and so on.
    """

    unasked = 0

    def __init__(self, token: str) -> None:
        super().__init__()
        self.token = token
        self._was_asked = False
        # A future that runs cannot be cancelled: whoever stops waiting does not stop the command.
        self.set_running_or_notify_cancel()

    def result(self, timeout: float | None = None) -> Applied:
        """Wait for it."""
        self._was_asked = True
        return super().result(timeout)

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Wait for it; None where the command was applied."""
        self._was_asked = True
        return super().exception(timeout)

    def __await__(self) -> Generator[Any, None, Applied]:
        return asyncio.wrap_future(self).__await__()

    def __del__(self) -> None:
        if not self._was_asked and self.done() and (error := super().exception()) is not None:
            Outcome.unasked += 1
            if Outcome.unasked & (Outcome.unasked - 1) == 0:
                _log.warning("nobody asked what became of a command (%d so far): %s", Outcome.unasked, error)


def read_outcome(value: bytes) -> Applied | ClientError:
    """The value of a record of an outcomes topic."""
    told = orjson.loads(value)
    answer = told["answer"]
    if told["status"] == Status.APPLIED.name:
        return Applied(item_of(answer.get("Attributes", {})), answer, told.get("seen") or "")
    message = answer.get("message", answer.get("Message", ""))
    if told["status"] == Status.UNREADABLE.name:
        return UnreadableError(f"no command: {message}")
    item = answer.get("Item")
    return RefusedError(answer["__type"].rpartition("#")[2], message, None if item is None else item_of(item))
