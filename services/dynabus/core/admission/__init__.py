"""Admission: which requests are refused because a table, or one of its partitions, has used its throughput.

ARCHITECTURE.md (Admission) has the design; docs/throttling.md says what users see of it. Units are half capacity
units, whole numbers; times are milliseconds of a monotonic clock that the caller reads. No module does any I/O:

* `bucket`     the token bucket: admitted by an estimate, charged for what was used, debts repaid by refill
* `capacity`   what a table's description allows: rate, depth, and which limit that is
* `costs`      what a call is estimated to cost, and what it cost
* `share`      a router's part of a table's reads or writes, and how long it may go on alone
* `admission`  a router's shares of all tables: admits, settles, asks ahead
* `authority`  the owner of a table's buckets, which grants shares of them to routers
* `partition`  the cap of one partition, kept by each of its replicas
* `heat`       which keys of a hot partition are asked for, and where to cut it
* `refusals`   DynamoDB's errors for what is refused
* `throttled`  what was refused, or would have been: counted, and the newest kept to be looked at

Deliberately not here: who leads (`core.replication`), and sending anything (`request_router`, `storage_node`).
"""

from enum import StrEnum


class Mode(StrEnum):
    """`report` lets pass what `on` refuses, and keeps a list of it; `off` counts nothing."""

    ON = "on"
    OFF = "off"
    REPORT = "report"
