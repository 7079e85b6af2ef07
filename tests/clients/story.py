"""What every SDK's program must print: one small program, written once for each SDK in that SDK's own manner.

A shop keeps 3 customers' 20 orders each: key (customer, order), a local secondary index by total.
"""

from __future__ import annotations

import base64
from typing import Any

ARCHIVE = "archive"
ARCHIVED_ITEMS = 45
ARCHIVED_BYTES = 390 * 1024
"""45 items of 390 KB are 18 MB: one BatchGetItem answers 16 MB, which are 40, and names the rest as unprocessed."""

MISSING_SORT_KEY = "One or more parameter values were invalid: Missing the key order in the item"


def what_an_sdk_prints(table: str) -> dict[str, Any]:
    """The program's answers, one entry a step."""
    return {
        "table": {"status": "ACTIVE", "sort_key": "order", "index": "by-total"},
        "written": 60,
        "open": {"orders": ["o00", "o03", "o06", "o09", "o12", "o15", "o18"], "pages": 4, "examined": 20},
        "latest": ["o19", "o18", "o17"],
        "by_total": [["o15", 5.5, "open"], ["o18", 6.5, "open"], ["o01", 7.5, "shipped"], ["o04", 8.5, "shipped"]],
        "read": {
            "receipt": "0500ff",
            "tags": ["gift", "été"],
            "quantity": 5,
            "note": "Größe 42, ¥",
            "paid": False,
            "coupon": None,
        },
        "refused": {
            "error": "ConditionalCheckFailedException",
            "message": "The conditional request failed",
            "status": "open",
        },
        "updated": {"names": ["lines", "status", "visits"], "status": "paid", "visits": 2, "quantity": 6},
        "exact": "12345678901234567890123456789012345678",
        "scan": {"items": 60, "pages": 3},
        "segments": 60,
        "archive": {"fetched": ARCHIVED_ITEMS, "rounds": 2},
        "invalid": MISSING_SORT_KEY,
        "dropped": f"Requested resource not found: Table: {table} not found",
    }


def what_the_cli_prints(table: str) -> dict[str, Any]:
    """The same, but for what the AWS CLI keeps to itself: pages, the refused item, numbers beyond a double."""
    told = what_an_sdk_prints(table)
    del told["exact"], told["segments"], told["open"]["pages"], told["read"]["coupon"]
    return told | {
        "read": {**told["read"], "receipt": base64.b64encode(b"receipt 5").decode()},
        "refused": "ConditionalCheckFailedException: The conditional request failed",
        "scan": [25, 35],
        "archive": {"fetched": 40, "left": 5},
        "invalid": f"ValidationException: {MISSING_SORT_KEY}",
        "dropped": f"ResourceNotFoundException: {told['dropped']}",
    }
