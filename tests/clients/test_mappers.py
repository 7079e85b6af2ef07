"""Object mappers and an asyncio client: what people use on top of the SDKs, each in its own idiom, over HTTP."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from tests.clients.printed import printed
from tests.clients.runtimes import PROGRAMS, java, javascript, python_environment

REFUSED = "ConditionalCheckFailedException"
MESSAGE = "The conditional request failed"
EVERY_THIRD = ["00", "03", "06", "09", "12", "15", "18"]


def pynamodb() -> Sequence[str]:
    return [python_environment("python"), str(PROGRAMS / "python" / "pynamodb_model.py")]


def aiobotocore() -> Sequence[str]:
    return [python_environment("python"), str(PROGRAMS / "python" / "aiobotocore_client.py")]


def electrodb() -> Sequence[str]:
    return ["node", str(javascript("electrodb.mjs"))]


def dynamoose() -> Sequence[str]:
    return ["node", str(javascript("dynamoose.mjs"))]


def dynamodb_toolbox() -> Sequence[str]:
    return ["node", str(javascript("toolbox.mjs"))]


def java_enhanced() -> Sequence[str]:
    return java("java", "Library")


def java_v1() -> Sequence[str]:
    return java("java_v1", "Tracks")


def what_pynamodb_prints() -> dict[str, Any]:
    return {
        "status": "ACTIVE",
        "written": 60,
        "live": {"titles": [f"Track {n:02}" for n in (0, 4, 8, 12, 16)], "found": 5, "more": False},
        "resumed": [f"Track {n}" for n in range(10, 20)],
        "most_played": [["Track 09", 19], ["Track 18", 18], ["Track 07", 17], ["Track 16", 16], ["Track 05", 15]],
        "read": {
            "released": "1965-06-08T00:00:00+00:00",
            "label": {"name": "Philips", "founded": 1950},
            "genres": ["jazz", "soul"],
            "extra": {"b-side": 7},
            "version": None,  # batches carry no conditions, so PynamoDB counts no versions in them
        },
        "refused": f"{REFUSED}: {MESSAGE}",
        "two_writers": {"plays": 102, "ratings": [5, 4], "label": "Verve", "version": 1, "loser": REFUSED},
        "fetched": {"asked": 120, "found": 40},
        "scan": [60, 10],
        "gone": "This item does not exist in the table.",
    }


def what_aiobotocore_prints() -> dict[str, Any]:
    return {
        "status": "ACTIVE",
        "highest": [4] * 12,
        "pages": [16, 16, 16, 12],
        "counted": list(range(1, 51)),
        "created": {MESSAGE: 9, "created": 1},
        "dropped": "Requested resource not found: Table: readings-aiobotocore not found",
    }


def what_electrodb_prints() -> dict[str, Any]:
    return {
        "created": "SUCCESS",
        "written": 60,
        "open": {"ids": [f"t{number}" for number in EVERY_THIRD], "pages": 4},
        "by_points": [["t15", 5], ["t18", 6], ["t01", 7], ["t04", 8]],
        "work": {"tasks": 20, "bugs": [[1, "high"]]},
        "refused": {"code": 4001, "cause": REFUSED, "message": MESSAGE},
        "missing": REFUSED,
        "changed": {
            "state": "done",
            "seen": 2,
            "labels": ["new", "ski", "été"],
            "steps": [{"name": "plan", "done": False}, {"name": "ship", "done": True}],
            "owner": {"name": "Grace", "since": 1906},
        },
        "upserted": 2,
        "fetched": {"found": 20, "unprocessed": 0},
        "scanned": 30,
        "removed": [20, 0],
        "dropped": "SUCCESS",
    }


def what_dynamoose_prints() -> dict[str, Any]:
    return {
        "written": 60,
        "lent": {"titles": [f"Book {number}" for number in EVERY_THIRD], "pages": 4},
        "by_year": BOOKS_BY_YEAR,
        "read": {
            "tags": ["ski", "été"],
            "published": {"by": "Insel", "place": "Leipzig"},
            "readers": ["Ada"],
            "lent": False,
            "copies": 1,
            "dated": True,
        },
        "refused": [REFUSED, MESSAGE],
        "changed": {"note": "lost", "copies": 5, "readers": ["Ada", "Max"], "published": None},
        "change_refused": REFUSED,
        "fetched": {"found": 20, "unprocessed": 0},
        "scanned": {"count": 60, "old": 9},
        "left": 39,
        "dropped": "DELETING",
    }


def what_toolbox_prints() -> dict[str, Any]:
    return {
        "created": "SUCCESS",
        "written": 60,
        "open": {"orders": [f"o{number}" for number in EVERY_THIRD], "pages": 3},
        "by_total": [["o07", 9], ["o04", 8], ["o01", 7], ["o18", 6], ["o15", 5]],
        "refused": [REFUSED, MESSAGE],
        "changed": {
            "status": "open",
            "seen": 2,
            "tags": ["été"],
            "lines": [{"sku": "ski", "quantity": 2}, {"sku": "wax", "quantity": 1}],
            "note": None,
        },
        "fetched": 20,
        "part": {"total": 1, "lines": [{"sku": "ski"}]},
        "removed": [{"sku": "ski", "quantity": 3}],
        "dropped": "SUCCESS",
    }


def what_java_enhanced_prints() -> dict[str, Any]:
    return {
        "index": "by-year",
        "unprocessed": 0,
        "lent": {"titles": [f"Book {number}" for number in EVERY_THIRD], "pages": 4},
        "by_year": BOOKS_BY_YEAR,
        "read": {
            "tags": ["ski", "été"],
            "readers": [{"name": "Ada"}],
            "bought": "2001-09-09T01:46:45Z",
            "lent": False,
            "version": "null",
        },
        "refused": MESSAGE,
        "two_writers": {"versions": [1, 2], "note": "null", "loser": REFUSED},
        "fetched": 20,
        "scanned": 61,
        "deleted": 1907,
    }


def what_java_v1_prints() -> dict[str, Any]:
    return {
        "created": True,
        "unwritten": 0,
        "live": {"titles": [f"Track {n:02}" for n in (0, 4, 8, 12, 16)], "pages": 3, "examined": 20},
        "either": ["Track 12", "Track 16", "Track 18"],
        "most_played": [["Track 18", 18], ["Track 07", 17], ["Track 16", 16], ["Track 05", 15]],
        "two_writers": {"loser": f"{REFUSED}: {MESSAGE}", "plays": 1000, "note": "null", "version": 2},
        "expected": [REFUSED, "more than 500"],
        "updated": {
            "names": ["genres", "label", "plays"],
            "plays": 20,
            "genres": ["blues", "jazz", "été"],
            "label": "Verve",
        },
        "some": {"label": "Verve", "plays": "20"},
        "fetched": 20,
        "scanned": [6, 61],
        "deleted": True,
        "dropped": "DELETING",
    }


BOOKS_BY_YEAR = [["Book 07", 1909], ["Book 04", 1908], ["Book 01", 1907], ["Book 18", 1906], ["Book 15", 1905]]


@pytest.mark.parametrize(
    ("command", "table", "expected"),
    [
        (pynamodb, "tracks-pynamodb", what_pynamodb_prints),
        (aiobotocore, "readings-aiobotocore", what_aiobotocore_prints),
        (electrodb, "tasks-electrodb", what_electrodb_prints),
        (dynamoose, "books-dynamoose", what_dynamoose_prints),
        (dynamodb_toolbox, "orders-toolbox", what_toolbox_prints),
        (java_enhanced, "books-java", what_java_enhanced_prints),
        (java_v1, "tracks-java", what_java_v1_prints),
    ],
)
def test_a_mapper_finds_what_it_stored(
    command: Callable[[], Sequence[str]],
    table: str,
    expected: Callable[[], dict[str, Any]],
    open_cluster: Mapping[str, str],
) -> None:
    assert printed(command, table, open_cluster) == expected()
