"""All operations: by name for routers, by code for storage nodes. What is not here is an unknown operation."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from dynabus.core.messages import RequestPart
from dynabus.core.operations import (
    batch_get_item,
    batch_write_item,
    create_global_table,
    create_table,
    delete_item,
    delete_table,
    describe_continuous_backups,
    describe_endpoints,
    describe_global_table,
    describe_limits,
    describe_table,
    describe_table_replica_auto_scaling,
    describe_time_to_live,
    get_item,
    list_global_tables,
    list_tables,
    list_tags_of_resource,
    pages,
    put_item,
    query,
    scan,
    tag_resource,
    untag_resource,
    update_global_table,
    update_item,
    update_table,
    update_table_replica_auto_scaling,
    update_time_to_live,
)
from dynabus.core.operations.calls import Code, Context, Request, Steps
from dynabus.core.replication.store import Evaluate, Read

routes: Mapping[str, Callable[[Request, Context], Steps]] = {
    "BatchGetItem": batch_get_item.route,
    "BatchWriteItem": batch_write_item.route,
    "CreateGlobalTable": create_global_table.route,
    "CreateTable": create_table.route,
    "DeleteItem": delete_item.route,
    "DeleteTable": delete_table.route,
    "DescribeContinuousBackups": describe_continuous_backups.route,
    "DescribeEndpoints": describe_endpoints.route,
    "DescribeGlobalTable": describe_global_table.route,
    "DescribeLimits": describe_limits.route,
    "DescribeTable": describe_table.route,
    "DescribeTableReplicaAutoScaling": describe_table_replica_auto_scaling.route,
    "DescribeTimeToLive": describe_time_to_live.route,
    "GetItem": get_item.route,
    "ListGlobalTables": list_global_tables.route,
    "ListTables": list_tables.route,
    "ListTagsOfResource": list_tags_of_resource.route,
    "PutItem": put_item.route,
    "Query": query.route,
    "Scan": scan.route,
    "TagResource": tag_resource.route,
    "UntagResource": untag_resource.route,
    "UpdateGlobalTable": update_global_table.route,
    "UpdateItem": update_item.route,
    "UpdateTable": update_table.route,
    "UpdateTableReplicaAutoScaling": update_table_replica_auto_scaling.route,
    "UpdateTimeToLive": update_time_to_live.route,
}
"""The router halves."""

writes: Mapping[int, Callable[[RequestPart], Evaluate]] = {
    Code.PUT: put_item.node,
    Code.UPDATE: update_item.node,
    Code.DELETE: delete_item.node,
}
"""The storage-node halves of changes: only the leader evaluates them.

Those that depend on what its replica knows stand elsewhere: `import_item.node`, `global_indexes.arrival`."""

reads: Mapping[int, Callable[[RequestPart], Read]] = {
    Code.GET: get_item.node,
    Code.PAGE: pages.node,
}
"""The storage-node halves of reads."""
