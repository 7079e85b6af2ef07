"""Sensors that all write at once, through aiobotocore (asyncio, aiohttp). Prints what it saw as one JSON object."""

# aiobotocore is installed where this runs, not where types are checked.
# mypy: disable-error-code="import-not-found,misc"

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session

TABLE = sys.argv[1]
SENSORS = 12
READINGS = 5


async def create(db: Any) -> str:
    by_value = [("sensor", "HASH"), ("value", "RANGE")]
    await db.create_table(
        TableName=TABLE,
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "N"} for name in ("sensor", "at", "value")],
        KeySchema=[{"AttributeName": "sensor", "KeyType": "HASH"}, {"AttributeName": "at", "KeyType": "RANGE"}],
        LocalSecondaryIndexes=[
            {
                "IndexName": "by-value",
                "KeySchema": [{"AttributeName": name, "KeyType": role} for name, role in by_value],
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            }
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    await db.get_waiter("table_exists").wait(TableName=TABLE, WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    return str((await db.describe_table(TableName=TABLE))["Table"]["TableStatus"])


async def report(db: Any, sensor: int) -> None:
    """One sensor's readings, one after the other; all sensors at the same time."""
    for at in range(READINGS):
        item = {"sensor": sensor, "at": at, "value": (at * 3 + sensor) % READINGS}
        await db.put_item(TableName=TABLE, Item={name: {"N": str(value)} for name, value in item.items()})


async def highest(db: Any, sensor: int) -> int:
    found = await db.query(
        TableName=TABLE,
        IndexName="by-value",
        KeyConditionExpression="sensor = :s",
        ExpressionAttributeValues={":s": {"N": str(sensor)}},
        ScanIndexForward=False,
        Limit=1,
        ConsistentRead=True,
    )
    return int(found["Items"][0]["value"]["N"])


async def scan_pages(db: Any) -> list[int]:
    pages = db.get_paginator("scan").paginate(TableName=TABLE, Limit=16, ConsistentRead=True)
    return [page["Count"] async for page in pages]


async def count_together(db: Any) -> list[int]:
    """Fifty increments of one counter at once: each is told another number."""

    async def increment() -> int:
        changed = await db.update_item(
            TableName=TABLE,
            Key={"sensor": {"N": "0"}, "at": {"N": "0"}},
            UpdateExpression="ADD seen :one",
            ExpressionAttributeValues={":one": {"N": "1"}},
            ReturnValues="UPDATED_NEW",
        )
        return int(changed["Attributes"]["seen"]["N"])

    return sorted(await asyncio.gather(*(increment() for _ in range(50))))


async def first_of_ten(db: Any) -> dict[str, int]:
    """Ten writers create the same item: one may."""

    async def create_once() -> str:
        try:
            await db.put_item(
                TableName=TABLE,
                Item={"sensor": {"N": "99"}, "at": {"N": "0"}},
                ConditionExpression="attribute_not_exists(sensor)",
            )
        except db.exceptions.ConditionalCheckFailedException as refusal:
            return str(refusal.response["Error"]["Message"])
        return "created"

    outcomes = await asyncio.gather(*(create_once() for _ in range(10)))
    return {outcome: outcomes.count(outcome) for outcome in sorted(set(outcomes))}


async def drop(db: Any) -> str:
    await db.delete_table(TableName=TABLE)
    await db.get_waiter("table_not_exists").wait(TableName=TABLE, WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    try:
        await db.describe_table(TableName=TABLE)
    except db.exceptions.ResourceNotFoundException as refusal:
        return str(refusal.response["Error"]["Message"])
    return ""


async def main() -> None:
    async with get_session().create_client("dynamodb", config=AioConfig(max_pool_connections=64)) as db:
        steps: dict[str, Any] = {"status": await create(db)}
        await asyncio.gather(*(report(db, sensor) for sensor in range(SENSORS)))
        steps["highest"] = await asyncio.gather(*(highest(db, sensor) for sensor in range(SENSORS)))
        steps |= {"pages": await scan_pages(db), "counted": await count_together(db)}
        steps |= {"created": await first_of_ten(db), "dropped": await drop(db)}
        print(json.dumps(steps))


asyncio.run(main())
