"""Whatever the text: an answer or an ApiError, and what was given is unchanged. Updates against a tiny model."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dynabus.core.errors import ApiError
from dynabus.core.expressions import (
    Placeholders,
    parse_condition,
    parse_key_condition,
    parse_projection,
    parse_update,
)

NAMES = {"#a": "a", "#n": "name"}
VALUES: dict[str, Any] = {
    ":n": {"N": "1"},
    ":s": {"S": "x"},
    ":b": {"B": "eA=="},
    ":ss": {"SS": ["x", "y"]},
    ":l": {"L": [{"N": "1"}]},
    ":m": {"M": {"a": {"N": "1"}}},
    ":t": {"BOOL": True},
}
ITEM: dict[str, Any] = {
    "a": {"N": "1"},
    "b": {"S": "xyz"},
    "c": {"L": [{"N": "1"}, {"M": {"a": {"S": "x"}, "b": {"L": []}}}]},
    "d": {"M": {"a": {"N": "2"}, "b": {"SS": ["x"]}, "c": {"L": [{"B": "eA=="}]}}},
    "name": {"SS": ["x", "z"]},
}


def run(text: str) -> int:
    """Parse as every kind, and evaluate what parses; how many kinds it parsed as and was evaluated."""
    item, values, evaluated = deepcopy(ITEM), deepcopy(VALUES), 0
    for kind in ("condition", "update", "projection", "key condition"):
        found = Placeholders(NAMES, values)
        try:
            if kind == "condition":
                condition = parse_condition(text, found)
                assert condition.matches(item) in (True, False)
                assert condition.matches(None) in (True, False)
            elif kind == "update":
                after = parse_update(text, found).apply(item, {"pk": {"S": "k"}})
                assert all(len(value) == 1 for value in after.item.values())
            elif kind == "projection":
                parse_projection(text, found).apply(item)
            else:
                parse_key_condition(text, found, "a", "b")
            evaluated += 1
        except ApiError:
            pass
    assert item == ITEM
    assert values == VALUES
    return evaluated


@given(st.text(max_size=60))
@example("\ud800")
@example("a = :n\x1c")
@example("ſET a = :n")  # its upper case is SET
@example("ıN")
def test_any_text(text: str) -> None:
    run(text)


WORDS = """
    a b c d #a #n #q name :n :s :b :ss :l :m :t :q ( ) , . [ ] 0 1 7 99999999999 = <> < <= > >= + - AND OR NOT
    BETWEEN IN SET REMOVE ADD DELETE size( contains( begins_with( attribute_exists( attribute_not_exists(
    attribute_type( if_not_exists( list_append( f( ( ) ) )
"""
TOKENS = st.sampled_from(WORDS.split())


@given(st.lists(TOKENS, max_size=20))
def test_any_sequence_of_tokens(tokens: list[str]) -> None:
    run(" ".join(tokens))


PATHS = st.recursive(
    st.sampled_from(["a", "b", "c", "d", "#a", "#n"]),
    lambda inner: st.builds("{}{}".format, inner, st.sampled_from([".a", ".b", ".c", ".#n", "[0]", "[1]", "[9]"])),
    max_leaves=3,
)
OPERANDS = st.recursive(
    st.one_of(PATHS, st.sampled_from(list(VALUES))),
    lambda inner: st.one_of(
        st.builds("size({})".format, inner), st.builds("({})".format, inner.filter(lambda text: text[0] != "("))
    ),
    max_leaves=2,
)
FUNCTIONS = st.one_of(
    st.builds("{}({})".format, st.sampled_from(["attribute_exists", "attribute_not_exists"]), PATHS),
    st.builds("{}({}, {})".format, st.sampled_from(["begins_with", "contains"]), OPERANDS, OPERANDS),
)
TESTS = st.recursive(
    st.one_of(
        st.builds("{} {} {}".format, OPERANDS, st.sampled_from(["=", "<>", "<", ">="]), OPERANDS),
        st.builds("{} BETWEEN {} AND {}".format, OPERANDS, OPERANDS, OPERANDS),
        st.builds("{} IN ({}, {})".format, OPERANDS, OPERANDS, OPERANDS),
        FUNCTIONS,
    ),
    lambda inner: st.one_of(
        st.builds("{} AND {}".format, inner, inner),
        st.builds("({} OR {})".format, inner, inner),
        st.builds("NOT {}".format, inner),
    ),
    max_leaves=5,
)
SUMS = st.one_of(
    OPERANDS.filter(lambda text: "size" not in text),
    st.builds("{} {} {}".format, PATHS, st.sampled_from("+-"), st.one_of(PATHS, st.just(":n"))),
    st.builds("if_not_exists({}, {})".format, PATHS, OPERANDS.filter(lambda text: "size" not in text)),
    st.builds("list_append({}, :l)".format, st.one_of(PATHS, st.just("if_not_exists(e, :l)"))),
)
UPDATES = st.builds(
    "SET {} = {}, {} = {} REMOVE {} {}".format,
    st.sampled_from(["e", "a", "d.a"]),  # apart from each other, so that many an update goes through
    SUMS,
    st.sampled_from(["c[0]", "c[9]", "d.e", "c[1].e", "c[1].b[3]"]),
    SUMS,
    st.sampled_from(["b", "c[7]", "d.b", "c[1].a", "g", "d.c[0]"]),
    st.one_of(st.just(""), st.builds("{} :ss".format, st.sampled_from(["ADD #n", "ADD f", "DELETE #n", "DELETE f"]))),
)


@given(TESTS)
def test_conditions_of_the_grammar(text: str) -> None:
    run(text)


@given(UPDATES)
def test_updates_of_the_grammar(text: str) -> None:
    run(text)


def test_runs_that_must_get_through() -> None:
    """That the properties above test more than refusals: some texts of their kinds do parse and evaluate."""
    assert run("a") == 1
    assert run("a = :n") == 2
    assert run("(size(d.c)) >= a AND (contains(#n, :s))") == 1
    assert run("SET d.e = list_append(if_not_exists(e, :l), :l) REMOVE c[0] ADD #n :ss") == 1


# -- a model ------------------------------------------------------------------------------------------------------

ATTRIBUTES = ["p", "q", "r", "s"]
SCALARS = st.one_of(
    st.integers(-5, 5).map(lambda value: {"N": str(value)}),
    st.sampled_from("xyz").map(lambda value: {"S": value}),
    st.sets(st.sampled_from("uvwxyz"), min_size=1).map(lambda members: {"SS": sorted(members)}),
)
FLAT_ITEMS = st.dictionaries(st.sampled_from(ATTRIBUTES), SCALARS)
ACTIONS = st.dictionaries(
    st.sampled_from(ATTRIBUTES),
    st.tuples(st.sampled_from(["SET", "COPY", "PLUS", "REMOVE", "ADD", "DELETE"]), SCALARS),
    min_size=1,
)


class Refused(Exception):
    """The model refuses."""


def modelled(name: str, action: str, value: dict[str, Any], old: dict[str, Any]) -> Any:
    """The new value of an attribute, None if there is none."""
    before = old.get(name)
    if action == "REMOVE":
        return None
    if action == "SET":
        return value
    if action == "COPY":
        if "p" not in old:
            raise Refused
        return old["p"]
    if action == "PLUS":
        if before is None or "N" not in before or "N" not in value:
            raise Refused
        return {"N": str(int(before["N"]) + int(value["N"]))}
    if (
        "S" in value
        or (action == "DELETE" and "N" in value)
        or (before is not None and before.keys() != value.keys())
    ):
        raise Refused
    if "N" in value:
        return {"N": str(int((before or {"N": "0"})["N"]) + int(value["N"]))}
    members = set((before or {"SS": []})["SS"])
    members = members | set(value["SS"]) if action == "ADD" else members - set(value["SS"])
    return {"SS": sorted(members)} if members else None


def expression(actions: dict[str, tuple[str, dict[str, Any]]]) -> tuple[str, dict[str, Any] | None]:
    """The same actions as an update expression, and its values."""
    clauses: dict[str, list[str]] = {}
    values = {}
    for name, (action, value) in actions.items():
        right = {"SET": f" = :{name}", "COPY": " = p", "PLUS": f" = {name} + :{name}", "REMOVE": ""}
        clauses.setdefault(action if action not in ("COPY", "PLUS") else "SET", []).append(
            name + right.get(action, f" :{name}")
        )
        values[f":{name}"] = value
    return " ".join(f"{clause} {', '.join(listed)}" for clause, listed in clauses.items()), values


@given(FLAT_ITEMS, ACTIONS)
def test_updates_of_flat_items_do_what_a_model_does(
    item: dict[str, Any], actions: dict[str, tuple[str, dict[str, Any]]]
) -> None:
    text, values = expression(actions)
    try:
        written = {name: modelled(name, *action, item) for name, action in actions.items()}
    except Refused:
        with pytest.raises(ApiError):
            parse_update(text, Placeholders(None, values)).apply(item, {})
        return
    expected = {name: value for name, value in {**item, **written}.items() if value is not None}
    after = parse_update(text, Placeholders(None, values)).apply(item, {})
    assert ordered(after.item) == expected
    assert ordered(after.old) == {name: item[name] for name in actions if name in item}
    assert ordered(after.new) == {name: value for name, value in written.items() if value is not None}


def ordered(item: dict[str, Any]) -> dict[str, Any]:
    return {name: {"SS": sorted(value["SS"])} if "SS" in value else value for name, value in item.items()}


@given(
    st.lists(st.integers(0, 99), max_size=6),
    st.dictionaries(st.integers(0, 9), st.one_of(st.none(), st.integers(100, 199)), min_size=1),
)
def test_indexes_mean_the_list_as_it_was(old: list[int], changes: dict[int, int | None]) -> None:
    expected = [changes.get(index, value) for index, value in enumerate(old)]
    expected += [value for index, value in sorted(changes.items()) if index >= len(old)]
    sets = [f"l[{index}] = :v{index}" for index, value in changes.items() if value is not None]
    removes = [f"l[{index}]" for index, value in changes.items() if value is None]
    text = " ".join(
        f"{clause} {', '.join(listed)}" for clause, listed in (("SET", sets), ("REMOVE", removes)) if listed
    )
    values = {f":v{index}": {"N": str(value)} for index, value in changes.items() if value is not None}
    item = {"l": {"L": [{"N": str(value)} for value in old]}}
    after = parse_update(text, Placeholders(None, values or None)).apply(item, {})
    assert after.item == {"l": {"L": [{"N": str(value)} for value in expected if value is not None]}}
