"""Operations that are not built: UnknownOperationException, whatever is asked."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.session import get_session

from dynabus.core.operations.registry import routes
from dynabus.core.operations.stream_registry import stream_routes
from tests.conformance.wire import SIGNED, ask, post
from tests.integration.cluster import RunningCluster

SERVICE = get_session().get_service_model("dynamodb")
STREAMS = get_session().get_service_model("dynamodbstreams").operation_names
ALL = SERVICE.operation_names
UNBUILT = sorted(set(ALL) - set(routes))


def method(db: Any, operation: str) -> Any:
    """The client's method for an operation of the service."""
    [name] = [name for name, of in db.meta.method_to_api_mapping.items() if of == operation]
    return getattr(db, name)


def test_what_is_built_exists_in_dynamodb() -> None:
    """API: every name that is answered is one of DynamoDB's."""
    assert set(routes) <= set(ALL)


def test_all_operations_of_streams_are_built() -> None:
    """API: DynamoDBStreams_20120810 has these and no others."""
    assert set(stream_routes) == set(STREAMS)


@pytest.mark.parametrize("target", ["DynamoDBStreams_20120810.GetItem", "DynamoDB_20120810.ListStreams"])
def test_operations_of_the_other_service(cluster: RunningCluster, target: str) -> None:
    """ours: each service knows its own operations only, on whatever address it is."""
    answer = ask(cluster.port, post(None, {}, {**SIGNED, "X-Amz-Target": target}))
    assert answer.error() == ("UnknownOperationException", "")


@pytest.mark.parametrize("operation", UNBUILT)
def test_unknown_operations(db: Any, hash_table: str, operation: str) -> None:
    """observed: coral knows no such operation, whatever its members are, and says so without a message."""
    shape = SERVICE.operation_model(operation).input_shape
    given = {"TableName": hash_table} if shape is not None and "TableName" in shape.members else {}
    with pytest.raises(ClientError) as refused:
        method(db, operation)(**given)
    answer = refused.value.response
    assert answer["Error"] == {"Code": "UnknownOperationException", "Message": ""}
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 400
