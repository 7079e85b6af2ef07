"""Brains that get clones or pruning wrong, each of which the checks must catch. Registered beside `broken`'s."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from dynabus.core import pruning
from dynabus.core.cloning import choice
from dynabus.core.cloning.position import Position, Section
from dynabus.core.cloning.receiver import Receiver
from dynabus.core.pruning import Hold
from dynabus.core.replication.place import Place
from dynabus.core.replication.records import CHAIN_START
from tests.simulation import clones, part
from tests.simulation.brains import Patches
from tests.simulation.broken import broken
from tests.simulation.pruning import Pruning


@broken("I6", "a clone counts as being where the log ends: what came after its snapshot is not read")
def clone_without_replay() -> Patches:
    real = clones.Incoming.take

    def take(self: clones.Incoming, kind: str, message: Any, now_ms: float) -> Place | None:
        place, log = real(self, kind, message, now_ms), self.part.log
        return place if place is None else log.auditor.places[len(log.records)]

    return [(clones.Incoming, "take", take)]


@broken("I6", "a snapshot's place lacks sequence and chain")
def snapshot_loses_sequence_and_chain() -> Patches:
    return [(clones.Outgoing, "_manifest", _with_place({"next_sequence": 0, "chain": CHAIN_START}))]


def _with_place(changed: Mapping[str, Any]) -> Any:
    real = clones.Outgoing._manifest

    def manifest(self: clones.Outgoing, clone: int, snapshot: clones.Snapshot, chunks: int) -> dict[str, Any]:
        return real(self, clone, snapshot._replace(place=snapshot.place._replace(**changed)), chunks)

    return manifest


@broken("I9", "a clone of a replica that is behind replaces one that was ahead")
def clone_of_one_that_is_behind() -> Patches:
    def refuse(self: clones.Outgoing, request: Any) -> str:
        state = clones.state_of(self.part)
        return "no" if state is None or not self.part.disk.commits else ""

    return [(choice, "refusal", lambda *_: None), (clones.Outgoing, "_refuse", refuse)]


@broken("I10", "a snapshot has no request ids")
def snapshot_without_request_ids() -> Patches:
    real = clones.Snapshot.pairs

    def pairs(self: clones.Snapshot, section: Section) -> dict[bytes, bytes]:
        return {} if section is Section.REQUESTS else real(self, section)

    def manifest(self: clones.Outgoing, clone: int, snapshot: clones.Snapshot, chunks: int) -> dict[str, Any]:
        return {**real_manifest(self, clone, snapshot, chunks), "requests": 0}

    real_manifest = clones.Outgoing._manifest
    return [(clones.Snapshot, "pairs", pairs), (clones.Outgoing, "_manifest", manifest)]


@broken("I6", "a chunk that was lost is not missed")
def lost_chunk_is_skipped() -> Patches:
    real = Receiver._chunk

    def chunk(self: Any, message: Any, now_ms: float) -> Any:
        if self.manifest is not None and message["number"] > self.number:
            self.number, self.position = message["number"], Position(Section(message["section"]), message["after"])
        return real(self, message, now_ms)

    # Without the count at the end, which would notice: each of the two must do.
    def install(self: clones.Incoming, receiving: Any) -> Any:
        manifest = receiving.manifest
        disk = self.part.disk.replaced([])
        for key, row in self._rows.items():
            disk.put(key, row)
        disk.requests, disk._ids = dict(self._requests), sorted(self._requests)
        disk.commit_place(manifest["place"])
        self.part.disk = disk
        return manifest["place"]

    return [(Receiver, "_chunk", chunk), (clones.Incoming, "_install", install)]


@broken("I8", "logs are pruned behind the member that has most on disk")
def pruned_past_a_replica() -> Patches:
    def lowest(holds: Iterable[Hold]) -> Hold:
        *members, youngest = holds
        return min(max(members, key=lambda hold: hold.offset), youngest, key=lambda hold: hold.offset)

    return [(pruning, "lowest", lowest)]


@broken("I8", "who has said nothing needs nothing")
def silence_needs_nothing() -> Patches:
    def needed(nodes: Iterable[str], stated: Mapping[str, int]) -> list[Hold]:
        return [Hold(node, stated[node]) for node in nodes if node in stated] or [Hold("", 0)]

    return [(pruning, "needed", needed)]


@broken("I8", "what is committed, and not what is on disk, is what logs are pruned behind")
def pruned_behind_commits() -> Patches:
    def told(self: Any, each: part.Part) -> None:
        if self.active and each.replica is not None:
            where = (each.node.name, each.partition.number)
            self._hear(where, each.node.incarnation, pruning.durable_at(each.disk.commits[-1][3]))
            each.is_blank = each.was_wiped = False

    return [(Pruning, "committed", told)]


@broken("I8", "what a node said when it was a member before counts once it is one again")
def words_outlive_membership() -> Patches:
    return [(pruning, "counted", lambda word, _: max(0, word.offset) if word is not None else 0)]


@broken("I8", "a parent's log is pruned before its children are on disk")
def ancestors_are_not_waited_for() -> Patches:
    return [(pruning, "is_inherited", lambda *_: True)]
