"""A node's data on disk: one process at a time, one format, an incarnation that only grows.

DATA/FORMAT                  version of this layout
DATA/lock                    locked by the process that runs here (I2)
DATA/incarnation             of the newest run
DATA/kafka-cluster           id of the Kafka cluster that it belongs to
DATA/admin-log               topic id of its admin log
DATA/<log>/<partition>/      one replica (`adapters.lmdb`)
DATA/<log>/<partition>.left.<number>/   a replica that left this node and is being removed
"""

from __future__ import annotations

import fcntl
from io import BufferedRandom
from pathlib import Path

from dynabus.adapters.clock import new_incarnation
from dynabus.adapters.synced_file import replace_synced
from dynabus.adapters.volume import with_remedy
from dynabus.core.ids import Incarnation, PartitionId

FORMAT_VERSION = 1
_ASIDE = ".left."

LOST = (
    "Nothing was changed. Start the Kafka that it belongs to, or restore it; if its data is lost, keep this folder "
    "(its replicas are all that is left) and begin anew with another one"
)


class DataFolderError(Exception):
    """The folder cannot be used by this process; one line that says what to do."""


class DataFolder:
    """The node's folder, locked from construction until `close` or the process's end."""

    def __init__(self, path: Path) -> None:
        """Make or open it. Raises DataFolderError: in use, of another format, not writable."""
        self.path = path
        self.former = Incarnation(0)
        """The run before this one, known once this one has its incarnation; 0 in a new folder."""
        try:
            path.mkdir(parents=True, exist_ok=True)
            self._lock = (path / "lock").open("a+b")
            self._take(self._lock)
            self._check_format()
        except OSError as error:
            raise DataFolderError(f"cannot use the data folder {path}: {with_remedy(error, path)}") from error

    def _take(self, file: BufferedRandom) -> None:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise DataFolderError(
                f"{self.path} is used by another process: stop it, or give another folder with --data"
            ) from error

    def _check_format(self) -> None:
        file = self.path / "FORMAT"
        if not file.exists():
            replace_synced(file, f"{FORMAT_VERSION}\n".encode())
            return
        found = file.read_text().strip()
        if found != str(FORMAT_VERSION):
            raise DataFolderError(
                f"{self.path} has format {found}, this version of Dynabus reads {FORMAT_VERSION}: "
                "start the version that wrote it, or give another folder with --data"
            )

    def next_incarnation(self) -> Incarnation:
        """This run's incarnation: greater than every earlier one's, and on disk before it is used."""
        file = self.path / "incarnation"
        try:
            self.former = Incarnation(int(file.read_text()) if file.exists() else 0)
            incarnation = max(self.former + 1, new_incarnation())
            replace_synced(file, f"{incarnation}\n".encode())
        except (OSError, ValueError) as error:
            raise DataFolderError(f"cannot read or write {file}: {with_remedy(error, self.path)}") from error
        return Incarnation(incarnation)

    def check_kafka(self, cluster_id: str) -> None:
        """The Kafka of the first run, or none that counts: raises DataFolderError before anything is written to it.

        An empty Kafka beside old replicas would begin as a new cluster, in which nobody would ever look at them.
        """
        known = self._remembered("kafka-cluster", cluster_id)
        if known != cluster_id:
            raise DataFolderError(
                f"{self.path} belongs to Kafka cluster {known}, and this Kafka is cluster {cluster_id}. {LOST}"
            )

    def check_admin_log(self, name: str, topic_id: str | None) -> None:
        """The same of the admin log's topic, None where there is none: Kafka's cluster id may be one that its image
        gives to each new one. Raises DataFolderError."""
        known = self._remembered("admin-log", topic_id or "")
        if known != (topic_id or ""):
            here = f"the one that is here is topic {topic_id}" if topic_id else "here is none"
            raise DataFolderError(f"{self.path} belongs to {name} with the topic id {known}, and {here}. {LOST}")

    def _remembered(self, what: str, found: str) -> str:
        """What an earlier run found, or what this one has; nothing is not remembered."""
        file = self.path / what
        try:
            known = file.read_text().strip() if file.exists() else ""
            if not known and found:
                replace_synced(file, f"{found}\n".encode())
        except OSError as error:
            raise DataFolderError(f"cannot read or write {file}: {with_remedy(error, self.path)}") from error
        return known or found

    def replica(self, partition: PartitionId) -> Path:
        """Where a replica's store lives."""
        return self.path / partition.log / str(partition.number)

    def set_aside(self, partition: PartitionId) -> Path | None:
        """Rename a replica's folder, so that a new one can be made at once; None where there is none."""
        path = self.replica(partition)
        if not path.exists():
            return None
        aside = path.with_name(f"{path.name}{_ASIDE}{new_incarnation()}")
        path.rename(aside)
        return aside

    def left_aside(self) -> list[Path]:
        """What earlier runs renamed and did not come to remove."""
        return sorted(self.path.glob(f"*/*{_ASIDE}*"))

    def close(self) -> None:
        """Let another process have the folder."""
        self._lock.close()
