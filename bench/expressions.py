"""Expressions in the pure core: how many updates and conditions one core evaluates in a second.

    python -m bench.expressions [--seconds 2]

An update of ten clauses with nested paths and a condition of five tests, on an item of 50 attributes. `seen before`
is what a request costs whose text is in the cache of parsed ones: binding and evaluation; `new text` is parsed as
well. The storage node's half reads the item's JSON, evaluates both, and makes the new row.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Callable, Iterator
from typing import Any

import orjson

from dynabus.core.expressions import Placeholders, parse_condition, parse_update
from dynabus.core.messages import RequestPart
from dynabus.core.operations.calls import Code
from dynabus.core.operations.registry import writes
from dynabus.core.rows import encode_row
from dynabus.core.values import item_size

UPDATE = (
    "SET a.b.c = :n, a.parts[1].x = :s, #n.amount = #n.amount + :n, m.made = if_not_exists(m.made, :s), "
    "a.parts[0] = :m, events = list_append(events, :l), v7 = v8 REMOVE a.former.y, v9 ADD visits :n"
)
CONDITION = "attribute_exists(pk) AND a.b.c < :n AND begins_with(v1, :s) AND size(events) < :most AND v2 IN (:s, :x)"
WANTED_EACH_SECOND = 2_000

NAMES = {"#n": "count"}
OF_UPDATE: dict[str, Any] = {
    ":n": {"N": "3"},
    ":s": {"S": "x"},
    ":m": {"M": {"deep": {"L": [{"S": "x"}]}}},
    ":l": {"L": [{"S": "event"}]},
}
VALUES: dict[str, Any] = {**OF_UPDATE, ":most": {"N": "100"}, ":x": {"S": "x" * 20}}
KEY: dict[str, Any] = {"pk": {"S": "bench"}}
_A: dict[str, Any] = {
    "b": {"M": {"c": {"N": "1"}}},
    "parts": {"L": [{"S": "x"}, {"M": {"x": {"S": "x"}}}]},
    "former": {"M": {"y": {"S": "x"}}},
}
ITEM: dict[str, Any] = {
    **KEY,
    "a": {"M": _A},
    "count": {"M": {"amount": {"N": "1"}}},
    "m": {"M": {}},
    "events": {"L": [{"S": "event"}] * 5},
    **{f"v{number}": {"S": "x" * 20} for number in range(45)},
}
BATCH = 100


def rate(call: Callable[[], object], seconds: float) -> float:
    """Calls in a second."""
    count, start = 0, time.perf_counter()
    while (spent := time.perf_counter() - start) < seconds:
        for _ in range(BATCH):
            call()
        count += BATCH
    return count / spent


def update(text: str) -> None:
    parse_update(text, Placeholders(NAMES, OF_UPDATE)).apply(ITEM, KEY)


def condition(text: str) -> None:
    assert parse_condition(text, Placeholders(None, VALUES)).matches(ITEM)


def numbered(text: str, attribute: str) -> Iterator[str]:
    """The same with another attribute each time, so that no cache has it."""
    return (text.replace(attribute, f"w{number}") for number in itertools.count())


def storage_node() -> Callable[[], object]:
    detail = {
        "UpdateExpression": UPDATE,
        "ConditionExpression": CONDITION,
        "ExpressionAttributeNames": NAMES,
        "ExpressionAttributeValues": VALUES,
    }
    part: RequestPart = {
        "operation": Code.UPDATE,
        "log": "bench",
        "partition": 0,
        "generation": 1,
        "consistent": True,
        "key": b"bench",
        "value": orjson.dumps(KEY),
        "size": 0,
        "detail": orjson.dumps(detail),
    }
    row = encode_row(orjson.dumps(ITEM), item_size(ITEM), 1)

    def evaluate() -> None:
        assert writes[Code.UPDATE](part)(row, 1).write

    return evaluate


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.expressions")
    parser.add_argument("--seconds", type=float, default=2.0, help="for each figure (default: 2)")
    seconds = parser.parse_args().seconds
    updates, conditions = numbered(UPDATE, "v7"), numbered(f"{CONDITION} AND NOT other = :n", "other")
    figures: dict[str, Callable[[], object]] = {
        "update, seen before": lambda: update(UPDATE),
        "update, new text": lambda: update(next(updates)),
        "condition, seen before": lambda: condition(CONDITION),
        "condition, new text": lambda: condition(next(conditions)),
        "storage node's half of both": storage_node(),
    }
    for name, call in figures.items():
        print(f"{name:30}{rate(call, seconds):10,.0f} /s")
    print(f"wanted of an update seen before: {WANTED_EACH_SECOND:,} /s")


if __name__ == "__main__":
    main()
