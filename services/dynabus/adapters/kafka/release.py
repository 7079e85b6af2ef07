"""Kafka clients that are not needed any more."""

from __future__ import annotations

import threading

from confluent_kafka import Consumer, Producer


def let_go(held: list[Producer] | list[Consumer]) -> None:
    """Destroy what only the list holds, in a thread of its own: it may take seconds where Kafka is cut off."""
    threading.Thread(target=held.clear, name="let-go", daemon=True).start()
