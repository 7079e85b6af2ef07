"""DynamoDB's number: up to 38 significant digits, magnitude 1E-130 to 9.99…E+125, exact, and zero.

Normal form is plain notation over the whole range, as DynamoDB answers it: no exponent, no sign but `-`, no zeros
that mean nothing, `0` for every zero. `1E125` is answered with 126 digits, `1E-130` as `0.` and 130 more.
Two numbers are equal exactly if their normal forms are.

What is accepted is Java's decimal syntax (`+3`, `.5`, `5.`, `1e+5`). A zero is range-checked by the exponent that
it is written with, and an exponent beyond 64 bits is not a number at all; that is how DynamoDB behaves.
Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html
"""

from __future__ import annotations

import re
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal

from dynabus.core.errors import ApiError, validation_error
from dynabus.core.limits import MAX_NUMBER_DIGITS, MAX_NUMBER_EXPONENT, MIN_NUMBER_EXPONENT
from dynabus.core.values.faults import ValueFault

_LITERAL = re.compile(r"([+-]?)([0-9]*)(?:\.([0-9]*))?(?:[eE]([+-]?[0-9]+))?")
_MAX_EXPONENT_DIGITS = 19
_INT64 = 1 << 63
_INT32 = 1 << 31

_EXACT_DIGITS = 300
"""A sum of two numbers spans at most from E+126 to E-167: enough for it to be exact."""

_EXACT = Context(prec=_EXACT_DIGITS, Emax=MAX_EMAX, Emin=MIN_EMIN)

_OVERFLOW = "Number overflow. Attempting to store a number with magnitude larger than supported range"
_UNDERFLOW = "Number underflow. Attempting to store a number with magnitude smaller than supported range"
_NO_NUMBER = "The parameter cannot be converted to a numeric value"
_TOO_MANY_DIGITS = "Attempting to store more than 38 significant digits in a Number"


def normalise_number(text: str) -> str:
    """The normal form; raises a ValidationException if `text` is not a number that DynamoDB stores."""
    if text.isdigit() and text.isascii() and text[0] != "0" and len(text) <= MAX_NUMBER_DIGITS:
        return text
    match = _LITERAL.fullmatch(text)
    if match is None:
        raise _not_a_number(text)
    sign, whole, fraction, written = match.groups("")
    if not whole and not fraction:
        raise _not_a_number(text)
    exponent = _exponent(written, text)
    digits = (whole + fraction).lstrip("0")
    if not digits:
        _check_magnitude(exponent, text, exponent)
        return "0"
    point = exponent - len(fraction)  # of the last digit
    _check_magnitude(point + len(digits) - 1, text, exponent)
    significant = digits.rstrip("0")
    if len(significant) > MAX_NUMBER_DIGITS:
        raise validation_error(_TOO_MANY_DIGITS)
    plain = _plain(significant, point + len(digits) - len(significant))
    return "-" + plain if sign == "-" else plain


def _exponent(written: str, text: str) -> int:
    if not written:
        return 0
    if len(written.lstrip("+-").lstrip("0")) > _MAX_EXPONENT_DIGITS:
        raise _not_a_number(text)
    exponent = int(written)
    if not -_INT64 <= exponent < _INT64:
        raise _not_a_number(text)
    return exponent


def _check_magnitude(exponent: int, text: str, written: int) -> None:
    if MIN_NUMBER_EXPONENT <= exponent <= MAX_NUMBER_EXPONENT:
        return
    message = _OVERFLOW if exponent > 0 else _UNDERFLOW
    raise ValueFault(message, _older(message, exponent, text, written))


def _older(message: str, exponent: int, text: str, written: int) -> str:
    """As Java's BigDecimal reads it: an exponent is an int, and one more than the largest is the smallest."""
    if not -_INT32 <= written < _INT32:
        return f"{_NO_NUMBER}: {text}"
    return _UNDERFLOW if exponent + 1 >= _INT32 else message


def _plain(digits: str, point: int) -> str:
    """Significant digits times ten to the power of `point`, without an exponent."""
    if point >= 0:
        return digits + "0" * point
    if -point < len(digits):
        return digits[:point] + "." + digits[point:]
    return "0." + "0" * (-point - len(digits)) + digits


def _not_a_number(text: str) -> ApiError:
    message = f"{_NO_NUMBER}: {text}"
    return ValueFault(message, message if text else _NO_NUMBER)


def number(text: str) -> Decimal:
    """The exact value of a number in normal form, for comparisons."""
    return Decimal(text)


def add_numbers(augend: str, addend: str) -> str:
    """The exact sum of two numbers in normal form, in normal form.

    Raises a ValidationException if it cannot be stored; as in DynamoDB a sum that needs more than 38 digits
    (1E50 + 1) is an overflow.
    """
    return _storable(_EXACT.add(Decimal(augend), Decimal(addend)))


def subtract_numbers(minuend: str, subtrahend: str) -> str:
    """The exact difference, under the rules of `add_numbers`."""
    return _storable(_EXACT.subtract(Decimal(minuend), Decimal(subtrahend)))


def _storable(result: Decimal) -> str:
    plain = format(result, "f")
    digits = plain.replace(".", "").strip("-0") if "." in plain else plain.strip("-0")
    if len(digits) > MAX_NUMBER_DIGITS:
        raise validation_error(_OVERFLOW)
    return normalise_number(plain)


def number_size(text: str) -> int:
    """Bytes that a number in normal form counts for in an item's size.

    One, and one per two significant digits, counted apart before and behind the point and rounded up, and one
    for a minus sign; zero counts one. AWS documents "approximately" less; this is what the 400 KB limit shows:
    `3.14159` counts 5, `123456` and `1E125` 4 and 2.
    """
    if text == "0":
        return 1
    size = 1
    if text[0] == "-":
        size = 2
        text = text[1:]
    whole, point, fraction = text.partition(".")
    if not point:
        return size + ((len(whole.rstrip("0")) + 1) >> 1)
    if whole == "0":
        return size + ((len(fraction.lstrip("0")) + 1) >> 1)
    return size + ((len(whole) + 1) >> 1) + ((len(fraction) + 1) >> 1)
