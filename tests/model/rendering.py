"""Trees as expression text, and the placeholders that it needs: no more brackets than precedence asks for."""

from __future__ import annotations

from typing import Any

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
    IsType,
    Literal,
    Missing,
    Not,
    Operand,
    Or,
    Path,
    Size,
)
from tests.model.updates import Action, Add, Delete, IfNotExists, ListAppend, Remove, Set, Source, Sum, Update
from tests.model.values import Value

PLAIN = frozenset({"pk", "sk", "n", "s", "bin", "l", "m", "ss", "ns", "bs", "x", "y", "lk", "ls", "lb"})
"""Names that may stand in a text as they are; all others get a placeholder, and so does every second use of these."""


class Text:
    """Collects the placeholders of one request."""

    def __init__(self) -> None:
        self.names: dict[str, str] = {}
        self.values: dict[str, Value] = {}
        self._uses = 0

    def members(self) -> dict[str, Any]:
        """Of the request's body."""
        members: dict[str, Any] = {}
        if self.names:
            members["ExpressionAttributeNames"] = {short: name for name, short in self.names.items()}
        if self.values:
            members["ExpressionAttributeValues"] = self.values
        return members

    def path(self, path: Path) -> str:
        text = self.name(str(path[0]))
        for step in path[1:]:
            text += f"[{step}]" if isinstance(step, int) else "." + self.name(step)
        return text

    def name(self, name: str) -> str:
        self._uses += 1
        if name in PLAIN and self._uses % 2:
            return name
        return self.names.setdefault(name, f"#n{len(self.names)}")

    def value(self, value: Value) -> str:
        """One placeholder for equal values: a value may be used more than once."""
        for short, known in self.values.items():
            if known == value:
                return short
        short = f":v{len(self.values)}"
        self.values[short] = value
        return short

    def operand(self, operand: Operand) -> str:
        match operand:
            case At(path):
                return self.path(path)
            case Size(path):
                return f"size({self.path(path)})"
            case Literal(value):
                return self.value(value)

    def condition(self, condition: Condition) -> str:
        match condition:
            case Or(parts):
                return " OR ".join(self.condition(part) for part in parts)
            case And(parts):
                return " AND ".join(self._inside(part, Or) for part in parts)
            case Not(part):
                return f"NOT {self._inside(part, And, Or)}"
            case Compare(operator, left, right):
                return f"{self.operand(left)} {operator} {self.operand(right)}"
            case Between(operand, low, high):
                return f"{self.operand(operand)} BETWEEN {self.operand(low)} AND {self.operand(high)}"
            case In(operand, choices):
                return f"{self.operand(operand)} IN ({', '.join(self.operand(choice) for choice in choices)})"
            case _:
                return self._function(condition)

    def _inside(self, part: Condition, *weaker: type) -> str:
        text = self.condition(part)
        return f"({text})" if isinstance(part, weaker) else text

    def _function(self, condition: Exists | Missing | IsType | BeginsWith | Contains) -> str:
        path = self.path(condition.path)
        match condition:
            case Exists():
                return f"attribute_exists({path})"
            case Missing():
                return f"attribute_not_exists({path})"
            case IsType(_, kind):
                return f"attribute_type({path}, {self.value({'S': kind})})"
            case BeginsWith(_, start):
                return f"begins_with({path}, {self.operand(start)})"
            case Contains(_, part):
                return f"contains({path}, {self.operand(part)})"

    def update(self, update: Update) -> str:
        clauses = []
        for kind in (Set, Remove, Add, Delete):
            actions = [self._action(action) for action in update if isinstance(action, kind)]
            if actions:
                clauses.append(f"{kind.__name__.upper()} {', '.join(actions)}")
        return " ".join(clauses)

    def _action(self, action: Action) -> str:
        path = self.path(action.path)
        match action:
            case Set(_, source):
                return f"{path} = {self._source(source)}"
            case Remove():
                return path
            case Add(_, value) | Delete(_, value):
                return f"{path} {self.value(value)}"

    def _source(self, source: Source) -> str:
        match source:
            case Sum(operator, left, right):
                return f"{self._source(left)} {operator} {self._source(right)}"
            case IfNotExists(path, otherwise):
                return f"if_not_exists({self.path(path)}, {self._source(otherwise)})"
            case ListAppend(left, right):
                return f"list_append({self._source(left)}, {self._source(right)})"
            case _:
                return self.operand(source)

    def projection(self, paths: list[Path]) -> str:
        return ", ".join(self.path(path) for path in paths)
