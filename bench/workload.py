"""What every system is asked to do: five operations on items of 1 KB under 10,000 keys.

Two tables: `bench` (hash key), and `bench-lists` with 10 items under each of 1,000 hash keys for Query.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from bench.wire import RefusedError, call, request

KEYS = 10_000
LISTS, LIST_LENGTH = 1_000, 10
TABLE, LISTS_TABLE = "bench", "bench-lists"
PADDING = "x" * 900
"""With keys, a number and the envelope an item is 1 KB of JSON, and one write unit."""

BATCH = 25
"""BatchWriteItem's most."""

WRITERS, SHARE = 4, 1000
"""Who fill a table together, and how many items one of them makes at once."""

READY_S = 60.0

OPERATIONS = ("put", "get", "get eventual", "update", "query")


def _item(number: int) -> dict[str, Any]:
    return {"pk": {"S": f"user{number:08d}"}, "n": {"N": "12345"}, "pad": {"S": PADDING}}


def _list_item(number: int) -> dict[str, Any]:
    pk, sk = divmod(number, LIST_LENGTH)
    return {"pk": {"S": f"list{pk:08d}"}, "sk": {"S": f"entry{sk:04d}"}, "pad": {"S": PADDING}}


def _key(number: int) -> dict[str, Any]:
    return {"pk": _item(number)["pk"]}


def put(number: int, table: str = TABLE) -> bytes:
    """The request that puts the item of this number, to another table too."""
    return request("PutItem", {"TableName": table, "Item": _item(number)})


def _get(number: int, consistent: bool) -> bytes:
    return request("GetItem", {"TableName": TABLE, "Key": _key(number), "ConsistentRead": consistent})


def _update(number: int) -> bytes:
    values = {":seen": {"S": f"visit {number}"}, ":one": {"N": "1"}}
    body = {"TableName": TABLE, "Key": _key(number), "UpdateExpression": "SET seen = :seen ADD n :one"}
    return request("UpdateItem", {**body, "ExpressionAttributeValues": values})


def _query(number: int) -> bytes:
    values = {":pk": {"S": f"list{number:08d}"}}
    body = {"TableName": LISTS_TABLE, "KeyConditionExpression": "pk = :pk", "ConsistentRead": True}
    return request("Query", {**body, "ExpressionAttributeValues": values})


_REQUESTS: dict[str, tuple[int, Callable[[int], bytes]]] = {
    "put": (KEYS, put),
    "get": (KEYS, lambda number: _get(number, True)),
    "get eventual": (KEYS, lambda number: _get(number, False)),
    "update": (KEYS, _update),
    "query": (LISTS, _query),
}


def prepared(operation: str) -> Iterator[bytes]:
    """All requests of one operation, one for each key."""
    count, build = _REQUESTS[operation]
    return (build(number) for number in range(count))


def write_prepared(operation: str, folder: Path) -> Path:
    """The same as a file, for generators that are other processes: a length in decimal, a newline, so many bytes."""
    return write_requests(prepared(operation), folder / f"{operation.replace(' ', '-')}.requests")


def write_requests(requests: Iterable[bytes], path: Path) -> Path:
    """Any requests in that form."""
    with path.open("wb") as file:
        for each in requests:
            file.write(b"%d\n" % len(each) + each)
    return path


def read_prepared(path: Path) -> list[bytes]:
    requests = []
    with path.open("rb") as file:
        while line := file.readline():
            requests.append(file.read(int(line)))
    return requests


def create_table(port: int, name: str, *keys: str, one_partition: bool = False) -> None:
    """A table with string keys (hash, range), when it is ready. `one_partition`: provisioned, too small for two."""
    capacity = {"ReadCapacityUnits": 500, "WriteCapacityUnits": 500}
    billing = {"ProvisionedThroughput": capacity} if one_partition else {"BillingMode": "PAY_PER_REQUEST"}
    schema = {
        "AttributeDefinitions": [{"AttributeName": key, "AttributeType": "S"} for key in keys],
        "KeySchema": [{"AttributeName": k, "KeyType": t} for k, t in zip(keys, ("HASH", "RANGE"), strict=False)],
    }
    call(port, "CreateTable", {"TableName": name, **schema, **billing})
    deadline = time.monotonic() + READY_S
    while call(port, "DescribeTable", {"TableName": name})["Table"]["TableStatus"] != "ACTIVE":
        if time.monotonic() > deadline:
            raise TimeoutError(f"table {name} is not ready after {READY_S:.0f} s")
        time.sleep(0.05)


def fill(port: int) -> None:
    """Both tables with all their items. Raises RefusedError where the system cannot do it."""
    create_table(port, TABLE, "pk")
    create_table(port, LISTS_TABLE, "pk", "sk")
    write_all(port, TABLE, [_item(number) for number in range(KEYS)])
    write_all(port, LISTS_TABLE, [_list_item(number) for number in range(LISTS * LIST_LENGTH)])


def write_all(port: int, table: str, items: list[dict[str, Any]]) -> None:
    """By BatchWriteItem, until nothing is left over. Raises RefusedError, TimeoutError."""
    for start in range(0, len(items), BATCH):
        left = {table: [{"PutRequest": {"Item": item}} for item in items[start : start + BATCH]]}
        deadline = time.monotonic() + READY_S
        while left:
            left = call(port, "BatchWriteItem", {"RequestItems": left}).get("UnprocessedItems") or {}
            if time.monotonic() > deadline:
                raise TimeoutError(f"BatchWriteItem leaves items over for {READY_S:.0f} s")


def write_many(port: int, table: str, items: int, make: Callable[[int], dict[str, Any]]) -> None:
    """So many items, each made of its number, by several writers. Raises RefusedError, TimeoutError."""

    def share(start: int) -> None:
        write_all(port, table, [make(number) for number in range(start, min(items, start + SHARE))])

    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(share, range(0, items, SHARE)))


def check(port: int) -> None:
    """That the answers hold what they must: a fast 200 without an item is no read. Raises RefusedError."""
    item = call(port, "GetItem", {"TableName": TABLE, "Key": _key(7), "ConsistentRead": True}).get("Item")
    if not item or item["pad"] != {"S": PADDING}:
        raise RefusedError(f"GetItem answers {str(item)[:100]}")
    condition = {"KeyConditionExpression": "pk = :pk", "ExpressionAttributeValues": {":pk": {"S": "list00000007"}}}
    found = call(port, "Query", {"TableName": LISTS_TABLE, **condition})["Items"]
    if [each["sk"]["S"] for each in found] != [f"entry{number:04d}" for number in range(LIST_LENGTH)]:
        raise RefusedError(f"Query answers {len(found)} items")
