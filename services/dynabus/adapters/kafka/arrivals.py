"""Messages that have arrived, together, without a wait for more."""

from __future__ import annotations

from confluent_kafka import Consumer, Message


def arrived(consumer: Consumer, most: int, timeout_s: float) -> list[Message]:
    """What is there, `most` of it at most; waits so long for a first message. Errors are among them, as messages.

    `Consumer.consume` with a timeout does not: it waits for `most` messages until the timeout is over, however many
    have come.
    """
    first = consumer.poll(timeout_s)
    if first is None:
        return []
    return [first, *consumer.consume(most - 1, 0)] if most > 1 else [first]
