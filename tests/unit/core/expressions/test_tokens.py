"""The words of expressions, by the names that the grammar has for them."""

from __future__ import annotations

import pytest

from dynabus.core.expressions.grammar import NotParsed, tree_of
from dynabus.core.expressions.tokens import Words


def words(text: str) -> list[tuple[str, str]]:
    return [(word.type, word.value) for word in Words(None).lex(text)]


def kinds(text: str) -> list[str]:
    return [kind for kind, _ in words(text)]


@pytest.mark.parametrize("keyword", ["OR", "AND", "NOT", "BETWEEN", "IN", "SET", "REMOVE", "ADD", "DELETE"])
def test_keywords_in_any_case_and_only_whole(keyword: str) -> None:
    for text in (keyword, keyword.lower(), keyword.capitalize()):
        assert words(text) == [(f"_{keyword}", text)]
        assert kinds(f"({text})") == ["LPAR", f"_{keyword}", "RPAR"]
    for name in (f"{keyword}1", f"{keyword}_", f"x{keyword}"):
        assert words(name) == [("NAME", name)]
    assert kinds(f"#{keyword} :{keyword}") == ["NAME_REF", "VALUE_REF"]


@pytest.mark.parametrize("letter", ["ſET", "ıN", "É", "_a"])
def test_letters_are_those_of_ascii(letter: str) -> None:
    """Those that only become one in capitals make no keyword."""
    assert kinds(letter)[0] == "NO_SIGN"
    with pytest.raises(NotParsed, match=f'Syntax error; token: "{letter[0]}"'):
        tree_of(f"{letter} a = :n", "update")


def test_signs() -> None:
    assert words("<>") == [("COMPARATOR", "<>")]
    assert words("<=>") == [("COMPARATOR", "<="), ("COMPARATOR", ">")]
    assert kinds("=()[],.+-") == ["EQUAL", "LPAR", "RPAR", "LSQB", "RSQB", "COMMA", "DOT", "PLUS", "MINUS"]
    assert kinds("# : ! $") == ["NO_SIGN"] * 4


def test_indexes_have_no_leading_zeros() -> None:
    assert words("007") == [("INDEX", "0"), ("INDEX", "0"), ("INDEX", "7")]
    assert words("10a") == [("INDEX", "10"), ("NAME", "a")]


def test_blanks_part_words_and_are_none() -> None:
    assert [(word.value, word.start_pos) for word in Words(None).lex("\ta\r\n  b ")] == [("a", 1), ("b", 6)]
    assert kinds("a\x0bb\u00a0") == ["NAME", "NO_SIGN", "NAME", "NO_SIGN"]


def test_words_are_read_as_they_are_wanted() -> None:
    read = Words(None).lex("a !")
    assert next(read).type == "NAME"
    with pytest.raises(NotParsed, match='token: "b"'):
        tree_of("a b !", "condition")
