"""What item operations demand of their members is what the service model of the installed botocore says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import botocore.session
import pytest

from dynabus.core.operations import (
    batch_get_item,
    batch_write_item,
    delete_item,
    get_item,
    put_item,
    query,
    scan,
    update_item,
)
from dynabus.core.operations.shapes import TABLE_NAME, Member

SERVICE: Any = botocore.session.get_session().get_service_model("dynamodb")

OPERATIONS = {
    "BatchGetItem": batch_get_item.MEMBERS,
    "BatchWriteItem": batch_write_item.MEMBERS,
    "DeleteItem": delete_item.MEMBERS,
    "GetItem": get_item.MEMBERS,
    "PutItem": put_item.MEMBERS,
    "Query": query.MEMBERS,
    "Scan": scan.MEMBERS,
    "UpdateItem": update_item.MEMBERS,
}
STRUCTURES = {
    "DeleteRequest": batch_write_item.DELETE_MEMBERS,
    "KeysAndAttributes": batch_get_item.TABLE_MEMBERS,
    "PutRequest": batch_write_item.PUT_MEMBERS,
    "WriteRequest": batch_write_item.WRITE_MEMBERS,
}
TYPES = {
    "structure": "Map",
    "map": "Map",
    "list": "List",
    "string": "String",
    "boolean": "Boolean",
    "integer": "Integer",
}
NAMED_TYPES = {
    "AttributeNameList": "StringList",
    "AttributeValue": "AttributeValue",
    "AttributeValueList": "AttributeValueList",
}

SHAPES = [
    *((name, SERVICE.operation_model(name).input_shape, members) for name, members in OPERATIONS.items()),
    *((name, SERVICE.shape_for(name), members) for name, members in STRUCTURES.items()),
]

COUNTED_BY_THE_OPERATION = {
    ("BatchGetItem", "RequestItems"): (1, batch_get_item.KEYS_MOST),
    ("BatchWriteItem", "RequestItems"): (1, batch_write_item.WRITES_MOST),
    ("KeysAndAttributes", "Keys"): (1, batch_get_item.KEYS_MOST),
}
"""DynamoDB has messages of its own for these."""


@pytest.mark.parametrize(("shape", "members"), [each[1:] for each in SHAPES], ids=[each[0] for each in SHAPES])
def test_structures(shape: Any, members: Mapping[str, Member]) -> None:
    assert set(members) == set(shape.members)
    assert {name for name, member in members.items() if member.required} == set(shape.required_members)
    for name, modelled in shape.members.items():
        assert (name, members[name].type) == (name, NAMED_TYPES.get(modelled.name, TYPES[modelled.type_name]))
        of = members[name].of
        if of is not None:
            assert of.name == modelled.value.name
            test_structures(modelled.value, of.members)


@pytest.mark.parametrize(("shape", "members"), [each[1:] for each in SHAPES], ids=[each[0] for each in SHAPES])
def test_constraints(shape: Any, members: Mapping[str, Member]) -> None:
    for name, modelled in shape.members.items():
        member, metadata = members[name], modelled.metadata
        assert set(member.values) == set(metadata.get("enum", ()))
        if name == "TableName":
            assert (member, metadata["min"]) == (TABLE_NAME, 1)  # its length bounds ARNs too
        elif (shape.name.removesuffix("Input"), name) in COUNTED_BY_THE_OPERATION:
            counted = COUNTED_BY_THE_OPERATION[shape.name.removesuffix("Input"), name]
            assert counted == (metadata["min"], metadata["max"])
        else:
            least, most = (member.shortest, member.longest)
            if modelled.type_name == "integer":
                least, most = (member.least, member.most)
            modelled_bounds = (metadata.get("min"), metadata.get("max"), metadata.get("pattern"))
            assert (name, least, most, member.pattern) == (name, *modelled_bounds)
