"""When an item is over, and that the decision to delete it looks at the item as it is then."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from dynabus.core.global_tables.versions import Stamp, Version
from dynabus.core.messages import ReplyStatus
from dynabus.core.rows import CorruptRow, encode_global_row, encode_row
from dynabus.core.time_to_live import OLDEST_S, checked_expiry_s, due_between, expire, expiry_s

NOW_S = 1_800_000_000


def row(**attributes: Any) -> bytes:
    return encode_row(orjson.dumps({"pk": {"S": "a"}, **attributes}), 10, 1)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"N": "1800000000"}, 1_800_000_000),
        ({"N": "1.8E9"}, 1_800_000_000),
        ({"N": "1800000000.9"}, 1_800_000_000),
        ({"N": "1800000000000"}, 1_800_000_000_000),
        ({"N": "0"}, None),
        ({"N": "-5"}, None),
        ({"N": "1E-130"}, None),
        ({"N": "9E+125"}, None),
        ({"S": "1800000000"}, None),
        ({"NULL": True}, None),
        ({"NS": ["1800000000"]}, None),
        ({"M": {"ttl": {"N": "1800000000"}}}, None),
    ],
)
def test_only_a_number_of_seconds_is_a_time(value: dict[str, Any], expected: int | None) -> None:
    assert expiry_s(row(ttl=value), "ttl") == checked_expiry_s(row(ttl=value), "ttl") == expected


def test_an_attribute_of_that_name_inside_another_is_none() -> None:
    assert expiry_s(row(m={"M": {"ttl": {"N": "5"}}}), "ttl") is None
    assert expiry_s(row(text={"S": "ttl"}), "ttl") is None


@pytest.mark.parametrize("name", ["Verfallsdatum-ä", 'with "quotes"', "a\\b", "\u2028", "😀", "\x7f", "tab\t"])
def test_whatever_the_attribute_is_called(name: str) -> None:
    assert expiry_s(row(**{name: {"N": "7"}}), name) == 7


def test_a_row_from_a_store_is_checked() -> None:
    broken = bytearray(row(ttl={"N": "7"}))
    broken[-3] ^= 1
    with pytest.raises(CorruptRow):
        checked_expiry_s(bytes(broken), "ttl")
    with pytest.raises(CorruptRow):
        expire("ttl")(bytes(broken), NOW_S * 1000)


@pytest.mark.parametrize(
    ("expiry", "over"),
    [
        (NOW_S - 1, True),
        (NOW_S, False),
        (NOW_S + 1, False),
        (NOW_S * 1000, False),
        (NOW_S - OLDEST_S, True),
        (NOW_S - OLDEST_S - 1, False),
        (1, False),
    ],
)
def test_what_is_over_and_not_five_years_back_is_deleted(expiry: int, over: bool) -> None:
    first, behind = due_between(NOW_S)
    assert (first <= expiry < behind) is over
    decision = expire("ttl")(row(ttl={"N": str(expiry)}), NOW_S * 1000 + 999)
    assert decision.write is over
    if over:
        assert decision.row is None
        assert decision.outcome.status == ReplyStatus.EXPIRED


@pytest.mark.parametrize("old", [None, row(), row(ttl={"S": "1"}), row(other={"N": "5"})])
def test_what_is_gone_or_has_no_time_any_more_stays_as_it_is(old: bytes | None) -> None:
    assert not expire("ttl")(old, NOW_S * 1000).write


def test_items_of_global_tables_end_and_their_tombstones_do_not() -> None:
    version = Version(Stamp(9, "us"), {"us": 9})
    over = encode_global_row(orjson.dumps({"pk": {"S": "a"}, "ttl": {"N": str(NOW_S - 1)}}), 10, 1, version)
    assert expiry_s(over, "ttl") == checked_expiry_s(over, "ttl") == NOW_S - 1
    assert expire("ttl")(over, NOW_S * 1000).write
    tombstone = encode_global_row(b"", 0, 1, version)
    assert expiry_s(tombstone, "ttl") is checked_expiry_s(tombstone, "ttl") is None
    assert not expire("ttl")(tombstone, NOW_S * 1000).write
