"""Kafka clients that are not needed any more."""

from __future__ import annotations

import threading

from confluent_kafka import Consumer, Producer


def let_go(held: list[Producer] | list[Consumer]) -> None:
    """Destroy what only the list holds, in a thread of its own: it may take seconds where Kafka is cut off."""
    threading.Thread(target=held.clear, name="let-go", daemon=True).start()


def hear_out(replaced: list[Producer]) -> None:
    """Let each purged producer say of its messages that they were not delivered; one that has said it is let go."""
    for _ in range(len(replaced)):
        held = [replaced.pop(0)]
        held[0].poll(0)
        if len(held[0]):
            replaced += held
        else:
            let_go(held)
