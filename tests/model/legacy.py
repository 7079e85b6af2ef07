"""Requests with the parameters of before expressions existed: the same trees, on top-level attributes only.

Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/LegacyConditionalParameters.html
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from tests.model import generation
from tests.model.contents import KINDS, NAMES, attribute, value
from tests.model.dice import Dice, chance, choice, some
from tests.model.expressions import (
    And,
    At,
    BeginsWith,
    Between,
    Compare,
    Condition,
    Contains,
    Exists,
    In,
    Literal,
    Missing,
    Not,
    Or,
    Path,
)
from tests.model.pages import names_of, projects
from tests.model.requests import Body, Change, Delete, Get, Put, Query, Request, Scan, SortCondition
from tests.model.schema import Schema
from tests.model.updates import Action, Add, Remove, Set
from tests.model.updates import Delete as DeleteMembers
from tests.model.values import ORDERED, Value, rank

COMPARISONS = {"EQ": "=", "NE": "<>", "LE": "<=", "LT": "<", "GE": ">=", "GT": ">"}
KEY_OPERATORS = {
    **{sign: name for name, sign in COMPARISONS.items()},
    "BETWEEN": "BETWEEN",
    "begins_with": "BEGINS_WITH",
}
OPERATORS = [*COMPARISONS, "NOT_NULL", "NULL", "CONTAINS", "NOT_CONTAINS", "BEGINS_WITH", "IN", "BETWEEN"]


Paged = TypeVar("Paged", Query, Scan)


def put(dice: Dice, schema: Schema) -> Put:
    condition, members = _expected(dice, schema)
    return replace(generation.put(dice, schema), condition=condition, legacy=members)


def delete(dice: Dice, schema: Schema) -> Delete:
    condition, members = _expected(dice, schema)
    return replace(generation.delete(dice, schema), condition=condition, legacy=members)


def change(dice: Dice, schema: Schema) -> Change:
    condition, members = _expected(dice, schema) if chance(dice, 40) else (None, {})
    names = some(dice, [name for name in NAMES if name not in schema.names], 1, 4)
    actions = [_action(dice, schema, name) for name in names]
    members["AttributeUpdates"] = {str(action.path[0]): _update(action) for action in actions}
    request = replace(generation.change(dice, schema), condition=condition, legacy=members)
    return replace(request, update=tuple(sorted(actions, key=lambda each: generation.CLAUSES.index(type(each)))))


def get(dice: Dice, schema: Schema) -> Get:
    names = some(dice, NAMES, 1, 4)
    return replace(generation.get(dice, schema), projection=_paths(names), legacy={"AttributesToGet": names})


def query(dice: Dice, schema: Schema) -> Query:
    request = generation.query(dice, schema)
    keys = {request.partition[0]: SortCondition("=", (request.partition[1],))}
    keys |= dict([request.sort] if request.sort is not None else [])
    members: Body = {"KeyConditions": {name: _key_condition(each) for name, each in keys.items()}}
    index = schema.index(request.index)
    without = {schema.hash, index.sort if index is not None else schema.sort}
    return _filtered(dice, schema, request, members, "QueryFilter", without)


def scan(dice: Dice, schema: Schema) -> Scan:
    return _filtered(dice, schema, generation.scan(dice, schema), {}, "ScanFilter", set())


def _filtered(
    dice: Dice, schema: Schema, request: Paged, members: Body, member: str, without: set[str | None]
) -> Paged:
    """The request with legacy parameters alone, whichever expressions it had."""
    request = replace(request, filter=None, projection=None, select=None)
    if chance(dice, 40):
        names = some(dice, NAMES, 1, 3)
        members["AttributesToGet"] = names
        request = replace(request, projection=_paths(names))
    if chance(dice, 50):
        condition, filtering = _conditions(dice, schema, member, without)
        if isinstance(request, Scan) or projects(schema, schema.index(request.index), names_of(condition)):
            members |= filtering
            request = replace(request, filter=condition)
    return replace(request, legacy=members)


def _paths(names: list[str]) -> list[Path]:
    return [(name,) for name in names]


def _key_condition(condition: SortCondition) -> Body:
    operator = KEY_OPERATORS[condition.operator]
    return {"ComparisonOperator": operator, "AttributeValueList": list(condition.operands)}


# -- conditions -------------------------------------------------------------------------------------------------


def _expected(dice: Dice, schema: Schema) -> tuple[Condition, Body]:
    condition, members = _conditions(dice, schema, "Expected", set())
    for each in members["Expected"].values():
        if each["ComparisonOperator"] == "EQ" and chance(dice, 50):
            each["Value"] = each.pop("AttributeValueList")[0]
            del each["ComparisonOperator"]
        elif each["ComparisonOperator"] == "NULL" and chance(dice, 50):
            each.clear()
            each["Exists"] = False
    return condition, members


def _conditions(dice: Dice, schema: Schema, member: str, without: set[str | None]) -> tuple[Condition, Body]:
    """Conditions on one or more attributes: the tree, and the members that say it."""
    names = some(dice, [name for name in [*NAMES, *schema.names] if name not in without], 1, 3)
    made = [_comparison(dice, name) for name in names]
    members: Body = {member: {name: shown for name, (_, shown) in zip(names, made, strict=True)}}
    conditions = tuple(condition for condition, _ in made)
    if len(names) == 1:
        return conditions[0], members
    joint = choice(dice, [None, "AND", "OR"])
    if joint is not None:
        members["ConditionalOperator"] = joint
    return Or(conditions) if joint == "OR" else And(conditions), members


def _comparison(dice: Dice, name: str) -> tuple[Condition, Body]:
    operator = choice(dice, OPERATORS)
    values = _operands(dice, name, operator)
    body: Body = {"ComparisonOperator": operator}
    if values:
        body["AttributeValueList"] = values
    return _meaning(name, operator, values), body


def _operands(dice: Dice, name: str, operator: str) -> list[Value]:
    """As many as the operator takes, and of a type that it takes."""
    kind = KINDS.get(name, "N")
    member = {"SS": "S", "NS": "N", "BS": "B"}.get(kind, kind)
    scalar = member if member in ORDERED else choice(dice, ORDERED)
    match operator:
        case "NOT_NULL" | "NULL":
            return []
        case "EQ" | "NE":
            return [value(dice, kind if chance(dice, 80) else None)]
        case "IN":
            return [value(dice, scalar) for _ in range(1 + dice.below(3))]
        case "BETWEEN":
            return sorted([value(dice, scalar), value(dice, scalar)], key=rank)
        case "BEGINS_WITH":
            return [value(dice, "B" if scalar == "B" else "S")]
        case _:
            return [value(dice, scalar)]


def _meaning(name: str, operator: str, values: list[Value]) -> Condition:
    """NOT_CONTAINS is false where there is nothing; NE is true there."""
    path, literals = (name,), [Literal(each) for each in values]
    match operator:
        case "NOT_NULL":
            return Exists(path)
        case "NULL":
            return Missing(path)
        case "CONTAINS":
            return Contains(path, literals[0])
        case "NOT_CONTAINS":
            return And((Exists(path), Not(Contains(path, literals[0]))))
        case "BEGINS_WITH":
            return BeginsWith(path, literals[0])
        case "IN":
            return In(At(path), tuple(literals))
        case "BETWEEN":
            return Between(At(path), *literals)
        case _:
            return Compare(COMPARISONS[operator], At(path), literals[0])


# -- updates ----------------------------------------------------------------------------------------------------


def _action(dice: Dice, schema: Schema, name: str) -> Action:
    kind, path = KINDS.get(name), (name,)
    if kind in ("SS", "NS", "BS") and chance(dice, 60):
        return Add(path, value(dice, kind)) if chance(dice, 50) else DeleteMembers(path, value(dice, kind))
    if kind == "N" and chance(dice, 50):
        return Add(path, value(dice, "N"))
    return Remove(path) if chance(dice, 30) else Set(path, Literal(attribute(dice, name, schema)))


def _update(action: Action) -> Body:
    match action:
        case Set(_, Literal(new)):
            return {"Action": "PUT", "Value": new}
        case Add(_, new):
            return {"Action": "ADD", "Value": new}
        case DeleteMembers(_, new):
            return {"Action": "DELETE", "Value": new}
        case _:
            return {"Action": "DELETE"}


OF_A_TABLE: list[Callable[[Dice, Schema], Request]] = [put, delete, change, get, query, scan]
"""Any of them."""


def any_request(dice: Dice, schema: Schema) -> Request:
    return choice(dice, OF_A_TABLE)(dice, schema)
