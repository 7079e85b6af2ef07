"""Tells what became of commands: outcomes to their producers, dead letters to people."""

from __future__ import annotations

from collections.abc import Callable

import orjson

from dynabus.adapters.ingest_codec import encode_outcome
from dynabus.adapters.kafka.outbox import Letter, Outbox
from dynabus.core.ingest.commands import WHOLE, Command, Poison
from dynabus.core.ingest.results import Outcome, Status, dead_letter_headers, unreadable
from dynabus.core.topic_settings import MESSAGE_LIMIT_BYTES
from dynabus.core.topics import Topics
from dynabus.request_router.ingest.tasks import Source

WHY_MOST = 500
"""Characters: it may quote what was sent."""

LETTER_BYTES_MOST = MESSAGE_LIMIT_BYTES - 64 * 1024
"""What Kafka takes, less headers and what is around them. A message that was compressed may be larger."""

KEY_MOST = 64 * 1024
"""Of a message whose value is left out, or that is answered."""

Done = Callable[[], None]
"""Kafka has it."""


class Telling:
    """`is_there`: whether a table of this name takes commands or ever did; others have no topic of outcomes. Counts
    what it tells."""

    def __init__(self, outbox: Outbox, topics: Topics, is_there: Callable[[str], bool]) -> None:
        self._outbox, self._topics, self._is_there = outbox, topics, is_there
        self.applied = self.refused = self.unreadable = 0

    def outcome(
        self,
        source: Source,
        command: Command,
        status: Status,
        answer: bytes,
        done: Done,
        seen: str | None = None,
    ) -> None:
        """Of a command that was decided."""
        if status is Status.APPLIED:
            self.applied += 1
        else:
            self.refused += 1
        outcome = Outcome(source.place, status, answer, command.token, command.correlation_id, seen)
        self._post(command.table, source, outcome, done)

    def dead_letter(self, source: Source, poison: Poison, done: Done) -> None:
        """The dead letter, and then the outcome if somebody waits for it."""
        self.unreadable += 1
        table, correlation_id, why = poison.table, poison.correlation_id, poison.why[:WHY_MOST]

        def buried() -> None:
            if table is None or correlation_id is None or not self._is_there(table):
                done()
                return
            outcome = Outcome(source.place, Status.UNREADABLE, unreadable(why), None, correlation_id)
            self._post(table, source, outcome, done)

        value = _as_it_was(source, poison)
        headers, key = dead_letter_headers(source.place, why), source.key
        if (size := len(value or b"") + len(key or b"")) > LETTER_BYTES_MOST:
            told = f"{size} bytes, too many to be written again: they are where they were"
            value, key = None, key if len(key or b"") <= KEY_MOST else None
            headers.append(("left-out", told.encode()))
        self._outbox.send(Letter(self._topics.dead_letters().name, key, value, headers, lambda: True, buried))

    def _post(self, table: str, source: Source, outcome: Outcome, done: Done) -> None:
        headers = [("status", outcome.status.name.encode())]
        if outcome.correlation_id is not None:
            headers.append(("correlation-id", outcome.correlation_id.encode()))
        topic, value = self._topics.outcomes(table).name, encode_outcome(outcome, avro=source.is_avro)
        key = source.key if len(source.key or b"") <= KEY_MOST else None
        self._outbox.send(Letter(topic, key, value, headers, lambda: self._is_there(table), done))


def _as_it_was(source: Source, poison: Poison) -> bytes | None:
    """The message, or of a list the one element, so that nobody sends the others again with it."""
    if poison.element is WHOLE:
        return source.raw
    try:
        return orjson.dumps(poison.element)
    except TypeError:
        # It nests deeper than it can be written; whoever looks has the index.
        return source.raw
