"""`ingest`: writes a table through Kafka, and tells what became of each command, to threads as to event loops."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from itertools import count
from threading import current_thread
from types import TracebackType
from typing import Any, Literal, Unpack

from dynabus.adapters.kafka.settings import KafkaSettings
from dynabus.client.commands import Conditional, Updating, command_of, request_of
from dynabus.client.connection import kafka_settings
from dynabus.client.errors import ClientError, NoIngestError
from dynabus.client.flight import Flight
from dynabus.client.outcome import Outcome
from dynabus.client.outcome_reader import OutcomeReader
from dynabus.client.sending import Sender
from dynabus.core.ingest.gathering import track_of
from dynabus.core.topics import Topics

TIMEOUT_MOST_S = 300
"""Half of the time for which a token is kept: the other half is for asking with it."""

BROKEN = "this producer failed; its log says why. Close it and make another one"
CLOSED = "this producer is closed"


def ingest(
    table: str,
    *,
    kafka: str,
    namespace: str = "dynabus",
    timeout_s: float = 30.0,
    linger_ms: float = 5.0,
    under_way_most: int = 10_000,
    on_full: Literal["wait", "raise"] = "wait",
    config: Mapping[str, str] | None = None,
) -> Ingest:
    """Write a table through Kafka; `dynabus admin ingest TABLE on` lets it take commands. Use it in a `with` block.

    kafka: `host:port`, as `dynabus status` shows it; `config`: further librdkafka properties (TLS, SASL).
    timeout_s: a command without an outcome by then has an UnknownOutcomeError.
    linger_ms: so long a command waits for others to share its message.
    under_way_most: commands whose outcomes have not come yet (and 64 MB of them). One more waits for room, which
    holds up an event loop; with on_full="raise" it is refused with FullError, as it is in callbacks of outcomes.

    Takes as long as a few answers of Kafka. Raises NoIngestError, NoKafkaError.
    """
    if not 0 < timeout_s <= TIMEOUT_MOST_S:
        raise ValueError(f"timeout_s is more than 0 and at most {TIMEOUT_MOST_S}: tokens are kept for ten minutes")
    settings = kafka_settings(kafka, namespace, f"ingest-{table}", config)
    return Ingest(settings, table, timeout_s, linger_ms, under_way_most, on_full == "wait")


class Ingest:
    """Made by `ingest`. Any thread or task may use it; one item's commands are decided in the order of their calls.

    Each call sends a command and returns its `Outcome` at once. Members of requests are those of the DynamoDB API
    with Python values. `token`: who puts the same command again with it, within ten minutes, writes once (a random
    one by default). Calls raise NoIngestError where the table takes no commands any more, FullError, and TypeError
    for what has no type in DynamoDB; whatever else is wrong with a command its outcome says.
    """

    def __init__(
        self, kafka: KafkaSettings, table: str, timeout_s: float, linger_ms: float, most: int, waits: bool
    ) -> None:
        self._waits = waits
        self._numbers = count()
        # Random: nobody else's outcomes, nor those of a producer before this one, are taken for ours.
        self._prefix = f"{secrets.token_hex(8)}/"
        self._flight = Flight(timeout_s, most)
        self._reader = OutcomeReader(kafka, table, self._prefix, self._flight, self._failed)
        properties = kafka.command_producer(int(timeout_s * 1000))
        topic = Topics(kafka.namespace).ingest(table).name
        self._sender = Sender(properties, topic, linger_ms, self._flight, self._failed)
        self._threads = (self._reader.thread, self._sender.thread)
        self._is_closed = False

    def put(self, item: Mapping[str, Any], *, token: str | None = None, **more: Unpack[Conditional]) -> Outcome:
        """PutItem."""
        return self._command("PutItem", "Item", request_of("Item", item, more, Conditional), token)

    def update(self, key: Mapping[str, Any], *, token: str | None = None, **more: Unpack[Updating]) -> Outcome:
        """UpdateItem."""
        return self._command("UpdateItem", "Key", request_of("Key", key, more, Updating), token)

    def delete(self, key: Mapping[str, Any], *, token: str | None = None, **more: Unpack[Conditional]) -> Outcome:
        """DeleteItem."""
        return self._command("DeleteItem", "Key", request_of("Key", key, more, Conditional), token)

    def close(self) -> None:
        """Wait for what is under way, which is over within the time limit, and end."""
        if current_thread() in self._threads:
            raise ClientError("a callback of an outcome cannot close its producer, which waits for callbacks")
        if self._is_closed:
            return
        self._is_closed = True
        self._sender.hurry()
        self._flight.wait_until_over()
        self._flight.give_up(CLOSED)
        self._sender.close()
        self._reader.close()

    def _command(self, operation: str, subject: str, request: Mapping[str, Any], token: str | None) -> Outcome:
        if self._is_closed:
            raise ClientError(CLOSED)
        if (refusal := self._reader.refusal) is not None:
            raise NoIngestError(refusal)
        number = next(self._numbers)
        outcome = Outcome(secrets.token_hex(16) if token is None else token)
        command = command_of(operation, request, outcome.token, f"{self._prefix}{number}")
        track = track_of(self._reader.schema, request[subject], self._reader.tracks)
        # Our own threads make room, so they cannot wait for it.
        waits = self._waits and current_thread() not in self._threads
        self._flight.begin(number, outcome, len(command), wait=waits)
        self._sender.add(track, command, number)
        return outcome

    def _failed(self) -> None:
        self._flight.give_up(BROKEN)

    # -- with, async with -------------------------------------------------------------------------------------

    def __enter__(self) -> Ingest:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Ingest:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.close)
