"""The registry of all topics: name, key, value, partitioning, clean-up. Creation, docs and checks derive from it.

Internal topics carry ids, which are unique for ever, so that a re-created table never meets an old topic.
`partitions=None` means "as many as the table has partitions": topic partition number = partition number.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from dynabus.core.ids import LogId, NodeName
from dynabus.core.topic_names import escaped, stream_topic
from dynabus.core.topic_settings import (
    ACKNOWLEDGEMENTS,
    CLONE,
    CONFLICTS,
    INGEST,
    INGEST_PARTITIONS,
    LIMIT,
    LOG,
    PARKED,
    REPLICATION_PARTITIONS,
    SHORT,
    STREAM,
    TABLE,
    TABLE_TOPIC_PARTITIONS,
)


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


KINDS: Mapping[str, TopicKind] = {
    kind.kind: kind
    for kind in (
        TopicKind("admin-log", "admin-log", 1, "-", "replication-log record", "for ever", dict(LOG)),
        TopicKind(
            "metadata",
            "metadata",
            1,
            "`table/<id>`, `stream/<id>/<label>`, `index/<id>/<index>`, `topic/<id>/<topic>`, `region/<name>`, "
            "`link/<id>/<region>` or `leader/<id>/<partition>`",
            "`table_metadata`, `stream_metadata`, `index_metadata`, `table_topic_metadata`, `region_metadata`, "
            "`link_metadata`, `leader_metadata`",
            "compacted",
            {
                "cleanup.policy": "compact",
                "unclean.leader.election.enable": "false",
                **LIMIT,
            },
        ),
        TopicKind(
            "control",
            "control",
            1,
            "-",
            "`control_request`, `split_point`, `heat`, `durable_places`",
            "10 minutes",
            dict(SHORT),
        ),
        TopicKind(
            "heartbeats", "heartbeats", 1, "node", "`heartbeat`, `heartbeats_wanted`", "10 minutes", dict(SHORT)
        ),
        TopicKind(
            "requests",
            "requests.<node>",
            1,
            "-",
            "`request`, `ingest_request`, `index_request`, `question`, `answer`, `order`, `lease_request`, "
            "`clone_request`, `place_request`, `index_progress`",
            "10 minutes",
            dict(SHORT),
        ),
        TopicKind(
            "replies",
            "replies.<asker>",
            1,
            "-",
            "`reply`, `index_reply`, `lease`, `place_reply`",
            "10 minutes",
            dict(SHORT),
        ),
        TopicKind(
            "clone",
            "clone.<node>",
            1,
            "-",
            "`clone_manifest`, `clone_chunk`, `clone_refusal`",
            "2 minutes",
            dict(CLONE),
        ),
        TopicKind(
            "log",
            "log.<table id>[.<index id>]",
            None,
            "-",
            "replication-log record",
            "pruned by auto-admin",
            dict(LOG),
        ),
        TopicKind(
            "stream",
            "stream.<table>.<label>",
            None,
            "primary key, JSON",
            "`stream_record`, behind Confluent's prefix",
            "the stream's retention",
            dict(STREAM),
        ),
        TopicKind(
            "table",
            "table.<table>",
            TABLE_TOPIC_PARTITIONS,
            "primary key, JSON",
            "`table_item`, behind Confluent's prefix; none: deleted",
            "compacted",
            dict(TABLE),
        ),
        TopicKind(
            "conflicts",
            "conflicts.<table>",
            1,
            "primary key, JSON",
            "`conflict`, behind Confluent's prefix",
            "7 days",
            dict(CONFLICTS),
        ),
        TopicKind(
            "ingest",
            "ingest[.<table>]",
            INGEST_PARTITIONS,
            "the producer's",
            "JSON, or `ingest_command` behind Confluent's prefix",
            "7 days",
            dict(INGEST),
        ),
        TopicKind(
            "outcomes",
            "outcomes.<table>",
            INGEST_PARTITIONS,
            "the command's",
            "JSON, or `ingest_outcome` behind Confluent's prefix",
            "7 days",
            dict(INGEST),
        ),
        TopicKind(
            "dead-letters",
            "dead-letters",
            1,
            "the command's",
            "what was no command",
            "7 days",
            dict(INGEST),
        ),
        TopicKind(
            "replication",
            "replication.<region>",
            REPLICATION_PARTITIONS,
            "-",
            "`replication_batch`, of that region",
            "7 days",
            dict(INGEST),
        ),
        TopicKind(
            "acknowledgements",
            "acknowledgements.<region>",
            1,
            "-",
            "`replication_acknowledgement`, of that region",
            "1 hour",
            dict(ACKNOWLEDGEMENTS),
        ),
        TopicKind(
            "parked",
            "parked[.<table>]",
            1,
            "item's key, encoded",
            "`parked_change`",
            "for ever",
            dict(PARKED),
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

    def conflicts(self, table: str) -> Topic:
        """Of a global table: writes that lost without having been known of."""
        return self._fixed("conflicts", f"conflicts.{escaped(table)}")

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

    def replication(self, source: str) -> Topic:
        """What another region sends to this cluster."""
        return self._fixed("replication", f"replication.{source}")

    def acknowledgements(self, destination: str) -> Topic:
        """What another region has decided of this cluster's changes."""
        return self._fixed("acknowledgements", f"acknowledgements.{destination}")

    def parked(self, table: str | None) -> Topic:
        """Changes of other regions that cannot be decided; without a table: batches that cannot be read."""
        return self._fixed("parked", "parked" if table is None else f"parked.{escaped(table)}")

    def rep_outs(self, destination: str) -> str:
        """The consumer group that reads streams for another region."""
        return f"{self.namespace}.rep-out.{destination}"

    @property
    def rep_ins(self) -> str:
        """The consumer group that reads what other regions send."""
        return f"{self.namespace}.rep-in"

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

    def shared(self) -> tuple[Topic, ...]:
        """The topics that exist once per cluster, whatever tables and nodes there are."""
        return (self.admin_log(), self.metadata(), self.control(), self.heartbeats())

    def _fixed(self, kind: str, name: str) -> Topic:
        spec = KINDS[kind]
        assert spec.partitions is not None
        return Topic(f"{self.namespace}.{name}", spec.partitions, spec.config, kind)
