"""What BatchGetItem and BatchWriteItem share: the map from tables to requests, its constraints, and how it is echoed.

Sources: paritysuite/dynamodb-conformance, error-messages/batchGetItem and batchWriteItem, validation-ordering/
batchOperations (2026-10-09). Ours: that an echo ends after 64 KB.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import orjson

from dynabus.core.errors import ApiError, internal_server_error, validation_error
from dynabus.core.messages import ReplyStatus
from dynabus.core.operations.calls import Reply
from dynabus.core.operations.items import Refused
from dynabus.core.operations.shapes import NAME_PATTERN, fault
from dynabus.core.values.shape import conform_item

ECHO_MOST = 64 * 1024
"""Characters of a request that a refusal shows: nobody reads more, and a request may have 16 MB."""

_NAME_LEAST, _NAME_MOST = 3, 255
_NAMES = (
    f"Map keys must satisfy constraint: [Member must have length less than or equal to {_NAME_MOST}, Member must "
    f"have length greater than or equal to {_NAME_LEAST}, Member must satisfy regular expression pattern: "
    f"{NAME_PATTERN}]"
)
_MEMBERS = (
    "s",
    "n",
    "b",
    "iNT",
    "dECIMAL",
    "dOUBLE",
    "sS",
    "nS",
    "bS",
    "iNTSET",
    "dECIMALSET",
    "dOUBLESET",
    "m",
    "l",
    "nULL",
    "bOOL",
)
"""Of an AttributeValue, as Java shows them: those of DynamoDB's inside too."""


def name_faults(tables: Mapping[str, Any], echo: Callable[[Mapping[str, Any]], str]) -> list[str]:
    """Names of tables that are none; ARNs are looked at later."""
    wrong = any(not name.startswith("arn:") and not _is_name(name) for name in tables)
    return [fault(echo(tables), "requestItems", _NAMES)] if wrong else []


def _is_name(name: str) -> bool:
    return _NAME_LEAST <= len(name) <= _NAME_MOST and re.fullmatch(NAME_PATTERN, name) is not None


def as_json(tables: Mapping[str, Any]) -> str:
    """The map as BatchGetItem echoes it. Raises the SerializationException of a key of the wrong JSON types."""
    for of in tables.values():
        for key in of.get("Keys") or ():
            conform_item(key)
    try:
        return _cut(orjson.dumps(tables).decode())
    except TypeError:  # it nests deeper than orjson writes, but not deeper than it reads
        return "{...}"


def as_java(tables: Mapping[str, Any]) -> str:
    """The map as BatchWriteItem echoes it. Raises the SerializationException of an item of the wrong JSON types."""
    return _echoed(_tables(tables))


def _cut(text: str) -> str:
    return text if len(text) <= ECHO_MOST else text[:ECHO_MOST] + "..."


Parts = Iterator[Any]
"""Of a text: strings, and the parts of what is inside."""


def _echoed(parts: Parts) -> str:
    """The text, made no longer than it is shown, and without recursion: requests nest deeper than Python calls."""
    inside, shown, size = [parts], list[str](), 0
    while inside and size <= ECHO_MOST:
        part = next(inside[-1], None)
        if part is None:
            inside.pop()
        elif isinstance(part, str):
            shown.append(part)
            size += len(part)
        else:
            inside.append(part)
    return _cut("".join(shown))


def _tables(tables: Mapping[str, Any]) -> Parts:
    yield "{"
    for number, (name, writes) in enumerate(tables.items()):
        yield f"{_comma(number)}{name}=["
        for place, write in enumerate(writes or ()):
            yield f"{_comma(place)}WriteRequest(putRequest="
            yield _write(write.get("PutRequest"), "PutRequest(item=", "Item", ", workloadProfileName=null)")
            yield ", deleteRequest="
            yield _write(write.get("DeleteRequest"), "DeleteRequest(key=", "Key", ")")
            yield ")"
        yield "]"
    yield "}"


def _comma(number: int) -> str:
    return ", " if number else ""


def _write(request: Any, opening: str, member: str, closing: str) -> Parts:
    if request is None:
        yield "null"
        return
    item = request.get(member)
    yield opening
    yield "null" if item is None else _map(conform_item(item))
    yield closing


def _map(attributes: dict[str, Any]) -> Parts:
    yield "{"
    for number, (name, value) in enumerate(attributes.items()):
        yield f"{_comma(number)}{name}="
        yield _value(value)
    yield "}"


def _value(value: dict[str, Any]) -> Parts:
    given = {kind[0].lower() + kind[1:]: content for kind, content in value.items()}
    yield "AttributeValue("
    for number, name in enumerate(_MEMBERS):
        yield f"{_comma(number)}{name}="
        yield _content(given.get(name))
    yield ")"


def _content(content: Any) -> Parts:
    if content is None:
        yield "null"
    elif isinstance(content, bool):
        yield str(content).lower()
    elif isinstance(content, dict):
        yield _map(content)
    elif isinstance(content, list):
        yield "["
        for number, each in enumerate(content):
            yield _comma(number)
            yield _value(each) if isinstance(each, dict) else str(each)
        yield "]"
    else:
        yield str(content)


def refuse_duplicates(keys: list[tuple[str, bytes]]) -> None:
    """Keys by the id of their table: a table may be asked for by its name and by its ARN (wording for that ours)."""
    if len(set(keys)) < len(keys):
        raise duplicate_keys()


def duplicate_keys() -> ApiError:
    """One item is asked for twice."""
    return validation_error("Provided list of item keys contains duplicates")


def refuse_unprocessed(replies: list[Reply]) -> None:
    """A batch of which nothing was processed is an error: throttled, if any of it was. The rest comes back otherwise.

    Source: API_BatchWriteItem.html and API_BatchGetItem.html ("if none of the items can be processed due to
    insufficient provisioned throughput on all of the tables").
    """
    throttled = [reply for reply in replies if reply is not None and reply["status"] == ReplyStatus.THROTTLED]
    if len(throttled) + replies.count(None) < len(replies):
        return
    if throttled:
        raise Refused(throttled[0]["body"])
    raise internal_server_error()
