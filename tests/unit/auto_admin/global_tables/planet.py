"""Several regions, each a cluster of lists, and what ReplAdmin carries between their auto-admins."""

from __future__ import annotations

from concurrent.futures import Future
from functools import partial
from typing import Any

import orjson
from tests.unit.auto_admin.test_service import TURNS_MOST, Life

from dynabus.auto_admin.outside import Stated
from dynabus.auto_admin.tables.decisions import TableState
from dynabus.repl_admin.definitions import OWN, Answer, Definitions, NotAnswered

HOME, AWAY, THIRD = "eu-west-1", "us-east-1", "us-west-2"
STEP_MS = 500.0


class Planet:
    """`cut`: regions that nobody reaches. `copies`: initial copies are acknowledged at once, as Copies would,
    but for those that are `held` (from, to). `drains`: what is left of streams is acknowledged at once."""

    def __init__(self, *names: str) -> None:
        self.regions = {name: Life(region=name) for name in names or (HOME, AWAY)}
        self.cut: set[str] = set()
        self.copies = self.drains = True
        self.held: set[tuple[str, str]] = set()
        self.now_ms = 0.0
        self.words = 0
        self.duties = {
            name: Definitions(partial(self._ask, name), partial(self._others, name)) for name in self.regions
        }
        for name, life in self.regions.items():
            life.until("nodes heard", lambda life=life: life.active() and len(life.active()[0].view.nodes) == 3)
            for other in self._others(name):
                self.know(name, other)

    def know(self, name: str, other: str) -> dict[str, Any]:
        address = {"Kafka": f"{other}:9092", "Namespace": "dynabus", "Endpoint": f"http://{other}", "Settings": {}}
        return self.regions[name].ask("AddRegion", Name=other, **address)

    def create(self, region: str = HOME, name: str = "music", **more: Any) -> None:
        self.regions[region].ask(
            "CreateTable",
            TableName=name,
            AttributeDefinitions=[{"AttributeName": "artist", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "artist", "KeyType": "HASH"}],
            **{"BillingMode": "PAY_PER_REQUEST", **more},
        )
        self.until("created", lambda: self.status(region, name) == "ACTIVE")

    def replicate(self, region: str = AWAY, at: str = HOME) -> dict[str, Any]:
        return self.update(at, ReplicaUpdates=[{"Create": {"RegionName": region}}])

    def update(self, at: str = HOME, **changes: Any) -> dict[str, Any]:
        return self.regions[at].ask("UpdateTable", TableName="music", **changes)

    def replicated(self, *names: str) -> None:
        """A table that is global in all of the regions."""
        self.create()
        for each in names or (AWAY,):
            self.replicate(each)
            self.until(f"{each} ACTIVE", lambda each=each: self.replicas(HOME).get(each) == "ACTIVE")
        self.settle()

    # -- what is there ----------------------------------------------------------------------------------------

    def state(self, region: str, name: str = "music") -> TableState | None:
        """None, too, while no auto-admin is active there."""
        return next((active.tables.named(name) for active in self.regions[region].active()), None)

    def status(self, region: str, name: str = "music") -> str | None:
        state = self.state(region, name)
        return None if state is None else state.status

    def described(self, region: str) -> dict[str, Any]:
        """By metadata, after compaction."""
        tables = [message for key, message in self.metadata(region, "table/").items() if message["name"] == "music"]
        found: dict[str, Any] = orjson.loads(tables[0]["description"]) if tables else {}
        return found

    def replicas(self, region: str) -> dict[str, str]:
        """Statuses that DescribeTable shows."""
        return {each["RegionName"]: each["ReplicaStatus"] for each in self.described(region).get("Replicas", ())}

    def metadata(self, region: str, prefix: str) -> dict[str, Any]:
        known = self.regions[region].kafka.metadata
        return {key: message for key, message in known.items() if key.startswith(prefix)}

    def links(self, region: str) -> dict[str, str]:
        return {each["destination"]: each["status"] for each in self.metadata(region, "link/").values()}

    # -- time -------------------------------------------------------------------------------------------------

    def turn(self) -> None:
        self.now_ms += STEP_MS
        for name, life in self.regions.items():
            self._propagate(life)
            life.turn()
            self.duties[name].turn(self.now_ms)
            if self.copies:
                self._tell(name, "COPYING", "ReplicaCopied")
            if self.drains:
                self._tell(name, "DRAINING", "LinkDrained")

    def until(self, what: str, condition: Any) -> None:
        for _ in range(TURNS_MOST):
            if condition():
                return
            self.turn()
        raise AssertionError(f"never: {what}")

    def settle(self) -> None:
        """Until nobody has anything to tell any more, and no table changes."""
        self.until("settled", lambda: not any(self._restless(life) for life in self.regions.values()))

    def _restless(self, life: Life) -> bool:
        states = [state for active in life.active() for state in active.tables.all().values()]
        unfinished = any(each.unfinished or each.status != "ACTIVE" for each in states)
        return unfinished or not life.active() or bool(life.ask("PendingDefinitions")["Words"])

    def _propagate(self, life: Life) -> None:
        """Log propagators begin and end what they shall, at once."""
        for active in life.active():
            for state in active.tables.all().values():
                wanted = frozenset(e["label"] for e in state.streams if e["status"] in ("ENABLING", "ENABLED"))
                indexes = frozenset(f"index/{e['id']}" for e in state.indexes if e["status"] != "DELETING")
                for each in state.partitions:
                    life.kafka.checkpoints[state.id, each["number"]] = Stated(1 << 60, wanted | indexes)

    def _tell(self, region: str, status: str, operation: str) -> None:
        for link in self.metadata(region, "link/").values():
            where = (region, link["destination"])
            if link["status"] == status and not {*where} & self.cut and where not in self.held:
                asked = {
                    "TableId": link["table"],
                    "Destination": link["destination"],
                    "CreatedMs": link["created_ms"],
                }
                self.regions[region].ask(operation, **asked)

    def _others(self, name: str) -> list[str]:
        return [each for each in self.regions if each != name]

    def _ask(self, asker: str, region: str, operation: str, body: dict[str, Any]) -> Future[Answer]:
        future: Future[Answer] = Future()
        if region != OWN and {asker, region} & self.cut:
            future.set_exception(NotAnswered("cut off"))
            return future
        self.words += region != OWN
        # Over the bus it is JSON.
        future.set_result(self.regions[region or asker].ask(operation, **orjson.loads(orjson.dumps(body))))
        return future
