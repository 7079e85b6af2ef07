"""Numbers: what is accepted, the normal form, exact arithmetic, sizes."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Context, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynabus.core.errors import ApiError
from dynabus.core.values import add_numbers, normalise_number, number, number_size, subtract_numbers

OVERFLOW = "Number overflow. Attempting to store a number with magnitude larger than supported range"
UNDERFLOW = "Number underflow. Attempting to store a number with magnitude smaller than supported range"
TOO_MANY_DIGITS = "Attempting to store more than 38 significant digits in a Number"
NOT_NUMERIC = "The parameter cannot be converted to a numeric value"

EXACT = Context(prec=400)


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("0", "0"),
        ("-0", "0"),
        ("0.000", "0"),
        ("0e125", "0"),
        ("0e-130", "0"),
        ("1E+2", "100"),
        ("1.50", "1.5"),
        ("0042.1200", "42.12"),
        ("+3", "3"),
        (".123", "0.123"),
        ("5.", "5"),
        ("-17.4E37", "-174" + "0" * 36),
        ("1e+5", "100000"),
        ("123e-2", "1.23"),
        ("-1.5e-3", "-0.0015"),
        ("1E125", "1" + "0" * 125),
        ("1e-130", "0." + "0" * 129 + "1"),
        ("-" + "9" * 38 + "e88", "-" + "9" * 38 + "0" * 88),
        ("1.1e-130", "0." + "0" * 129 + "11"),
        ("100" + "0" * 60, "100" + "0" * 60),
        ("0" * 500 + "1", "1"),
    ],
)
def test_normal_form(text: str, normal: str) -> None:
    assert normalise_number(text) == normal
    assert normalise_number(normal) == normal


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1e126", OVERFLOW),
        ("-11e125", OVERFLOW),
        ("1" + "0" * 126, OVERFLOW),
        ("0e126", OVERFLOW),
        ("1e99999999999", OVERFLOW),
        ("1e2147483648", OVERFLOW),
        ("1e-131", UNDERFLOW),
        ("-0.9e-130", UNDERFLOW),
        ("0e-131", UNDERFLOW),
        ("1e-99999999999", UNDERFLOW),
        ("9" * 39, TOO_MANY_DIGITS),
        ("1234567890123456789012345678901234567890", TOO_MANY_DIGITS),
        ("3.14159265358979323846264338327950288419", TOO_MANY_DIGITS),
        ("", NOT_NUMERIC + ": "),
        *(
            (text, f"{NOT_NUMERIC}: {text}")
            for text in [
                "abc",
                "1.2.3",
                " 1",
                "1 ",
                "1\n",
                "0x10",
                "1e",
                "NaN",
                "Infinity",
                "-",
                ".",
                "e5",
                "1_0",
                "١",
            ]
        ),
        ("1e9223372036854775808", f"{NOT_NUMERIC}: 1e9223372036854775808"),
        ("1e" + "9" * 5000, f"{NOT_NUMERIC}: 1e" + "9" * 5000),
    ],
)
def test_refused(text: str, message: str) -> None:
    with pytest.raises(ApiError) as caught:
        normalise_number(text)
    assert caught.value.message == message
    assert caught.value.type.endswith("#ValidationException")


DECIMALS = st.builds(
    lambda negative, digits, exponent: f"{'-' if negative else ''}{digits}e{exponent}",
    st.booleans(),
    st.integers(0, 10**38 - 1),
    st.integers(-130, 88),
)


@given(DECIMALS)
def test_normal_form_keeps_the_value(text: str) -> None:
    normal = normalise_number(text)
    assert number(normal) == Decimal(text)
    assert "e" not in normal.lower()
    assert normal == "0" or not normal.startswith(("-0", "0", "+")) or normal.lstrip("-").startswith("0.")
    assert "." not in normal or not normal.endswith(("0", "."))


def outcome(operation: Callable[..., str], *operands: str) -> Decimal | str:
    """The result's value, or the error's message."""
    try:
        return number(operation(*operands))
    except ApiError as error:
        return error.message


@given(st.text(alphabet="0123456789.eE+-", max_size=12))
def test_any_text_is_a_number_exactly_if_decimal_says_so(text: str) -> None:
    try:
        expected = Decimal(text)
    except ArithmeticError:
        assert str(outcome(normalise_number, text)).startswith(NOT_NUMERIC)
    else:
        assert outcome(normalise_number, text) in (expected, OVERFLOW, UNDERFLOW)


@given(DECIMALS, DECIMALS)
def test_sums_are_exact_or_refused(augend: str, addend: str) -> None:
    a, b = normalise_number(augend), normalise_number(addend)
    for operation, exact in ((add_numbers, EXACT.add), (subtract_numbers, EXACT.subtract)):
        expected = exact(Decimal(augend), Decimal(addend)).normalize(EXACT)
        if len(expected.as_tuple().digits) > 38 or expected.adjusted() > 125:
            assert outcome(operation, a, b) == OVERFLOW
        elif expected and expected.adjusted() < -130:
            assert outcome(operation, a, b) == UNDERFLOW
        else:
            assert outcome(operation, a, b) == expected
            assert normalise_number(operation(a, b)) == operation(a, b)


def test_a_sum_of_more_than_38_digits_overflows() -> None:
    with pytest.raises(ApiError, match="Number overflow"):
        add_numbers("1" + "0" * 50, "1")
    assert add_numbers("10000000000000000000000", "1") == "10000000000000000000001"
    assert add_numbers("0.1", "0.2") == "0.3"
    assert subtract_numbers("0.3", "0.3") == "0"


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 1),
        ("-0", 1),
        ("1", 2),
        ("12", 2),
        ("123", 3),
        ("1234", 3),
        ("12345678901234567890123456789012345678", 20),
        ("100", 2),
        ("1010", 3),
        ("0.0000001", 2),
        ("1E125", 2),
        ("1E-100", 2),
        ("1.5", 3),
        ("15", 2),
        ("1.234", 4),
        ("3.14159", 5),
        ("123456", 4),
        ("-1", 3),
        ("-1.5", 4),
    ],
)
def test_size(text: str, size: int) -> None:
    assert number_size(normalise_number(text)) == size
