"""Stores that cannot be trusted any more: restored, begun anew, or kept as they are."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from tests.unit.storage_node.cloning.test_clones import replica
from tests.unit.storage_node.stand_ins import ME, ORIGIN, PARTITION

from dynabus.adapters.lmdb import StoreLostError, put_off
from dynabus.adapters.lmdb.directory import DIRTY, mark
from dynabus.core.pruning import NOTHING
from dynabus.core.topics import Topics
from dynabus.storage_node.replicas.opening import Premises
from dynabus.storage_node.upkeep.checkpoints import checkpoint_of, durable_of


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Of a store with a checkpoint, left open by a host that has since restarted."""
    made = tmp_path / "0"
    replica(made)
    mark(made, DIRTY, "an earlier boot")
    return made


@pytest.fixture
def premises(path: Path) -> Premises:
    rest: Any = None
    folder: Any = SimpleNamespace(replica=lambda _: path)
    return Premises(Topics(), folder, rest, cast("Any", SimpleNamespace(me=ME)), False, 1)


@pytest.mark.parametrize("checkpoint", [True, False])
def test_a_store_that_is_lost_is_restored_or_begun_anew(path: Path, premises: Premises, checkpoint: bool) -> None:
    if not checkpoint:
        checkpoint_of(path).rename(path.with_name("elsewhere"))
    store = premises.open_store(PARTITION)
    assert (store.place() is not None) == checkpoint
    store.abandon()


def test_one_that_is_to_be_kept_is_left_as_it_is_and_so_is_its_checkpoint(path: Path, premises: Premises) -> None:
    before = {file: file.read_bytes() for folder in (path, checkpoint_of(path)) for file in folder.iterdir()}
    for _ in range(2):
        with pytest.raises(StoreLostError):
            premises.open_store(PARTITION, kept=True)
    assert {file: file.read_bytes() for file in before} == before
    assert durable_of(path, ORIGIN).offset > 0


def test_a_checkpoint_without_its_data_counts_for_nothing(path: Path, premises: Premises) -> None:
    """As a removal that was cut off may leave one: its log must not be pruned behind it."""
    (checkpoint_of(path) / "data.mdb").unlink()
    assert durable_of(path, ORIGIN).offset > 0
    store = premises.open_store(PARTITION)
    assert store.place() is None
    assert durable_of(path, ORIGIN) == NOTHING
    store.abandon()


def test_an_exchange_of_checkpoints_that_was_cut_off_is_undone(path: Path, premises: Premises) -> None:
    checkpoint_of(path).rename(put_off(checkpoint_of(path)))
    store = premises.open_store(PARTITION)
    assert store.place() is not None
    assert durable_of(path, ORIGIN).offset > 0
    store.abandon()
