"""Identifiers, each of its own type, so that a node's name is never passed where a table's id belongs."""

from typing import NamedTuple, NewType

NodeName = NewType("NodeName", str)
"""Name of a storage node (or auto-admin), unique in a cluster, 1-48 characters of `[a-z0-9-]`."""

LogId = NewType("LogId", str)
"""Id of a table (or `<table id>.<index id>`): 32 hexadecimal digits, unique for ever, never re-used."""

Incarnation = NewType("Incarnation", int)
"""One run of a process: `unix milliseconds << 20 | random`, greater than every earlier one's (63 bits)."""


class PartitionId(NamedTuple):
    """A partition: `number` is also its topic partition in the topic `<ns>.log.<log>`."""

    log: LogId
    number: int

    def __str__(self) -> str:
        return f"{self.log}/{self.number}"


class Writer(NamedTuple):
    """Who appended a record: a node's name alone never identifies a leader (I2)."""

    node: NodeName
    incarnation: Incarnation


class RequestId(NamedTuple):
    """Identity of one change through all its re-sends (I10); `part` counts within one API request."""

    incarnation: Incarnation
    counter: int
    part: int
