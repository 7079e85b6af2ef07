"""Tags of tables: what a tag may be, and what becomes of a table's tags. Pure.

Source: ack-api-quirks (DDB-TABLE-105 to 110 and 372, observed on DynamoDB); limits also TaggingRestrictions.html.
DynamoDB applies tags within two seconds and refuses the next change meanwhile; here they are there when the answer
is, and nothing is refused. The size of all tags of a table is limited there too (DDB-TABLE-442); how large they may
be is not documented, and not limited here.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping

from dynabus.core.errors import ApiError, validation_error

TAGS_MOST = 50
KEY_CHARACTERS_MOST = 128
VALUE_CHARACTERS_MOST = 256
_MARKS = frozenset("+-=._:/@")

Tags = dict[str, str]
"""In the order in which their keys came."""


def check_tags(tags: Iterable[tuple[str | None, str | None]]) -> Tags:
    """Keys and values of a request. Raises the ValidationException of the first that is none."""
    checked: Tags = {}
    for key, value in tags:
        good_key = check_key(key)
        if value is None or not _is_text(value, VALUE_CHARACTERS_MOST):
            raise validation_error(f"The Tag Value provided is invalid, Value: {_shown(value)}")
        if good_key in checked:
            raise validation_error(f"Duplicate Tag Keys provided as input: Duplicate Tag Key found {good_key}")
        checked[good_key] = value
    if len(checked) > TAGS_MOST:
        raise too_many()
    return checked


def check_key(key: str | None) -> str:
    """A key as one may set it, or take it away. Raises ApiError."""
    if not key or not _is_text(key, KEY_CHARACTERS_MOST):
        raise validation_error(f"The Tag Key provided is invalid, Key: {_shown(key)}")
    if key[:4].lower() == "aws:":
        raise validation_error(f"Tag Key cannot be prefixed with aws:, Key: {key}")
    return key


def merge(old: Mapping[str, str], new: Mapping[str, str]) -> Tags:
    """The tags of a table after TagResource. Raises ApiError if they become too many."""
    merged = {**old, **new}
    if len(merged) > TAGS_MOST:
        raise too_many()
    return merged


def without(old: Mapping[str, str], keys: Iterable[str]) -> Tags:
    """The tags of a table after UntagResource; keys that it does not have are no matter."""
    gone = set(keys)
    return {key: value for key, value in old.items() if key not in gone}


def too_many() -> ApiError:
    """Counted over all tags that the table would have."""
    return validation_error("Number of Tags exceed the current limit for the provided ResourceArn")


def listed(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """As ListTagsOfResource answers them."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def _is_text(text: str, most: int) -> bool:
    """Letters, digits and spaces of any script and a few marks."""
    return len(text) <= most and all(c in _MARKS or unicodedata.category(c)[0] in "LNZ" for c in text)


def _shown(text: str | None) -> str:
    return "null" if text is None else text
