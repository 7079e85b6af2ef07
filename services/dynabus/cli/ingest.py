"""`dynabus admin ingest`: a table takes commands from Kafka, or not any more."""

from __future__ import annotations

from collections.abc import Callable

from dynabus.cli.control import ask
from dynabus.cli.target import Target
from dynabus.core.topics import Topics

Say = Callable[[str], None]


def switch_ingest(target: Target, table: str, enabled: bool, say: Say) -> None:
    """Raises Problem: refused, or no cluster. Topics are made within a second of it."""
    cluster = target.require()
    ask(cluster, "SwitchIngest", {"TableName": table, "Enabled": enabled})
    topics = Topics(cluster.namespace)
    if enabled:
        say(f"{table} takes commands from {topics.ingest(table).name} and {topics.common_ingest().name}")
        say(f"outcomes: {topics.outcomes(table).name}; what is no command: {topics.dead_letters().name}")
    else:
        say(f"{table} takes no commands; what {topics.ingest(table).name} has is read when it is switched on again")
