"""Decisions about what another region says of a global table. Pure.

| here                       | what is said    | then                                                                |
|----------------------------|-----------------|---------------------------------------------------------------------|
| no table                   | we are a member | it is made (CREATING), if there are nodes and all members are known |
| no table, or no replica    | we are none     | nothing: GONE                                                       |
| no table                   | we are the only | the same                                                            |
| a table of its own         | we are a member | becomes a replica if empty, ACTIVE, of the same key; else REFUSED   |
| a replica of another group | we are a member | REFUSED, also if it was one and is none any more                    |
| a replica, as new or newer |                 | nothing; the newer word is answered                                 |
| a replica, older           | we are a member | is taken over; settings follow step by step                         |
| a replica, older           | we are none     | the table is deleted, unless it is protected or changes             |
| the same, and nobody is    | we are none     | nothing: GONE. Regions that removed each other keep their tables,   |
| one: they removed us, and  |                 | each for itself                                                     |
| we them                    |                 |                                                                     |
| one that is being deleted  | we are a member | is taken over, and the deletion is on top of it                     |

Of a word each piece counts that is newer than here (`register`); where another piece is older, the newer one is
answered. Otherwise nothing is applied in part: a word is in the row or it is not. But of one that is REFUSED because
it names a region that is not known here, it counts who left, since that one goes by the answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import orjson

from dynabus.auto_admin.global_tables.replicas import with_stream
from dynabus.auto_admin.global_tables.stamping import definition_here
from dynabus.auto_admin.tables.decisions import TableState, next_revision, read_row, written
from dynabus.core.errors import ApiError
from dynabus.core.global_tables import register as registers
from dynabus.core.global_tables.definition import read_definition, same_keys, whole
from dynabus.core.global_tables.register import GONE, REFUSED, Register
from dynabus.core.replication.store import Decision, Evaluate, Outcome
from dynabus.core.tables.replica_changes import existing
from dynabus.core.tables.streams import end_streams


def stamp_of(said: Sequence[Any]) -> list[Any]:
    """Raises TypeError or ValueError for what is none."""
    ms, region = said
    return [int(ms), str(region)]


def stamps_of(said: Sequence[Any]) -> list[Any]:
    """As `register.stamps_of` makes them. Raises AttributeError, TypeError or ValueError for what is none."""
    definition, *by_region = said
    return [stamp_of(definition), *({str(key): stamp_of(each) for key, each in of.items()} for of in by_region)]


def _units_of(said: Mapping[str, Any]) -> dict[str, int]:
    """By table ("") and index. Raises as `stamps_of`."""
    return {str(name): int(units) for name, units in said.items()}


class Said(NamedTuple):
    """About the table of this name; `message` is as `register.message_of` makes it, with `members`."""

    name: str
    message: Mapping[str, Any]

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> Said:
        """Of a control request. Raises KeyError, TypeError, ValueError or AttributeError for what no region sends: it
        would stop each auto-admin that goes by the row."""
        message = body["Definition"]
        membership = {
            str(key): {"member": bool(each["member"]), "stamp": stamp_of(each["stamp"])}
            for key, each in message["membership"].items()
        }
        shared = {
            "by": str(message["by"]),
            "group": str(message["group"]),
            "membership": membership,
            "members": registers.members_of(membership),
            "origins": {
                str(key): {
                    "from": str(each["from"]),
                    "stamp": stamp_of(each["stamp"]),
                    **({"lost": stamp_of(each["lost"])} if "lost" in each else {}),
                    **({"reads": _units_of(each["reads"])} if "reads" in each else {}),
                }
                for key, each in message["origins"].items()
            },
            "overrides": {
                str(key): {
                    "units": whole(each["units"]),
                    "indexes": _units_of(each.get("indexes", {})),
                    "given": {str(index): stamp_of(stamp) for index, stamp in each.get("given", {}).items()},
                    "stamp": stamp_of(each["stamp"]),
                }
                for key, each in message["overrides"].items()
            },
            "definition": read_definition(message["definition"]),
            "definition_stamp": stamp_of(message["definition_stamp"]),
        }
        return cls(str(body["TableName"]), shared)


class Here(NamedTuple):
    """What is known here besides the row: own region, other regions, and whether the table is known to be empty."""

    own: str
    peers: Sequence[str]
    empty: bool


def receive(said: Said, here: Here, create: Evaluate | None) -> Evaluate:
    """The decision. `create`: the replica's CreateTable; None: there are too few nodes for one."""
    is_member = here.own in said.message["members"]
    unknown = [each for each in said.message["members"] if each not in (here.own, *here.peers)]

    def evaluate(old: bytes | None, wall_ms: int) -> Decision:
        state = read_row(old) if old is not None else None
        known = state is not None and bool(state.global_table) and _same_group(state.global_table, said)
        if not is_member and not known:
            return _answer(GONE)
        if unknown and is_member and (state is None or state.status != "DELETING"):
            kept = None
            if known and state is not None:
                # Who leaves goes by the answer, and nobody else may know it later.
                kept = _changed(state, registers.parted(state.global_table, said.message, wall_ms))
            return _answer(REFUSED, f"region {here.own} does not know region {', '.join(unknown)}", write=kept)
        if state is None:
            return _created(said, here, create, wall_ms)
        if not known:
            return _adopt(said, here, state, wall_ms)
        return _take(said, state, wall_ms)

    return evaluate


def other_format(known: int, own: str) -> Evaluate:
    """The decision about a word of a newer Dynabus."""

    def evaluate(_old: bytes | None, _wall_ms: int) -> Decision:
        return _answer(REFUSED, f"region {own} does not know format {known} of what it is told: upgrade it")

    return evaluate


def _same_group(register: Register, said: Said) -> bool:
    return bool(register["group"] == said.message["group"])


def _changed(state: TableState, after: Register) -> TableState | None:
    """The row with it; None: it is what is there."""
    return replace(state, global_table=after) if after != state.global_table else None


def _created(said: Said, here: Here, create: Evaluate | None, wall_ms: int) -> Decision:
    if said.message["members"] == [here.own]:
        # Nobody has items for it: it is told of a table that it has deleted itself.
        return _answer(GONE)
    if create is None:
        return _answer(REFUSED, f"region {here.own} has too few storage nodes for the table just now")
    made = create(None, wall_ms)
    if made.row is None:
        return _answer(REFUSED, str(orjson.loads(made.outcome.body).get("message", "")))
    state = read_row(made.row)
    register = _joined(said, here, wall_ms)
    overridden = said.message["overrides"].get(here.own, {}).get("stamp", register["overridden"])
    state = replace(
        state,
        global_table={**register, "overridden": overridden},
        time_to_live=said.message["definition"]["TimeToLive"],
        scaling={**said.message["definition"]["WriteScaling"]},
    )
    return _answer("CREATING", table=state.id, write=state)


def _joined(said: Said, here: Here, wall_ms: int) -> Register:
    """Of an empty table. If the word has it that all items are there, they were lost with another one."""
    register = registers.joined(here.own, said.message)
    if registers.lacks_items(register):
        return register
    return registers.lost_writes(register, wall_ms, said.message["by"])


def _adopt(said: Said, here: Here, state: TableState, wall_ms: int) -> Decision:
    """A table that nobody knows as a replica of this group."""
    if state.status != "ACTIVE":
        # Not yet: for the teller a table that changes otherwise is no replica.
        return _answer("CREATING" if state.status == "UPDATING" else state.status)
    if registers.is_global(state.global_table) or not here.empty or state.of_table:
        return _answer(REFUSED, existing(said.name).message)
    if state.global_table:
        # It has tombstones, which would win against items of the others.
        why = f"the table in region {here.own} was a replica of another global table: delete it first"
        return _answer(REFUSED, why)
    if not same_keys(said.message["definition"], definition_here(state)):
        return _answer(REFUSED, f"the table in region {here.own} has another key schema")
    try:
        state = with_stream(state, wall_ms)
    except ApiError as error:
        return _answer(REFUSED, error.message)
    state = replace(state, global_table=_joined(said, here, wall_ms))
    return _answer(state.status, table=state.id, write=state)


def _take(said: Said, state: TableState, wall_ms: int) -> Decision:
    """A word about the replica that is here."""
    register = state.global_table
    after = registers.taken(register, said.message, wall_ms)
    if not registers.is_newer(said.message, register) and registers.is_member(register):
        return _reply(said, register, state)
    if not registers.is_member(after):
        return _leave(said, state, after, wall_ms)
    if state.status == "DELETING":
        after = registers.with_members(after, registers.others(after), wall_ms)
    elif not same_keys(said.message["definition"], register["definition"]):
        return _answer(REFUSED, f"the table in region {register['own']} has another key schema")
    return _reply(said, after, state, write=replace(state, global_table=after))


def _leave(said: Said, state: TableState, after: Register, wall_ms: int) -> Decision:
    after = registers.told_by(after, said.message)
    if state.status == "DELETING":
        return _reply(said, after, state, write=_changed(state, after))
    # As long as it stays, what else is said counts at once: who else left is not told of by anybody later.
    staying = registers.staying(state.global_table, said.message, wall_ms)
    kept = _changed(state, staying)
    if registers.is_void(after):
        return _answer(GONE, write=kept)
    if state.status != "ACTIVE":
        return _answer(state.status, write=kept)
    if state.description["DeletionProtectionEnabled"]:
        return _answer("ACTIVE", f"the table in region {after['own']} is protected against deletion", write=kept)
    lacking = [each for each in after["members"] if registers.is_copied_again(staying, each)]
    if lacking:
        # Maybe nobody else has that.
        why = f"the table in region {after['own']} is being copied again to {', '.join(lacking)}"
        return _answer("ACTIVE", why, write=kept)
    gone = replace(
        state,
        status="DELETING",
        pending={},
        changed_ms=wall_ms,
        streams=end_streams(state.streams),
        global_table=after,
    )
    return _reply(said, after, gone, write=gone)


def _reply(said: Said, register: Register, state: TableState, *, write: TableState | None = None) -> Decision:
    """With what the teller does not know yet."""
    is_known = registers.stamps_of(said.message) == registers.stamps_of(register)
    newer = None if is_known else registers.message_of(register)
    return _answer(state.status, table=state.id, write=write, newer=newer)


def _answer(
    status: str,
    why: str = "",
    *,
    table: str = "",
    write: TableState | None = None,
    newer: Mapping[str, Any] | None = None,
) -> Decision:
    """A table that is changed otherwise is there all the same. `newer`: what the teller does not know yet."""
    told: dict[str, Any] = {"Status": "ACTIVE" if status == "UPDATING" else status, "Why": why, "Table": table}
    if newer is not None:
        told["Definition"] = newer
    outcome = Outcome(body=orjson.dumps(told))
    return Decision(False, None, outcome) if write is None else Decision(True, written(next_revision(write)), outcome)
