"""What is wrong with an expression whatever its placeholders mean: looked at once per text.

The tree is walked in the order in which it was written, with a stack of our own: a text nests as deep as it likes.
"""

from __future__ import annotations

from typing import Any

from dynabus.core.expressions.reserved import RESERVED
from dynabus.core.expressions.syntax import (
    Arithmetic,
    Between,
    Comparison,
    Function,
    In,
    Logical,
    Negation,
    Path,
    Section,
    ValueRef,
)
from dynabus.core.limits import MAX_NESTING

OPERATORS_MOST = 300
"""Operators and functions of one expression of any kind. Source: AWS, ServiceQuotas, expression parameters.

What is counted: comparisons, BETWEEN, IN, NOT, each AND and OR, `+`, `-` and every function. The actions themselves
(SET, REMOVE, ADD, DELETE) do not count, so that an update may write more than 300 attributes.
"""

NESTED_LEVELS_MOST = 150
"""Operators and functions inside each other. Ours: it bounds the stack that binding and evaluation need.

DynamoDB has no such limit, only that of 300 operators; `a < b AND (a < b AND (...))` reaches 150 levels with them.
"""

CHOICES_MOST = 100
"""Operands of IN. Source: AWS, ServiceQuotas, expression parameters."""

INDEX_MOST = 2**31 - 1
"""Of a list: DynamoDB reads it as a Java int."""

FUNCTIONS = {
    "attribute_exists": ("test", 1),
    "attribute_not_exists": ("test", 1),
    "attribute_type": ("test", 2),
    "begins_with": ("test", 2),
    "contains": ("test", 2),
    "size": ("operand", 1),
    "if_not_exists": ("update", 2),
    "list_append": ("update", 2),
}
"""Where a function may stand, and how many operands it takes. Names are case-sensitive."""

_Nodes = list[tuple[Any, bool]]
"""Nodes of a tree, and whether each stands where a condition is expected."""


def fault_in(tree: Any, start: str) -> str | None:
    """DynamoDB's message for the first fault, without the prefix that names the expression; None if there is none."""
    if start == "condition":
        return _walked([(tree, True)], start)
    if start == "projection":
        return _walked([(path, False) for path in tree], start)
    return _updates_fault(tree)


def _updates_fault(sections: tuple[Section, ...]) -> str | None:
    actions = [action for section in sections for action in section.actions]
    parts = [part for action in actions for part in (action.path, action.operand) if part is not None]
    seen: set[str] = set()
    for section in sections:
        if section.clause in seen:
            return f'The "{section.clause}" section can only be used once in an update expression;'
        seen.add(section.clause)
    return _walked([(part, False) for part in parts], "update")


def _walked(nodes: _Nodes, start: str) -> str | None:
    pending = [(node, is_test, 1) for node, is_test in reversed(nodes)]
    operators = deepest = 0
    while pending:
        node, is_test, level = pending.pop()
        fault = _fault(node, is_test, start)
        if fault is not None:
            return fault
        operators += _operators(node)
        deepest = max(deepest, level)
        pending.extend((part, as_test, level + 1) for part, as_test in reversed(_parts(node)))
    if operators > OPERATORS_MOST:
        # DynamoDB stops at the first one too many and names that.
        return f"The expression contains too many operators; operator count: {OPERATORS_MOST + 1}"
    if deepest > NESTED_LEVELS_MOST + 1:  # the operands of the innermost operator are a level more
        return f"The expression has too many nested levels; the limit is {NESTED_LEVELS_MOST}"  # wording ours
    return None


def _operators(node: Any) -> int:
    if isinstance(node, Logical):
        return len(node.parts) - 1
    return 0 if isinstance(node, Path | ValueRef) else 1


def _parts(node: Any) -> _Nodes:
    match node:
        case Logical(_, parts):
            return [(part, True) for part in parts]
        case Negation(part):
            return [(part, True)]
        case Comparison(_, left, right) | Arithmetic(_, left, right):
            return [(left, False), (right, False)]
        case Between(operand, low, high):
            return [(operand, False), (low, False), (high, False)]
        case In(operand, choices):
            return [(operand, False), *((choice, False) for choice in choices)]
        case Function(_, arguments):
            return [(argument, False) for argument in arguments]
        case _:
            return []


def _fault(node: Any, is_test: bool, start: str) -> str | None:
    if isinstance(node, Path):
        return _path_fault(node)
    if isinstance(node, Function):
        return _function_fault(node, is_test, start)
    if isinstance(node, In) and len(node.choices) > CHOICES_MOST:
        return f"The IN operator is provided with too many operands; number of operands: {len(node.choices)}"
    return None


def _path_fault(path: Path) -> str | None:
    for element in path.elements:
        if isinstance(element, int):
            if element > INDEX_MOST:
                return f"List index is not within the allowable range; index: [{element}]"
        elif element.upper() in RESERVED:
            return f"Attribute name is a reserved keyword; reserved keyword: {element}"
    if len(path.elements) > MAX_NESTING:
        return f"The document path has too many nesting levels; nesting levels: {len(path.elements)}"
    return None


def _function_fault(function: Function, is_test: bool, start: str) -> str | None:
    name, given = function.name, len(function.arguments)
    if name not in FUNCTIONS:
        return f"Invalid function name; function: {name}"
    place, operands = FUNCTIONS[name]
    if (place == "update") is not (start == "update"):
        article = "an" if start == "update" else "a"
        return f"The function is not allowed in {article} {start} expression; function: {name}"
    if place != "update" and (place == "test") is not is_test:
        return f"The function is not allowed to be used this way in an expression; function: {name}"
    if given != operands:
        return (
            "Incorrect number of operands for operator or function; "
            f"operator or function: {name}, number of operands: {given}"
        )
    return None
