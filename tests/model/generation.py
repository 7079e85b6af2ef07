"""Random requests. What the service refuses by its text alone is the fuzzer's; these can all be answered."""

from __future__ import annotations

from collections.abc import Callable

from tests.model.contents import (
    ALL_KINDS,
    KEYS,
    KINDS,
    PARTITIONS_MOST,
    attribute,
    item,
    key,
    path,
    paths,
    value,
)
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
    IsType,
    Literal,
    Missing,
    Not,
    Operand,
    Or,
    Path,
    Size,
)
from tests.model.pages import names_of, projects
from tests.model.requests import (
    BatchGet,
    BatchWrite,
    Change,
    Delete,
    Get,
    Put,
    Query,
    Request,
    Scan,
    SortCondition,
    TableKeys,
)
from tests.model.schema import Index, Schema
from tests.model.updates import Action, Add, IfNotExists, ListAppend, Remove, Set, Source, Sum
from tests.model.updates import Delete as DeleteMembers
from tests.model.values import ORDERED, Item, Value, rank

CAPACITIES = ["NONE", "TOTAL", "INDEXES"]
OPERATORS = ["=", "<>", "<", "<=", ">", ">="]
CLAUSES = [Set, Remove, Add, DeleteMembers]
"""In the order of the text: of several faults the first is told."""

LIMITS = [None, 1, 2, 3, 7]


def put(dice: Dice, schema: Schema) -> Put:
    returns = choice(dice, ["NONE", "ALL_OLD"])
    return Put(schema.name, item(dice, schema), *_write(dice, schema, returns))


def delete(dice: Dice, schema: Schema) -> Delete:
    returns = choice(dice, ["NONE", "ALL_OLD"])
    return Delete(schema.name, key(dice, schema), *_write(dice, schema, returns))


def change(dice: Dice, schema: Schema) -> Change:
    returns = choice(dice, ["NONE", "ALL_OLD", "UPDATED_OLD", "ALL_NEW", "UPDATED_NEW"])
    found = paths(dice, schema, 5, keys=False) if not chance(dice, 3) else []
    actions = [_action(dice, schema, each) for each in found]
    update = tuple(sorted(actions, key=lambda action: CLAUSES.index(type(action))))
    return Change(schema.name, key(dice, schema), update, *_write(dice, schema, returns))


def _write(dice: Dice, schema: Schema, returns: str) -> tuple[Condition | None, str, str, str]:
    wanted = condition(dice, schema) if chance(dice, 40) else None
    return wanted, returns, choice(dice, ["NONE", "ALL_OLD"]), choice(dice, CAPACITIES)


def get(dice: Dice, schema: Schema) -> Get:
    wanted = paths(dice, schema, 4) if chance(dice, 50) else None
    return Get(schema.name, key(dice, schema), wanted, not chance(dice, 30), choice(dice, CAPACITIES))


def query(dice: Dice, schema: Schema) -> Query:
    index = choice(dice, [None, *schema.indexes])
    sort = index.sort if index is not None else schema.sort
    sort_condition = None
    if sort is not None and chance(dice, 60):
        sort_condition = sort, _sort_condition(dice, str(schema.key_type(sort)))
    partition = schema.hash, choice(dice, KEYS[schema.hash_type][:PARTITIONS_MOST])
    without = {schema.hash, sort} - {None}
    wanted = _filter(dice, schema, without)
    return Query(
        schema.name,
        partition,
        sort_condition,
        index.name if index is not None else None,
        not chance(dice, 40),
        choice(dice, LIMITS),
        None,
        wanted if projects(schema, index, names_of(wanted)) else None,
        *_selection(dice, schema, index),
        not chance(dice, 30),
        choice(dice, CAPACITIES),
    )


def _sort_condition(dice: Dice, kind: str) -> SortCondition:
    operators = ["=", "<", "<=", ">", ">=", "BETWEEN"] + (["begins_with"] if kind != "N" else [])
    operator, operands = choice(dice, operators), (choice(dice, KEYS[kind]),)
    if operator == "BETWEEN":
        operands = tuple(sorted([*operands, choice(dice, KEYS[kind])], key=rank))  # type: ignore[assignment]
    return SortCondition(operator, operands)


def scan(dice: Dice, schema: Schema) -> Scan:
    index = choice(dice, [None, *schema.indexes])
    return Scan(
        schema.name,
        index.name if index is not None else None,
        choice(dice, LIMITS),
        None,
        _filter(dice, schema, set()),
        *_selection(dice, schema, index),
        not chance(dice, 30),
        choice(dice, CAPACITIES),
        0 if (segments := choice(dice, [None, 1, 2, 5])) else None,
        segments,
    )


def _filter(dice: Dice, schema: Schema, without: set[str | None]) -> Condition | None:
    """A filter of a Query may not look at keys, nor at what its index does not project."""
    return condition(dice, schema, without) if chance(dice, 40) else None


def _selection(dice: Dice, schema: Schema, index: Index | None) -> tuple[list[Path] | None, str | None]:
    if chance(dice, 30):
        return paths(dice, schema, 3), choice(dice, [None, "SPECIFIC_ATTRIBUTES"])
    of_index = ["ALL_PROJECTED_ATTRIBUTES"] if index is not None else []
    return None, choice(dice, [None, "ALL_ATTRIBUTES", "COUNT", *of_index])


def batch_write(dice: Dice, schemas: list[Schema]) -> BatchWrite:
    puts: list[tuple[str, Item]] = []
    deletes: list[tuple[str, Item]] = []
    used: list[tuple[str, Item]] = []
    for _ in range(1 + dice.below(6)):
        schema = choice(dice, schemas)
        new = item(dice, schema)
        if not _is_used(schema, new, used):
            (deletes if chance(dice, 30) else puts).append((schema.name, new))
    deletes = [(name, _key_of(name, each, schemas)) for name, each in deletes]
    return BatchWrite(puts, deletes, choice(dice, CAPACITIES))


def batch_get(dice: Dice, schemas: list[Schema]) -> BatchGet:
    wanted: dict[str, TableKeys] = {}
    for schema in some(dice, schemas, 1, 3):
        used: list[tuple[str, Item]] = []
        keys = [key(dice, schema) for _ in range(1 + dice.below(6))]
        keys = [each for each in keys if not _is_used(schema, each, used)]
        projection = paths(dice, schema, 3) if chance(dice, 40) else None
        wanted[schema.name] = TableKeys(keys, projection, not chance(dice, 30))
    return BatchGet(wanted, choice(dice, CAPACITIES))


def _is_used(schema: Schema, new: Item, used: list[tuple[str, Item]]) -> bool:
    """Whether the key is there already; adds it if not."""
    same = any(name == schema.name and schema.place(each) == schema.place(new) for name, each in used)
    used.append((schema.name, new))
    return same


def _key_of(name: str, new: Item, schemas: list[Schema]) -> Item:
    return next(schema for schema in schemas if schema.name == name).key(new)


# -- conditions -----------------------------------------------------------------------------------------------------


def condition(dice: Dice, schema: Schema, without: set[str | None] | None = None, depth: int = 2) -> Condition:
    """Any condition that does not look at the attributes in `without`."""
    if depth and chance(dice, 40):
        parts = tuple(condition(dice, schema, without, depth - 1) for _ in range(2))
        joined: list[Condition] = [And(parts), Or(parts), Not(parts[0])]
        return choice(dice, joined)
    looked_at = path(dice, schema, keys=without is None)
    if without and looked_at[0] in without:
        looked_at = ("x",)
    return choice(dice, _CONDITIONS)(dice, looked_at)


def _literal(dice: Dice, looked_at: Path) -> Literal:
    """Mostly of the type that the attribute has."""
    kind = KINDS.get(str(looked_at[-1])) if chance(dice, 80) else None
    return Literal(value(dice, kind, 1))


def _ordered(dice: Dice, looked_at: Path) -> Literal:
    kind = KINDS.get(str(looked_at[-1]), "N")
    return Literal(value(dice, kind if kind in ORDERED and not chance(dice, 10) else choice(dice, ORDERED)))


def _compare(dice: Dice, looked_at: Path) -> Condition:
    operator = choice(dice, OPERATORS)
    literal = _literal(dice, looked_at) if operator in ("=", "<>") else _ordered(dice, looked_at)
    other: Operand = At(("s",)) if chance(dice, 15) and looked_at != ("s",) else literal
    operands: list[Operand] = [At(looked_at), other]
    if chance(dice, 20):
        operands.reverse()
    return Compare(operator, *operands)


def _compare_size(dice: Dice, looked_at: Path) -> Condition:
    return Compare(
        choice(dice, OPERATORS), Size(looked_at), Literal({"N": choice(dice, ["0", "1", "2", "3", "1200"])})
    )


def _between(dice: Dice, looked_at: Path) -> Condition:
    kind = choice(dice, ORDERED)
    low, high = sorted([value(dice, kind), value(dice, kind)], key=rank)
    return Between(At(looked_at), Literal(low), Literal(high))


def _in(dice: Dice, looked_at: Path) -> Condition:
    literals = [_literal(dice, looked_at) for _ in range(1 + dice.below(3))]
    return In(At(looked_at), tuple(literals))


def _begins_with(dice: Dice, looked_at: Path) -> Condition:
    return BeginsWith(looked_at, Literal(value(dice, choice(dice, ["S", "B"]))))


def _contains(dice: Dice, looked_at: Path) -> Condition:
    kind = KINDS.get(str(looked_at[-1]), "L")
    of = {"SS": "S", "NS": "N", "BS": "B", "S": "S", "bin": "B"}
    wanted = of.get(kind) if chance(dice, 85) else None
    return Contains(looked_at, Literal(value(dice, wanted or choice(dice, ["N", "S", "B"]))))


_CONDITIONS: list[Callable[[Dice, Path], Condition]] = [
    lambda dice, looked_at: Exists(looked_at),
    lambda dice, looked_at: Missing(looked_at),
    lambda dice, looked_at: IsType(looked_at, choice(dice, ALL_KINDS)),
    _compare,
    _compare,
    _compare_size,
    _between,
    _in,
    _begins_with,
    _contains,
]


# -- updates --------------------------------------------------------------------------------------------------------


def _action(dice: Dice, schema: Schema, changed: Path) -> Action:
    kind = KINDS.get(str(changed[-1])) if len(changed) == 1 else None
    if kind in ("SS", "NS", "BS") and chance(dice, 60):
        members = value(dice, kind)
        return Add(changed, members) if chance(dice, 50) else DeleteMembers(changed, members)
    if kind == "N" and chance(dice, 30):
        return Add(changed, value(dice, "N"))
    if chance(dice, 25):
        return Remove(changed)
    return Set(changed, _source(dice, schema, changed, kind))


def _source(dice: Dice, schema: Schema, changed: Path, kind: str | None) -> Source:
    literal = Literal(_new_value(dice, schema, changed))
    if kind == "N" and chance(dice, 60):
        return Sum(choice(dice, ["+", "-"]), _number(dice, schema), _number(dice, schema))
    if kind == "L" and chance(dice, 60):
        return _appended(dice, changed)
    if chance(dice, 20):
        return IfNotExists(changed if chance(dice, 70) else path(dice, schema), literal)
    return At(path(dice, schema)) if chance(dice, 15) else literal


def _new_value(dice: Dice, schema: Schema, changed: Path) -> Value:
    return attribute(dice, str(changed[0]), schema) if len(changed) == 1 else value(dice, None, 2)


def _number(dice: Dice, schema: Schema) -> Source:
    number = Literal(value(dice, "N"))
    sources: list[Source] = [number, At(("n",)), IfNotExists(("n",), number), At(("m", "n"))]
    return choice(dice, sources)


def _appended(dice: Dice, changed: Path) -> Source:
    old: Source = IfNotExists(changed, Literal({"L": []})) if chance(dice, 50) else At(changed)
    new = Literal(value(dice, "L", 2))
    return ListAppend(new, old) if chance(dice, 40) else ListAppend(old, new)


ONE_TABLE: dict[str, Callable[[Dice, Schema], Request]] = {
    "put": put,
    "delete": delete,
    "change": change,
    "get": get,
    "query": query,
    "scan": scan,
}
SEVERAL_TABLES: dict[str, Callable[[Dice, list[Schema]], Request]] = {
    "batch_write": batch_write,
    "batch_get": batch_get,
}
