"""DynamoDB's limits and our own, in one place. Each says where its number comes from.

DynamoDB's: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html (sizes are
binary: 1 KB = 1,024 bytes).
"""

from __future__ import annotations

MAX_ITEM_BYTES = 400 * 1024
"""Size of an item by DynamoDB's own rule (`core.values.item_size`), not its size as JSON."""

MAX_NESTING = 32
"""Levels of a document; a top-level attribute's value is level 1."""

MAX_NUMBER_DIGITS = 38
"""Significant digits of a number."""

MAX_NUMBER_EXPONENT = 125
"""Of the leading digit: the largest magnitude is 9.99…E+125."""

MIN_NUMBER_EXPONENT = -130
"""Of the leading digit: the smallest magnitude is 1E-130."""

MAX_ATTRIBUTE_NAME_BYTES = 65_535
"""Of an attribute's name in UTF-8 (64 KB less one)."""

MAX_PARTITION_KEY_BYTES = 2048
"""Of a partition key value (S in UTF-8, B raw); not empty."""

MAX_SORT_KEY_BYTES = 1024
"""Of a sort key value (S in UTF-8, B raw); not empty."""

INDEX_LAG_LIMIT_MOST_S = 7 * 24 * 3600
"""Of a limit on an index's lag (ours): who wants more wants none."""
