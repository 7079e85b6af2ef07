"""The shape of the legacy parameters. Source: botocore's service model; other sources stand beside."""

from __future__ import annotations

from dynabus.core.operations.shapes import FLAG, Member, Structure

_OPERATORS = (
    "IN",
    "NULL",
    "BETWEEN",
    "LT",
    "NOT_CONTAINS",
    "EQ",
    "GT",
    "NOT_NULL",
    "NE",
    "LE",
    "BEGINS_WITH",
    "GE",
    "CONTAINS",
)
"""In the order in which DynamoDB's message lists them. Source: dynalite, validations/scan."""

_VALUES = Member("AttributeValueList")

CONDITIONAL_OPERATOR = Member("String", values=("OR", "AND"))
ATTRIBUTES_TO_GET = Member("StringList", shortest=1)

FILTER = Member(
    "Map",
    of=Structure(
        "Condition",
        {
            "AttributeValueList": _VALUES,
            "ComparisonOperator": Member("String", required=True, values=_OPERATORS),
        },
    ),
)
"""KeyConditions, QueryFilter and ScanFilter."""

EXPECTED: dict[str, Member] = {
    "Expected": Member(
        "Map",
        of=Structure(
            "ExpectedAttributeValue",
            {
                "AttributeValueList": _VALUES,
                "ComparisonOperator": Member("String", values=_OPERATORS),
                "Exists": FLAG,
                "Value": Member("AttributeValue"),
            },
        ),
    ),
    "ConditionalOperator": CONDITIONAL_OPERATOR,
}
"""What PutItem, UpdateItem and DeleteItem take."""

ATTRIBUTE_UPDATES = Member(
    "Map",
    of=Structure(
        "AttributeValueUpdate",
        {"Action": Member("String", values=("ADD", "PUT", "DELETE")), "Value": Member("AttributeValue")},
    ),
)
