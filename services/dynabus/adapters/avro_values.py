"""Attribute values in Avro's binary form, as the schema `stream_record` has them.

A value is a record of ten nullable members, one of which is there. fastavro takes 60 us or more for an item of a few
attributes, most of it to try the branches of these unions; written by hand, whose form is fixed by the schema, it is
a tenth of that. Reading is fastavro's, and tests read back what is written here.

| Avro           | bytes                                                              |
|----------------|--------------------------------------------------------------------|
| int, long      | zigzag, seven bits a byte, the lowest first                        |
| string, bytes  | length, then the bytes                                             |
| array, map     | number of elements, the elements (a map's with their keys), 0; 0 alone for none |
| nullable union | 0 for null; 1, then the value                                      |

Source: Avro 1.11, specification, "Binary encoding".
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable, Iterable
from typing import Any

from dynabus.core.values import Item

MEMBERS = ("S", "N", "B", "BOOL", "NULL", "L", "M", "SS", "NS", "BS")
"""In the schema's order."""

ABSENT, PRESENT = b"\x00", b"\x02"
"""The branches of a union with null first, as zigzag."""

NO_MORE = b"\x00"

_SMALL = [bytes([2 * number]) for number in range(64)]
"""Zigzag of 0 to 63: of most lengths."""


def integer(number: int) -> bytes:
    """An int or a long that is not negative."""
    if number < 64:
        return _SMALL[number]
    number *= 2
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


def text(value: str) -> bytes:
    """A string."""
    return sized(value.encode())


def sized(value: bytes) -> bytes:
    """Bytes."""
    return integer(len(value)) + value


def images(item: Item) -> bytes:
    """A map of attribute values."""
    if not item:
        return NO_MORE
    parts = [integer(len(item))]
    for name, value in item.items():
        parts.append(text(name))
        parts.append(_value(value))
    parts.append(NO_MORE)
    return b"".join(parts)


def optional_images(item: Item | None) -> bytes:
    """A union of null and the same."""
    return ABSENT if item is None else PRESENT + images(item)


def _value(value: dict[str, Any]) -> bytes:
    [(member, content)] = value.items()
    before, write, after = _WRITERS[member]
    return before + write(content) + after


def _boolean(value: bool) -> bytes:
    return b"\x01" if value else b"\x00"


def _binary(value: str) -> bytes:
    return sized(b64decode(value))


def _array(write: Callable[[Any], bytes]) -> Callable[[Iterable[Any]], bytes]:
    def array(values: Iterable[Any]) -> bytes:
        written = [write(each) for each in values]
        return integer(len(written)) + b"".join(written) + NO_MORE if written else NO_MORE

    return array


_CONTENTS: dict[str, Callable[[Any], bytes]] = {
    "S": text,
    "N": text,
    "B": _binary,
    "BOOL": _boolean,
    "NULL": _boolean,
    "L": _array(_value),
    "M": images,
    "SS": _array(text),
    "NS": _array(text),
    "BS": _array(_binary),
}

_WRITERS = {
    member: (ABSENT * place + PRESENT, _CONTENTS[member], ABSENT * (len(MEMBERS) - place - 1))
    for place, member in enumerate(MEMBERS)
}
"""What stands before a member (the ones that are absent, its branch), how it is written, what stands behind it."""
