"""The registry of all topics: name, key, value, partitioning, clean-up. Creation, docs and checks derive from it.

Internal topics carry ids, which are unique for ever, so that a re-created table never meets an old topic.
`partitions=None` means "as many as the table has partitions": topic partition number = partition number.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from dynabus.core.ids import LogId, NodeName
from dynabus.core.topic_names import escaped, stream_topic

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

INGEST_PARTITIONS = 12
"""Shared out among routers evenly, be they 2, 3, 4, 6 or 12; more would cost each of them fetches for nothing."""

TABLE_TOPIC_PARTITIONS = 12
"""Of a new table topic, for ever: a key may not move. As many as of ingest, so that readers can share them evenly."""

FOREVER = "-1"
FAR = str((1 << 63) - 1)


@dataclass(frozen=True, slots=True)
class TopicKind:
    """One family of topics. `pattern` is the name below the namespace; `config` are Kafka topic settings."""

    kind: str
    pattern: str
    partitions: int | None
    key: str
    value: str
    retention: str
    config: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic to create or to check: its full name, its number of topic partitions, its settings."""

    name: str
    partitions: int
    config: Mapping[str, str]
    kind: str


_LIMIT = {"max.message.bytes": str(MESSAGE_LIMIT_BYTES)}
_SHORT = {
    "cleanup.policy": "delete",
    "retention.ms": str(SHORT_RETENTION_MS),
    "segment.ms": str(SHORT_RETENTION_MS),
    # Expiry of a request is judged by the broker's append time, never by comparing two hosts' clocks.
    "message.timestamp.type": "LogAppendTime",
    **_LIMIT,
}
_CLONE = {
    **_SHORT,
    # What is not read within minutes is asked for again. In small segments, since only closed ones are removed: a
    # partition of 10 GB that is cloned does not lie here as a whole.
    "retention.ms": str(CLONE_RETENTION_MS),
    "segment.ms": str(CLONE_RETENTION_MS),
    "segment.bytes": str(64 << 20),
}
_LOG = {
    # Pruned by auto-admin alone (I8); neither time nor size may take a record away.
    "cleanup.policy": "delete",
    "retention.ms": FOREVER,
    "retention.bytes": FOREVER,
    "message.timestamp.type": "CreateTime",
    "unclean.leader.election.enable": "false",
    **_LIMIT,
}

_STREAM = {
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
    **_LIMIT,
}

_TABLE = {
    "cleanup.policy": "compact",
    # Of the write, as in streams.
    "message.timestamp.type": "CreateTime",
    "message.timestamp.after.max.ms": FAR,
    "message.timestamp.before.max.ms": FAR,
    "unclean.leader.election.enable": "false",
    **_LIMIT,
}

_INGEST = {
    "cleanup.policy": "delete",
    # What routers did not read by then is lost: longer than any outage that somebody would not notice.
    "retention.ms": str(INGEST_RETENTION_MS),
    "message.timestamp.type": "CreateTime",
    "unclean.leader.election.enable": "false",
    **_LIMIT,
}

KINDS: Mapping[str, TopicKind] = {
    kind.kind: kind
    for kind in (
        TopicKind("admin-log", "admin-log", 1, "-", "replication-log record", "for ever", dict(_LOG)),
        TopicKind(
            "metadata",
            "metadata",
            1,
            "`table/<id>`, `stream/<id>/<label>`, `index/<id>/<index>`, `topic/<id>/<topic>`, "
            "`leader/<id>/<partition>`, `region/<name>` or `link/<id>/<region>`",
            "`table_metadata`, `stream_metadata`, `index_metadata`, `table_topic_metadata`, `leader_metadata`, "
            "`region_metadata`, `link_metadata`",
            "compacted",
            {
                "cleanup.policy": "compact",
                "unclean.leader.election.enable": "false",
                **_LIMIT,
            },
        ),
        TopicKind(
            "control",
            "control",
            1,
            "-",
            "`control_request`, `split_point`, `heat`, `durable_places`",
            "10 minutes",
            dict(_SHORT),
        ),
        TopicKind(
            "heartbeats", "heartbeats", 1, "node", "`heartbeat`, `heartbeats_wanted`", "10 minutes", dict(_SHORT)
        ),
        TopicKind(
            "requests",
            "requests.<node>",
            1,
            "-",
            "`request`, `ingest_request`, `index_request`, `question`, `answer`, `order`, `lease_request`, "
            "`clone_request`, `place_request`, `index_progress`",
            "10 minutes",
            dict(_SHORT),
        ),
        TopicKind(
            "replies",
            "replies.<asker>",
            1,
            "-",
            "`reply`, `index_reply`, `lease`, `place_reply`",
            "10 minutes",
            dict(_SHORT),
        ),
        TopicKind(
            "clone",
            "clone.<node>",
            1,
            "-",
            "`clone_manifest`, `clone_chunk`, `clone_refusal`",
            "2 minutes",
            dict(_CLONE),
        ),
        TopicKind(
            "log",
            "log.<table id>[.<index id>]",
            None,
            "-",
            "replication-log record",
            "pruned by auto-admin",
            dict(_LOG),
        ),
        TopicKind(
            "stream",
            "stream.<table>.<label>",
            None,
            "primary key, JSON",
            "`stream_record`, behind Confluent's prefix",
            "the stream's retention",
            dict(_STREAM),
        ),
        TopicKind(
            "table",
            "table.<table>",
            TABLE_TOPIC_PARTITIONS,
            "primary key, JSON",
            "`table_item`, behind Confluent's prefix; none: deleted",
            "compacted",
            dict(_TABLE),
        ),
        TopicKind(
            "ingest",
            "ingest[.<table>]",
            INGEST_PARTITIONS,
            "the producer's",
            "JSON, or `ingest_command` behind Confluent's prefix",
            "7 days",
            dict(_INGEST),
        ),
        TopicKind(
            "outcomes",
            "outcomes.<table>",
            INGEST_PARTITIONS,
            "the command's",
            "JSON, or `ingest_outcome` behind Confluent's prefix",
            "7 days",
            dict(_INGEST),
        ),
        TopicKind(
            "dead-letters",
            "dead-letters",
            1,
            "the command's",
            "what was no command",
            "7 days",
            dict(_INGEST),
        ),
    )
}


@dataclass(frozen=True, slots=True)
class Topics:
    """Names of one cluster's topics, below its namespace."""

    namespace: str = "dynabus"

    def admin_log(self) -> Topic:
        return self._fixed("admin-log", "admin-log")

    def metadata(self) -> Topic:
        return self._fixed("metadata", "metadata")

    def control(self) -> Topic:
        return self._fixed("control", "control")

    def heartbeats(self) -> Topic:
        return self._fixed("heartbeats", "heartbeats")

    def requests(self, node: NodeName) -> Topic:
        """A storage node's inbox."""
        return self._fixed("requests", f"requests.{node}")

    def replies(self, asker: str) -> Topic:
        """A router's (or other asker's) inbox for replies; slot names are re-used after restarts."""
        return self._fixed("replies", f"replies.{asker}")

    def clone(self, node: NodeName) -> Topic:
        """Chunks of snapshots for a storage node."""
        return self._fixed("clone", f"clone.{node}")

    def log(self, log: LogId, partitions: int) -> Topic:
        """The replication logs of a table's (or index's) partitions."""
        return Topic(self.log_name(log), partitions, KINDS["log"].config, "log")

    def log_name(self, log: LogId) -> str:
        return f"{self.namespace}.log.{log}"

    @property
    def propagators(self) -> str:
        """The consumer group of the log propagators."""
        return f"{self.namespace}.log-propagator"

    def stream(self, table: str, label: str, partitions: int, retention_ms: int) -> Topic:
        """The shards of a table's stream."""
        config = {**KINDS["stream"].config, "retention.ms": str(retention_ms)}
        return Topic(self.stream_name(table, label), partitions, config, "stream")

    def stream_name(self, table: str, label: str) -> str:
        """Of a stream's topic; `label` as the API has it."""
        return f"{self.namespace}.stream.{stream_topic(table, label)}"

    def table(self, table: str, partitions: int) -> Topic:
        """A table as key -> latest item."""
        return Topic(self.table_name(table), partitions, KINDS["table"].config, "table")

    def table_name(self, table: str) -> str:
        return f"{self.namespace}.table.{escaped(table)}"

    def ingest(self, table: str) -> Topic:
        """Commands for a table."""
        return self._fixed("ingest", f"ingest.{escaped(table)}")

    def common_ingest(self) -> Topic:
        """Commands that name their table."""
        return self._fixed("ingest", "ingest")

    def outcomes(self, table: str) -> Topic:
        """What became of a table's commands."""
        return self._fixed("outcomes", f"outcomes.{escaped(table)}")

    def dead_letters(self) -> Topic:
        """What was in ingest topics and was no command."""
        return self._fixed("dead-letters", "dead-letters")

    def transactional_id(self, propagator: str) -> str:
        """Of the producer with which a log propagator writes table topics."""
        return f"{self.namespace}.log-propagator.{propagator}"

    @property
    def ingesters(self) -> str:
        """The consumer group of the routers that read commands."""
        return f"{self.namespace}.ingest"

    @property
    def repl_admins(self) -> str:
        """The consumer group of ReplAdmins, of which one is active."""
        return f"{self.namespace}.repl-admin"

    def rep_outs(self, destination: str) -> str:
        """The consumer group that has sent streams to another region so far as it has committed."""
        return f"{self.namespace}.rep-out.{destination}"

    def shared(self) -> tuple[Topic, ...]:
        """The topics that exist once per cluster, whatever tables and nodes there are."""
        return (self.admin_log(), self.metadata(), self.control(), self.heartbeats())

    def _fixed(self, kind: str, name: str) -> Topic:
        spec = KINDS[kind]
        assert spec.partitions is not None
        return Topic(f"{self.namespace}.{name}", spec.partitions, spec.config, kind)
