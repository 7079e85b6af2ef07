"""What is done to the text of an expression."""

from __future__ import annotations

import re
from collections.abc import Callable

from tests.fuzz import strangeness
from tests.model.dice import Dice, choice

_TOKEN = re.compile(r"\s+|[#:]?\w+|[<>=]+|.", re.DOTALL)

TOKENS = [
    *(
        "AND",
        "OR",
        "NOT",
        "BETWEEN",
        "IN",
        "SET",
        "REMOVE",
        "ADD",
        "DELETE",
        "set",
        "and",
        "(",
        ")",
        ",",
        ".",
        "[",
        "]",
    ),
    *(
        "[0]",
        "[-1]",
        "[2147483647]",
        "[2147483648]",
        "[99999999999999999999]",
        "[ 0 ]",
        "=",
        "<>",
        "<",
        "<=",
        "==",
        "+",
        "-",
    ),
    *(
        "*",
        "size(",
        "size",
        "contains(l, :v0)",
        "attribute_exists(pk)",
        "attribute_type(",
        "begins_with",
        "list_append(",
    ),
    *(
        "if_not_exists(n, :v0)",
        "#n0",
        "#n1",
        ":v0",
        ":v1",
        ":missing",
        "#missing",
        "pk",
        "sk",
        "n",
        "l",
        "m",
        "m.x",
        "l[0]",
    ),
    *("'", '"', ";", "#", ":", "\\", "\x00", "é", "_", "1", "0x", "null", "true", "\t", "\n", "\u00a0", "\u2028"),
]
COUNTS = [2, 31, 32, 33, 99, 100, 101, 150, 151, 299, 300, 301, 302, 1000]


def tokens(expression: str) -> list[str]:
    return _TOKEN.findall(expression)


def spoilt(dice: Dice, expression: str) -> str:
    return choice(dice, _WAYS)(dice, expression)


def _deleted(dice: Dice, expression: str) -> str:
    parts = tokens(expression) or [""]
    parts.pop(dice.below(len(parts)))
    return "".join(parts)


def _inserted(dice: Dice, expression: str) -> str:
    parts = tokens(expression)
    parts.insert(dice.below(len(parts) + 1), f" {choice(dice, TOKENS)} ")
    return "".join(parts)


def _replaced(dice: Dice, expression: str) -> str:
    parts = tokens(expression) or [""]
    parts[dice.below(len(parts))] = choice(dice, TOKENS)
    return "".join(parts)


def _swapped(dice: Dice, expression: str) -> str:
    parts = tokens(expression) or [""]
    one, two = dice.below(len(parts)), dice.below(len(parts))
    parts[one], parts[two] = parts[two], parts[one]
    return "".join(parts)


def _repeated(dice: Dice, expression: str) -> str:
    """Up to and beyond 300 operators, with what joins them."""
    joint = choice(dice, [" AND ", " OR ", ", ", " ", " + ", " AND NOT ", " REMOVE "])
    return joint.join([expression] * choice(dice, COUNTS))


def _nested(dice: Dice, expression: str) -> str:
    count = choice(dice, COUNTS)
    opening, closing = choice(
        dice, [("(", ")"), ("NOT (", ")"), ("NOT ", ""), ("size(", ")"), ("if_not_exists(n, ", ")")]
    )
    return opening * count + expression + closing * count


def _built(dice: Dice, expression: str) -> str:
    """Something long of one kind."""
    count = choice(dice, COUNTS)
    ways = [
        " AND ".join(["n = :v0"] * count),
        "n IN (" + ", ".join([":v0"] * count) + ")",
        "SET " + ", ".join(f"a{number} = :v0" for number in range(count)),
        "REMOVE " + ", ".join(f"l[{number}]" for number in range(count)),
        "SET m" + ".x" * count + " = :v0",
        "SET n = " + "if_not_exists(n, " * count + ":v0" + ")" * count,
        "SET l = " + "list_append(l, " * count + "l" + ")" * count,
        ", ".join(f"m.a{number}" for number in range(count)),
        "l" + "[0]" * count,
        "n = :v0 AND (" * count + "n = :v0" + ")" * count,
    ]
    return choice(dice, ways)


def _padded(dice: Dice, expression: str) -> str:
    """To 4 KB, where the limit is."""
    length = choice(dice, [4095, 4096, 4097, 8192, 65536])
    filling = choice(dice, [" ", "(", "a", "é", " AND n = :v0"])
    return expression + filling * max(0, (length - len(expression.encode(errors="replace"))) // len(filling.encode()))


def _else(dice: Dice, expression: str) -> str:
    return strangeness.text(dice)


_WAYS: list[Callable[[Dice, str], str]] = [
    *(_deleted, _inserted, _inserted, _replaced, _replaced, _swapped),
    *(_repeated, _nested, _built, _padded, _else),
]
