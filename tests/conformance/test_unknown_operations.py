"""Operations that are not built: UnknownOperationException, whatever is asked."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.session import get_session

from dynabus.core.operations.registry import routes
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
    assert set(routes) <= {*ALL, *STREAMS}


@pytest.mark.parametrize("operation", sorted(set(STREAMS) - set(routes)))
def test_unknown_operations_of_streams(cluster: RunningCluster, operation: str) -> None:
    """As below; the name of the service in X-Amz-Target is another (service model: DynamoDBStreams_20120810)."""
    streams = boto3.client(
        "dynamodbstreams",
        endpoint_url=f"http://127.0.0.1:{cluster.port}",
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(parameter_validation=False, retries={"total_max_attempts": 1}),
    )
    with pytest.raises(ClientError) as refused:
        method(streams, operation)()
    assert refused.value.response["Error"] == {"Code": "UnknownOperationException", "Message": ""}


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
