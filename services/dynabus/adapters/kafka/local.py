"""The real Apache Kafka as a child process: KRaft, one process that is broker and controller.

    DIR/kafka/broker.json         ports and cluster id, chosen at the first start, the same ever after
    DIR/kafka/server.properties   written anew at every start: deploy/kafka's lines and this cluster's own
    DIR/kafka/data/               the topics
    DIR/kafka.log                 what the process prints

Java gets no path of this folder, which may have any letters in its name: it works in it, and paths are relative.

The process runs in a session of its own and outlives the command that started it. It holds the replication
logs, the only durable copy of the newest writes, so nothing here ever formats a folder that has data.
"""

from __future__ import annotations

import base64
import json
import os
import re
import shlex
import subprocess
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from dynabus.adapters.interrupts import no_interrupt
from dynabus.adapters.kafka.jars import JarError, Progress, deploy_folder, ensure_jars
from dynabus.adapters.kafka.java import Java, JavaError, find_java
from dynabus.adapters.ports import LOOPBACK, choose_ports, is_free
from dynabus.adapters.scheduling import started_as_batch
from dynabus.adapters.synced_file import replace_synced
from dynabus.adapters.tail import last_lines

HEAP = ("-Xmx512m",)
"""Enough for some thousand topic partitions; the process then takes about 340 MB. `KAFKA_HEAP_OPTS` instead of it, as
for Kafka's own scripts."""

PERFORMANCE = (
    # Starts in half the time of the default collector; pauses stay at a few ms with so small a heap.
    "-XX:+UseSerialGC",
    # Its threads are there from the start and stay: `_calm_compiler` finds them.
    "-XX:-UseDynamicNumberOfCompilerThreads",
)
"""`KAFKA_JVM_PERFORMANCE_OPTS` instead of them."""

ALWAYS = (
    # An out-of-memory broker that limps on looks alive to its clients; a dead one is seen and restarted.
    "-XX:+ExitOnOutOfMemoryError",
    "-Djava.awt.headless=true",
)
COMPILER_THREAD, LEAST_PRIORITY = "C2 ", 19
"""As /proc has the name of the optimising compiler's threads, and Linux's lowest priority."""

SILENT_S = 120.0
"""A broker that neither answers nor logs anything for so long stands still. Two seconds until it answers are usual;
after a crash with gigabytes of unflushed segments their recovery comes first, which takes minutes, and begins anew
in a broker that is killed in the middle of it."""

SAID_S = 10.0
"""Between two lines about a broker that is still starting."""

FORMAT_TIMEOUT_S = 180
PROPERTIES, DATA = "server.properties", "data"
META = f"{DATA}/meta.properties"
"""Where Kafka says that the folder is formatted."""

PROBE_TIMEOUT_S, POLL_S = 0.5, 0.05
SAID_LINES = 3
"""Among the last of its log; the very last may be empty."""
_EXCEPTION = re.compile(r"(Caused by: )?[\w.$]+(Exception|Error): ")
"""First line of a Java stack trace, and of each cause below it; the last cause is where it began."""

PORT_WAIT_S = 5
"""How long a broker that was just killed may still hold its port."""


class LocalBrokerError(Exception):
    """The broker cannot be started; one line that says what to do."""


@dataclass(frozen=True, slots=True)
class BrokerIdentity:
    """What must not change between starts: clients know the port, replicas' places the cluster id."""

    port: int
    controller_port: int
    cluster_id: str

    @property
    def bootstrap(self) -> str:
        return f"{LOOPBACK}:{self.port}"


@dataclass(frozen=True, slots=True)
class LocalBroker:
    """A started broker. `process` lets the starter wait for it; everybody else knows it by its pid."""

    identity: BrokerIdentity
    process: subprocess.Popen[bytes]

    @property
    def pid(self) -> int:
        return self.process.pid


def start_local_broker(
    folder: Path, log: Path, progress: Progress, on_spawn: Callable[[LocalBroker], None] = lambda _broker: None
) -> LocalBroker:
    """Start the broker whose data are in `folder` (made at the first start) and wait until it serves.

    `on_spawn` is called as soon as there is a process, so that its pid is written down whatever happens then.
    Raises LocalBrokerError with one line that says what to do: no Java, no network, port taken, it died.
    """
    folder = folder.resolve()
    try:
        java = find_java()
        jars = ensure_jars(progress)
    except (JavaError, JarError) as error:
        raise LocalBrokerError(str(error)) from error
    classpath = ":".join(map(str, jars))
    identity = _identity(folder)
    _write_properties(folder, identity)
    _check_ports(identity)
    if not (folder / META).exists():
        _format(folder, java, classpath, identity)
    progress(f"starting Apache Kafka on {identity.bootstrap} (Java {java.version}, {java.reason})")
    # What earlier runs logged is no reason for this one's end.
    begin = log.stat().st_size if log.exists() else 0
    with no_interrupt():
        broker = LocalBroker(identity, _spawn(folder, java, classpath, log))
        on_spawn(broker)
    _wait_until_serving(broker, log, begin, progress)
    _calm_compiler(broker.pid)
    return broker


def read_identity(folder: Path) -> BrokerIdentity | None:
    """Ports and cluster id of a broker that was started in this folder before. Raises LocalBrokerError."""
    path = folder / "broker.json"
    try:
        return BrokerIdentity(**json.loads(path.read_text())) if path.exists() else None
    except (ValueError, TypeError) as error:
        raise LocalBrokerError(f"{path} is damaged; restore that file or move the folder away") from error


def _identity(folder: Path) -> BrokerIdentity:
    known = read_identity(folder)
    if known:
        return known
    if (folder / DATA).exists():
        raise LocalBrokerError(f"{folder} has topics but no broker.json; restore that file or move the folder away")
    folder.mkdir(parents=True, exist_ok=True)
    port, controller_port = choose_ports(2)
    identity = BrokerIdentity(port, controller_port, _new_cluster_id())
    replace_synced(folder / "broker.json", f"{json.dumps(asdict(identity), indent=2)}\n".encode())
    return identity


def _new_cluster_id() -> str:
    """Kafka's form of a UUID: base64url without padding; a leading dash would look like an option."""
    while True:
        text = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        if not text.startswith("-"):
            return text


def _write_properties(folder: Path, identity: BrokerIdentity) -> None:
    own = {
        "listeners": f"PLAINTEXT://{identity.bootstrap},CONTROLLER://{LOOPBACK}:{identity.controller_port}",
        "advertised.listeners": f"PLAINTEXT://{identity.bootstrap}",
        "controller.quorum.voters": f"1@{LOOPBACK}:{identity.controller_port}",
        "log.dirs": DATA,
    }
    lines = [f"{key}={value}" for key, value in own.items()]
    common = (deploy_folder() / "server.properties").read_text()
    (folder / PROPERTIES).write_text("\n".join(lines) + "\n" + common)


def _check_ports(identity: BrokerIdentity) -> None:
    for port in (identity.port, identity.controller_port):
        if not _holds_within(PORT_WAIT_S, lambda port=port: is_free(port)):  # type: ignore[misc]
            raise LocalBrokerError(
                f"port {port}, which this cluster's Kafka has used since its first start, is taken by another "
                f"program: stop that program (see `ss -ltnp 'sport = :{port}'`) and run `dynabus up` again"
            )


def _format(folder: Path, java: Java, classpath: str, identity: BrokerIdentity) -> None:
    """Kafka's own formatting of an empty folder: cluster id, node id, metadata version."""
    command = [java.command, "-Xmx128m", "-XX:TieredStopAtLevel=1", "-cp", classpath, _logging()]
    command += ["kafka.tools.StorageTool", "format", "-t", identity.cluster_id, "-c", PROPERTIES]
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=_environment(),
            capture_output=True,
            text=True,
            errors="replace",
            timeout=FORMAT_TIMEOUT_S,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired as error:
        raise LocalBrokerError(f"Kafka did not format {folder} within {FORMAT_TIMEOUT_S} s: run it again") from error
    if done.returncode != 0 or not (folder / META).exists():
        raise LocalBrokerError(f"Kafka could not format {folder}: {last_line(done.stdout + done.stderr)}")


def _environment() -> dict[str, str]:
    """Java reads names of files as the locale says, and with the one that minimal systems have only ASCII's."""
    return {**os.environ, "LC_ALL": "C.UTF-8"}


def _logging() -> str:
    return f"-Dlog4j2.configurationFile={deploy_folder() / 'log4j2.properties'}"


def _spawn(folder: Path, java: Java, classpath: str, log: Path) -> subprocess.Popen[bytes]:
    own = [*_options("KAFKA_HEAP_OPTS", HEAP), *_options("KAFKA_JVM_PERFORMANCE_OPTS", PERFORMANCE), *ALWAYS]
    command = [java.command, *own, _logging(), "-cp", classpath]
    command += ["kafka.Kafka", PROPERTIES]
    with log.open("ab") as out, started_as_batch():
        return subprocess.Popen(
            command,
            cwd=folder,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )


def _options(name: str, usual: Sequence[str]) -> Sequence[str]:
    try:
        return shlex.split(os.environ[name]) if os.environ.get(name) else usual
    except ValueError as error:
        raise LocalBrokerError(f"{name} cannot be read: {error}") from error


def _calm_compiler(pid: int) -> None:
    """The optimising compiler only gets what Kafka's other threads leave.

    It takes some ten seconds of a core in a cluster's first minute under load, and from then on each request costs
    Kafka a third less. Where threads cannot be told apart (macOS) it runs as it likes.
    """
    for task in Path(f"/proc/{pid}/task").glob("*"):
        with suppress(OSError):
            if (task / "comm").read_text().startswith(COMPILER_THREAD):
                os.setpriority(os.PRIO_PROCESS, int(task.name), LEAST_PRIORITY)


def _wait_until_serving(broker: LocalBroker, log: Path, begin: int, progress: Progress) -> None:
    serving = answers_or_stands_still(
        broker.identity.bootstrap, log, SILENT_S, lambda: broker.process.poll() is None, progress
    )
    if broker.process.poll() is not None:
        raise LocalBrokerError(f"Kafka ended while it started: {_reason(log, begin)} (whole log: {log})")
    if not serving:
        broker.process.kill()
        broker.process.wait()
        raise LocalBrokerError(f"Kafka stood still for {SILENT_S:.0f} s while it started, and was ended; see {log}")


def answers_or_stands_still(
    bootstrap: str, log: Path, silent_s: float, is_alive: Callable[[], bool], progress: Progress
) -> bool:
    """Wait as long as the broker lives and goes on, which its log tells; whether it answers a metadata request and
    names itself (it opens its port a little earlier)."""
    grown, grown_s = -1, time.monotonic()
    said_s = grown_s
    while is_alive():
        if count_brokers(bootstrap):
            return True
        now_s, size = time.monotonic(), log.stat().st_size if log.exists() else 0
        if size != grown:
            grown, grown_s = size, now_s
        if now_s - grown_s > silent_s:
            break
        if now_s - said_s > SAID_S:
            said_s = now_s
            progress(f"Kafka is still starting: {last_line(chr(10).join(last_lines(log, SAID_LINES)))}")
        time.sleep(POLL_S)
    return False


def count_brokers(
    bootstrap: str, properties: Mapping[str, str] | None = None, timeout_s: float = PROBE_TIMEOUT_S
) -> int:
    """How many Kafka brokers answer there now; 0 when none does."""
    from confluent_kafka import KafkaException
    from confluent_kafka.admin import AdminClient

    # Silent: connection refused is the expected answer while a broker starts.
    client = AdminClient({"log_level": 0, **(properties or {}), "bootstrap.servers": bootstrap})
    try:
        return len(client.list_topics(timeout=timeout_s).brokers)
    except KafkaException:
        return 0


def _holds_within(timeout_s: float, condition: Callable[[], object]) -> bool:
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_S)
    return True


def _reason(log: Path, begin: int) -> str:
    """The line of the log, from the byte `begin` on, that tells best why the process ended."""
    lines = log.read_bytes()[begin:].decode(errors="replace").splitlines()
    causes = [line for line in lines if _EXCEPTION.match(line)]
    errors = [line for line in lines if " ERROR " in line or " FATAL " in line]
    return (causes[-1:] or errors or lines[-1:] or ["it printed nothing"])[0]


def last_line(text: str) -> str:
    """The last line that is not empty."""
    return next((line for line in reversed(text.splitlines()) if line.strip()), "it printed nothing")
