"""The grammar of all expressions (lark, LALR), parsed straight into `syntax` trees.

Parentheses are part of the grammar but not of the trees: they only group. Around an operand and around a condition
they look alike until what follows is seen, `(size(a)) > :x` beside `(attribute_exists(a))`, so a call in parentheses
is a thing of its own (`called`) and a group in parentheses holds anything but a lone call.

A rule with `?` before its name has one part and is that part. Words are those of `tokens`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from lark import Lark, Transformer, UnexpectedToken

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
from dynabus.core.expressions.tokens import WORD, Word, Words

_GRAMMAR = r"""
condition: or_level
?or_level: or_test | and_level
?and_level: and_test | not_level
?not_level: uncalled | lone_call
?or_uncalled: or_test | and_uncalled
?and_uncalled: and_test | uncalled
?uncalled: not_test | comparison | between | in_list | group
or_test: and_level (_OR and_level)+
and_test: not_level (_AND not_level)+
not_test: _NOT not_level
group: "(" or_uncalled ")"
comparison: operand (EQUAL | COMPARATOR) operand
between: operand _BETWEEN operand _AND operand
in_list: operand _IN "(" operand ("," operand)* ")"

?operand: plain | lone_call
?plain: path | value | enclosed
enclosed: "(" plain ")"
?lone_call: call | called
called: "(" lone_call ")"
call: NAME "(" operand ("," operand)* ")"

update: (set_section | remove_section | add_section | delete_section)+
set_section: _SET set_action ("," set_action)*
set_action: path EQUAL (operand | total)
?total: plus | minus | sum
sum: "(" total ")"
plus: operand "+" operand
minus: operand "-" operand
remove_section: _REMOVE path ("," path)*
add_section: _ADD path_value ("," path_value)*
delete_section: _DELETE path_value ("," path_value)*
path_value: path value

projection: path ("," path)*

path: (NAME | NAME_REF) ("." (NAME | NAME_REF) | index)*
index: "[" INDEX "]"
value: VALUE_REF

%declare NAME NAME_REF VALUE_REF INDEX EQUAL COMPARATOR
%declare _OR _AND _NOT _BETWEEN _IN _SET _REMOVE _ADD _DELETE
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


class _Trees(Transformer[Any, Any]):
    """Callbacks of the parser, run as each rule is complete: nothing recurses, however deep a text nests."""

    def path(self, children: list[Any]) -> Path:
        return Path(tuple([child if child.__class__ is int else child.value for child in children]))

    def index(self, children: list[Word]) -> int:
        return int(children[0].value)

    def value(self, children: list[Word]) -> ValueRef:
        return ValueRef(children[0].value)

    def call(self, children: list[Any]) -> Function:
        return Function(children[0].value, _all_bare(children[1:]))

    def group(self, children: list[Any]) -> _Enclosed:
        if children[0].__class__ is _Enclosed:
            raise NotParsed("The expression has redundant parentheses;")
        return _Enclosed(children[0])

    enclosed = called = sum = group

    def comparison(self, children: list[Any]) -> Comparison:
        left, operator, right = children
        return Comparison(operator.value, _bare(left), _bare(right))

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
    lexer=Words,
    start=["condition", "update", "projection"],
    transformer=_Trees(),
    maybe_placeholders=False,
)


def tree_of(text: str, start: str) -> Any:
    """The tree of a text: a Test for `condition`, Sections for `update`, Paths for `projection`; or `NotParsed`."""
    try:
        return _LARK.parse(text, start=start)
    except UnexpectedToken as error:
        raise NotParsed(_syntax_error(text, error)) from None


def _syntax_error(text: str, error: UnexpectedToken) -> str:
    """DynamoDB names the token where reading stopped, and shows it with its neighbours as they were written."""
    words = list(WORD.finditer(text))
    stopped = len(text) if error.token.type == "$END" else error.token.start_pos
    at = next((at for at, each in enumerate(words) if each.end() > stopped), len(words))
    shown = words[at][0] if at < len(words) else "<EOF>"
    near = words[max(at - 1, 0) : at + 2]
    return f'Syntax error; token: "{shown}", near: "{text[near[0].start() : near[-1].end()]}"'
