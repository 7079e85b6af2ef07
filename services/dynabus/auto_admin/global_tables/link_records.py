"""The metadata topic's records of links, kept as the rows of tables are."""

from __future__ import annotations

from dynabus.auto_admin.global_tables.answers import stream_of
from dynabus.auto_admin.outside import Bus
from dynabus.auto_admin.tables.decisions import TableState
from dynabus.core.global_tables import register as registers
from dynabus.core.global_tables.links import ACTIVE, DRAINING, key_of
from dynabus.core.global_tables.messages import LinkMetadata
from dynabus.core.global_tables.sending import forwards_of, rows_of
from dynabus.core.tables.streams import are_changing


class LinkRecords:
    """What the topic has of links, as read and as sent."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._known: dict[str, dict[str, LinkMetadata]] = {}
        """By table id and destination."""

    def saw(self, link: LinkMetadata) -> None:
        """The newest counts: an earlier one may be of a stream that was there before."""
        known = self._known.setdefault(link["table"], {})
        if link["destination"] not in known or link["version"] >= known[link["destination"]]["version"]:
            known[link["destination"]] = link

    def publish(self, state: TableState, version: int) -> None:
        """All of the table's with one version; those that it has no more go."""
        if not state.global_table and state.id not in self._known:
            return
        register, known = state.global_table, self._known.setdefault(state.id, {})
        links = register["links"] if register else {}
        for destination, link in links.items():
            before = known.get(destination)
            message: LinkMetadata = {
                "table": state.id,
                "name": state.name,
                "destination": destination,
                "version": version,
                "status": _status(state, link["status"]),
                "created_ms": link["created_ms"],
                "whole": registers.is_whole(register, destination),
                # Of a table that is being deleted the stream ends while it is still read.
                "stream": stream_of(state) or (before["stream"] if before is not None else ""),
                "rows": rows_of(register, link),
                "forwards": forwards_of(register, link, destination),
                "replica": link["table"],
            }
            known[destination] = message
            self._bus.metadata(key_of(state.id, destination), "link_metadata", message, _whatever)
        for destination in known.keys() - links.keys():
            self._forget(state.id, destination)

    def clean(self, table_id: str) -> None:
        """The table is no more."""
        for destination in [*self._known.get(table_id, ())]:
            self._forget(table_id, destination)
        self._known.pop(table_id, None)

    def _forget(self, table_id: str, destination: str) -> None:
        del self._known[table_id][destination]
        self._bus.metadata(key_of(table_id, destination), "link_metadata", None, _whatever)


def _status(state: TableState, status: str) -> str:
    """Nobody asks whether all of a stream was sent before it has all."""
    return ACTIVE if status == DRAINING and are_changing(state.streams) else status


def _whatever(_delivered: bool) -> None:
    """Nothing depends on it: it is published again with its table, whose version says so."""
