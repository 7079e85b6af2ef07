"""What BatchGetItem and BatchWriteItem share: the map from tables to requests, its constraints, and how it is echoed.

Sources: paritysuite/dynamodb-conformance, error-messages/batchGetItem and batchWriteItem, validation-ordering/
batchOperations (2026-10-09). Ours: that an echo ends after 64 KB.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from dynabus.core.errors import ApiError, validation_error
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
    return _cut(orjson.dumps(tables).decode())


def as_java(tables: Mapping[str, Any]) -> str:
    """The map as BatchWriteItem echoes it. Raises the SerializationException of an item of the wrong JSON types."""
    return _cut(f"{{{', '.join(f'{name}=[{_writes(writes)}]' for name, writes in tables.items())}}}")


def _cut(text: str) -> str:
    return text if len(text) <= ECHO_MOST else text[:ECHO_MOST] + "..."


def _writes(writes: list[Any] | None) -> str:
    shown: list[str] = []
    size = 0
    for write in writes or ():
        if size > ECHO_MOST:
            break
        shown.append(
            f"WriteRequest(putRequest={_put(write.get('PutRequest'))}, deleteRequest="
            f"{_delete(write.get('DeleteRequest'))})"
        )
        size += len(shown[-1])
    return ", ".join(shown)


def _put(request: Any) -> str:
    return "null" if request is None else f"PutRequest(item={_item(request.get('Item'))}, workloadProfileName=null)"


def _delete(request: Any) -> str:
    return "null" if request is None else f"DeleteRequest(key={_item(request.get('Key'))})"


def _item(item: Any) -> str:
    return "null" if item is None else _map(conform_item(item))


def _map(attributes: dict[str, Any]) -> str:
    return f"{{{', '.join(f'{name}={_value(value)}' for name, value in attributes.items())}}}"


def _value(value: dict[str, Any]) -> str:
    given = {kind[0].lower() + kind[1:]: content for kind, content in value.items()}
    return f"AttributeValue({', '.join(f'{name}={_content(given.get(name))}' for name in _MEMBERS)})"


def _content(content: Any) -> str:
    if content is None:
        return "null"
    if isinstance(content, bool):
        return str(content).lower()
    if isinstance(content, dict):
        return _map(content)
    if isinstance(content, list):
        return f"[{', '.join(_value(each) if isinstance(each, dict) else str(each) for each in content)}]"
    return str(content)


def refuse_duplicates(keys: list[tuple[str, bytes]]) -> None:
    """Keys by the id of their table: a table may be asked for by its name and by its ARN (wording for that ours)."""
    if len(set(keys)) < len(keys):
        raise duplicate_keys()


def duplicate_keys() -> ApiError:
    """One item is asked for twice."""
    return validation_error("Provided list of item keys contains duplicates")
