"""The grammar of all expressions (lark, LALR), parsed straight into `syntax` trees.

Parentheses are part of the grammar but not of the trees: they only group. Around an operand and around a condition
they look alike until what follows is seen, `(size(a)) > :x` beside `(attribute_exists(a))`, so a call in parentheses
is a thing of its own (`called`) and a group in parentheses holds anything but a lone call.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from lark import Lark, Token, Transformer, UnexpectedInput

from dynabus.core.expressions.syntax import (
    Action,
    Arithmetic,
    Between,
    Comparison,
    Function,
    In,
    Logical,
    Negation,
    Path,
    Section,
    Test,
    ValueRef,
)

_GRAMMAR = r"""
condition: _or_test
_or_test: or_test | _and_test
_and_test: and_test | _not_test
_not_test: _not_called | _called
_or_uncalled: or_test | _and_uncalled
_and_uncalled: and_test | _not_called
_not_called: not_test | comparison | between | in_list | group
or_test: _and_test (_OR _and_test)+
and_test: _not_test (_AND _not_test)+
not_test: _NOT _not_test
group: "(" _or_uncalled ")"
comparison: _operand (EQUAL | COMPARATOR) _operand
between: _operand _BETWEEN _operand _AND _operand
in_list: _operand _IN "(" _operand ("," _operand)* ")"

_operand: _plain | _called
_plain: path | value | enclosed
enclosed: "(" _plain ")"
_called: call | called
called: "(" _called ")"
call: NAME "(" _operand ("," _operand)* ")"

update: (set_section | remove_section | add_section | delete_section)+
set_section: _SET set_action ("," set_action)*
set_action: path EQUAL (_operand | _sum)
_sum: plus | minus | sum
sum: "(" _sum ")"
plus: _operand "+" _operand
minus: _operand "-" _operand
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
NAME: /[A-Za-z][A-Za-z0-9_]*/
NAME_REF: /#[A-Za-z0-9_]+/
VALUE_REF: /:[A-Za-z0-9_]+/
INDEX: /0|[1-9][0-9]*/
%ignore /[ \t\r\n]+/
"""


class NotParsed(Exception):
    """The text is no expression; the message is DynamoDB's, without the prefix that names the expression."""


class _Enclosed(NamedTuple):
    """Something in parentheses, until what it stands in is known."""

    part: Any


def _bare(part: Any) -> Any:
    return part.part if part.__class__ is _Enclosed else part


def _all_bare(parts: list[Any]) -> tuple[Any, ...]:
    return tuple(_bare(part) for part in parts)


class _Trees(Transformer[Token, Any]):
    """Callbacks of the parser, run as each rule is complete: nothing recurses, however deep a text nests."""

    def path(self, children: list[Any]) -> Path:
        return Path(tuple(child if child.__class__ is int else str(child) for child in children))

    def index(self, children: list[Token]) -> int:
        return int(children[0])

    def value(self, children: list[Token]) -> ValueRef:
        return ValueRef(str(children[0]))

    def call(self, children: list[Any]) -> Function:
        return Function(str(children[0]), _all_bare(children[1:]))

    def group(self, children: list[Any]) -> _Enclosed:
        if children[0].__class__ is _Enclosed:
            raise NotParsed("The expression has redundant parentheses;")
        return _Enclosed(children[0])

    enclosed = called = sum = group

    def comparison(self, children: list[Any]) -> Comparison:
        left, operator, right = children
        return Comparison(str(operator), _bare(left), _bare(right))

    def between(self, children: list[Any]) -> Between:
        return Between(*_all_bare(children))

    def in_list(self, children: list[Any]) -> In:
        operand, *choices = _all_bare(children)
        return In(operand, tuple(choices))

    def or_test(self, children: list[Any]) -> Logical:
        return Logical("OR", _all_bare(children))

    def and_test(self, children: list[Any]) -> Logical:
        return Logical("AND", _all_bare(children))

    def not_test(self, children: list[Any]) -> Negation:
        return Negation(_bare(children[0]))

    def condition(self, children: list[Any]) -> Test:
        test: Test = _bare(children[0])
        return test

    def plus(self, children: list[Any]) -> Arithmetic:
        return Arithmetic("+", *_all_bare(children))

    def minus(self, children: list[Any]) -> Arithmetic:
        return Arithmetic("-", *_all_bare(children))

    def set_action(self, children: list[Any]) -> Action:
        path, _, operand = children
        return Action("SET", path, _bare(operand))

    def path_value(self, children: list[Any]) -> tuple[Path, ValueRef]:
        return children[0], children[1]

    def set_section(self, children: list[Any]) -> Section:
        return Section("SET", tuple(children))

    def remove_section(self, children: list[Any]) -> Section:
        return Section("REMOVE", tuple(Action("REMOVE", path) for path in children))

    def add_section(self, children: list[Any]) -> Section:
        return Section("ADD", tuple(Action("ADD", path, value) for path, value in children))

    def delete_section(self, children: list[Any]) -> Section:
        return Section("DELETE", tuple(Action("DELETE", path, value) for path, value in children))

    def update(self, children: list[Any]) -> tuple[Section, ...]:
        return tuple(children)

    def projection(self, children: list[Any]) -> tuple[Path, ...]:
        return tuple(children)


_LARK = Lark(
    _GRAMMAR,
    parser="lalr",
    lexer="basic",  # keywords are keywords everywhere, as in DynamoDB
    start=["condition", "update", "projection"],
    transformer=_Trees(),
    maybe_placeholders=False,
)


def tree_of(text: str, start: str) -> Any:
    """The tree of a text: a Test for `condition`, Sections for `update`, Paths for `projection`; or `NotParsed`."""
    try:
        return _LARK.parse(text, start=start)
    except UnexpectedInput as error:
        raise NotParsed(_syntax_error(text, error)) from None


_TOKEN = re.compile(r"[A-Za-z][A-Za-z0-9_]*|[#:][A-Za-z0-9_]+|0|[1-9][0-9]*|<>|<=|>=|[^ \t\r\n]")


def _syntax_error(text: str, error: UnexpectedInput) -> str:
    """DynamoDB names the token where reading stopped, and shows it with its neighbours as they were written."""
    tokens = list(_TOKEN.finditer(text))
    token = getattr(error, "token", None)
    stopped = len(text) if token is not None and token.type == "$END" else error.pos_in_stream or 0
    at = next((at for at, each in enumerate(tokens) if each.end() > stopped), len(tokens))
    shown = tokens[at][0] if at < len(tokens) else "<EOF>"
    near = tokens[max(at - 1, 0) : at + 2]
    return f'Syntax error; token: "{shown}", near: "{text[near[0].start() : near[-1].end()]}"'
