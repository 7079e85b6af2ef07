"""DynamoDB's expression language: condition, filter, update, projection and key-condition expressions.

text --grammar (lark), static check, cached by text--> `syntax` trees --bind placeholders, check--> `Condition`, ...

Request routers parse to refuse what is wrong; storage nodes parse the same text again, which is a look-up in the
cache and a binding of a few placeholders, and evaluate. Trees know nothing of requests, so that the legacy parameters
can be turned into the same trees.
Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.html
"""

from dynabus.core.expressions.conditions import Condition, parse_condition
from dynabus.core.expressions.keys import (
    KeyCondition,
    OnAttribute,
    key_conditions,
    on_key,
    on_keys,
    parse_key_condition,
)
from dynabus.core.expressions.placeholders import Placeholders
from dynabus.core.expressions.projections import Projection, parse_projection
from dynabus.core.expressions.updates import Update, Updated, parse_update

__all__ = [
    "Condition",
    "KeyCondition",
    "OnAttribute",
    "Placeholders",
    "Projection",
    "Update",
    "Updated",
    "key_conditions",
    "on_key",
    "on_keys",
    "parse_condition",
    "parse_key_condition",
    "parse_projection",
    "parse_update",
]
