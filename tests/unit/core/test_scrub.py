"""Scrub: the audit is exact over many commits, and each kind of damage is named with its key."""

from __future__ import annotations

import random
from itertools import islice
from typing import Any

import orjson
import pytest
from tests.unit.core.test_contents import NONE, any_row, apply, row
from tests.unit.storage_node.splitting.test_seeding import INDEXES, item

from dynabus.adapters.memory_store import MemoryStore
from dynabus.core.contents import Contents
from dynabus.core.keys import encode_key
from dynabus.core.local_indexes import LocalIndexes
from dynabus.core.rows import encode_row
from dynabus.core.scrub import Audit, Damage, Findings


def no_entry(_key: bytes) -> bytes | None:
    return None


@pytest.mark.parametrize("seed", range(30))
def test_the_audit_is_exact_while_rows_change(seed: int) -> None:
    """Chunks are read from what was there when they began; mutations come while they are read, and between them."""
    dice = random.Random(seed)
    store = MemoryStore()
    contents = Contents(store, NONE)
    keys = [b"%03d" % number for number in range(80)]

    def mutate(most: int) -> None:
        for _ in range(dice.randrange(most)):
            apply(contents, store, dice.choice(keys), dice.choice([None, any_row(dice.randrange(1 << 30))]))

    mutate(200)
    audit = contents.watcher = Audit()
    end: bytes | None = b""
    while end is not None:
        mutate(20)
        audit.begin_chunk()
        count = dice.choice([1, 5, 15, 200])
        pairs = list(islice(store.scan(audit.position, None), count))
        mutate(20)
        findings = Findings(NONE, b"", None)
        findings.rows(pairs, None, no_entry)
        end = pairs[-1][0] + b"\0" if len(pairs) == count else None
        audit.end_chunk(findings.tally, end)
        assert not findings.found
    mutate(20)
    assert audit.verdict(contents) is None


def lost(store: MemoryStore) -> None:
    store.delete(b"030")


def doubled(store: MemoryStore) -> None:
    store.put(b"0305", row(1))


def old_image(store: MemoryStore) -> None:
    store.put(b"030", row(7))


@pytest.mark.parametrize("harm", [lost, doubled, old_image])
def test_what_crcs_do_not_see_the_sum_does(harm: Any) -> None:
    store = MemoryStore()
    contents = Contents(store, NONE)
    for number in range(60):
        apply(contents, store, b"%03d" % number, row(number))
    harm(store)
    audit, findings = Audit(), Findings(NONE, b"", None)
    audit.begin_chunk()
    findings.rows(store.scan(b"", None), None, no_entry)
    audit.end_chunk(findings.tally, None)
    assert not findings.found
    verdict = audit.verdict(contents)
    assert verdict is not None
    assert "by the log they are 60 items" in str(verdict)


def flipped(raw: bytes, at: int = -3) -> bytes:
    changed = bytearray(raw)
    changed[at] ^= 1
    return bytes(changed)


@pytest.mark.parametrize(
    ("pairs", "after", "what"),
    [
        ([(b"b", flipped(row(1)))], None, "checksum of a row"),
        ([(b"b", row(1)[:10])], None, "shorter than its header"),
        ([(b"c", row(1)), (b"b", row(2))], None, "out of order"),
        ([(b"b", row(1))], b"b", "out of order"),
        ([(b"a", row(1))], None, "outside of the partition"),
        ([(b"x", row(1))], None, "outside of the partition"),
    ],
)
def test_damaged_rows_are_named(pairs: list[tuple[bytes, bytes]], after: bytes | None, what: str) -> None:
    findings = Findings(NONE, b"b", b"x")
    findings.rows(pairs, after, no_entry)
    assert what in str(findings.found[0])
    assert findings.found[0].key == pairs[-1][0]


def indexed() -> tuple[MemoryStore, Contents, LocalIndexes]:
    store = MemoryStore()
    contents = Contents(store, INDEXES)
    for number in range(6):
        key = encode_key({"S": "pk"}, {"S": str(number)})
        apply(contents, store, key, encode_row(orjson.dumps(item("pk", str(number))), 10, 1))
    return store, contents, INDEXES


def test_entries_that_fit_their_rows_are_well() -> None:
    store, _, indexes = indexed()
    findings = Findings(indexes, b"", None)
    findings.rows(store.scan(b"", None), None, store.get_entry)
    findings.entries(store.scan_entries(b"", None), store.get)
    assert findings.found == []
    assert findings.tally.items == 6


@pytest.mark.parametrize("harm", ["missing", "changed", "stray", "flipped", "size"])
def test_entries_that_do_not_fit_are_named(harm: str) -> None:
    store, _, indexes = indexed()
    size, first = (pair[0] for pair in islice(store.scan_entries(b"", None), 2))
    if harm == "missing":
        store.delete_entry(first)
    elif harm == "changed":
        store.put_entry(first, encode_row(b"{}", 1, 0))
    elif harm == "stray":
        store.delete(next(store.scan(b"", None))[0])
    elif harm == "flipped":
        store.put_entry(first, flipped(store.get_entry(first) or b""))
    else:
        store.put_entry(size, b"9")
    findings = Findings(indexes, b"", None)
    findings.rows(store.scan(b"", None), None, store.get_entry)
    if harm != "changed":
        findings.entries(store.scan_entries(b"", None), store.get)
    assert findings.found


def test_request_ids_have_a_form() -> None:
    findings = Findings(NONE, b"", None)
    findings.requests([(bytes(18), bytes(21) + b"answer")])
    assert findings.found == []
    findings.requests([(bytes(18), bytes(20)), (bytes(17), bytes(30))])
    assert len(findings.found) == 2


def test_keys_are_shown_cut() -> None:
    assert str(Damage("what", b"\x01" * 100)) == "what, key " + "01" * 64 + "…"
    assert str(Damage("what")) == "what"
