"""A request's tree as JSON, and what is done to the text."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from tests.model.dice import Dice, chance, choice

_DEEP = re.compile(r'"@@deep:(\w+):(\d+)@@"')


def rendered(dice: Dice, tree: Any) -> bytes:
    """Mostly as it is; escapes stand for whatever is not ASCII, half surrogates among them."""
    text = _DEEP.sub(_document, json.dumps(tree)).encode()
    return choice(dice, _WAYS)(dice, text) if chance(dice, 8) else text


def _document(mark: re.Match[str]) -> str:
    """A value of so many levels."""
    kinds, levels = mark[1], int(mark[2])
    openings = {"L": '{"L":[', "M": '{"M":{"x":'}
    closings = {"L": "]}", "M": "}}"}
    steps = (kinds * levels)[:levels]
    return (
        "".join(openings[kind] for kind in steps) + '{"N":"1"}' + "".join(closings[kind] for kind in reversed(steps))
    )


def _truncated(dice: Dice, text: bytes) -> bytes:
    return text[: dice.below(len(text) + 1)]


def _byte(dice: Dice, text: bytes) -> bytes:
    """One byte is another."""
    if not text:
        return b"\x00"
    place = dice.below(len(text))
    return text[:place] + bytes((dice.below(256),)) + text[place + 1 :]


def _cut(dice: Dice, text: bytes) -> bytes:
    start = dice.below(len(text) + 1)
    return text[:start] + text[start + dice.below(20) :]


def _repeated_names(dice: Dice, text: bytes) -> bytes:
    """The same name twice in one object."""
    places = [match.end() for match in re.finditer(rb"\{", text)]
    members: list[bytes] = re.findall(rb'"[^"]*": (?:"[^"]*"|true|false|\d+)', text)
    if not places or not members:
        return text
    place = choice(dice, places)
    return text[:place] + choice(dice, members) + b", " + text[place:]


def _inserted(dice: Dice, text: bytes) -> bytes:
    parts = [
        b"//x\n",
        b"/**/",
        b",",
        b"NaN",
        b"\x00",
        b"\xff",
        b"\xc0\x80",
        b"\xed\xa0\x80",
        b"'",
        b"\\ud800",
        b"\\u",
        b"1e999",
    ]
    place = dice.below(len(text) + 1)
    return text[:place] + choice(dice, parts) + text[place:]


def _encoded(dice: Dice, text: bytes) -> bytes:
    plain = text.decode()
    ways = [
        plain.encode("utf-16"),
        plain.encode("utf-32"),
        b"\xef\xbb\xbf" + text,
        text + b"\n\n",
        text + text,
        b"[" + text + b"]",
    ]
    return choice(dice, ways)


def _else(dice: Dice, text: bytes) -> bytes:
    return choice(
        dice, [b"", b"null", b"[]", b'""', b"1", b"{", b"[" * 100_000, b'{"a":' * 5_000, b"\x00" * 100, b" " * 5000]
    )


_WAYS: list[Callable[[Dice, bytes], bytes]] = [
    *(_truncated, _byte, _cut, _repeated_names, _repeated_names, _repeated_names, _inserted, _encoded, _else),
]
