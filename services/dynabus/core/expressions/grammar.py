"""The grammar of all expressions (lark, LALR) and the trees made of it, cached by text."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from lark import Lark, Token, Transformer, UnexpectedInput
from lark.exceptions import VisitError

from dynabus.core.errors import validation_error
from dynabus.core.expressions.syntax import (
    Action,
    Arithmetic,
    Between,
    Comparison,
    Function,
    Grouped,
    In,
    Logical,
    Negation,
    Path,
    Test,
    ValueRef,
)

EXPRESSION_BYTES_MOST = 4096
CACHED = 4096
"""Different texts at a time: applications have tens; a few thousand trees of 4 KB at most are tens of MB."""

NEAR = 12
"""DynamoDB shows a token and its neighbours; how many characters it takes is not documented, ours is close."""

_GRAMMAR = r"""
condition: _or_test
_or_test: or_test | _and_test
or_test: _and_test (_OR _and_test)+
_and_test: and_test | _not_test
and_test: _not_test (_AND _not_test)+
_not_test: not_test | _plain
not_test: _NOT _not_test
_plain: comparison | between | in_list | call | group
group: "(" _or_test ")"
comparison: operand (EQUAL | COMPARATOR) operand
between: operand _BETWEEN operand _AND operand
in_list: operand _IN "(" operand ("," operand)* ")"

?operand: path | value | call
call: NAME "(" [_argument ("," _argument)*] ")"
_argument: operand

update: section+
section: set_section | remove_section | add_section | delete_section
set_section: _SET set_action ("," set_action)*
set_action: path EQUAL _sum
_sum: operand | plus | minus
plus: operand "+" operand
minus: operand "-" operand
remove_section: _REMOVE path ("," path)*
add_section: _ADD path_value ("," path_value)*
delete_section: _DELETE path_value ("," path_value)*
path_value: path value

projection: path ("," path)*

path: _name (("." _name) | index)*
_name: NAME | NAME_REF
index: "[" INDEX "]"
value: VALUE_REF

EQUAL: "="
COMPARATOR: "<>" | "<=" | ">=" | "<" | ">"
_OR.2: /or(?![A-Za-z0-9_])/i
_AND.2: /and(?![A-Za-z0-9_])/i
_NOT.2: /not(?![A-Za-z0-9_])/i
_BETWEEN.2: /between(?![A-Za-z0-9_])/i
_IN.2: /in(?![A-Za-z0-9_])/i
_SET.2: /set(?![A-Za-z0-9_])/i
_REMOVE.2: /remove(?![A-Za-z0-9_])/i
_ADD.2: /add(?![A-Za-z0-9_])/i
_DELETE.2: /delete(?![A-Za-z0-9_])/i
NAME: /[A-Za-z_][A-Za-z0-9_]*/
NAME_REF: /#[A-Za-z0-9_]+/
VALUE_REF: /:[A-Za-z0-9_]+/
INDEX: /[0-9]+/
%ignore /[ \t\r\n\f]+/
"""


class _Trees(Transformer[Token, Any]):
    def path(self, children: list[Any]) -> Path:
        return Path(tuple(child if isinstance(child, int) else str(child) for child in children))

    def index(self, children: list[Token]) -> int:
        return int(children[0])

    def value(self, children: list[Token]) -> ValueRef:
        return ValueRef(str(children[0]))

    def call(self, children: list[Any]) -> Function:
        return Function(str(children[0]), tuple(child for child in children[1:] if child is not None))

    def comparison(self, children: list[Any]) -> Comparison:
        return Comparison(str(children[1]), children[0], children[2])

    def between(self, children: list[Any]) -> Between:
        return Between(*children)

    def in_list(self, children: list[Any]) -> In:
        return In(children[0], tuple(children[1:]))

    def or_test(self, children: list[Any]) -> Logical:
        return Logical("OR", tuple(children))

    def and_test(self, children: list[Any]) -> Logical:
        return Logical("AND", tuple(children))

    def not_test(self, children: list[Any]) -> Negation:
        return Negation(children[0])

    def group(self, children: list[Any]) -> Grouped:
        return Grouped(children[0])

    def condition(self, children: list[Any]) -> Test:
        test: Test = children[0]
        return test

    def plus(self, children: list[Any]) -> Arithmetic:
        return Arithmetic("+", *children)

    def minus(self, children: list[Any]) -> Arithmetic:
        return Arithmetic("-", *children)

    def set_action(self, children: list[Any]) -> Action:
        return Action("SET", children[0], children[2])

    def path_value(self, children: list[Any]) -> tuple[Path, ValueRef]:
        return children[0], children[1]

    def set_section(self, children: list[Any]) -> tuple[str, list[Action]]:
        return "SET", children

    def remove_section(self, children: list[Any]) -> tuple[str, list[Action]]:
        return "REMOVE", [Action("REMOVE", path) for path in children]

    def add_section(self, children: list[Any]) -> tuple[str, list[Action]]:
        return "ADD", [Action("ADD", path, value) for path, value in children]

    def delete_section(self, children: list[Any]) -> tuple[str, list[Action]]:
        return "DELETE", [Action("DELETE", path, value) for path, value in children]

    def section(self, children: list[Any]) -> Any:
        return children[0]

    def update(self, children: list[Any]) -> tuple[tuple[str, tuple[Action, ...]], ...]:
        return tuple((clause, tuple(actions)) for clause, actions in children)

    def projection(self, children: list[Any]) -> tuple[Path, ...]:
        return tuple(children)


_STARTS = {
    "ConditionExpression": "condition",
    "FilterExpression": "condition",
    "KeyConditionExpression": "condition",
    "UpdateExpression": "update",
    "ProjectionExpression": "projection",
}

_LARK = Lark(_GRAMMAR, parser="lalr", start=["condition", "update", "projection"], maybe_placeholders=False)
_TREES = _Trees()


def parse(text: str, kind: str) -> Any:
    """The tree of an expression of this kind; raises ApiError with DynamoDB's message."""
    tree = _parse(text, _STARTS[kind])
    if isinstance(tree, str):
        raise validation_error(f"Invalid {kind}: {tree}")
    return tree


@lru_cache(CACHED)
def _parse(text: str, start: str) -> Any:
    """A tree, or what is wrong: mistakes are cached too, since they are repeated like everything else."""
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > EXPRESSION_BYTES_MOST:
        return f"Expression size has exceeded the maximum allowed size; expression size: {size}"
    if not text.strip():
        return "The expression can not be empty;"
    try:
        return _TREES.transform(_LARK.parse(text, start=start))
    except UnexpectedInput as error:
        return _fault(text, error)
    except (VisitError, RecursionError):
        return "The expression has too many nested levels;"


def _fault(text: str, error: UnexpectedInput) -> str:
    token = getattr(error, "token", None)
    if token is not None and token.type == "$END":
        end = text.rstrip()
        return f'Syntax error; token: "<EOF>", near: "{end.split()[-1][-NEAR:] if end else ""}"'
    at = error.pos_in_stream or 0
    shown = str(token) if token is not None else text[at : at + 1]
    before = text[:at].rstrip().split(" ")[-1] if at else ""
    after = text[at + len(shown) :].lstrip().split(" ")[0]
    near = " ".join(part for part in (before[-NEAR:], shown, after[:NEAR]) if part)
    return f'Syntax error; token: "{shown}", near: "{near}"'
