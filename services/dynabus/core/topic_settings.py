"""Kafka's settings of each family of topics, and why they are so (`core.topics`)."""

from __future__ import annotations

MESSAGE_LIMIT_BYTES = 16 * 1024 * 1024
"""A legal 400 KB item of empty strings is 3.7 MB as JSON and a record has two images; one page may be 13 MB."""

SHORT_RETENTION_MS = 10 * 60 * 1000
"""Requests and replies are dead after a deadline of seconds; ten minutes leave time to look at them."""

CLONE_RETENTION_MS = 2 * 60 * 1000
"""A receiver asks again after seconds for what it lacks; nobody looks at old chunks."""

STREAM_RETENTION_MS = 24 * 60 * 60 * 1000
"""DynamoDB's. https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html"""

STREAM_SEGMENT_MS = 60 * 60 * 1000

INGEST_RETENTION_MS = 7 * 24 * 60 * 60 * 1000
"""Of commands, outcomes and dead letters: a week, Kafka's own default."""

CONFLICTS_RETENTION_MS = 7 * 24 * 60 * 60 * 1000
"""A week: people look at them."""

INGEST_PARTITIONS = 12
"""Shared out among routers evenly, be they 2, 3, 4, 6 or 12; more would cost each of them fetches for nothing."""

TABLE_TOPIC_PARTITIONS = 12
"""Of a new table topic, for ever: a key may not move. As many as of ingest, so that readers can share them evenly."""

REPLICATION_PARTITIONS = 16
"""Shared out among RepIns evenly; batches are dealt out over them in turn."""

ACKNOWLEDGEMENT_RETENTION_MS = 60 * 60 * 1000
"""What is not heard by then was sent again, and acknowledged again."""

FOREVER = "-1"
FAR = str((1 << 63) - 1)

LIMIT = {"max.message.bytes": str(MESSAGE_LIMIT_BYTES)}
SHORT = {
    "cleanup.policy": "delete",
    "retention.ms": str(SHORT_RETENTION_MS),
    "segment.ms": str(SHORT_RETENTION_MS),
    # Expiry of a request is judged by the broker's append time, never by comparing two hosts' clocks.
    "message.timestamp.type": "LogAppendTime",
    **LIMIT,
}
CLONE = {
    **SHORT,
    # What is not read within minutes is asked for again. In small segments, since only closed ones are removed: a
    # partition of 10 GB that is cloned does not lie here as a whole.
    "retention.ms": str(CLONE_RETENTION_MS),
    "segment.ms": str(CLONE_RETENTION_MS),
    "segment.bytes": str(64 << 20),
}
LOG = {
    # Pruned by auto-admin alone (I8); neither time nor size may take a record away.
    "cleanup.policy": "delete",
    "retention.ms": FOREVER,
    "retention.bytes": FOREVER,
    "message.timestamp.type": "CreateTime",
    "unclean.leader.election.enable": "false",
    **LIMIT,
}

STREAM = {
    "cleanup.policy": "delete",
    "retention.ms": str(STREAM_RETENTION_MS),
    # Only closed segments are removed; by the hour is how exact a day's retention needs to be.
    "segment.ms": str(STREAM_SEGMENT_MS),
    # Of the write: sequence numbers are found by it. Brokers refuse times an hour ahead by default, and a leader's
    # clock must not keep its changes out of the stream.
    "message.timestamp.type": "CreateTime",
    "message.timestamp.after.max.ms": FAR,
    "message.timestamp.before.max.ms": FAR,
    "unclean.leader.election.enable": "false",
    **LIMIT,
}

CONFLICTS = {**STREAM, "retention.ms": str(CONFLICTS_RETENTION_MS)}

TABLE = {
    "cleanup.policy": "compact",
    # Of the write, as in streams.
    "message.timestamp.type": "CreateTime",
    "message.timestamp.after.max.ms": FAR,
    "message.timestamp.before.max.ms": FAR,
    "unclean.leader.election.enable": "false",
    **LIMIT,
}

INGEST = {
    "cleanup.policy": "delete",
    # What routers did not read by then is lost: longer than any outage that somebody would not notice.
    "retention.ms": str(INGEST_RETENTION_MS),
    "message.timestamp.type": "CreateTime",
    "unclean.leader.election.enable": "false",
    **LIMIT,
}

ACKNOWLEDGEMENTS = {
    **SHORT,
    "retention.ms": str(ACKNOWLEDGEMENT_RETENTION_MS),
    "segment.ms": str(ACKNOWLEDGEMENT_RETENTION_MS),
}

PARKED = {
    # Of each somebody has to decide: it is in no other place of this region.
    **INGEST,
    "retention.ms": FOREVER,
}
