"""Random requests by botocore's service model: every member of every operation gets its turn."""

from __future__ import annotations

from functools import cache
from typing import Any

import botocore.session
from botocore.model import ListShape, MapShape, ServiceModel, Shape, StringShape, StructureShape

from dynabus.core.operations.registry import routes
from tests.fuzz import strangeness
from tests.model.contents import KEYS
from tests.model.contents import value as attribute_value
from tests.model.dice import Dice, chance, choice
from tests.model.schema import TABLES

NESTED_MOST = 8
NAMES = [schema.name for schema in TABLES]
INDEXES = ["by_number", "by_string", "by_binary", "same", "nobody"]
ARN = "arn:aws:dynamodb:eu-west-1:123456789012:table/"
TEXTS = {
    "TableName": [*NAMES, "nobody"],
    "TableArn": ["new0", *NAMES, *(ARN + name for name in NAMES)],
    "IndexName": INDEXES,
    "ResourceArnString": [ARN + name for name in NAMES],
    "ConditionExpression": ["attribute_exists(pk)", "n = :v0", "#n0 > :v1"],
    "UpdateExpression": ["SET n = :v0", "REMOVE #n0", "ADD n :v0", "SET l = list_append(l, :v1)"],
    "KeyExpression": ["pk = :v0", "pk = :v0 AND sk > :v1", "#n0 = :v0"],
    "ProjectionExpression": ["n, #n0", "l[0]", "m.x"],
    "KeySchemaAttributeName": ["pk", "sk", "lk", "n"],
    "AttributeName": ["pk", "sk", "n", "l", "m"],
    "ExpressionAttributeNameVariable": ["#n0", "#n1", "#n"],
    "ExpressionAttributeValueVariable": [":v0", ":v1", ":v"],
}
"""What a string of this shape had better be."""


@cache
def model() -> ServiceModel:
    return botocore.session.get_session().get_service_model("dynamodb")


@cache
def operations() -> list[str]:
    """Those that are built."""
    return sorted(routes)


def request(dice: Dice) -> tuple[str, Any]:
    operation = choice(dice, operations())
    shape = model().operation_model(operation).input_shape
    body = {} if shape is None else value(dice, shape)
    if operation == "DeleteTable" and chance(dice, 80):
        body["TableName"] = "nobody"  # what comes after it in a block needs its tables
    return operation, body


def value(dice: Dice, shape: Shape, level: int = 0) -> Any:
    """A value of a shape; required members are mostly there, others now and then."""
    if shape.name == "AttributeValue":
        return attribute_value(dice) if chance(dice, 90) else strangeness.attribute(dice)
    match shape:
        case StructureShape():
            members = {n: of for n, of in shape.members.items() if _is_there(dice, shape, n, level)}
            return {name: value(dice, of, level + 1) for name, of in members.items()}
        case ListShape():
            return [value(dice, shape.member, level + 1) for _ in range(dice.below(4))]
        case MapShape():
            if shape.name in ("Key", "PutItemInputAttributeMap"):
                return {name: choice(dice, KEYS[choice(dice, "SNB")]) for name in ("pk", "sk")[: 1 + dice.below(2)]}
            names = [value(dice, shape.key, level + 1) for _ in range(dice.below(4))]
            return {str(name): value(dice, shape.value, level + 1) for name in names}
        case _:
            return _scalar(dice, shape)


def _is_there(dice: Dice, shape: StructureShape, name: str, level: int) -> bool:
    if name in shape.required_members:
        return chance(dice, 97)
    return level < NESTED_MOST and chance(dice, 25)


def _scalar(dice: Dice, shape: Shape) -> Any:
    if isinstance(shape, StringShape):
        if shape.enum and chance(dice, 90):
            return choice(dice, shape.enum)
        return choice(dice, TEXTS[shape.name]) if shape.name in TEXTS else strangeness.text(dice)
    if shape.type_name == "boolean":
        return chance(dice, 50)
    if shape.type_name in ("integer", "long"):
        return choice(dice, [1, 2, 0, 5, -1, 100, 101, 2**31])
    return choice(dice, strangeness.NUMBERS)
