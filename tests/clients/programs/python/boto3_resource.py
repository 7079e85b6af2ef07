"""A shop's orders through boto3's resource, batch writer and condition objects. Prints what it saw as JSON."""

from __future__ import annotations

import json
import sys
from decimal import Decimal
from typing import Any

import boto3
from boto3.dynamodb.conditions import Attr, Key

SEGMENTS = 4
db: Any = boto3.resource("dynamodb")
errors = db.meta.client.exceptions


def create(name: str) -> tuple[Any, dict[str, Any]]:
    keys = [("customer", "S"), ("order", "S"), ("total", "N")]
    by_total = [("customer", "HASH"), ("total", "RANGE")]
    table = db.create_table(
        TableName=name,
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": kind} for key, kind in keys],
        KeySchema=[
            {"AttributeName": "customer", "KeyType": "HASH"},
            {"AttributeName": "order", "KeyType": "RANGE"},
        ],
        LocalSecondaryIndexes=[
            {
                "IndexName": "by-total",
                "KeySchema": [{"AttributeName": key, "KeyType": role} for key, role in by_total],
                "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["status"]},
            }
        ],
        ProvisionedThroughput={"ReadCapacityUnits": 50, "WriteCapacityUnits": 50},
    )
    table.meta.client.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    table.reload()
    index = table.local_secondary_indexes[0]["IndexName"]
    return table, {
        "status": table.table_status,
        "sort_key": table.key_schema[1]["AttributeName"],
        "index": index,
    }


def order(customer: str, number: int) -> dict[str, Any]:
    return {
        "customer": customer,
        "order": f"o{number:02}",
        "total": number * 7 % 20 + Decimal("0.5"),
        "status": "shipped" if number % 3 else "open",
        "note": "Größe 42, ¥",
        "lines": [{"sku": "ski", "quantity": number}],
        "tags": {"gift", "été"},
        "receipt": bytes([number, 0, 255]),
        "paid": False,
        "coupon": None,
    }


def write_all(table: Any) -> int:
    with table.batch_writer(overwrite_by_pkeys=["customer", "order"]) as batch:
        for customer in range(3):
            for number in range(20):
                batch.put_item(Item=order(f"c{customer}", number))
    return int(table.scan(Select="COUNT", ConsistentRead=True)["Count"])


def open_orders(table: Any) -> dict[str, Any]:
    question: dict[str, Any] = {
        "KeyConditionExpression": Key("customer").eq("c1"),
        "FilterExpression": Attr("status").eq("open"),
        "Limit": 6,
        "ConsistentRead": True,
    }
    page = table.query(**question)
    pages = [page]
    while "LastEvaluatedKey" in page:
        page = table.query(**question, ExclusiveStartKey=page["LastEvaluatedKey"])
        pages.append(page)
    return {
        "orders": [item["order"] for page in pages for item in page["Items"]],
        "pages": len(pages),
        "examined": sum(page["ScannedCount"] for page in pages),
    }


def latest(table: Any) -> list[str]:
    condition = Key("customer").eq("c1") & Key("order").begins_with("o1")
    found = table.query(KeyConditionExpression=condition, ScanIndexForward=False, Limit=3, ConsistentRead=True)
    return [item["order"] for item in found["Items"]]


def by_total(table: Any) -> list[list[Any]]:
    condition = Key("customer").eq("c2") & Key("total").between(5, 9)
    found = table.query(IndexName="by-total", KeyConditionExpression=condition, ConsistentRead=True)
    return [[item["order"], float(item["total"]), item["status"]] for item in found["Items"]]


def read_one(table: Any) -> dict[str, Any]:
    item = table.get_item(Key={"customer": "c0", "order": "o05"}, ConsistentRead=True)["Item"]
    return {
        "receipt": item["receipt"].value.hex(),
        "tags": sorted(item["tags"]),
        "quantity": int(item["lines"][0]["quantity"]),
        "note": item["note"],
        "paid": item["paid"],
        "coupon": item["coupon"],
    }


def put_again(table: Any) -> dict[str, Any]:
    try:
        table.put_item(
            Item=order("c0", 3),
            ConditionExpression=Attr("customer").not_exists(),
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
    except errors.ConditionalCheckFailedException as refusal:
        error = refusal.response["Error"]
        return {
            "error": error["Code"],
            "message": error["Message"],
            "status": refusal.response["Item"]["status"]["S"],
        }
    return {}


def pay(table: Any) -> dict[str, Any]:
    changed = table.update_item(
        Key={"customer": "c0", "order": "o04"},
        UpdateExpression="SET #s = :paid, #l[0].quantity = #l[0].quantity + :more ADD visits :more REMOVE note",
        ConditionExpression=Attr("note").exists() & ~Attr("status").eq("paid"),
        ExpressionAttributeNames={"#s": "status", "#l": "lines"},
        ExpressionAttributeValues={":paid": "paid", ":more": 2},
        ReturnValues="UPDATED_NEW",
    )["Attributes"]
    return {
        "names": sorted(changed),
        "status": changed["status"],
        "visits": int(changed["visits"]),
        "quantity": int(changed["lines"][0]["quantity"]),
    }


def exact(table: Any) -> str:
    key = {"customer": "c9", "order": "big"}
    table.put_item(Item={**key, "amount": Decimal("12345678901234567890123456789012345678")})
    return str(table.delete_item(Key=key, ReturnValues="ALL_OLD")["Attributes"]["amount"])


def scan_pages(table: Any, **more: Any) -> dict[str, int]:
    items, pages = 0, 0
    place: dict[str, Any] = {}
    while pages == 0 or place:
        page = table.scan(Limit=25, ConsistentRead=True, **more, **place)
        items, pages = items + page["Count"], pages + 1
        place = {"ExclusiveStartKey": page["LastEvaluatedKey"]} if "LastEvaluatedKey" in page else {}
    return {"items": items, "pages": pages}


def scan_segments(table: Any) -> int:
    return sum(scan_pages(table, Segment=number, TotalSegments=SEGMENTS)["items"] for number in range(SEGMENTS))


def fetch_archive(archive: str, count: int) -> dict[str, int]:
    keys = [{"id": number} for number in range(count)]
    asked: dict[str, Any] = {archive: {"Keys": keys, "ConsistentRead": True}}
    fetched, rounds = set(), 0
    while asked:
        answer = db.batch_get_item(RequestItems=asked)
        fetched |= {item["id"] for item in answer["Responses"][archive]}
        asked, rounds = answer["UnprocessedKeys"], rounds + 1
    return {"fetched": len(fetched), "rounds": rounds}


def put_without_sort_key(table: Any) -> str:
    try:
        table.put_item(Item={"customer": "c0"})
    except errors.ClientError as refusal:
        return str(refusal.response["Error"]["Message"])
    return ""


def drop(table: Any) -> str:
    table.delete()
    waiter = table.meta.client.get_waiter("table_not_exists")
    waiter.wait(TableName=table.name, WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    try:
        table.reload()
    except errors.ResourceNotFoundException as refusal:
        return str(refusal.response["Error"]["Message"])
    return ""


def main(name: str, archive: str, archived: int) -> None:
    table, described = create(name)
    steps: dict[str, Any] = {"table": described, "written": write_all(table)}
    steps |= {"open": open_orders(table), "latest": latest(table), "by_total": by_total(table)}
    steps |= {"read": read_one(table), "refused": put_again(table), "updated": pay(table), "exact": exact(table)}
    steps |= {"scan": scan_pages(table), "segments": scan_segments(table)}
    steps |= {"archive": fetch_archive(archive, archived), "invalid": put_without_sort_key(table)}
    print(json.dumps(steps | {"dropped": drop(table)}))


main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
