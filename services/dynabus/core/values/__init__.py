"""Attribute values: the ten types of DynamoDB, in the form in which they travel.

An attribute value is a dictionary of one entry, its type and its content, as in DynamoDB's JSON: `{"S": "x"}`,
`{"N": "12"}`, `{"B": "<base64>"}`, `{"BOOL": True}`, `{"NULL": True}`, `{"SS": […]}`, `{"NS": […]}`,
`{"BS": […]}`, `{"L": […]}`, `{"M": {…}}`. An item maps names to attribute values. What comes in is checked and
brought to normal form once (`normalise_item`); everything behind that relies on it, and the stored and answered
form of an item is just its JSON.

Deliberately no classes: items are parsed by orjson, mostly passed through, and dumped by orjson; wrapping each
value would cost more than everything that is done with it.
"""

from typing import Any

from dynabus.core.values.comparison import ORDERED_TYPES, compare, equal
from dynabus.core.values.faults import ValueFault, in_older_words
from dynabus.core.values.nesting import check_nesting
from dynabus.core.values.normalise import normalise_item, normalise_value
from dynabus.core.values.numbers import (
    add_numbers,
    normalise_number,
    number,
    number_size,
    subtract_numbers,
)
from dynabus.core.values.sets import in_order
from dynabus.core.values.sizes import check_item_size, item_size, value_size

AttributeValue = dict[str, Any]
Item = dict[str, AttributeValue]

__all__ = [
    "ORDERED_TYPES",
    "AttributeValue",
    "Item",
    "ValueFault",
    "add_numbers",
    "check_item_size",
    "check_nesting",
    "compare",
    "equal",
    "in_older_words",
    "in_order",
    "item_size",
    "normalise_item",
    "normalise_number",
    "normalise_value",
    "number",
    "number_size",
    "subtract_numbers",
    "value_size",
]
