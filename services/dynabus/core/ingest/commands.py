"""A message of an ingest topic: commands, each the request of an operation on one item.

| member         | type   | must it be there                    | what is refused                                  |
|----------------|--------|-------------------------------------|--------------------------------------------------|
| operation      | string | yes                                 | all but PutItem, UpdateItem, DeleteItem          |
| request        | object | yes                                 | TableName in it: the topic, or `table`, names it |
| table          | string | in the common topic                 | another table than the topic's                   |
| token          | string | no: then its place in Kafka is it   | none, or more than 128 characters                |
| correlation_id | string | no                                  | none, or more than 255 characters                |
| anything else  |        |                                     | always: a misspelt token must not pass for none  |

What `request` may have is the operation's own business, and refused by it: that is an outcome, not a dead letter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from dynabus.core.replication.tokens import Token, token_of

OPERATIONS = frozenset({"PutItem", "UpdateItem", "DeleteItem"})

COMMANDS_MOST = 1000
"""In one message: each has an outcome or a dead letter of its own, so a message of 16 MB of `{}` must not count."""

TOKEN_MOST = 128
"""Characters. DynamoDB's own tokens have 36; a topic, a partition and an offset should fit."""

CORRELATION_MOST, TOLD_MOST = 255, 10_000

_MEMBERS = frozenset({"operation", "request", "table", "token", "correlation_id"})


class Place(NamedTuple):
    """Where a command stands: position in a message of a topic partition. Topic ids are unique for ever."""

    topic: str
    topic_id: str
    partition: int
    offset: int
    position: int = 0


class Command(NamedTuple):
    """One that can be tried."""

    table: str
    operation: str
    request: Mapping[str, Any]
    token: str | None
    correlation_id: str | None
    text: bytes
    """Operation and request, the same for all spellings: a retry may order its members as it likes."""

    def identity(self, place: Place) -> Token:
        """By its producer's token, or by where it stands."""
        name = f"token/{self.token}"
        if self.token is None:
            name = f"place/{place.topic_id}/{place.partition}/{place.offset}/{place.position}"
        return token_of(name.encode(), self.text)

    def body(self) -> dict[str, Any]:
        """As the API has it."""
        return {**self.request, "TableName": self.table}


WHOLE: Any = ...
"""In place of an element: all of the message."""


class Poison(NamedTuple):
    """One that cannot; `table` and `correlation_id` as far as they are known. `element`: it alone, if not all is."""

    why: str
    table: str | None = None
    correlation_id: str | None = None
    element: Any = WHOLE


def read_message(body: Any, table: str | None) -> Sequence[Command | Poison]:
    """What a decoded message says: a command, or a list of them. `table`: the topic's own; None in the common one."""
    elements = body if isinstance(body, list) else [body]
    if len(elements) > COMMANDS_MOST:
        return [Poison(f"{len(elements)} commands in one message; {COMMANDS_MOST} are the most", table)]
    return [_read(each, table) for each in elements]


def _read(element: Any, topic_table: str | None) -> Command | Poison:
    if not isinstance(element, dict):
        return Poison("a command is an object", topic_table, None, element)
    table, correlation_id = element.get("table") or topic_table or "", element.get("correlation_id")
    why = _fault(element, topic_table)
    if why is not None:
        known = topic_table or (table if isinstance(table, str) else "") or None
        is_known = isinstance(correlation_id, str) and len(correlation_id) <= TOLD_MOST
        return Poison(why, known, correlation_id if is_known else None, element)
    operation, request = element["operation"], element["request"]
    try:
        text = orjson.dumps([operation, request], option=orjson.OPT_SORT_KEYS)
    except TypeError as error:
        # Nested beyond 254 levels; no item is.
        return Poison(f"request cannot be written as JSON: {error}", table, correlation_id, element)
    return Command(table, operation, request, element.get("token"), correlation_id, text)


def _fault(element: Mapping[str, Any], topic_table: str | None) -> str | None:
    """The first thing that is wrong."""
    if unknown := sorted(map(str, element.keys() - _MEMBERS)):
        return f"unknown member {unknown[0]}"
    operation = element.get("operation")
    if not isinstance(operation, str) or operation not in OPERATIONS:
        return f"operation is not one of {', '.join(sorted(OPERATIONS))}"
    request = element.get("request")
    if not isinstance(request, dict):
        return "request is not an object"
    if "TableName" in request:
        return "request has a TableName; the topic names the table, or the member table"
    return _table_fault(element, topic_table) or _text_fault(element)


def _table_fault(element: Mapping[str, Any], topic_table: str | None) -> str | None:
    table = element.get("table")
    if topic_table is None and not (isinstance(table, str) and table):
        return "table is missing"
    if topic_table is not None and table not in (None, topic_table):
        return f"table is not {topic_table}, whose topic this is"
    return None


def _text_fault(element: Mapping[str, Any]) -> str | None:
    for name, most in (("token", TOKEN_MOST), ("correlation_id", CORRELATION_MOST)):
        text = element.get(name)
        if text is not None and not (isinstance(text, str) and 0 < len(text) <= most):
            return f"{name} is not a string of 1 to {most} characters"
    return None
