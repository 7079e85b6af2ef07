"""DynamoDB's errors for what is throttled.

    table            error                                      member with the reasons
    provisioned      ProvisionedThroughputExceededException     ThrottlingReasons
    on demand        ThrottlingException (of coral)             throttlingReasons

A reason is {Table, Index} {Read, Write} {what was exceeded}, and goes with the ARN of the table or index. Sources:
API_ThrottlingReason.html, troubleshooting-throttling-diagnostics.html, and the messages as CancellationReasons of
API_TransactWriteItems.html has them; the one for on-demand maximums is in throttling-diagnosing-workflow.html.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dynabus.core.admission.capacity import WRITE, Limit, is_provisioned
from dynabus.core.errors import CORAL_AVAILABILITY, DYNAMODB, ApiError
from dynabus.core.tables.indexes import OF

_OF_TABLE = (
    "The level of configured provisioned throughput for the table was exceeded. Consider increasing your "
    "provisioning level with the UpdateTable API."
)
_OF_INDEX = (
    "The level of configured provisioned throughput for one or more global secondary indexes of the table was "
    "exceeded. Consider increasing your provisioning level for the under-provisioned global secondary indexes with "
    "the UpdateTable API"
)
_ON_DEMAND = (
    "Throughput exceeds the current capacity of your table or index. DynamoDB is automatically scaling your table or "
    "index so please try again shortly. If exceptions persist, check if you have a hot key: "
    "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-design.html"
)
_MAXIMUM = "Throughput exceeds the maximum OnDemandThroughput configured on table or index"


def reason_of(dimension: int, limit: Limit, *, of_index: bool = False) -> str:
    """One of the sixteen."""
    return f"{'Index' if of_index else 'Table'}{'Write' if dimension == WRITE else 'Read'}{limit}"


def is_index(description: Mapping[str, Any]) -> bool:
    """Whether it is an index's own, and not a table's."""
    return OF in description


def refusal(description: Mapping[str, Any], dimension: int, limit: Limit) -> ApiError:
    """The answer to a request that `limit` refuses. The description is a table's, or an index's own."""
    index = is_index(description)
    reasons = [{"reason": reason_of(dimension, limit, of_index=index), "resource": description["TableArn"]}]
    if is_provisioned(description):
        message = _OF_INDEX if index else _OF_TABLE
        return ApiError(
            DYNAMODB + "ProvisionedThroughputExceededException", message, extra={"ThrottlingReasons": reasons}
        )
    message = _MAXIMUM if limit is Limit.MAX_ON_DEMAND else _ON_DEMAND
    return ApiError(CORAL_AVAILABILITY + "ThrottlingException", message, extra={"throttlingReasons": reasons})
