"""DescribeEndpoints. https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DescribeEndpoints.html

SDKs with endpoint discovery switched on ask it once a period and send what follows to the address. So the address is
the one under which the client already reaches this cluster, a load balancer's included: the request's Host header.
DynamoDB names exactly one endpoint (ScyllaDB's test_describe_endpoints.py).
"""

from __future__ import annotations

import orjson

from dynabus.core.operations.calls import Context, Request, Steps
from dynabus.core.operations.shapes import Member, check

HOST = "Host"
"""Set by the router from the HTTP header, over whatever the body has there: the operation has no members."""

MEMBERS: dict[str, Member] = {HOST: Member("String", required=True)}
CACHE_PERIOD_MIN = 1440
"""A day, as DynamoDB answers (AWS CLI's example of describe-endpoints)."""


def route(body: Request, context: Context) -> Steps:
    """The router half; asks nobody."""
    request = check(body, MEMBERS)
    yield from ()
    return orjson.dumps({"Endpoints": [{"Address": request[HOST], "CachePeriodInMinutes": CACHE_PERIOD_MIN}]})
