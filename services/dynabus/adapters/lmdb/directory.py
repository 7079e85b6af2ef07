"""What state a data directory was left in, so that a half-written one is never trusted.

Without syncing at commit a host crash can leave the place on disk and its data not, and such a replica could win
an election. A process crash cannot: what was written is in the kernel's page cache. The file `state` tells them
apart; it is written and synced before the first change and after the last one.

    state     written                          trusted at the next open
    dirty     at open, unsynced commits        only under the same boot of the kernel
    synced    at open, commits sync data       always
    clean     at close, everything synced      always
"""

from __future__ import annotations

import shutil
import time
from contextlib import suppress
from pathlib import Path

import orjson

from dynabus.adapters.lmdb.errors import StoreError, StoreLostError, StoreVersionError
from dynabus.adapters.synced_file import replace_synced, sync_folder, write_synced

FORMAT_VERSION = 1
"""Of the directory: the names of the databases, `core.keys`, `core.keys.layers` and `core.rows`."""

DIRTY, SYNCED, CLEAN = "dirty", "synced", "clean"

_STATE = "state"
_DATA = "data.mdb"
_DAMAGED = ".damaged-"
_PLACE, _LOSS = "place", "lost"
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def boot_id() -> str:
    """Identity of this boot of the kernel, or "" where the system does not tell (then no dirty one is trusted)."""
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return ""


def claim(path: Path, state: str, boot: str) -> bool:
    """Check a directory (made if missing) and mark it as in use; True if its data must be synced first.

    `state` is DIRTY or SYNCED, what the coming commits leave behind. Raises `StoreLostError` or
    `StoreVersionError`; the directory is unchanged then. A directory that goes from unsynced to synced commits
    keeps its old mark until the caller has synced it and calls `mark`.
    """
    path.mkdir(parents=True, exist_ok=True)
    before = _left_behind(path)
    if before.get("state") == DIRTY and before.get("boot_id") != (boot or None):
        raise StoreLostError(f"{path}: left open by a host that has since restarted; data may be missing")
    if before == {"state": DIRTY, "boot_id": boot, "format": FORMAT_VERSION}:
        return state == SYNCED
    mark(path, state, boot)
    return False


def mark(path: Path, state: str, boot: str) -> None:
    """Write the state and sync it: it is on disk when this returns."""
    replace_synced(path / _STATE, orjson.dumps({"format": FORMAT_VERSION, "state": state, "boot_id": boot}))


def discard(path: Path) -> None:
    """Remove a replica's directory. Stopped half way it is refused as lost, and can be discarded again.

    Raises StoreError.
    """
    try:
        if path.exists():
            shutil.rmtree(path)
    except OSError as error:
        raise StoreError(f"{path}: {error}") from error


def install(made: Path, path: Path) -> None:
    """Give a store that was made beside it, and closed, the replica's name: in one step, and for good."""
    discard(path)
    made.rename(path)
    sync_folder(path.parent)


def exchange(made: Path, path: Path) -> None:
    """Give a store that was made beside it, and closed, the name of the one that it replaces, for good.

    One of both is whole at any moment: a host that crashes in between finds the older one (`settled`).
    """
    off = put_off(settled(path))
    discard(off)
    if path.exists():
        path.rename(off)
    made.rename(path)
    sync_folder(path.parent)
    with suppress(StoreError):
        discard(off)  # the next one does


def settled(path: Path) -> Path:
    """The path, where an exchange that was stopped half way is undone. Raises StoreError."""
    off = put_off(path)
    try:
        if off.exists() and not path.exists():
            off.rename(path)
    except OSError as error:
        raise StoreError(f"{off}: {error}") from error
    return path


def put_off(path: Path) -> Path:
    """Where the older one is meanwhile."""
    return path.with_name(path.name + ".old")


def put_aside(path: Path, place: bytes | None) -> None:
    """Rename a damaged store to `<folder>.damaged-<time>` for inspection; an older one of it goes.

    `place`: up to where it had folded its log, if that is known, written into it first. The rename is the one step
    that counts: stopped before it the store is where it was, after it there is none.
    """
    for old in _put_aside(path):
        shutil.rmtree(old)
    if not path.exists():
        return
    if place is not None:
        write_synced(path / _PLACE, place)
    path.rename(path.with_name(f"{path.name}{_DAMAGED}{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}"))
    sync_folder(path.parent)


def place_put_aside(path: Path) -> bytes | None:
    """The place of the store that was put aside from here, if there is one and its place was known."""
    for old in _put_aside(path):
        file = old / _PLACE
        if file.exists():
            return file.read_bytes()
    return None


def keep_loss(path: Path, why: str) -> None:
    """Beside a store: its log lost records that it holds (I9). Synced: no restart may forget it."""
    replace_synced(path / _LOSS, why.encode())


def loss_kept(path: Path) -> str:
    """What `keep_loss` wrote; empty if nothing. That there is a file is enough."""
    file = path / _LOSS
    return (file.read_text() or "its log lost records") if file.exists() else ""


def _put_aside(path: Path) -> list[Path]:
    return sorted(path.parent.glob(f"{path.name}{_DAMAGED}*"))


def _left_behind(path: Path) -> dict[str, object]:
    """The last mark; empty for a new directory."""
    file, has_data = path / _STATE, (path / _DATA).exists()
    if not file.exists():
        if has_data:
            raise StoreLostError(f"{path}: data without a state file; a removal was interrupted")
        return {}
    try:
        state = orjson.loads(file.read_bytes())
        version = state["format"]
    except (ValueError, KeyError, TypeError) as error:
        raise StoreLostError(f"{path}: the state file is unreadable") from error
    except OSError as error:
        raise StoreError(f"{path}: {error}") from error
    if version != FORMAT_VERSION:
        raise StoreVersionError(
            f"{path} is a data directory of format {version}, this version of Dynabus reads {FORMAT_VERSION}: "
            "start the version that wrote it, or another --data directory"
        )
    if not has_data and state.get("state") != DIRTY:
        raise StoreLostError(f"{path}: the state file says {state.get('state')}, but there is no data")
    return state  # type: ignore[no-any-return]
