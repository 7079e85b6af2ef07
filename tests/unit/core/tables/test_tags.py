"""Tags: tests/conformance/test_tag_resource.py names the sources."""

from __future__ import annotations

import pytest

from dynabus.core.errors import ApiError
from dynabus.core.tables import tags


@pytest.mark.parametrize(
    "text", ["a", "A1", "sp ace", " x", "+-=._:/@", "ключ", "café", "表", "a\u00a0b", "a\u3000b", "٣"]
)
def test_letters_digits_and_spaces_of_any_script(text: str) -> None:
    assert tags.check_tags([(text, text)]) == {text: text}


@pytest.mark.parametrize(
    "text", ["#", "100%", "a,b", "'", "(x)", "a&b", "a*b", "a;b", "a?b", "a|b", "a\\b", "<a>", "~", "🔑"]
)
def test_other_characters(text: str) -> None:
    with pytest.raises(ApiError, match="Tag Key provided is invalid"):
        tags.check_tags([(text, "v")])
    with pytest.raises(ApiError, match="Tag Value provided is invalid"):
        tags.check_tags([("k", text)])


def test_tags_merge_in_the_order_of_their_keys() -> None:
    assert list(tags.merge({"b": "1", "a": "2"}, {"a": "3", "c": "4"}).items()) == [
        ("b", "1"),
        ("a", "3"),
        ("c", "4"),
    ]
    assert tags.without({"a": "1", "b": "2"}, ["b", "z"]) == {"a": "1"}


def test_fifty() -> None:
    full = {f"k{number}": "v" for number in range(50)}
    assert tags.merge(full, {"k0": "new"})["k0"] == "new"
    with pytest.raises(ApiError, match="Number of Tags exceed"):
        tags.merge(full, {"more": "v"})
    with pytest.raises(ApiError, match="Number of Tags exceed"):
        tags.check_tags([*full.items(), ("more", "v")])
