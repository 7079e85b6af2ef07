"""CreateTable's rules for the keys of a table and of its indexes.

Order and words: dynalite's recorded answers (validations/createTable), and ack-api-quirks (DDB-TABLE-042, 442) for
what DynamoDB says in other words today, or dynalite does not know.
"""

from __future__ import annotations

from typing import Any

from dynabus.core.errors import ApiError, invalid_parameter, validation_error
from dynabus.core.operations.calls import Request
from dynabus.core.tables.index_changes import check_projected

LOCAL_INDEXES_MOST, GLOBAL_INDEXES_MOST = 5, 20
"""https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html"""

ROLE_MOST = 4
"""Partition key attributes, and sort key attributes, of a global secondary index.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GSI.DesignPattern.MultiAttributeKeys.html"""


def check_keys(request: Request) -> None:
    """Raise the ValidationException for keys that make no table; the request has the right shape."""
    defined = [each["AttributeName"] for each in request["AttributeDefinitions"]]
    keys = request["KeySchema"]
    if len(set(defined)) < len(defined):
        raise validation_error(f"Attribute Name is duplicated: {_first_twice(defined)}")
    _check_defined(_names(keys), defined)
    _check_roles(keys)
    indexes = request.get("LocalSecondaryIndexes")
    if indexes is not None:
        _check_local_indexes(indexes, keys, defined)
    of_others = request.get("GlobalSecondaryIndexes")
    if of_others is not None:
        _check_global_indexes(of_others, defined, {index["IndexName"] for index in indexes or ()})
    if indexes is not None or of_others is not None:
        check_projected([*(indexes or ()), *(of_others or ())])
        indexes = [*(indexes or ()), *(of_others or ())]
    _check_all_used(defined, keys, indexes)


def _names(keys: list[Request]) -> list[str]:
    return [each["AttributeName"] for each in keys]


def _first_twice(names: list[str]) -> str:
    return next(name for number, name in enumerate(names) if name in names[:number])


def _check_defined(names: list[str], defined: list[str]) -> None:
    """Of the table's own keys."""
    if len(names) > len(defined):
        raise validation_error("Invalid KeySchema: Some index key attribute have no definition")
    if any(name not in defined for name in names):
        raise _undefined(names, defined)


def _undefined(names: list[str], defined: list[str]) -> ApiError:
    return invalid_parameter(
        "Some index key attributes are not defined in AttributeDefinitions. "
        f"Keys: [{', '.join(names)}], AttributeDefinitions: [{', '.join(defined)}]"
    )


def _check_roles(keys: list[Request]) -> None:
    names = _names(keys)
    if len(set(names)) < len(names):
        raise validation_error("Both the Hash Key and the Range Key element in the KeySchema have the same name")
    if keys[0]["KeyType"] != "HASH":
        raise validation_error("Invalid KeySchema: The first KeySchemaElement is not a HASH key type")
    if len(keys) == 2 and keys[1]["KeyType"] != "RANGE":
        raise validation_error("Invalid KeySchema: The second KeySchemaElement is not a RANGE key type")


def _check_local_indexes(indexes: list[Request], keys: list[Request], defined: list[str]) -> None:
    if not indexes:
        raise invalid_parameter("List of LocalSecondaryIndexes is empty")
    if len(keys) < 2:
        raise invalid_parameter(
            "Table KeySchema does not have a range key, which is required when specifying a LocalSecondaryIndex"
        )
    taken: set[str] = set()
    for index in indexes:
        _check_index_keys(index, keys[0]["AttributeName"], defined)
        _check_projection(index["Projection"])
        if index["IndexName"] in taken:
            raise invalid_parameter(f"Duplicate index name: {index['IndexName']}")
        taken.add(index["IndexName"])
    if len(indexes) > LOCAL_INDEXES_MOST:
        raise invalid_parameter(f"Number of LocalSecondaryIndexes exceeds per-table limit of {LOCAL_INDEXES_MOST}")


def _check_index_keys(index: Request, table_hash: str, defined: list[str]) -> None:
    keys, name = index["KeySchema"], index["IndexName"]
    names = _names(keys)
    if any(each not in defined for each in names):
        raise _undefined(names, defined)
    _check_roles(keys)
    if len(keys) < 2:
        raise invalid_parameter(f"Index KeySchema does not have a range key for index: {name}")
    if names[0] != table_hash:
        raise invalid_parameter(
            "Index KeySchema does not have the same leading hash key as table KeySchema for index: "
            f"{name}. index hash key: {names[0]}, table hash key: {table_hash}"
        )


def _check_global_indexes(indexes: list[Request], defined: list[str], taken: set[str]) -> None:
    """`taken`: names of the local ones. What stands against throughput is told before, index by index."""
    if not indexes:
        raise invalid_parameter("List of GlobalSecondaryIndexes is empty")
    for index in indexes:
        check_global_index(index, defined)
        if index["IndexName"] in taken:
            raise invalid_parameter(f"Duplicate index name: {index['IndexName']}")
        taken.add(index["IndexName"])
    if len(indexes) > GLOBAL_INDEXES_MOST:
        raise invalid_parameter(f"GlobalSecondaryIndex count exceeds the per-table limit of {GLOBAL_INDEXES_MOST}")


def check_global_index(index: Request, defined: list[str]) -> None:
    """Raise the ValidationException for keys and a projection that make no global secondary index."""
    keys = index["KeySchema"]
    names = _names(keys)
    if any(each not in defined for each in names):
        raise _undefined(names, defined)
    _check_several_roles(keys)
    _check_projection(index["Projection"])


def _check_several_roles(keys: list[Request]) -> None:
    """Of keys of one to four attributes of each role."""
    names, roles = _names(keys), [each["KeyType"] for each in keys]
    if len(keys) <= 2 and roles != ["HASH", "HASH"]:
        _check_roles(keys)
    if len(set(names)) < len(names):
        raise validation_error("The KeySchema contains multiple key attributes with the same name")
    if roles[0] != "HASH":
        raise validation_error("Invalid KeySchema: The first KeySchemaElement is not a HASH key type")
    if roles != sorted(roles):
        raise invalid_parameter("All HASH key attributes must precede RANGE key attributes in the KeySchema")
    for role in ("HASH", "RANGE"):
        if roles.count(role) > ROLE_MOST:
            raise invalid_parameter(f"The KeySchema exceeds the maximum allowed number of {role} key attributes")


def _check_projection(projection: dict[str, Any]) -> None:
    kind = projection.get("ProjectionType")
    if kind is None:
        raise invalid_parameter("Unknown ProjectionType: null")
    named = "NonKeyAttributes" in projection
    if named and kind != "INCLUDE":
        raise invalid_parameter(f"ProjectionType is {kind}, but NonKeyAttributes is specified")
    if not named and kind == "INCLUDE":
        raise invalid_parameter(f"ProjectionType is {kind}, but NonKeyAttributes is not specified")
    names = projection.get("NonKeyAttributes", [])
    if len(set(names)) < len(names):
        raise invalid_parameter(f"Duplicate element in NonKeyAttributes: {_first_twice(names)}")


def _check_all_used(defined: list[str], keys: list[Request], indexes: list[Request] | None) -> None:
    used = list(
        dict.fromkeys(_names(keys) + [name for index in indexes or () for name in _names(index["KeySchema"])])
    )
    if len(defined) <= len(used):
        return
    if indexes is None:
        raise invalid_parameter(
            "Number of attributes in KeySchema does not exactly match number of attributes defined in "
            "AttributeDefinitions"
        )
    raise invalid_parameter(
        f"Some AttributeDefinitions are not used. AttributeDefinitions: [{', '.join(defined)}], "
        f"keys used: [{', '.join(used)}]"
    )
