"""A shop's orders through boto3's client. Prints what it saw as one JSON object."""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3

Item = dict[str, Any]
BATCH = 25
SEGMENTS = 4
db: Any = boto3.client("dynamodb")


def create(table: str) -> dict[str, Any]:
    db.create_table(
        TableName=table,
        AttributeDefinitions=[
            {"AttributeName": "customer", "AttributeType": "S"},
            {"AttributeName": "order", "AttributeType": "S"},
            {"AttributeName": "total", "AttributeType": "N"},
        ],
        KeySchema=[
            {"AttributeName": "customer", "KeyType": "HASH"},
            {"AttributeName": "order", "KeyType": "RANGE"},
        ],
        LocalSecondaryIndexes=[
            {
                "IndexName": "by-total",
                "KeySchema": [
                    {"AttributeName": "customer", "KeyType": "HASH"},
                    {"AttributeName": "total", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["status"]},
            }
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    db.get_waiter("table_exists").wait(TableName=table, WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    described = db.describe_table(TableName=table)["Table"]
    return {
        "status": described["TableStatus"],
        "sort_key": described["KeySchema"][1]["AttributeName"],
        "index": described["LocalSecondaryIndexes"][0]["IndexName"],
    }


def order(customer: str, number: int) -> Item:
    return {
        "customer": {"S": customer},
        "order": {"S": f"o{number:02}"},
        "total": {"N": str(number * 7 % 20 + 0.5)},
        "status": {"S": "shipped" if number % 3 else "open"},
        "note": {"S": "Größe 42, ¥"},
        "lines": {"L": [{"M": {"sku": {"S": "ski"}, "quantity": {"N": str(number)}}}]},
        "tags": {"SS": ["gift", "été"]},
        "receipt": {"B": bytes([number, 0, 255])},
        "paid": {"BOOL": False},
        "coupon": {"NULL": True},
    }


def write_all(table: str) -> int:
    waiting = [{"PutRequest": {"Item": order(f"c{c}", number)}} for c in range(3) for number in range(20)]
    written = 0
    while waiting:
        batch, waiting = waiting[:BATCH], waiting[BATCH:]
        left = db.batch_write_item(RequestItems={table: batch})["UnprocessedItems"].get(table, [])
        written += len(batch) - len(left)
        waiting += left
    return written


def open_orders(table: str) -> dict[str, Any]:
    pages = list(
        db.get_paginator("query").paginate(
            TableName=table,
            KeyConditionExpression="customer = :c",
            FilterExpression="#s = :open",
            ExpressionAttributeNames={"#s": "status"},
            ExpressionAttributeValues={":c": {"S": "c1"}, ":open": {"S": "open"}},
            Limit=6,
            ConsistentRead=True,
        )
    )
    return {
        "orders": [item["order"]["S"] for page in pages for item in page["Items"]],
        "pages": len(pages),
        "examined": sum(page["ScannedCount"] for page in pages),
    }


def latest(table: str) -> list[str]:
    found = db.query(
        TableName=table,
        KeyConditionExpression="customer = :c AND begins_with(#o, :prefix)",
        ExpressionAttributeNames={"#o": "order"},
        ExpressionAttributeValues={":c": {"S": "c1"}, ":prefix": {"S": "o1"}},
        ScanIndexForward=False,
        Limit=3,
        ConsistentRead=True,
    )
    return [item["order"]["S"] for item in found["Items"]]


def by_total(table: str) -> list[list[Any]]:
    found = db.query(
        TableName=table,
        IndexName="by-total",
        KeyConditionExpression="customer = :c AND #t BETWEEN :low AND :high",
        ExpressionAttributeNames={"#t": "total"},
        ExpressionAttributeValues={":c": {"S": "c2"}, ":low": {"N": "5"}, ":high": {"N": "9"}},
        ConsistentRead=True,
    )
    return [[item["order"]["S"], float(item["total"]["N"]), item["status"]["S"]] for item in found["Items"]]


def read_one(table: str) -> dict[str, Any]:
    key = {"customer": {"S": "c0"}, "order": {"S": "o05"}}
    item = db.get_item(TableName=table, Key=key, ConsistentRead=True)["Item"]
    return {
        "receipt": item["receipt"]["B"].hex(),
        "tags": sorted(item["tags"]["SS"]),
        "quantity": int(item["lines"]["L"][0]["M"]["quantity"]["N"]),
        "note": item["note"]["S"],
        "paid": item["paid"]["BOOL"],
        "coupon": None if item["coupon"]["NULL"] else "",
    }


def put_again(table: str) -> dict[str, Any]:
    try:
        db.put_item(
            TableName=table,
            Item=order("c0", 3),
            ConditionExpression="attribute_not_exists(customer)",
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
    except db.exceptions.ConditionalCheckFailedException as refusal:
        error = refusal.response["Error"]
        return {
            "error": error["Code"],
            "message": error["Message"],
            "status": refusal.response["Item"]["status"]["S"],
        }
    return {}


def pay(table: str) -> dict[str, Any]:
    changed = db.update_item(
        TableName=table,
        Key={"customer": {"S": "c0"}, "order": {"S": "o04"}},
        UpdateExpression="SET #s = :paid, #l[0].quantity = #l[0].quantity + :more ADD visits :more REMOVE note",
        ConditionExpression="attribute_exists(note) AND NOT #s = :paid",
        ExpressionAttributeNames={"#s": "status", "#l": "lines"},
        ExpressionAttributeValues={":paid": {"S": "paid"}, ":more": {"N": "2"}},
        ReturnValues="UPDATED_NEW",
    )["Attributes"]
    return {
        "names": sorted(changed),
        "status": changed["status"]["S"],
        "visits": int(changed["visits"]["N"]),
        "quantity": int(changed["lines"]["L"][0]["M"]["quantity"]["N"]),
    }


def exact(table: str) -> str:
    key = {"customer": {"S": "c9"}, "order": {"S": "big"}}
    db.put_item(TableName=table, Item={**key, "amount": {"N": "12345678901234567890123456789012345678"}})
    old = db.delete_item(TableName=table, Key=key, ReturnValues="ALL_OLD")["Attributes"]
    return str(old["amount"]["N"])


def scan_pages(table: str) -> dict[str, int]:
    pages = list(db.get_paginator("scan").paginate(TableName=table, Limit=25, ConsistentRead=True))
    return {"items": sum(page["Count"] for page in pages), "pages": len(pages)}


def scan_segment(table: str, segment: int) -> int:
    pages = db.get_paginator("scan").paginate(
        TableName=table, Segment=segment, TotalSegments=SEGMENTS, Select="COUNT", Limit=10, ConsistentRead=True
    )
    return sum(page["Count"] for page in pages)


def scan_segments(table: str) -> int:
    with ThreadPoolExecutor(SEGMENTS) as pool:
        return sum(pool.map(lambda segment: scan_segment(table, segment), range(SEGMENTS)))


def fetch_archive(archive: str, count: int) -> dict[str, int]:
    keys = [{"id": {"N": str(number)}} for number in range(count)]
    asked: dict[str, Any] = {archive: {"Keys": keys, "ConsistentRead": True}}
    fetched, rounds = set(), 0
    while asked:
        answer = db.batch_get_item(RequestItems=asked)
        fetched |= {item["id"]["N"] for item in answer["Responses"][archive]}
        asked, rounds = answer["UnprocessedKeys"], rounds + 1
    return {"fetched": len(fetched), "rounds": rounds}


def put_without_sort_key(table: str) -> str:
    try:
        db.put_item(TableName=table, Item={"customer": {"S": "c0"}})
    except db.exceptions.ClientError as refusal:
        return str(refusal.response["Error"]["Message"])
    return ""


def drop(table: str) -> str:
    db.delete_table(TableName=table)
    db.get_waiter("table_not_exists").wait(TableName=table, WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    try:
        db.describe_table(TableName=table)
    except db.exceptions.ResourceNotFoundException as refusal:
        return str(refusal.response["Error"]["Message"])
    return ""


def main(table: str, archive: str, archived: int) -> None:
    steps: dict[str, Any] = {"table": create(table), "written": write_all(table)}
    steps |= {"open": open_orders(table), "latest": latest(table), "by_total": by_total(table)}
    steps |= {"read": read_one(table), "refused": put_again(table), "updated": pay(table), "exact": exact(table)}
    steps |= {"scan": scan_pages(table), "segments": scan_segments(table)}
    steps |= {"archive": fetch_archive(archive, archived), "invalid": put_without_sort_key(table)}
    print(json.dumps(steps | {"dropped": drop(table)}))


main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
