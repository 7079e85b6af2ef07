"""Control requests about regions and global tables: of operators, routers, ReplAdmin and other regions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dynabus.auto_admin.config import AutoAdminSettings
from dynabus.auto_admin.global_tables import answers, receiving, regions, replicas
from dynabus.auto_admin.global_tables.following import refusal_of
from dynabus.auto_admin.global_tables.receiving import Here, Said, stamps_of
from dynabus.auto_admin.global_tables.regions import own_of, peers_of, read_regions, region_key
from dynabus.auto_admin.placement.planner import Placement
from dynabus.auto_admin.tables import decisions
from dynabus.auto_admin.tables.decisions import TableState, table_key
from dynabus.auto_admin.tables.kept import streams_named
from dynabus.auto_admin.tables.progress import Tables
from dynabus.core.cluster_view import ClusterView
from dynabus.core.global_tables import register as registers
from dynabus.core.global_tables.definition import creation_request
from dynabus.core.global_tables.origins import reads_of
from dynabus.core.global_tables.overrides import units_for
from dynabus.core.replication.store import Decision, Evaluate, Outcome, Reader
from dynabus.core.tables import replica_changes

OF_REGIONS = frozenset({"AddRegion", "RemoveRegion"})
OF_LINKS = {"ReplicaCopied": answers.copied, "LinkLost": answers.lost, "LinkDrained": answers.drained}
OF_TABLES = frozenset({"CreateGlobalTable", "UpdateGlobalTable", "GlobalDefinition", "DefinitionAnswered", *OF_LINKS})
TOLD_MOST = 100
"""Words for each other region in one answer; the next answer begins behind them."""

Place = Callable[[dict[str, Any], bytes, float], list[Placement]]


class GlobalControl:
    """Makes decisions of requests."""

    def __init__(
        self,
        settings: AutoAdminSettings,
        tables: Tables,
        view: ClusterView,
        store: Reader,
        wall_ms: Callable[[], int],
    ) -> None:
        self._settings, self._tables, self._view, self._store = settings, tables, view, store
        self._wall_ms = wall_ms
        self._told_last: dict[str, str] = {}
        """By region, the last table in an answer that had no room for all."""

    @property
    def own(self) -> str:
        """This cluster's region; its ARNs' one where it has none."""
        return own_of(read_regions(self._store)) or self._settings.region

    def of_region(self, operation: str, body: Any) -> tuple[bytes, Evaluate]:
        """The row's key and what is to be decided."""
        name, rows = str(body["Name"]), read_regions(self._store)
        if operation == "AddRegion":
            return region_key(name), regions.add(body, own_of(rows))
        states = self._tables.all().values()
        held = [
            each.name
            for each in states
            if name in (*each.global_table.get("members", ()), *each.global_table.get("leaving", ()))
        ]
        return region_key(name), regions.remove(name, own_of(rows), held, force=bool(body["Force"]))

    def update(self, body: Any) -> Evaluate:
        """UpdateTable with ReplicaUpdates."""
        actions = replica_changes.actions_of(body["ReplicaUpdates"])
        return replicas.change(str(body["TableName"]), actions, self.own, self._peers())

    def of_table(
        self, operation: str, body: Any, request_id: bytes, place: Place, now_ms: float
    ) -> tuple[bytes, Evaluate | None]:
        """The same of a table; None for not yet."""
        if operation in OF_LINKS:
            return self._of_link(operation, body)
        name = str(body["TableName"])
        if operation == "CreateGlobalTable":
            asked = [str(each) for each in body["Regions"]]
            return table_key(name), replicas.create_global(name, asked, self.own, self._peers())
        if operation == "UpdateGlobalTable":
            actions = replica_changes.actions_of(body["ReplicaUpdates"])
            return table_key(name), replicas.update_global(name, actions, self.own, self._peers())
        if operation == "DefinitionAnswered":
            stamps = stamps_of(body["Stamps"])
            answer = registers.Said(str(body["Status"]), str(body["Why"]), str(body["Table"]))
            return table_key(name), answers.answered(str(body["Region"]), stamps, answer)
        known = int(body["Definition"]["format"])
        if known != registers.FORMAT:
            return table_key(name), receiving.other_format(known, self.own)
        return table_key(name), self._receive(Said.of(body), request_id, place, now_ms)

    def pending(self) -> dict[str, Any]:
        """What other regions are to be told: the newest word about each table that they have not acknowledged. And
        which tables here refuse a setting."""
        waiting: dict[str, list[TableState]] = {region: [] for region in self._peers()}
        refused = []
        for each in self._tables.all().values():
            if (why := refusal_of(each, self._wall_ms())) is not None:
                refused.append({"TableName": each.name, "Why": why})
            for region in registers.to_tell(each.global_table):
                if region in waiting:
                    waiting[region].append(each)
        return {
            "Words": [word for region in waiting for word in self._words(region, waiting[region])],
            "Refused": refused,
        }

    def _words(self, region: str, waiting: list[TableState]) -> list[dict[str, Any]]:
        """Those that come first this time; some may be refused for ever, and others must not wait behind them."""
        last = self._told_last.get(region, "")
        waiting.sort(key=lambda state: (state.name <= last, state.name))
        told = waiting[:TOLD_MOST]
        if len(waiting) > TOLD_MOST:
            self._told_last[region] = told[-1].name
        return [
            {"TableName": each.name, "Region": region, "Definition": registers.message_of(each.global_table)}
            for each in told
        ]

    def _peers(self) -> list[str]:
        return peers_of(read_regions(self._store))

    def _of_link(self, operation: str, body: Any) -> tuple[bytes, Evaluate]:
        link = str(body["TableId"]), str(body["Destination"]), int(body["CreatedMs"])
        state = self._tables.all().get(link[0])
        if state is None:
            return table_key(""), lambda _old, _wall_ms: Decision(False, None, Outcome(body=b"{}"))
        return table_key(state.name), OF_LINKS[operation](*link)

    def _receive(self, said: Said, request_id: bytes, place: Place, now_ms: float) -> Evaluate | None:
        state = self._tables.named(said.name)
        here = Here(self.own, self._peers(), state is not None and self._is_empty(state))
        create = None
        if state is None and self.own in said.message["members"]:
            if self._tables.is_leaving(said.name):
                return None
            create = self._creation(said, request_id, place, now_ms)
        evaluate = receiving.receive(said, here, create)
        # Pure, and it reads all that was said: what no region sends fails here, and not in each successor.
        evaluate(None if state is None else decisions.written(state), 0)
        return evaluate

    def _creation(self, said: Said, request_id: bytes, place: Place, now_ms: float) -> Evaluate | None:
        units = {**reads_of(said.message, self.own), **units_for(said.message, self.own)}
        request = creation_request(said.name, said.message["definition"], units)
        placements = place(request, request_id, now_ms)
        if not placements:
            return None
        settings, limit = self._settings, self._tables.refuse_more(new=True)
        kept = streams_named(self._tables.kept(), said.name)
        return decisions.create(request, request_id, placements, settings.region, settings.account, limit, kept)

    def _is_empty(self, state: TableState) -> bool:
        """All its leaders say that they hold nothing."""
        for each in state.partitions:
            led = self._view.leader(state.id, each["number"])
            told = self._view.said(led[1], state.id, each["number"]) if led is not None else None
            if told is None or not told["totals"] or told["totals"][0] != 0:
                return False
        return True
