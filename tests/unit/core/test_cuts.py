"""Where partitions are cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynabus.core.keys import encode_key, encode_partition_key
from dynabus.core.keys.cuts import BOUND_BYTES_MOST, collection, middle_of_hashes, refuse_bound, separator


@given(st.binary(max_size=40), st.binary(max_size=40))
def test_a_separator_parts_two_keys_and_is_short(one: bytes, two: bytes) -> None:
    before, key = sorted((one, two))
    if before == key:
        return
    bound = separator(before, key)
    assert before < bound <= key
    assert all(not before < bound[:length] <= key for length in range(len(bound)))


@given(st.text(min_size=1, max_size=6), st.text(min_size=1, max_size=6), st.text(max_size=4), st.text(max_size=4))
def test_a_separator_of_collections_cuts_none(one: str, two: str, sort: str, other: str) -> None:
    first = [{"S": text} for text in (one, two)]
    keys = sorted(encode_partition_key(each) for each in first)
    if keys[0] == keys[1]:
        return
    by_prefix = {encode_partition_key(each): each for each in first}
    before = encode_key(by_prefix[keys[0]], {"S": sort or "a"})
    bound = separator(before, keys[1])
    for text in (sort or "a", other or "b", "\U0010ffff" * 3):
        assert encode_key(by_prefix[keys[0]], {"S": text}) < bound <= encode_key(by_prefix[keys[1]], {"S": text})


@pytest.mark.parametrize(
    ("lower", "upper", "middle"),
    [
        (b"", None, bytes([0x80, 0, 0, 0, 0, 0, 0, 0])),
        (bytes([0x80]), None, bytes([0xC0, 0, 0, 0, 0, 0, 0, 0])),
        (b"", bytes([0x40]), bytes([0x20, 0, 0, 0, 0, 0, 0, 0])),
        (b"12345678a", b"12345678b", None),
        (b"\xff" * 8, None, None),
    ],
)
def test_the_middle_of_nothing_is_that_of_the_range(lower: bytes, upper: bytes | None, middle: bytes | None) -> None:
    assert middle_of_hashes(lower, upper) == middle


def test_bounds_lie_within_and_leave_no_side_empty() -> None:
    assert refuse_bound(b"b", b"a", b"c") is None
    assert refuse_bound(b"b", b"", None) is None
    assert "empty" in str(refuse_bound(b"a", b"a", b"c"))
    assert "before" in str(refuse_bound(b"a", b"b", b"c"))
    assert "behind" in str(refuse_bound(b"c", b"a", b"c"))
    assert "behind" in str(refuse_bound(b"d", b"a", b"c"))
    assert "512 bytes" in str(refuse_bound(b"b" * (BOUND_BYTES_MOST + 1), b"a", None))


@pytest.mark.parametrize(
    "value",
    [{"S": "a"}, {"S": "a\0b"}, {"S": "a\0"}, {"B": "AAA="}]
    + [
        {"N": text}
        for text in ("0", "1", "-1", "12", "-12", "0.5", "123456789012345678901234567890.12345678", "1200")
    ],
)
def test_a_key_tells_its_collection(value: dict[str, str]) -> None:
    prefix = encode_partition_key(value)
    for behind in (b"", b"\0\0\0", b"\xff\x01", encode_key(value)):
        assert collection(prefix + behind, "N" in value) == prefix


@given(st.integers(-(10**20), 10**20), st.binary(max_size=5))
def test_a_number_tells_its_collection(number: int, behind: bytes) -> None:
    prefix = encode_partition_key({"N": str(number)})
    assert collection(prefix + behind, number=True) == prefix


@pytest.mark.parametrize("bound", [b"", b"\x80", b"\x80" + bytes(7), b"12345678abc", b"12345678\x03\x80\x12"])
def test_a_bound_within_a_partition_key_stays(bound: bytes) -> None:
    assert collection(bound, number=bound[8:9] == b"\x03") == bound
