"""Values that stand where something else belongs, and texts that programs stumble over."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from tests.model.dice import Dice, chance, choice

DEEP = "@@deep:{kind}:{levels}@@"
"""Stands for a document so deep that it is written as text only (`texts`)."""

TEXTS = [
    *(
        "",
        " ",
        "x",
        "#n",
        ":v",
        "pk",
        "sk",
        "hash_s",
        "indexed",
        "NONE",
        "SET",
        "\x00",
        "a\x00",
        "\xff",
        "\x7f",
        "\r\n",
    ),
    *("é", "e\u0301", "ß", "ẞ", "ﬁ", "İ", "\u200b", "\u202e", "\ufeff", "\ufffe", "\uffff", "\U0001f600"),
    *(
        "\ud800",
        "\udfff",
        "a\udc00b",
        "\ud83d",
        "\U0010ffff",
        "١٢٣",
        "²",
        "Ⅷ",
        "0x10",
        "1_000",
        "1e",
        "NaN",
        "Infinity",
    ),
    *("../../etc", "%00", "${x}", "{{x}}", "'; --", "arn:aws:dynamodb:eu-west-1:123456789012:table/hash_s", "arn:"),
    *(
        "arn:aws:dynamodb:::table/",
        "arn:aws:dynamodb:eu-west-1:123456789012:table/hash_s/index/x",
        "a" * 256,
        "-" * 3,
    ),
]
LONG = [255, 256, 1023, 1024, 1025, 2047, 2048, 2049, 4096, 65535, 65536]
VERY_LONG = [400 * 1024, 400 * 1024 + 1, 1_000_000]

NUMBERS: list[Any] = [
    *(
        0,
        -1,
        1,
        2**31 - 1,
        2**31,
        -(2**31) - 1,
        2**53,
        2**63 - 1,
        2**63,
        2**64,
        10**30,
        10**400,
        0.5,
        -0.0,
        1e300,
        1e-300,
    ),
    *(float("nan"), float("inf"), True, False, None),
]
NUMBER_TEXTS = [
    *(
        "0",
        "-0",
        "00",
        "1e125",
        "9.9e125",
        "1e126",
        "-1e126",
        "1e-130",
        "1e-131",
        "0e999",
        "1" * 38,
        "1" * 39,
        ".",
        "1.",
    ),
    *(
        ".1",
        "+1",
        "--1",
        "1e+",
        "1e99999999999999999999",
        "1e-99999999999999999999",
        "0." + "0" * 140 + "1",
        "9" * 200,
    ),
    *(
        " 1",
        "1 ",
        "1,0",
        "１",
        "0b1",
        "1" + "0" * 125,
        "1" + "0" * 126,
        "0e-200",
        "1E5",
        "",
        "-",
        "e5",
        "0." + "1" * 38,
    ),
]
BASE64_TEXTS = [
    "",
    "a",
    "aa",
    "aaa",
    "====",
    "YQ",
    "YQ=",
    "YQ==",
    "YR==",
    "YQ==\n",
    " YQ==",
    "-_-_",
    "%%%%",
    "YQ==YQ==",
    "é",
    "=YQ=",
]

VALUES: list[Any] = [
    *({}, [], [[]], [None], [{}], {"S": "x"}, {"N": "1"}, {"B": "YQ=="}, {"S": 1}, {"N": 1}, {"B": 1}, {"S": None}),
    *(
        {"S": "a", "N": "1"},
        {"X": 1},
        {"SS": []},
        {"SS": ["a", "a"]},
        {"SS": [""]},
        {"SS": [None]},
        {"NS": ["1", "1.0"]},
    ),
    *({"NS": []}, {"NS": ["x"]}, {"BS": ["YQ==", "YQ=="]}, {"BS": ["YR==", "YQ=="]}, {"BS": [""]}, {"NULL": False}),
    *(
        {"NULL": "true"},
        {"BOOL": "true"},
        {"BOOL": None},
        {"L": {}},
        {"L": [None]},
        {"L": [1]},
        {"M": []},
        {"M": {"": None}},
    ),
    *({"M": {"": {"S": ""}}}, {"L": [{"S": "a", "N": "1"}]}, {"M": {"a": {"SS": []}}}, {"__type": "x"}),
]
DEPTHS = [30, 31, 32, 33, 34, 64, 127, 200, 1000, 5000, 100_000]


def text(dice: Dice) -> str:
    if chance(dice, 12):
        return choice(dice, ["a", "é", "\x00", "\U0001f600", "1"]) * choice(dice, LONG)
    if chance(dice, 1):
        return "x" * choice(dice, VERY_LONG)
    return choice(dice, TEXTS)


def attribute(dice: Dice) -> Any:
    """Something like an attribute value."""
    match dice.below(6):
        case 0:
            return {"N": choice(dice, NUMBER_TEXTS)}
        case 1:
            return {"B": choice(dice, BASE64_TEXTS)}
        case 2:
            return {"S": text(dice)}
        case 3:
            return DEEP.format(kind=choice(dice, ["L", "M", "LM"]), levels=choice(dice, DEPTHS))
        case 4:
            return {choice(dice, ["SS", "NS", "BS", "L"]): [choice(dice, NUMBER_TEXTS) for _ in range(dice.below(5))]}
        case _:
            return deepcopy(choice(dice, VALUES))


def anything(dice: Dice) -> Any:
    match dice.below(5):
        case 0:
            return choice(dice, NUMBERS)
        case 1:
            return text(dice)
        case 2:
            return _many(dice) if chance(dice, 10) else deepcopy(choice(dice, VALUES))
        case _:
            return attribute(dice)


def _many(dice: Dice) -> Any:
    """A list or a map of very many."""
    count = choice(dice, [26, 101, 1001, 20_000])
    one = choice(dice, [None, 1, "a", {"S": "a"}, {}])
    return [one] * count if chance(dice, 50) else {f"k{number}": one for number in range(count)}
