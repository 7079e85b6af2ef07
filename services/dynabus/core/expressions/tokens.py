"""The words of an expression: names, placeholders, list indexes, keywords, signs. Blanks only part them.

A lexer of our own under lark's parser: lark's counts lines and makes a rich token of each word, which took more time
than parsing. Words are read as the parser takes them, so that the first fault is the one that is reported.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from lark.lexer import Lexer

WORD = re.compile(
    r"""
    (?P<NAME> [A-Za-z][A-Za-z0-9_]* )
  | (?P<NAME_REF> \#[A-Za-z0-9_]+ )
  | (?P<VALUE_REF> :[A-Za-z0-9_]+ )
  | (?P<INDEX> 0 | [1-9][0-9]* )
  | (?P<SIGN> <> | <= | >= | [^ \t\r\n] )
    """,
    re.VERBOSE,
)

_KEYWORDS = {word: f"_{word}" for word in ("OR", "AND", "NOT", "BETWEEN", "IN", "SET", "REMOVE", "ADD", "DELETE")}
"""In capitals; they are keywords wherever they stand, as in DynamoDB."""

_SIGNS = {
    **dict.fromkeys(("<>", "<=", ">=", "<", ">"), "COMPARATOR"),
    "=": "EQUAL",
    "(": "LPAR",
    ")": "RPAR",
    "[": "LSQB",
    "]": "RSQB",
    ",": "COMMA",
    ".": "DOT",
    "+": "PLUS",
    "-": "MINUS",
}
"""By lark's names for them."""

_NO_SIGN = "NO_SIGN"
"""A character that means nothing anywhere: the grammar knows no such terminal."""


class Word:
    """As much of a token as the parser looks at."""

    __slots__ = ("start_pos", "type", "value")

    line = column = end_line = end_column = end_pos = None
    """lark hands these on to the token that stands for the end."""

    def __init__(self, type: str, value: str, start_pos: int) -> None:
        self.type, self.value, self.start_pos = type, value, start_pos


class Words(Lexer):
    """What lark wants of a lexer."""

    def __init__(self, _configuration: Any) -> None:
        pass

    def lex(self, text: str) -> Iterator[Word]:  # type: ignore[override]  # lark's simplest form of a lexer
        for found in WORD.finditer(text):
            value, kind = found[0], found.lastgroup
            if kind == "NAME":
                kind = _KEYWORDS.get(value.upper(), kind)
            elif kind == "SIGN":
                kind = _SIGNS.get(value, _NO_SIGN)
            assert kind is not None
            yield Word(kind, value, found.start())
