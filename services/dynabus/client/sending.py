"""Sends gathered commands, in a thread of its own: what linger and the producer decide costs no caller a wait."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from threading import Condition, Thread

from confluent_kafka import KafkaError, KafkaException, Producer

from dynabus.adapters.clock import exact_ms
from dynabus.adapters.kafka.release import let_go
from dynabus.adapters.kafka.settings import Properties
from dynabus.client.errors import NotSentError, UnknownOutcomeError
from dynabus.client.flight import Flight
from dynabus.core.ingest.gathering import NEVER, Batch, Gathering

SERVE_S = 0.1
"""Between two looks at what was delivered, while something is not."""

QUEUE_FULL_S = 0.05

PURGE_S = 1.0
"""For a producer that is replaced to give back what it has; it does so at once."""

PURGED = frozenset({KafkaError._PURGE_QUEUE, KafkaError._PURGE_INFLIGHT})

_log = logging.getLogger("dynabus.client")


class Sender:
    """One producer, and what is gathered for it. `failed` is called in the thread when it ends by a defect."""

    def __init__(
        self, properties: Properties, topic: str, linger_ms: float, flight: Flight, failed: Callable[[], None]
    ) -> None:
        self._properties, self._topic, self._flight, self._failed = properties, topic, flight, failed
        self._gathering = Gathering(linger_ms)
        self._changed = Condition()
        self._is_hurrying = self._is_closing = False
        self._producer = self._make()
        self._is_stuck = False
        self._again: list[Batch] = []
        """What a producer that is stuck has given back."""
        self.thread = Thread(target=self._run, name="dynabus-commands", daemon=True)
        self.thread.start()

    def add(self, track: int, command: bytes, number: int) -> None:
        """Commands of a track leave in the order in which they are added."""
        with self._changed:
            if self._gathering.add(track, command, number, exact_ms()):
                self._changed.notify()

    def hurry(self) -> None:
        """What is gathered, and what comes, leaves at once."""
        with self._changed:
            self._is_hurrying = True
            self._changed.notify()

    def close(self) -> None:
        """What is not delivered by now is nobody's any more."""
        with self._changed:
            self._is_closing = True
            self._changed.notify()
        self.thread.join()

    def _run(self) -> None:
        try:
            while (batches := self._next()) is not None:
                for batch in batches:
                    self._send(batch)
                self._serve()
        except Exception:
            _log.exception("%s: the thread that sends commands failed", self._topic)
            self._failed()
        finally:
            self._producer.purge(blocking=False)
            held = [self._producer]
            del self._producer
            let_go(held)

    def _next(self) -> list[Batch] | None:
        """What is due, perhaps nothing; None at the end."""
        with self._changed:
            if not self._is_closing and (wait_s := self._wait_s()) > 0:
                self._changed.wait(wait_s if wait_s < NEVER else None)
            return None if self._is_closing else self._gathering.take(NEVER if self._is_hurrying else exact_ms())

    def _wait_s(self) -> float:
        due_ms = self._gathering.due_ms
        if self._is_hurrying and due_ms < NEVER:
            return 0.0
        serve_s = SERVE_S if len(self._producer) or self._is_stuck else NEVER
        return min((due_ms - exact_ms()) / 1000, serve_s)

    # -- the producer -----------------------------------------------------------------------------------------

    def _make(self) -> Producer:
        return Producer(self._properties, logger=_log)

    def _send(self, batch: Batch) -> None:
        while not self._is_taken(batch):
            self._producer.poll(QUEUE_FULL_S)

    def _is_taken(self, batch: Batch) -> bool:
        """To its topic partition, which is its Kafka key, too: one item's commands stay together."""
        report = partial(self._reported, batch)
        try:
            self._producer.produce(self._topic, batch.value, str(batch.track), batch.track, on_delivery=report)
        except BufferError:
            return False
        except KafkaException as refusal:
            self._refused(batch, refusal.args[0])
        return True

    def _refused(self, batch: Batch, error: KafkaError) -> None:
        if error.fatal():
            self._is_stuck = True
            self._again.append(batch)
            return
        why = f"the Kafka client did not take the command: {error.str()}"
        self._flight.fail(batch.numbers, lambda _: NotSentError(why))

    def _reported(self, batch: Batch, error: KafkaError | None, _message: object) -> None:
        if error is None:
            self._flight.delivered(batch.numbers)
            return
        if error.code() in PURGED:
            self._again.append(batch)
            return
        # One that timed out may come from a producer that believes there are no brokers, for good (librdkafka 5301).
        self._is_stuck = self._is_stuck or error.fatal() or error.code() == KafkaError._MSG_TIMED_OUT
        why = f"Kafka did not take the command ({error.str()})"
        self._flight.fail(batch.numbers, lambda token: UnknownOutcomeError(why, token))

    def _serve(self) -> None:
        self._producer.poll(0)
        if self._is_stuck:
            self._replace()

    def _replace(self) -> None:
        """Another producer sends what this one has, in the same order. Kafka may have some of it already, or get it
        from the old one yet: a token counts once, and the copy behind it changes nothing."""
        stuck, self._producer = self._producer, self._make()
        stuck.purge(blocking=False)
        end_ms = exact_ms() + PURGE_S * 1000
        while len(stuck) and exact_ms() < end_ms:
            stuck.poll(SERVE_S)
        held = [stuck]
        del stuck
        let_go(held)
        again = sorted(self._again, key=lambda batch: batch.serial)
        self._again, self._is_stuck = [], False
        for batch in again:
            if self._flight.awaits(batch.numbers):
                self._send(batch)
