"""Single bits flipped anywhere in a replica's file: what changes what is read is found, or LMDB refuses it.

Each flip is opened and read in a process of its own, since LMDB may end the process that reads a damaged page.
"""

from __future__ import annotations

import multiprocessing
import random
import shutil
from pathlib import Path

import pytest
from tests.unit.core.test_contents import NONE
from tests.unit.storage_node.upkeep.test_scrubbing import leading

from dynabus.adapters.lmdb import LmdbStore, StoreError
from dynabus.adapters.log_codec import encode_place
from dynabus.core.contents import Contents
from dynabus.core.rows import CorruptRow
from dynabus.core.scrub import Audit
from dynabus.storage_node.upkeep.scrub_reading import Phase, Position, read_chunk

ROWS, PAGE_BYTES, HEAD_BYTES = 400, 4096, 16
FAST = 1e12

HARMLESS, FOUND, REFUSED, SILENT = range(4)


def look(path: Path, rows: list[tuple[bytes, bytes]]) -> int:
    """What a node would find: at the opening, or by a scrub."""
    try:
        store = LmdbStore(path)
        contents, audit, position = Contents(store, NONE), Audit(), Position()
        while position.phase is not Phase.DONE:
            audit.begin_chunk()
            chunk = read_chunk(store.snapshot(), position, (b"", None), NONE, FAST)
            if chunk.found:
                return FOUND
            if position.phase is Phase.ROWS:
                audit.end_chunk(chunk.tally, (chunk.end.after or b"") + b"\0" if not chunk.end.phase else None)
            position = chunk.end
        if audit.verdict(contents) is not None:
            return FOUND
        return HARMLESS if list(store.scan(b"", None)) == rows else SILENT
    except (StoreError, CorruptRow):
        return REFUSED


def looked(path: Path, rows: list[tuple[bytes, bytes]]) -> int:
    """The same in a process of its own; negative for the signal that ended it."""
    process = multiprocessing.get_context("fork").Process(target=lambda: raise_exit(look(path, rows)))
    process.start()
    process.join(30)
    assert process.exitcode is not None, "it hangs"
    return process.exitcode


def raise_exit(code: int) -> None:
    raise SystemExit(code)


def flips(tmp_path: Path, heads: bool, count: int) -> dict[int, int]:
    """Outcomes of so many flips, in page heads or anywhere."""
    made = leading(tmp_path / "0", ROWS)
    rows = list(made.store.scan(b"", None))
    place = encode_place(made.replica.place)
    made.store.close(place, made.contents.encode(place))
    content = (tmp_path / "0" / "data.mdb").read_bytes()
    outcomes: dict[int, int] = {}
    for seed in range(count):
        dice = random.Random(seed)
        shutil.copytree(tmp_path / "0", tmp_path / "1")
        page = dice.randrange(len(content) // PAGE_BYTES)
        at = page * PAGE_BYTES + dice.randrange(HEAD_BYTES if heads else PAGE_BYTES)
        flipped = bytearray(content)
        flipped[at] ^= 1 << dice.randrange(8)
        (tmp_path / "1" / "data.mdb").write_bytes(flipped)
        outcome = looked(tmp_path / "1", rows)
        outcomes[outcome] = outcomes.get(outcome, 0) + 1
        shutil.rmtree(tmp_path / "1")
    return outcomes


@pytest.mark.parametrize("heads", [True, False], ids=["page heads", "anywhere"])
def test_no_flip_changes_anything_unnoticed(tmp_path: Path, heads: bool) -> None:
    outcomes = flips(tmp_path, heads, 40)
    assert SILENT not in outcomes, outcomes
    assert outcomes.get(FOUND, 0) + outcomes.get(REFUSED, 0) > 0, outcomes
    assert set(outcomes) <= {HARMLESS, FOUND, REFUSED}, outcomes
