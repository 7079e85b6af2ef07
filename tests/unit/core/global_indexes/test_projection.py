"""The projection: each line of its table; its writes lead from the rows of one image to those of the other."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.core.global_indexes.indexes import index, item, the

from dynabus.core.global_indexes import GlobalIndex, project, writes_of
from dynabus.core.rows import Source
from dynabus.core.values import Item, item_size

AT = Source(0, 1, 7)
ONE, TWO = {"S": "one"}, {"S": "two"}


def shapes(found: GlobalIndex, old: Item | None, new: Item | None) -> list[str]:
    return ["delete" if not write.item_json else "put" for write in writes_of(found, old, new, AT)]


@pytest.mark.parametrize(
    ("old", "new", "writes"),
    [
        (None, None, []),
        (None, item(), []),
        (item(), None, []),
        (item(), item(z=ONE), []),
        (None, item(a=ONE), ["put"]),
        (item(), item(a=ONE), ["put"]),
        (item(a=ONE), None, ["delete"]),
        (item(a=ONE), item(), ["delete"]),
        (item(a=ONE), item(a={"N": "1"}), ["delete"]),
        (item(a=ONE), item(a=ONE), []),
        (item(a=ONE), item(a=ONE, z=ONE), ["put"]),
        (item(a=ONE), item(a=TWO), ["delete", "put"]),
    ],
)
def test_the_table(old: Item | None, new: Item | None, writes: list[str]) -> None:
    assert shapes(the(index()), old, new) == writes


def test_what_is_not_projected_does_not_touch_the_index() -> None:
    old, new = item(a=ONE, d=ONE, z=ONE), item(a=ONE, d=ONE, z=TWO)
    assert shapes(the(index(projection="KEYS_ONLY")), old, new) == []
    assert shapes(the(index(projection="INCLUDE", named=("d",))), old, new) == []
    assert shapes(the(index(projection="INCLUDE", named=("z",))), old, new) == ["put"]


def test_sets_have_no_order() -> None:
    assert shapes(the(index()), item(a=ONE, z={"SS": ["x", "y"]}), item(a=ONE, z={"SS": ["y", "x"]})) == []


def test_what_is_projected() -> None:
    whole = item(a=ONE, b={"N": "5"}, d=ONE, z=TWO)
    assert project(the(index("a", "b", "KEYS_ONLY")), whole) == item(a=ONE, b={"N": "5"})
    assert project(the(index("a", "", "INCLUDE", ("z",))), whole) == item(a=ONE, z=TWO)
    assert project(the(index()), whole) == whole


def test_a_write_says_all_that_its_row_needs() -> None:
    found = the(index(projection="KEYS_ONLY"))
    gone, come = writes_of(found, item(a=ONE), item(a=TWO, z=TWO), AT)
    shown = item(a=TWO)
    assert come == (found.row_key(shown), orjson.dumps(shown), item_size(shown), AT)
    assert gone == (found.row_key(item(a=ONE)), b"", 0, AT)


some = st.one_of(
    st.none(),
    st.fixed_dictionaries(
        {"pk": st.just({"S": "p"}), "sk": st.just({"N": "1"})},
        optional={
            "a": st.sampled_from([ONE, TWO, {"N": "1"}, {"S": ""}]),
            "b": st.sampled_from([{"N": "1"}, {"N": "2"}, ONE]),
            "z": st.sampled_from([ONE, TWO]),
        },
    ),
)
indexes = st.sampled_from([index(), index("ab"), index("a", "b", "KEYS_ONLY"), index("b", "", "INCLUDE", ("z",))])


@given(indexes, some, some)
def test_writes_lead_from_the_rows_of_one_image_to_those_of_the_other(one: Any, old: Any, new: Any) -> None:
    found = the(one)
    rows = _rows(found, old)
    for write in writes_of(found, old, new, AT):
        if write.item_json:
            rows[write.key] = orjson.loads(write.item_json)
        else:
            del rows[write.key]
    assert rows == _rows(found, new)


def _rows(found: GlobalIndex, image: Any) -> dict[bytes, Item]:
    return {found.row_key(image): project(found, image)} if image is not None and found.holds(image) else {}
