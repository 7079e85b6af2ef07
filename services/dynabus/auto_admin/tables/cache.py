"""The metadata topic: a cache of the admin log for everybody else, written here and kept true.

A version says how far its publisher had read the admin log, so that of two the higher one is right. A deposed
auto-admin that wakes up late may still publish something old; readers ignore it, but compaction would keep it as the
last of its key. The topic is therefore read too: what is older than what was published is published again, and a
table that the log no longer knows is taken away. A version from beyond the log's end proves nothing, so that an
admin log that lost its end does not take tables away.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import orjson

from dynabus.auto_admin.global_tables.link_records import LinkRecords
from dynabus.auto_admin.outside import Bus, Delivered
from dynabus.auto_admin.tables.decisions import TableState
from dynabus.auto_admin.tables.ingest import ON
from dynabus.auto_admin.tables.workflow import ANNOUNCED, metadata_version, version_offset
from dynabus.core.cluster_view import Node
from dynabus.core.global_indexes.messages import IndexMetadata
from dynabus.core.global_indexes.view import LABEL
from dynabus.core.global_tables.messages import LinkMetadata
from dynabus.core.global_tables.register import lacks_items, regions_of
from dynabus.core.global_tables.sending import former_of
from dynabus.core.messages import LeaderMetadata, TableMetadata
from dynabus.core.replication.replica import Replica
from dynabus.core.streams.messages import StreamMetadata
from dynabus.core.streams.view import DELETED, DELETED_MOST, DISABLED
from dynabus.core.table_topics.messages import TableTopicMetadata
from dynabus.core.table_topics.view import LABEL as TOPIC
from dynabus.core.tables.index_changes import DELETING
from dynabus.core.tables.indexes import index_message
from dynabus.core.tables.streams import stream_message
from dynabus.core.tables.table_topics import is_written, table_topic_message

Derived = StreamMetadata | IndexMetadata | TableTopicMetadata


class Cache:
    """What the metadata topic has of tables and leaders, as read and as sent."""

    def __init__(self, bus: Bus, replica: Replica) -> None:
        self._bus, self._replica = bus, replica
        self._highest: dict[str, int] = {}
        """Version per table id, as read from the topic."""
        self._overwritten: set[str] = set()
        """Tables whose last record is older than one before it."""
        self._labels: dict[str, dict[str, Derived]] = {}
        """Streams, indexes and table topics by table id and label, as the metadata topic has them."""
        self._buried: dict[tuple[str, str], bool] = {}
        """What was said to be DELETED, by table and label; True once its tombstone was sent."""
        self._leaders: dict[tuple[str, int], tuple[int, str]] = {}
        self._links = LinkRecords(bus)

    def forget(self) -> None:
        """Another term: leaders are published again as they are heard."""
        self._leaders.clear()

    # -- streams and indexes ----------------------------------------------------------------------------------

    def saw_stream(self, stream: Derived) -> None:
        """A record of the topic, whoever wrote it. An old one behind a newer one: `saw` tells, they come together."""
        if stream["status"] != DELETED:
            self._labels.setdefault(stream["table"], {})[stream["label"]] = stream
        elif stream["label"].startswith((LABEL, TOPIC)):
            # Whoever said so may have died before it took the record away.
            self._buried.setdefault((stream["table"], stream["label"]), False)

    def _publish_streams(self, state: TableState, version: int) -> None:
        """All of the table's with one version, and those that it has no more. Indexes and its topic go as it does; an
        index that is deleted goes before its partitions, to which nobody could write."""
        key_schema = orjson.dumps(state.description["KeySchema"])
        leaves = state.status == "DELETING"
        indexes = [each for each in state.indexes if not leaves and each["status"] != DELETING]
        messages: list[Derived] = [
            stream_message(each, state.id, state.description, version, state.partitions, state.ancestors, key_schema)
            for each in state.streams
        ]
        messages += [
            index_message(each, state.id, state.description, version, state.partitions, state.ancestors)
            for each in indexes
        ]
        if is_written(state.table_topic) and not leaves:
            messages.append(
                table_topic_message(
                    state.table_topic,
                    state.id,
                    state.name,
                    version,
                    state.partitions,
                    state.ancestors,
                    key_schema,
                )
            )
        for message in messages:
            self._send_stream(message)
            self._labels.setdefault(state.id, {})[message["label"]] = message
        labels = {message["label"] for message in messages}
        self._forget_streams(state.id, self._labels.get(state.id, {}).keys() - labels, version)

    def _forget_streams(self, table_id: str, labels: Iterable[str], version: int) -> None:
        for label in [*labels]:
            known = self._labels[table_id].pop(label)
            last = known.copy()
            last["version"], last["status"] = version, DELETED
            self._send_stream(last)
            self._bury(table_id, label)

    def _bury(self, table_id: str, label: str) -> None:
        """Its label is never used again."""
        self._buried[table_id, label] = True
        if len(self._buried) > DELETED_MOST:
            del self._buried[next(iter(self._buried))]
        self._bus.metadata(*_key_and_kind(table_id, label), None, _whatever)

    def _send_stream(self, message: Derived) -> None:
        self._bus.metadata(*_key_and_kind(message["table"], message["label"]), message, _whatever)

    def saw_link(self, link: LinkMetadata) -> None:
        """A record of the topic, whoever wrote it. It comes with its table's, as those of streams do."""
        self._links.saw(link)

    # -- tables -----------------------------------------------------------------------------------------------

    def saw(self, table: TableMetadata) -> None:
        """A record of the topic, whoever wrote it."""
        table_id, version = table["id"], table["version"]
        if version < self._highest.get(table_id, version):
            self._overwritten.add(table_id)
        else:
            self._highest[table_id] = version
            self._overwritten.discard(table_id)

    def version(self, table_id: str) -> int:
        """What the topic has of the table."""
        return self._highest.get(table_id, -1)

    def has(self, table_id: str) -> bool:
        """The topic has had a record of the table."""
        return table_id in self._highest

    def is_overwritten(self, table_id: str) -> bool:
        """The topic's last record of the table is an old one; publish again."""
        return table_id in self._overwritten

    def clean(self, known: Mapping[str, TableState], kept: Mapping[str, TableState]) -> None:
        """Tombstones for tables that were removed, and for their streams that are not `kept`."""
        for table_id in self._highest.keys() - known.keys():
            if version_offset(self._highest[table_id]) <= self._replica.place.next_offset:
                del self._highest[table_id]
                self._overwritten.discard(table_id)
                self._bus.metadata(f"table/{table_id}", "table_metadata", None, _whatever)
                self._links.clean(table_id)
        for table_id in self._labels.keys() - known.keys():
            self._clean_streams(table_id, kept.get(table_id))
        for where in [where for where, is_done in self._buried.items() if not is_done]:
            self._bury(*where)

    def _clean_streams(self, table_id: str, kept: TableState | None) -> None:
        """Of a table that is no more. What an auto-admin of before says of those that are kept is put right."""
        labels = self._labels[table_id]
        version = max((each["version"] for each in labels.values()), default=0)
        if version_offset(version) > self._replica.place.next_offset:
            return
        if kept is not None and any(each["status"] != DISABLED for each in labels.values()):
            self._publish_streams(kept, metadata_version(self._replica.place.next_offset, "DELETED"))
        kept_labels = {each["label"] for each in kept.streams} if kept is not None else set()
        self._forget_streams(table_id, labels.keys() - kept_labels, version)
        if not labels:
            del self._labels[table_id]

    def publish(self, state: TableState, status: str, delivered: Delivered) -> None:
        """With the version of now. An announced table has no partitions yet; a deleted table's leaders go first."""
        self._overwritten.discard(state.id)
        message: TableMetadata = {
            "id": state.id,
            "name": state.name,
            "version": metadata_version(self._replica.place.next_offset, status),
            "status": state.status if status == ANNOUNCED else status,
            "description": orjson.dumps(state.description),
            "partitions": [] if status == ANNOUNCED else state.metadata_partitions(),
            "time_to_live": state.time_to_live,
            "ingest": state.ingest == ON,
            "regions": regions_of(state.global_table),
            "former": sorted(former_of(state.global_table)),
            "lacks_items": lacks_items(state.global_table),
        }
        if status != ANNOUNCED:
            # Before the table: who sees its new status then has its streams.
            self._publish_streams(state, message["version"])
            self._links.publish(state, message["version"])
        if status == "DELETED":
            for each in (*state.partitions, *state.ancestors):
                self._leaders.pop((state.id, each["number"]), None)
                self._bus.metadata(f"leader/{state.id}/{each['number']}", "leader_metadata", None, _whatever)
        self._bus.metadata(f"table/{state.id}", "table_metadata", message, delivered)

    # -- leaders ----------------------------------------------------------------------------------------------

    def publish_leaders(self, node: Node, known: Mapping[str, TableState]) -> None:
        """The durable copy of who leads, for whoever starts later. One that is lost comes with the next change."""
        for said in node.replicas.values():
            if not said["leading"]:
                continue
            state = known.get(said["log"])
            key, led = (said["log"], said["partition"]), (said["term"], node.name)
            if state is None or state.status == "DELETING":
                continue
            if self._leaders.get(key, (-1, "")) < led:
                self._leaders[key] = led
                message: LeaderMetadata = {
                    "log": said["log"],
                    "partition": said["partition"],
                    "term": said["term"],
                    "node": node.name,
                    "incarnation": node.incarnation,
                }
                self._bus.metadata(f"leader/{said['log']}/{said['partition']}", "leader_metadata", message, _whatever)


def _key_and_kind(table_id: str, label: str) -> tuple[str, str]:
    """`stream/<table id>/<label>`, `index/<table id>/<index id>` or `topic/<table id>/<topic id>`."""
    if label.startswith(TOPIC):
        return f"{TOPIC}{table_id}/{label[len(TOPIC) :]}", "table_topic_metadata"
    if label.startswith(LABEL):
        return f"{LABEL}{table_id}/{label[len(LABEL) :]}", "index_metadata"
    return f"stream/{table_id}/{label}", "stream_metadata"


def _whatever(_delivered: bool) -> None:
    """Nothing depends on it."""
