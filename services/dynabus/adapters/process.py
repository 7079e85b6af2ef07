"""The life of a service's process around its loop: settings, signals, health checks, waiting for Kafka, exit codes.

0  stopped as asked
1  cannot run as it is: one line says why; or a part of it failed, which the log tells
70 a broken invariant
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.registry import Collector

from dynabus.adapters.kafka.cut_off import CutOffWatch, end_process
from dynabus.adapters.kafka.patience import Stopped, persist
from dynabus.adapters.kafka.settings import KafkaConfigError
from dynabus.adapters.kafka.topic_rules import UnsafeKafka
from dynabus.adapters.logs import configure_logs, logger
from dynabus.adapters.ops_server import Checks, OpsServer
from dynabus.adapters.scheduling import schedule_as_batch, yield_to_others
from dynabus.adapters.settings import ServiceSettings, load_settings
from dynabus.core.errors import InvariantError
from dynabus.core.ids import Writer


class Loop(Protocol):
    """What a process does, once it is connected. `messages`, `turns`: so far, by which a client that hears nothing is
    told from one to whom nothing is said."""

    me: Writer
    stopping: bool
    turns: int

    @property
    def messages(self) -> int: ...

    def run(self) -> int | None:
        """Until `stopping`; an exit code, if it is not 0."""
        ...

    def readiness(self) -> str | None:
        """Why it does not do its work, or None."""
        ...


S = TypeVar("S", bound=ServiceSettings)
L = TypeVar("L", bound=Loop)


@dataclass(frozen=True, slots=True)
class Service(Generic[S, L]):
    """`connect` raises TopicError, UnsafeKafka. `status`: what health checks show; another thread asks. `is_watched`:
    it hears something every few seconds, or is cut off. `yields`: its work can wait for clients'."""

    program: str
    settings: type[S]
    connect: Callable[[S], L]
    metrics: Callable[[L], Collector]
    status: Callable[[L], Mapping[str, Any]]
    is_watched: bool = True
    yields: bool = False

    def main(self, argv: Sequence[str]) -> int:
        """Run until SIGTERM or SIGINT; the exit code."""
        schedule_as_batch()
        settings = load_settings(self.settings, argv, self.program)
        configure_logs(settings.name, settings.log_level)
        if self.yields:
            yield_to_others()
        try:
            return self._serve(settings)
        except (KafkaConfigError, UnsafeKafka, OSError) as error:
            print(f"{self.program}: {error}", file=sys.stderr)
            return 1
        except InvariantError:
            logger().exception("broken invariant")
            return 70

    def _serve(self, settings: S) -> int:
        life = _Life(self.status)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: life.stop())
        registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        checks = Checks(readiness=life.readiness, status=life.status, registry=registry)
        server = OpsServer(settings.ops_host, settings.ops_port, checks)
        kafka = settings.kafka_settings()
        try:
            loop = persist(kafka, "waiting for Kafka", lambda: self.connect(settings), lambda: life.stopped)
            life.loop = loop
            registry.register(self.metrics(loop))
            logger().info("started", incarnation=loop.me.incarnation, ops_port=server.port)
            loop.stopping = life.stopped
            watch = CutOffWatch(kafka, lambda: loop.messages, lambda: loop.turns, lambda: end_process(self.program))
            if self.is_watched:
                watch.start()
            code = loop.run()
            watch.stop()
            return code or 0
        except Stopped:
            return 0
        finally:
            server.close()


class _Life(Generic[L]):
    """What signals and health checks see of the process, before and after it is connected."""

    def __init__(self, status: Callable[[L], Mapping[str, Any]]) -> None:
        self.stopped = False
        self.loop: L | None = None
        self._status = status

    def stop(self) -> None:
        self.stopped = True
        if self.loop is not None:
            self.loop.stopping = True

    def status(self) -> dict[str, Any]:
        return {"tables": [], **(self._status(self.loop) if self.loop is not None else {})}

    def readiness(self) -> str | None:
        return "waiting for Kafka" if self.loop is None else self.loop.readiness()
