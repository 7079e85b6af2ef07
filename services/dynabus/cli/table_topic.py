"""`dynabus admin table-topic`: a table as a compacted Kafka topic, or not any more."""

from __future__ import annotations

from collections.abc import Callable

from dynabus.cli.control import ask
from dynabus.cli.target import Target
from dynabus.core.topics import Topics

Say = Callable[[str], None]


def switch_table_topic(target: Target, table: str, enabled: bool, say: Say) -> None:
    """Raises Problem: refused, or no cluster. The topic is made within a second of it, and filled behind that."""
    cluster = target.require()
    ask(cluster, "SwitchTableTopic", {"TableName": table, "Enabled": enabled})
    topic = Topics(cluster.namespace).table_name(table)
    if enabled:
        say(f"{table} is written to {topic}; status says when it has all items")
    else:
        say(f"{topic} is deleted")
